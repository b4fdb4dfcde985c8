//! `delete-backup`: the marker first, so that what cannot be restored whole is never listed as finished.

use std::fmt;

use super::catalog::entry::names;
use super::catalog::manifest::MarkerName;
use super::catalog::table::size;
use super::catalog::{self, AnyBackupId, BackupState, FindError};
use super::limits::HEARTBEAT_IS_FRESH;
use super::owner::{Foreign, Owner};
use super::s3_client::{ObjectInfo, Removal, S3Client};
use super::s3_error::{S3Error, S3ErrorKind};

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// How many objects.
    pub objects: usize,
    /// Their bytes.
    pub size_bytes: u64,
    /// Whether the bucket keeps versions, so that the data is still there.
    pub hidden: bool,
}

/// Why a backup was not removed, or not all of it.
#[derive(Debug)]
pub enum DeleteError {
    /// There is none, or the listing cannot be had.
    Find(FindError),
    /// The path is another deployment's.
    Foreign(Foreign, String),
    /// It is being made.
    InProgress(AnyBackupId),
    /// S3 refused before anything was removed.
    S3(S3Error),
    /// S3 refused after something was removed.
    Partial {
        /// What is gone.
        deleted: usize,
        /// What is left.
        left: Vec<ObjectInfo>,
        /// Why.
        error: S3Error,
    },
}

impl DeleteError {
    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        match self {
            Self::Find(error) => error.with_next_step(),
            Self::Foreign(foreign, _) => format!("{self}; {}", foreign.next_step()),
            Self::InProgress(_) => format!(
                "{self}; wait for its end, or {} minutes if its unit was killed",
                HEARTBEAT_IS_FRESH.as_secs() / 60
            ),
            Self::S3(error) => format!("{self}; {}", next_step(error)),
            Self::Partial { error, .. } => format!(
                "{self}; {}, then run delete-backup again: it goes on with the rest",
                next_step(error)
            ),
        }
    }
}

impl fmt::Display for DeleteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Find(error) => error.fmt(formatter),
            Self::Foreign(foreign, place) => {
                write!(formatter, "nothing was deleted: {}", foreign.whose(place))
            }
            Self::InProgress(id) => {
                write!(formatter, "nothing was deleted: {id} is being made")
            }
            Self::S3(error) => write!(formatter, "nothing was deleted: {error}"),
            Self::Partial {
                deleted,
                left,
                error,
            } => write!(
                formatter,
                "the backup is only partly deleted, {deleted} of {} objects are gone, left is {}: {error}",
                deleted + left.len(),
                words(left)
            ),
        }
    }
}

impl std::error::Error for DeleteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Find(error) => error.source(),
            Self::S3(error) | Self::Partial { error, .. } => error.source(),
            Self::Foreign(..) | Self::InProgress(_) => None,
        }
    }
}

/// No other action needs the right to delete.
fn next_step(error: &S3Error) -> &'static str {
    match error.kind() {
        S3ErrorKind::AccessDenied => "allow this key to delete objects under the path",
        _ => error.next_step(),
    }
}

/// Removes a backup. Run again after a failure, it goes on with what is left.
///
/// # Errors
/// Why it is still there, or part of it.
pub async fn delete_backup(
    s3_client: &S3Client,
    id: &AnyBackupId,
    owner: &Owner,
    take_over: bool,
) -> Result<Deleted, DeleteError> {
    let found = catalog::find_objects(s3_client, id).await;
    let found = found.map_err(DeleteError::Find)?;
    match owner.look(s3_client).await.map_err(DeleteError::S3)? {
        Ok(_) => {}
        Err(_) if take_over => owner.write(s3_client).await.map_err(DeleteError::S3)?,
        Err(foreign) => {
            return Err(DeleteError::Foreign(foreign, s3_client.place().to_owned()));
        }
    }
    if found.entry.state == BackupState::InProgress {
        return Err(DeleteError::InProgress(id.clone()));
    }
    let deleted = remove(s3_client, in_order(found.objects, id)).await?;
    abort_uploads(s3_client, id).await;
    Ok(deleted)
}

async fn remove(s3_client: &S3Client, objects: Vec<ObjectInfo>) -> Result<Deleted, DeleteError> {
    let mut deleted = Deleted {
        objects: 0,
        size_bytes: 0,
        hidden: false,
    };
    for object in &objects {
        match s3_client.delete(&object.key).await {
            Ok(removal) => deleted.hidden |= removal == Removal::Hidden,
            Err(error) if deleted.objects == 0 => return Err(DeleteError::S3(error)),
            Err(error) => {
                return Err(DeleteError::Partial {
                    deleted: deleted.objects,
                    left: objects[deleted.objects..].to_vec(),
                    error,
                });
            }
        }
        deleted.objects += 1;
        deleted.size_bytes += object.size_bytes;
    }
    Ok(deleted)
}

/// What a killed aws left is billed and never listed. Some keys may not see or abort any.
async fn abort_uploads(s3_client: &S3Client, id: &AnyBackupId) {
    let AnyBackupId::Ours(id) = id else { return };
    let folder = id.object("");
    let aborted = s3_client.abort_uploads(&folder, |name| name.starts_with(&folder));
    if let Err(error) = aborted.await {
        tracing::warn!("{error}");
    }
}

/// Without its marker a backup of ours is none, and with a heartbeat it would be one in progress; its first object goes
/// last, so that what is left is listed to the end.
fn in_order(mut objects: Vec<ObjectInfo>, id: &AnyBackupId) -> Vec<ObjectInfo> {
    let rank = |object: &ObjectInfo| match id {
        AnyBackupId::Legacy(id) => u8::from(!object.key.ends_with(id.as_str())),
        AnyBackupId::Ours(id) => {
            let folder = id.object("");
            let name = object.key.strip_prefix(&folder).unwrap_or_default();
            match name {
                _ if name.parse::<MarkerName>().is_ok() => 0,
                names::HEARTBEAT => 1,
                names::STATE | names::STATE_ZSTD | names::MEDIA => 2,
                names::STARTED => 4,
                _ => 3,
            }
        }
    };
    objects.sort_by_key(rank);
    objects
}

/// The first few by name and size.
fn words(objects: &[ObjectInfo]) -> String {
    const SHOWN: usize = 5;
    let shown = objects.iter().take(SHOWN).map(|object| {
        let name = object.key.rsplit('/').next().unwrap_or_default();
        let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
        format!("{name}, {}", size(object.size_bytes))
    });
    let mut words: Vec<String> = shown.collect();
    if objects.len() > SHOWN {
        words.push(format!("and {} more", objects.len() - SHOWN));
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    const ID: &str = "backup-20261123-110000-00ff";

    fn objects(keys: &[&str]) -> Vec<ObjectInfo> {
        let object = |key: &&str| ObjectInfo {
            key: (*key).to_owned(),
            size_bytes: 2000,
            modified: Timestamp::UNIX_EPOCH,
        };
        keys.iter().map(object).collect()
    }

    fn order(id: &str, names: &[&str]) -> Vec<String> {
        let keys: Vec<_> = names.iter().map(|name| format!("{id}{name}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let sorted = in_order(objects(&keys), &id.parse().unwrap());
        sorted
            .iter()
            .map(|object| object.key[id.len()..].to_owned())
            .collect()
    }

    #[test]
    fn marker_goes_first_and_the_first_object_last() {
        let names = [
            "/canary.gpg",
            "/heartbeat.json",
            "/manifest-1-2.json",
            "/media.tar.gpg",
            "/started.json",
            "/state.tar.zst.gpg",
            "/verified-20261123-110000-ok.json",
        ];
        assert_eq!(
            order(ID, &names),
            [
                "/manifest-1-2.json",
                "/heartbeat.json",
                "/media.tar.gpg",
                "/state.tar.zst.gpg",
                "/canary.gpg",
                "/verified-20261123-110000-ok.json",
                "/started.json",
            ]
        );
        let legacy = "backup-20250102030405123456";
        assert_eq!(
            order(legacy, &[".verified-20261123-110000-ok.json", ""])[0],
            ""
        );
    }

    #[test]
    fn partial_deletion_says_what_is_left_and_that_it_goes_on() {
        let left: Vec<_> = (0..7).map(|index| format!("{ID}/{index}")).collect();
        let left: Vec<_> = left.iter().map(String::as_str).collect();
        let error = DeleteError::Partial {
            deleted: 1,
            left: objects(&left),
            error: S3Error::new(S3ErrorKind::AccessDenied, "delete x in y", "HTTP 403"),
        };
        assert_eq!(
            error.with_next_step(),
            "the backup is only partly deleted, 1 of 8 objects are gone, left is 0, 2.0 kB; 1, 2.0 kB; 2, 2.0 kB; 3, \
             2.0 kB; 4, 2.0 kB; and 2 more: cannot delete x in y: access denied (HTTP 403); allow this key to delete \
             objects under the path, then run delete-backup again: it goes on with the rest"
        );
    }
}
