//! The backups of a path, as one listing of its keys tells: ids, states, sizes. No object is opened.

mod contents;
pub mod describe;
pub mod entry;
mod find;
pub mod id;
pub mod manifest;
mod of_server;
mod record;
pub mod table;
mod verified;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub use contents::Contents;
pub use describe::{Description, describe};
pub use entry::{BackupState, Entry};
pub use find::{FindError, Found, find, find_objects};
pub use id::{AnyBackupId, BackupChoice, BackupId, InvalidBackupId, LegacyId};
pub use of_server::{Newest, Unclear, has_finished_backup_of, newest_of};
pub use record::Verification;
pub use verified::VerifiedName;

use super::limits::HEARTBEAT_IS_FRESH;
use super::s3_client::{ObjectInfo, S3Client};
use super::s3_error::S3Error;
use entry::{LegacyObjects, Objects};

/// What all ids, ours and the Python charm's, begin with.
pub const ID_PREFIX: &str = "backup-";

/// What the Python charm puts before an id where it has no path: it joins the two by a slash all the same.
const WITHOUT_PATH: &str = "/";

/// The backups of one path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Objects whose names begin like a backup's but are none.
    pub foreign_objects: usize,
}

impl Catalog {
    /// The finished backups of this charm, whichever server's, by the times of their markers, newest first.
    pub fn finished(&self) -> Vec<&Entry> {
        let entries = self.entries.iter();
        let mut finished: Vec<_> = entries
            .filter(|entry| entry.state == BackupState::Finished && !entry.is_legacy())
            .collect();
        finished.sort_by_key(|entry| std::cmp::Reverse(entry.modified));
        finished
    }

    /// Part of the entries: at most `limit`, older than `before`. The flag says whether older ones are left out.
    pub fn page(&self, limit: usize, before: Option<&str>) -> (&[Entry], bool) {
        let start = before.map_or(0, |before| {
            self.entries
                .partition_point(|entry| by_time(entry.id.as_str()) >= by_time(before))
        });
        let rest = &self.entries[start..];
        let shown = rest.len().min(limit);
        (&rest[..shown], shown < rest.len())
    }
}

/// Lists the backups under the path.
///
/// # Errors
/// When the listing cannot be had whole.
pub async fn list(s3_client: &S3Client) -> Result<Catalog, S3Error> {
    let mut reader = Reader::default();
    let take = |object: ObjectInfo| {
        reader.take(&object);
    };
    list_named(s3_client, ID_PREFIX, take).await?;
    // Ages are told by the clock that stamped the objects.
    Ok(reader.finish(s3_client.server_now().unwrap_or_else(Timestamp::now)))
}

/// Hands over every object whose name begins so, those of the Python charm without a path too.
async fn list_named(
    s3_client: &S3Client,
    prefix: &str,
    mut take: impl FnMut(ObjectInfo),
) -> Result<(), S3Error> {
    s3_client.list(prefix, &mut take).await?;
    if s3_client.is_without_path() {
        let prefix = format!("{WITHOUT_PATH}{prefix}");
        s3_client.list(&prefix, take).await?;
    }
    Ok(())
}

/// The name that a backup of the Python charm would have below a path.
fn legacy_name(key: &str) -> &str {
    key.strip_prefix(WITHOUT_PATH).unwrap_or(key)
}

/// What ids are sorted by: the digits of their time, to the second in ours and finer in the Python charm's, then the whole.
fn by_time(id: &str) -> (String, &str) {
    let digits = id.chars().filter(char::is_ascii_digit).take(14);
    (digits.collect(), id)
}

/// Takes a listing object by object, so that memory grows with backups, not with objects.
#[derive(Debug, Default)]
struct Reader {
    backups: BTreeMap<BackupId, Objects>,
    legacy: BTreeMap<LegacyId, LegacyObjects>,
    foreign_objects: usize,
}

impl Reader {
    /// Returns whether the object is part of a backup.
    fn take(&mut self, object: &ObjectInfo) -> bool {
        let taken = self
            .take_of_ours(object)
            .or_else(|| self.take_legacy(object));
        self.foreign_objects += usize::from(taken.is_none());
        taken.is_some()
    }

    fn take_of_ours(&mut self, object: &ObjectInfo) -> Option<()> {
        let (folder, name) = object.key.split_once('/')?;
        let id: BackupId = folder.parse().ok()?;
        self.backups.entry(id).or_default().take(name, object);
        Some(())
    }

    fn take_legacy(&mut self, object: &ObjectInfo) -> Option<()> {
        if let Some((id, record)) = object.key.split_once('.') {
            let (id, record) = (id.parse().ok()?, record.parse().ok()?);
            self.legacy.entry(id).or_default().take_record(record);
        } else {
            let id = legacy_name(&object.key).parse().ok()?;
            self.legacy.entry(id).or_default().take_archive(object);
        }
        Some(())
    }

    fn finish(self, now: Timestamp) -> Catalog {
        let fresh = SignedDuration::try_from(HEARTBEAT_IS_FRESH).unwrap_or(SignedDuration::ZERO);
        let legacy = self.legacy.into_iter();
        let mut entries: Vec<Entry> = legacy
            .filter_map(|(id, objects)| objects.entry(id))
            .collect();
        let ours = self.backups.into_iter();
        entries.extend(ours.map(|(id, objects)| objects.entry(id, now, fresh)));
        entries.sort_by(|one, other| by_time(other.id.as_str()).cmp(&by_time(one.id.as_str())));
        Catalog {
            entries,
            foreign_objects: self.foreign_objects,
        }
    }
}

#[cfg(test)]
mod tests;
