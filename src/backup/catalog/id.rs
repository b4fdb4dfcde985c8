//! Names of backups.

mod any;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use any::{AnyBackupId, BackupChoice, LegacyId};

use crate::backup::dated_name::{dated_name, is_dated_name, new_dated_name};

const KIND: &str = "backup";

/// `backup-<yyyymmdd>-<hhmmss>-<4 hex>`, UTC. A value of this type is safe as part of a key, a path or a result's name.
///
/// # Example
/// ```
/// use synapse_charm::backup::catalog::BackupId;
///
/// assert!("backup-20261123-070501-00ff".parse::<BackupId>().is_ok());
/// assert!("backup-20261123-070501-../x".parse::<BackupId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId(String);

/// Text that is no backup id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBackupId(String);

impl InvalidBackupId {
    /// What was typed is shown, though not endlessly.
    fn new(text: &str) -> Self {
        Self(text.chars().take(60).collect())
    }
}

impl fmt::Display for InvalidBackupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} is no backup id; list-backups shows them",
            self.0
        )
    }
}

impl std::error::Error for InvalidBackupId {}

impl BackupId {
    /// The id of a backup that begins now; two of the same second differ by `salt`.
    pub fn new(now: Timestamp, salt: u16) -> Self {
        Self(dated_name(KIND, now, salt))
    }

    /// The id of a backup that begins now.
    pub fn generate() -> Self {
        Self(new_dated_name(KIND))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one of the backup's objects under the path.
    pub fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for BackupId {
    type Err = InvalidBackupId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_dated_name(KIND, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBackupId::new(text))
        }
    }
}
