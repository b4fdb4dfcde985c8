//! All that can be told of one backup without its passphrase.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::entry::names;
use super::find::{FindError, Found, find_objects};
use super::id::{AnyBackupId, BackupId};
use super::manifest::{Manifest, MarkerName};
use super::record::Verification;
use super::{BackupState, Entry};
use crate::backup::job::printable;
use crate::backup::s3_client::{ObjectInfo, S3Client};

/// One backup. Anyone who can write to the bucket could have written what is told here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What the listing says of it.
    pub entry: Entry,
    /// Its objects, names relative to the path.
    pub objects: Vec<ObjectInfo>,
    /// Its commit marker's content.
    pub manifest: Option<Manifest>,
    /// Who began it.
    pub started: Option<Started>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The record of the last verification.
    pub verification: Option<Verification>,
    /// What is wrong with it, or could not be read.
    pub problems: Vec<String>,
}

/// The content of `started.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Started {
    /// The Matrix server's name.
    pub server_name: String,
    /// The unit that made the backup.
    pub unit: String,
    /// When.
    pub at: Timestamp,
}

/// The content of `failed.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// The cause, in a sentence.
    pub cause: String,
    /// What to do.
    pub next_step: String,
    /// When.
    pub at: Timestamp,
}

/// Reads all that can be told of a backup, whatever state it is in.
///
/// # Errors
/// When there is none, or the listing cannot be had. What else cannot be read is a problem of the description.
pub async fn describe(s3_client: &S3Client, id: &AnyBackupId) -> Result<Description, FindError> {
    let Found { entry, objects } = find_objects(s3_client, id).await?;
    let mut description = Description {
        entry,
        objects,
        manifest: None,
        started: None,
        failure: None,
        verification: None,
        problems: Vec::new(),
    };
    if let AnyBackupId::Ours(id) = id {
        description.read_ours(s3_client, id).await;
    }
    if let Some(last) = description.entry.verified.first() {
        match Verification::read(s3_client, id, *last).await {
            Ok(verification) => description.verification = verification,
            Err(error) => description.problems.push(error.to_string()),
        }
    }
    Ok(description)
}

impl Description {
    async fn read_ours(&mut self, s3_client: &S3Client, id: &BackupId) {
        self.started = self.read(s3_client, &id.object(names::STARTED)).await;
        if let Some(marker) = self.entry.marker {
            if self.entry.state == BackupState::Damaged {
                self.problems.push(damage(id, marker, &self.objects));
            }
            match Manifest::read(s3_client, id, marker).await {
                Ok(manifest) => self.manifest = Some(manifest),
                Err(error) => self.problems.push(error.with_next_step()),
            }
        } else if self.entry.state == BackupState::Failed {
            self.failure = self.read(s3_client, &id.object(names::FAILED)).await;
        }
    }

    /// A small object that tells something, if it is there and can be understood.
    async fn read<T: DeserializeOwned>(&mut self, s3_client: &S3Client, name: &str) -> Option<T> {
        match s3_client.get_small(name).await {
            Ok(content) => serde_json::from_slice(&content?).ok(),
            Err(error) => {
                self.problems.push(error.to_string());
                None
            }
        }
    }
}

/// Says which archive is not what the marker's name promises.
pub(super) fn damage(id: &BackupId, marker: MarkerName, objects: &[ObjectInfo]) -> String {
    let archives = [
        (
            "state",
            [names::STATE_ZSTD, names::STATE].as_slice(),
            marker.state_bytes,
        ),
        ("media", &[names::MEDIA], marker.media_bytes),
    ];
    let faults = archives.into_iter().filter_map(|(kind, names, promised)| {
        let found = objects
            .iter()
            .find(|object| names.iter().any(|name| object.key == id.object(name)));
        match found {
            None => Some(format!("the {kind} archive is missing")),
            Some(found) if found.size_bytes != promised => Some(format!(
                "the {kind} archive has {} bytes and should have {promised}",
                found.size_bytes
            )),
            Some(_) => None,
        }
    });
    let faults: Vec<_> = faults.collect();
    printable(&faults.join(", "))
}
