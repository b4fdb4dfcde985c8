//! What the unit remembers from one dispatch to the next, in Juju's unit state.
//!
//! Most of it can be found out again and is kept so that a dispatch in which nothing changed
//! asks neither S3 nor Juju's secrets. That a server existed cannot: the volume may be lost and
//! S3 may not answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const STORAGE: &str = "storage";
const IDENTITY_COPY: &str = "identity-copy";
const VERSION: &str = "workload-version";
const STORE: &str = "backup-store";
const EXISTED: &str = "server-existed";
const REPLANNED: &str = "replanned";
const SETBACK: &str = "restore-setback";
const BACKUP_FAILURE: &str = "backup-failure";

/// What is remembered, typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether the volume was attached when a hook last looked.
    pub storage_attached: bool,
    /// The digest of the identity that the application's secret holds.
    pub identity_copy: Option<String>,
    /// The version that `juju status` shows, and since when the Synapse that said so runs.
    pub version: Option<ShownVersion>,
    /// What S3 answered last.
    pub store: Option<StoreMemory>,
    /// The name of the server that is known to have lived: it ran on this unit's volume, or had
    /// backups. Never forgotten while the unit lives, only replaced by a server that ran.
    pub existed: Option<String>,
    /// The digest of the configuration with which Pebble last replanned for this charm. Pebble's
    /// plan is new as soon as a layer is added; what runs is not.
    pub replanned: Option<String>,
    /// What a job whose action was gone did not do, and why: nobody else was told. Until the next one of its kind, or a
    /// backup.
    pub setback: Option<String>,
    /// How the last `create-backup` failed; until one succeeds.
    pub backup_failure: Option<BackupFailure>,
}

/// The version that `juju status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownVersion {
    /// What Synapse called it.
    pub version: String,
    /// When Pebble started the Synapse that answered.
    pub since: Option<Timestamp>,
}

/// What S3 answered last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMemory {
    /// The digest of the parameters, keys included, with which it was asked.
    pub parameters: String,
    /// Whose backups were looked for, if anybody's.
    pub server_name: Option<String>,
    /// When.
    pub checked_at: Timestamp,
    /// Why backups cannot be made there, if so.
    pub problem: Option<StoreProblem>,
    /// The newest finished backup of that server under that path.
    pub last: Option<LastBackup>,
    /// Whose the path is, in a sentence, where it is another deployment's.
    pub foreign: Option<String>,
}

/// Why a store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreProblem {
    /// The reason and the next step.
    pub text: String,
    /// Whether it may pass by itself: the store could not be reached.
    pub passing: bool,
}

/// A finished backup, as the status speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// When it was finished.
    pub finished_at: Timestamp,
    /// What it takes in S3.
    pub size_bytes: u64,
}

/// A `create-backup` that failed, as the status speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFailure {
    /// When it had failed.
    pub failed_at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Memory {
    /// Returns what Juju's unit state `map` says. What cannot be read counts as forgotten.
    pub fn from_map(map: &BTreeMap<String, String>) -> Self {
        Self {
            storage_attached: map.contains_key(STORAGE),
            identity_copy: map.get(IDENTITY_COPY).cloned(),
            version: map
                .get(VERSION)
                .and_then(|text| serde_json::from_str(text).ok()),
            store: map
                .get(STORE)
                .and_then(|text| serde_json::from_str(text).ok()),
            existed: map.get(EXISTED).cloned(),
            replanned: map.get(REPLANNED).cloned(),
            setback: map.get(SETBACK).cloned(),
            backup_failure: map
                .get(BACKUP_FAILURE)
                .and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    /// Returns the fields of Juju's unit state: a value each, or none for one to delete.
    ///
    /// # Errors
    ///
    /// Fails when a value cannot be written as JSON, which is a bug.
    pub fn to_fields(&self) -> Result<[(&'static str, Option<String>); 8], serde_json::Error> {
        Ok([
            (
                STORAGE,
                self.storage_attached.then(|| "attached".to_owned()),
            ),
            (IDENTITY_COPY, self.identity_copy.clone()),
            (
                VERSION,
                self.version
                    .as_ref()
                    .map(serde_json::to_string)
                    .transpose()?,
            ),
            (
                STORE,
                self.store.as_ref().map(serde_json::to_string).transpose()?,
            ),
            (EXISTED, self.existed.clone()),
            (REPLANNED, self.replanned.clone()),
            (SETBACK, self.setback.clone()),
            (
                BACKUP_FAILURE,
                self.backup_failure
                    .as_ref()
                    .map(serde_json::to_string)
                    .transpose()?,
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_as_it_was_written() {
        let memory = Memory {
            storage_attached: true,
            identity_copy: Some("ab".into()),
            version: Some(ShownVersion {
                version: "1.2".into(),
                since: Some(Timestamp::UNIX_EPOCH),
            }),
            store: Some(StoreMemory {
                parameters: "cd".into(),
                server_name: Some("a.example".into()),
                checked_at: Timestamp::UNIX_EPOCH,
                problem: Some(StoreProblem {
                    text: "x".into(),
                    passing: true,
                }),
                last: Some(LastBackup {
                    finished_at: Timestamp::UNIX_EPOCH,
                    size_bytes: 5,
                }),
                foreign: Some("x".into()),
            }),
            existed: Some("a.example".into()),
            replanned: Some("ef".into()),
            setback: Some("x".into()),
            backup_failure: Some(BackupFailure {
                failed_at: Timestamp::UNIX_EPOCH,
                reason: "y".into(),
            }),
        };
        let map = memory
            .to_fields()
            .unwrap()
            .into_iter()
            .filter_map(|(k, v)| Some((k.to_owned(), v?)))
            .collect();
        assert_eq!(Memory::from_map(&map), memory);
    }

    #[test]
    fn unreadable_memory_counts_as_forgotten() {
        let map = BTreeMap::from([(STORE.to_owned(), "{\"format\": 9}".to_owned())]);
        assert_eq!(Memory::from_map(&map), Memory::default());
    }
}
