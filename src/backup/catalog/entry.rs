//! One backup of a listing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::manifest::MarkerName;
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
    /// Its id; a legacy one has another form.
    pub id: String,
    /// How far it got.
    pub state: BackupState,
    /// Made by the Python charm: one object, no marker, no state but finished.
    pub legacy: bool,
    /// When it finished, else when its newest object was written.
    pub modified: Timestamp,
    /// Both archives together.
    pub size_bytes: u64,
}

impl Entry {
    pub(super) fn legacy(object: &ObjectInfo) -> Self {
        Self {
            id: object.key.clone(),
            state: BackupState::Finished,
            legacy: true,
            modified: object.modified,
            size_bytes: object.size_bytes,
        }
    }

    /// The word for its state: that of [`BackupState`], or `legacy`.
    pub fn status(&self) -> String {
        if self.legacy {
            "legacy".to_owned()
        } else {
            self.state.to_string()
        }
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
}

impl Objects {
    pub(super) fn take(&mut self, name: &str, object: &ObjectInfo) {
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

    pub(super) fn entry(self, id: String, now: Timestamp, fresh: SignedDuration) -> Entry {
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
            id,
            state,
            legacy: false,
            modified: self
                .marker
                .map(|(_, at)| at)
                .or(self.newest)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            size_bytes: self
                .state_bytes
                .unwrap_or(0)
                .saturating_add(self.media_bytes.unwrap_or(0)),
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
