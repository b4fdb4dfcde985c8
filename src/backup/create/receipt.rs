//! What a finished backup is told of.

use std::fmt;
use std::time::Duration;

use crate::backup::catalog::BackupId;
use crate::backup::catalog::manifest::Manifest;
use crate::backup::catalog::table::size;

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub backup_id: BackupId,
    /// Both archives as they are stored.
    pub size_bytes: u64,
    /// From the first step to the commit marker.
    pub duration: Duration,
    /// What it holds; `Display` says it in words.
    pub contents: Contents,
    /// Whether there is room to restore it on this volume.
    pub restore_in_place: RestoreInPlace,
    /// What the admin should know beside: clocks, memory, files that changed.
    pub warnings: Vec<String>,
    /// What was written as the commit marker.
    pub manifest: Manifest,
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Size of the database's copy.
    pub database_bytes: u64,
    /// Registered users in it, if that could be told.
    pub users: Option<u64>,
    /// Keys and settings.
    pub state_files: u64,
    /// Files of local media and of the extra paths.
    pub media_files: u64,
    /// Their bytes.
    pub media_bytes: u64,
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = match self.users {
            Some(1) => " with 1 user".to_owned(),
            Some(users) => format!(" with {users} users"),
            None => String::new(),
        };
        write!(
            formatter,
            "database{users} ({}), {} of keys and settings, {} of media and extra paths ({})",
            size(self.database_bytes),
            files(self.state_files),
            files(self.media_files),
            size(self.media_bytes)
        )
    }
}

fn files(count: u64) -> String {
    if count == 1 {
        "1 file".to_owned()
    } else {
        format!("{count} files")
    }
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
    fn contents_and_room_are_told_in_words() {
        let contents = Contents {
            database_bytes: 300_000_000,
            users: Some(3),
            state_files: 1,
            media_files: 20,
            media_bytes: 5,
        };
        assert_eq!(
            contents.to_string(),
            "database with 3 users (300.0 MB), 1 file of keys and settings, 20 files of media and extra paths (5 B)"
        );
        assert_eq!(RestoreInPlace::new(10, 10).to_string(), "yes");
        assert_eq!(
            RestoreInPlace::new(3_000, 1_000).to_string(),
            "no, 2.0 kB of room are missing"
        );
    }
}
