//! One backup of a listing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::ID_PREFIX;
use super::id::{AnyBackupId, BackupId, LegacyId};
use super::manifest::MarkerName;
use super::verified::VerifiedName;
use crate::backup::s3_client::ObjectInfo;

/// Names of a backup's objects below its id.
pub mod names {
    /// Written first: proves that we may write.
    pub const STARTED: &str = "started.json";
    /// Overwritten every minute while a job runs.
    pub const HEARTBEAT: &str = "heartbeat.json";
    /// Tells a wrong passphrase at once.
    pub const CANARY: &str = "canary.gpg";
    /// Written when a job failed.
    pub const FAILED: &str = "failed.json";
    /// The media archive.
    pub const MEDIA: &str = "media.tar.gpg";
    /// The state archive where the image has no zstd.
    pub const STATE: &str = "state.tar.gpg";
    /// The state archive where it has.
    pub const STATE_ZSTD: &str = "state.tar.zst.gpg";
}

/// How far a backup got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupState {
    /// Its marker is there and every archive has the size that the marker says.
    Finished,
    /// It says itself that it failed.
    Failed,
    /// Its heartbeat is fresh.
    InProgress,
    /// It neither finished nor failed and its heartbeat has stopped.
    Abandoned,
    /// Its marker is there, but an archive is missing or of another size.
    Damaged,
}

impl fmt::Display for BackupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::InProgress => "in progress",
            Self::Abandoned => "abandoned",
            Self::Damaged => "damaged",
        })
    }
}

/// A backup as `list-backups` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AnyBackupId,
    /// How far it got. One of the Python charm has no marker and no state but finished.
    pub state: BackupState,
    /// When it finished, else when its newest object was written.
    pub modified: Timestamp,
    /// Both archives together.
    pub size_bytes: u64,
    /// The commit marker of a finished or damaged one of ours.
    pub marker: Option<MarkerName>,
    /// The one object of a backup of the Python charm, a name relative to the path; absent of one of ours.
    pub legacy_object: Option<String>,
    /// When it was verified and how that ended, newest first.
    pub verified: Vec<VerifiedName>,
}

impl Entry {
    /// Whether the Python charm made it: one object, no marker.
    pub fn is_legacy(&self) -> bool {
        matches!(self.id, AnyBackupId::Legacy(_))
    }

    /// The word for its state: that of [`BackupState`], or `legacy`.
    pub fn status(&self) -> String {
        if self.is_legacy() {
            "legacy".to_owned()
        } else {
            self.state.to_string()
        }
    }
}

/// What a listing holds of one backup of the Python charm.
#[derive(Debug, Clone, Default)]
pub(super) struct LegacyObjects {
    archive: Option<ObjectInfo>,
    verified: Vec<VerifiedName>,
}

impl LegacyObjects {
    pub(super) fn take_archive(&mut self, object: &ObjectInfo) {
        // Whoever has copied it to where it can be found has the copy.
        if self.archive.is_none() || object.key.starts_with(ID_PREFIX) {
            self.archive = Some(object.clone());
        }
    }

    pub(super) fn take_record(&mut self, name: VerifiedName) {
        self.verified.push(name);
    }

    /// None where only the records are left of it.
    pub(super) fn entry(self, id: LegacyId) -> Option<Entry> {
        let archive = self.archive?;
        Some(Entry {
            id: AnyBackupId::Legacy(id),
            state: BackupState::Finished,
            modified: archive.modified,
            size_bytes: archive.size_bytes,
            marker: None,
            legacy_object: Some(archive.key),
            verified: newest_first(self.verified),
        })
    }
}

/// What a listing holds of one backup.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    marker: Option<(MarkerName, Timestamp)>,
    heartbeat: Option<Timestamp>,
    failed: bool,
    state_bytes: Option<u64>,
    media_bytes: Option<u64>,
    newest: Option<Timestamp>,
    verified: Vec<VerifiedName>,
}

impl Objects {
    pub(super) fn take(&mut self, name: &str, object: &ObjectInfo) {
        if let Ok(verified) = name.parse() {
            // It says nothing of when the backup was made.
            self.verified.push(verified);
            return;
        }
        match name {
            names::HEARTBEAT => self.heartbeat = Some(object.modified),
            names::FAILED => self.failed = true,
            names::STATE | names::STATE_ZSTD => self.state_bytes = Some(object.size_bytes),
            names::MEDIA => self.media_bytes = Some(object.size_bytes),
            other => {
                if let Ok(marker) = other.parse() {
                    self.marker = Some((marker, object.modified));
                }
            }
        }
        self.newest = self.newest.max(Some(object.modified));
    }

    pub(super) fn entry(self, id: BackupId, now: Timestamp, fresh: SignedDuration) -> Entry {
        let state = match &self.marker {
            Some((marker, _)) => self.compared_with(marker),
            None if self.failed => BackupState::Failed,
            None if self
                .heartbeat
                .is_some_and(|beat| now.duration_since(beat) < fresh) =>
            {
                BackupState::InProgress
            }
            None => BackupState::Abandoned,
        };
        Entry {
            id: AnyBackupId::Ours(id),
            state,
            modified: self
                .marker
                .map(|(_, at)| at)
                .or(self.newest)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            size_bytes: self
                .state_bytes
                .unwrap_or(0)
                .saturating_add(self.media_bytes.unwrap_or(0)),
            marker: self.marker.map(|(marker, _)| marker),
            legacy_object: None,
            verified: newest_first(self.verified),
        }
    }

    fn compared_with(&self, marker: &MarkerName) -> BackupState {
        if self.state_bytes == Some(marker.state_bytes)
            && self.media_bytes == Some(marker.media_bytes)
        {
            BackupState::Finished
        } else {
            BackupState::Damaged
        }
    }
}

fn newest_first(mut verified: Vec<VerifiedName>) -> Vec<VerifiedName> {
    verified.sort_unstable_by(|one, other| other.cmp(one));
    verified
}
