//! What `verify-backup` leaves beside a backup.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Entry;
use super::id::AnyBackupId;
use super::manifest::FORMAT;
use super::verified::VerifiedName;
use crate::backup::s3_client::S3Client;
use crate::backup::s3_error::S3Error;
use crate::backup::verify::Verified;

/// The content of a `verified-...json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Format of this object.
    pub format: u32,
    /// The backup's id.
    pub id: String,
    /// Whether it was found good.
    pub ok: bool,
    /// When the verification ended.
    pub at: Timestamp,
    /// How long it took.
    pub duration_seconds: u64,
    /// The unit that verified it.
    pub unit: String,
    /// Files and folders in both archives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Bytes of the files in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Why it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Verification {
    /// What is recorded of a verification that ends now.
    pub fn new(
        id: &AnyBackupId,
        unit: &str,
        duration: Duration,
        outcome: Result<&Verified, &str>,
    ) -> Self {
        Self {
            format: FORMAT,
            id: id.to_string(),
            ok: outcome.is_ok(),
            at: Timestamp::now(),
            duration_seconds: duration.as_secs(),
            unit: unit.to_owned(),
            entries: outcome.ok().map(|verified| verified.entries),
            file_bytes: outcome.ok().map(|verified| verified.file_bytes),
            cause: outcome.err().map(str::to_owned),
        }
    }

    /// The name of the object that this is written to.
    pub fn name(&self) -> VerifiedName {
        VerifiedName {
            at: self.at,
            ok: self.ok,
        }
    }

    /// The record of this name beside a backup, if it can be understood.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn read(
        s3_client: &S3Client,
        id: &AnyBackupId,
        name: VerifiedName,
    ) -> Result<Option<Self>, S3Error> {
        let content = s3_client.get_small(&name.object(id)).await?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// Writes the record beside the backup and removes the older ones. Returns what could not be done: a verification
    /// is worth its while without its record.
    pub async fn keep(&self, s3_client: &S3Client, entry: &Entry) -> Vec<String> {
        // Plain structs of text and numbers always serialize.
        let content = serde_json::to_vec_pretty(self).unwrap_or_default();
        let name = self.name();
        if let Err(error) = s3_client.put(&name.object(&entry.id), content).await {
            return vec![format!(
                "it is not recorded beside the backup: {}",
                error.with_next_step()
            )];
        }
        for older in entry.verified.iter().filter(|older| **older != name) {
            if let Err(error) = s3_client.delete(&older.object(&entry.id)).await {
                return vec![format!("older records stay beside the backup: {error}")];
            }
        }
        Vec::new()
    }
}
