//! What a finished backup is told of.

use std::fmt;
use std::time::Duration;

use crate::backup::catalog::manifest::Manifest;
use crate::backup::catalog::table::size;
use crate::backup::catalog::{BackupId, Contents};

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub backup_id: BackupId,
    /// Both archives as they are stored.
    pub size_bytes: u64,
    /// From the first step to the commit marker.
    pub duration: Duration,
    /// What it holds.
    pub contents: Contents,
    /// Whether there is room to restore it on this volume.
    pub restore_in_place: RestoreInPlace,
    /// What the admin should know beside: clocks, memory, files that changed.
    pub warnings: Vec<String>,
    /// What was written as the commit marker.
    pub manifest: Manifest,
}

/// Whether a backup could be restored beside the live data, which stays until the restored copy is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreInPlace {
    /// There is room.
    Yes,
    /// Room is missing.
    No {
        /// How much.
        missing_bytes: u64,
    },
}

impl RestoreInPlace {
    pub(super) fn new(needed_bytes: u64, free_bytes: u64) -> Self {
        match needed_bytes.checked_sub(free_bytes) {
            None | Some(0) => Self::Yes,
            Some(missing_bytes) => Self::No { missing_bytes },
        }
    }
}

impl fmt::Display for RestoreInPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => formatter.write_str("yes"),
            Self::No { missing_bytes } => write!(
                formatter,
                "no, {} of room are missing",
                size(*missing_bytes)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_room_is_told_in_words() {
        assert_eq!(RestoreInPlace::new(10, 10).to_string(), "yes");
        assert_eq!(
            RestoreInPlace::new(3_000, 1_000).to_string(),
            "no, 2.0 kB of room are missing"
        );
    }
}
