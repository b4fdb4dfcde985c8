//! What the actions do.

use jiff::Timestamp;
use jujuna::Juju;
use secrecy::ExposeSecret as _;

use super::{Applied, Halt, Outside};
use crate::backup::catalog::{self, Catalog, Entry};
use crate::backup::limits::ACTION_LOG_LINES;
use crate::backup::workload_tools::{self, ProbeError};
use crate::backup::{self, BackupError, CreateJob, Progress, Receipt, S3Client, S3Error};
use crate::decide::status;
use crate::plan::{Condition, CreateBackup, ListBackups, RegisterUser};
use crate::state::{LastBackup, StoreMemory};
use crate::synapse::{admin_api, identity, names};

impl From<S3Error> for Halt {
    fn from(error: S3Error) -> Self {
        Self::Refused(error.with_next_step())
    }
}

impl From<ProbeError> for Halt {
    fn from(error: ProbeError) -> Self {
        Self::Refused(crate::report::chain(&error))
    }
}

impl From<BackupError> for Halt {
    fn from(error: BackupError) -> Self {
        if !error.log_tail().is_empty() {
            tracing::warn!("{error}; the tools said: {}", error.log_tail());
        }
        Self::Refused(error.with_next_step())
    }
}

pub(super) async fn create_backup(
    request: CreateBackup,
    outside: &Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let Outside {
        juju,
        pebble,
        context,
    } = outside;
    let job = CreateJob {
        server_name: request.server_name,
        model_uuid: context.model_uuid.clone(),
        application: context.unit.app().to_owned(),
        unit: context.unit.to_string(),
        database_path: names::DATABASE.to_owned(),
        media_store_path: names::MEDIA_STORE.to_owned(),
        extra_paths: request.extra_paths,
        take_over: request.take_over,
        max_duration: request.max_duration,
        tools: workload_tools::probe(pebble).await?,
    };
    let mut told = Told {
        juju,
        lines: 0,
        conditions: &applied.conditions,
    };
    told.show("backing up");
    let made = backup::create_backup(
        pebble,
        &request.parameters,
        &request.id,
        &request.passphrase,
        &job,
        &mut told,
    );
    let receipt = made.await?;
    applied.memory.store = Some(StoreMemory {
        parameters: request.parameters.hash(),
        checked_at: Timestamp::now(),
        problem: None,
        last: Some(LastBackup {
            finished_at: receipt.manifest.finished,
            size_bytes: receipt.size_bytes,
        }),
    });
    applied.results.extend(receipt_results(&receipt));
    Ok(())
}

fn receipt_results(receipt: &Receipt) -> Vec<(String, String)> {
    const KEEP: &str = "KEEP THE BACKUP PASSPHRASE OUTSIDE JUJU, beside the S3 address and keys: with Juju lost, no \
                        backup can be read without it.";
    let mut results = vec![
        ("result", "correct".to_owned()),
        ("backup-id", receipt.backup_id.to_string()),
        ("size-bytes", receipt.size_bytes.to_string()),
        ("duration-seconds", receipt.duration.as_secs().to_string()),
        ("contents", receipt.contents.to_string()),
        ("keep-outside-juju", KEEP.to_owned()),
        ("restore-in-place", receipt.restore_in_place.to_string()),
    ];
    if !receipt.warnings.is_empty() {
        results.push(("warnings", receipt.warnings.join("; ")));
    }
    results
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Tells the action's log and the status how far a backup is.
struct Told<'a> {
    juju: &'a Juju,
    lines: usize,
    /// What else is to be said of the unit, for hours maybe.
    conditions: &'a [Condition],
}

impl Told<'_> {
    fn show(&self, text: &str) {
        let status = status::compose_during(self.conditions, text);
        // A backup does not end because a word about it was not taken.
        if let Err(error) = self.juju.status_set(&status) {
            tracing::warn!("{error}");
        }
    }
}

impl Progress for Told<'_> {
    fn log(&mut self, line: &str) {
        self.lines += 1;
        if self.lines > ACTION_LOG_LINES {
            return;
        }
        if let Err(error) = self.juju.action_log(line) {
            tracing::warn!("{error}");
        }
        if let Some((percent, _)) = line.split_once(" %: ") {
            self.show(&format!("backing up {percent} %"));
        }
    }
}

pub(super) async fn list_backups(request: &ListBackups, applied: &mut Applied) -> Result<(), Halt> {
    let client = S3Client::new(&request.parameters)?;
    let catalog = catalog::list(&client).await?;
    applied.results.extend(list_results(&catalog, request));
    Ok(())
}

fn list_results(catalog: &Catalog, request: &ListBackups) -> Vec<(String, String)> {
    let limit = request.limit.min(catalog::table::MOST_ENTRIES);
    let (shown, truncated) = catalog.page(limit, request.before.as_deref());
    let mut results = vec![
        ("formatted".to_owned(), catalog::table::formatted(shown)),
        ("count".to_owned(), catalog.entries.len().to_string()),
        ("shown".to_owned(), shown.len().to_string()),
        ("truncated".to_owned(), truncated.to_string()),
    ];
    results.extend(shown.iter().flat_map(entry_results));
    results
}

fn entry_results(entry: &Entry) -> [(String, String); 3] {
    let key = |field: &str| format!("backups.{}.{field}", entry.id);
    // Whole seconds, as in the table.
    let modified = Timestamp::from_second(entry.modified.as_second()).unwrap_or(entry.modified);
    [
        (key("state"), entry.status()),
        (key("last-modified"), modified.to_string()),
        (key("size-bytes"), entry.size_bytes.to_string()),
    ]
}

pub(super) async fn register_user(
    request: &RegisterUser,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let password = identity::generate_password().map_err(anyhow::Error::from)?;
    admin_api::register_user(
        &request.registration_secret,
        &request.username,
        &password,
        request.admin,
    )
    .await
    .map_err(|error| Halt::Refused(format!("{error:#}")))?;
    applied
        .results
        .insert("register-user".to_owned(), "true".to_owned());
    applied.results.insert(
        "user-password".to_owned(),
        password.expose_secret().to_owned(),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::backup::catalog::BackupState;
    use crate::backup::{RawS3Parameters, S3Parameters};
    use jujuna::testing::{FakeJuju, State};

    fn request(limit: usize, before: Option<&str>) -> ListBackups {
        let raw = RawS3Parameters {
            access_key: Some("AK".into()),
            secret_key: Some("SK".into()),
            bucket: Some("backups".into()),
            region: Some("eu".into()),
            ..RawS3Parameters::default()
        };
        ListBackups {
            parameters: S3Parameters::new(raw).unwrap(),
            limit,
            before: before.map(str::to_owned),
        }
    }

    fn catalog(count: usize) -> Catalog {
        let entries = (0..count).rev().map(|index| Entry {
            id: format!("backup-20261123-070501-{index:04x}"),
            state: BackupState::Finished,
            legacy: false,
            modified: Timestamp::UNIX_EPOCH,
            size_bytes: 1 << 60,
        });
        Catalog {
            entries: entries.collect(),
            foreign_objects: 0,
        }
    }

    #[test]
    fn list_says_what_is_shown_and_what_is_left_out() {
        let results: BTreeMap<_, _> = list_results(&catalog(3), &request(2, None))
            .into_iter()
            .collect();
        assert_eq!(
            (results["count"].as_str(), results["shown"].as_str()),
            ("3", "2")
        );
        assert_eq!(results["truncated"], "true");
        assert_eq!(
            results["backups.backup-20261123-070501-0002.state"],
            "finished"
        );
        assert_eq!(
            results["backups.backup-20261123-070501-0002.last-modified"],
            "1970-01-01T00:00:00Z"
        );
        let next = list_results(
            &catalog(3),
            &request(2, Some("backup-20261123-070501-0001")),
        );
        assert!(next.contains(&("shown".to_owned(), "1".to_owned())));
    }

    #[test]
    fn longest_list_stays_under_100_kib() {
        let results = list_results(&catalog(5000), &request(1000, None));
        let bytes: usize = results
            .iter()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        assert!(bytes < 100 * 1024, "{bytes}");
    }

    #[test]
    fn progress_is_told_in_at_most_200_lines() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let mut told = Told {
            juju: &juju,
            lines: 0,
            conditions: &[],
        };
        for percent in 0..300 {
            told.log(&format!("{percent} %: 1 of 2 read"));
        }
        assert_eq!(fake.action_log().len(), 200);
        assert_eq!(fake.state().status.message, "backing up 199 %");
    }

    #[test]
    fn progress_hides_nothing_that_is_wrong() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let conditions = [Condition::waiting("synapse: stopped")];
        let mut told = Told {
            juju: &juju,
            lines: 0,
            conditions: &conditions,
        };
        told.log("43 %: 1 of 2 read");
        let status = fake.state().status;
        assert_eq!(
            (status.status.as_str(), status.message.as_str()),
            ("waiting", "synapse: stopped; backing up 43 %")
        );
    }
}
