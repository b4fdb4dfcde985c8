//! What an action asks for, checked.

use jujuna::{ErrorKind, Juju};
use serde::Deserialize;

use crate::backup::Components;
use crate::backup::catalog::{AnyBackupId, BackupChoice};
use crate::backup::components::UnknownComponents;
use crate::backup::restore::{InvalidRestoreId, RestoreId};
use crate::event::Action;

/// An action with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `create-backup`
    CreateBackup {
        /// Whether to claim a path that another server wrote to.
        take_over: bool,
    },
    /// `list-backups`
    ListBackups {
        /// How many at most.
        limit: usize,
        /// Only those older than this one.
        before: Option<String>,
    },
    /// `show-backup`
    ShowBackup {
        /// Which.
        choice: BackupChoice,
    },
    /// `verify-backup`
    VerifyBackup {
        /// Which.
        choice: BackupChoice,
    },
    /// `delete-backup`
    DeleteBackup {
        /// Which.
        id: AnyBackupId,
        /// Whether to claim a path that another server wrote to.
        take_over: bool,
    },
    /// `restore-backup`
    RestoreBackup {
        /// Which backup.
        backup: BackupChoice,
        /// Which parts of it.
        components: Components,
        /// Whether only to say what would happen.
        dry_run: bool,
    },
    /// `undo-restore`
    UndoRestore {
        /// Which one; the newest where none is given.
        restore: Option<RestoreId>,
    },
    /// `discard-old-data`
    DiscardOldData {
        /// Of which restore; of all where none is given.
        restore: Option<RestoreId>,
    },
    /// `start-empty`
    StartEmpty {
        /// The name that the admin typed.
        confirm: String,
    },
    /// `register-user`
    RegisterUser {
        /// The localpart.
        username: String,
        /// Whether the user may administer the server.
        admin: bool,
    },
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Parameters {
    take_over: bool,
    backup_id: String,
    limit: Option<usize>,
    before: Option<String>,
    confirm: String,
    username: String,
    admin: bool,
    components: Option<String>,
    dry_run: bool,
    restore_id: Option<String>,
}

impl Request {
    /// Returns what the running action `action` asks for, or a sentence that says which
    /// parameter is wrong.
    ///
    /// # Errors
    ///
    /// Fails when Juju does not give the parameters.
    pub(super) fn read(action: Action, juju: &Juju) -> Result<Result<Self, String>, jujuna::Error> {
        match juju.action_params::<Parameters>() {
            Ok(parameters) => Ok(Self::check(action, parameters)),
            Err(error) if error.kind() == ErrorKind::Mismatch => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn check(action: Action, parameters: Parameters) -> Result<Self, String> {
        match action {
            Action::CreateBackup => Ok(Self::CreateBackup {
                take_over: parameters.take_over,
            }),
            Action::ListBackups => {
                let before = parameters.before.filter(|id| !id.is_empty());
                if let Some(text) = before
                    .as_deref()
                    .filter(|text| text.parse::<AnyBackupId>().is_err())
                {
                    return Err(format!(
                        "before={text:?} is no backup id: take one from list-backups, such as \
                         backup-20260131-235959-0a1b"
                    ));
                }
                Ok(Self::ListBackups {
                    limit: parameters.limit.unwrap_or(100).clamp(1, 1000),
                    before,
                })
            }
            Action::ShowBackup => Ok(Self::ShowBackup {
                choice: choice(&parameters.backup_id)?,
            }),
            Action::VerifyBackup => Ok(Self::VerifyBackup {
                choice: choice(&parameters.backup_id)?,
            }),
            Action::DeleteBackup => match choice(&parameters.backup_id)? {
                BackupChoice::Id(id) => Ok(Self::DeleteBackup {
                    id,
                    take_over: parameters.take_over,
                }),
                BackupChoice::Latest => {
                    Err("delete-backup takes no latest: give the id of one backup".to_owned())
                }
            },
            Action::RestoreBackup => restore_backup(&parameters),
            Action::UndoRestore => Ok(Self::UndoRestore {
                restore: restore_id(parameters.restore_id)?,
            }),
            Action::DiscardOldData => Ok(Self::DiscardOldData {
                restore: restore_id(parameters.restore_id)?,
            }),
            Action::StartEmpty => Ok(Self::StartEmpty {
                confirm: parameters.confirm,
            }),
            Action::RegisterUser => {
                check_localpart(&parameters.username)?;
                Ok(Self::RegisterUser {
                    username: parameters.username,
                    admin: parameters.admin,
                })
            }
        }
    }
}

/// Which backup is meant. Nothing else gets as far as a key of S3.
fn choice(text: &str) -> Result<BackupChoice, String> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        format!(
            "backup-id={shown:?} is no backup id: take one from list-backups, such as \
             backup-20260131-235959-0a1b"
        )
    })
}

fn restore_backup(parameters: &Parameters) -> Result<Request, String> {
    let components = parameters.components.as_deref().map(str::parse).transpose();
    Ok(Request::RestoreBackup {
        backup: choice(&parameters.backup_id)?,
        components: components
            .map_err(|error: UnknownComponents| error.to_string())?
            .unwrap_or_default(),
        dry_run: parameters.dry_run,
    })
}

fn restore_id(text: Option<String>) -> Result<Option<RestoreId>, String> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| {
        text.parse()
            .map_err(|error: InvalidRestoreId| format!("restore-id: {error}"))
    })
    .transpose()
}

/// Checks the first part of a user's name by the grammar of the Matrix specification.
fn check_localpart(username: &str) -> Result<(), String> {
    const NEXT: &str = "use a to z, 0 to 9 and . _ = - / +, not beginning with _";
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    if username.is_empty() || !username.bytes().all(plain) || username.starts_with('_') {
        return Err(format!("username {username:?} is not allowed: {NEXT}"));
    }
    if username.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "username {username:?} is not allowed: names of digits alone are kept for guests"
        ));
    }
    // The whole name takes 255 bytes at most, Synapse says so once it knows the server's.
    if username.len() > 200 {
        return Err("username is too long: use at most 200 characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_follow_the_matrix_grammar() {
        for name in ["alice", "a.b_c=d-e/f+g", "0x", "a1"] {
            assert_eq!(check_localpart(name), Ok(()), "{name}");
        }
        for name in [
            "", "Alice", "a b", "@a", "a:b", "é", "a\n", "_a", "123", "a\0b", "$(x)",
        ] {
            assert!(
                check_localpart(name).unwrap_err().contains("username"),
                "{name}"
            );
        }
        assert!(check_localpart(&"a".repeat(201)).is_err());
    }

    #[test]
    fn malformed_id_is_refused_by_the_parameters_name() {
        let parameters = Parameters {
            before: Some("../x".into()),
            ..Parameters::default()
        };
        assert!(
            Request::check(Action::ListBackups, parameters)
                .unwrap_err()
                .starts_with("before=")
        );
    }

    #[test]
    fn backup_is_chosen_by_an_id_and_deleted_by_nothing_else() {
        let check = |action, id: &str| {
            let parameters = Parameters {
                backup_id: id.into(),
                ..Parameters::default()
            };
            Request::check(action, parameters)
        };
        let all = [
            Action::ShowBackup,
            Action::VerifyBackup,
            Action::DeleteBackup,
        ];
        for action in all {
            for id in ["backup-20261123-110000-00ff", "backup-20250102030405123456"] {
                assert!(check(action, id).is_ok(), "{action:?} {id}");
            }
            for id in [
                "",
                "prod/db",
                "../x",
                "owner.json",
                "backup-20261123-110000-00ff/",
            ] {
                let refusal = check(action, id).unwrap_err();
                assert!(refusal.contains("is no backup id"), "{refusal}");
            }
        }
        assert!(check(Action::VerifyBackup, "latest").is_ok());
        let refusal = check(Action::DeleteBackup, "latest").unwrap_err();
        assert!(refusal.contains("takes no latest"), "{refusal}");
    }

    #[test]
    fn parameters_left_out_have_their_defaults() {
        let request = |action| Request::check(action, Parameters::default()).unwrap();
        assert_eq!(
            request(Action::CreateBackup),
            Request::CreateBackup { take_over: false }
        );
        assert_eq!(
            request(Action::ListBackups),
            Request::ListBackups {
                limit: 100,
                before: None
            }
        );
    }
}
