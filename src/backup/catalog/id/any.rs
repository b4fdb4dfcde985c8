//! Names of backups of either charm, and how an admin names one.

use std::fmt;
use std::str::FromStr;

use super::{BackupId, InvalidBackupId};

/// The word for the newest finished backup of ours.
const LATEST: &str = "latest";

/// `backup-<20 digits>`: a backup of the Python charm, one object under the path. The digits are its time in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegacyId(String);

impl LegacyId {
    /// The id as text, which is also the object's name under the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LegacyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for LegacyId {
    type Err = InvalidBackupId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(crate::backup::catalog::ID_PREFIX);
        if digits.is_some_and(|digits| {
            digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBackupId::new(text))
        }
    }
}

/// A backup of this charm or of the Python charm. Safe as part of a key, a path or a result's name.
///
/// # Example
/// ```
/// use synapse_charm::backup::catalog::AnyBackupId;
///
/// assert!(matches!("backup-20261123-070501-00ff".parse(), Ok(AnyBackupId::Ours(_))));
/// assert!(matches!("backup-20250102030405123456".parse(), Ok(AnyBackupId::Legacy(_))));
/// assert!("latest".parse::<AnyBackupId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyBackupId {
    /// Made by this charm.
    Ours(BackupId),
    /// Made by the Python charm.
    Legacy(LegacyId),
}

impl AnyBackupId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ours(id) => id.as_str(),
            Self::Legacy(id) => id.as_str(),
        }
    }
}

impl fmt::Display for AnyBackupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for AnyBackupId {
    type Err = InvalidBackupId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legacy = text.parse().map(Self::Legacy);
        legacy.or_else(|_| text.parse().map(Self::Ours))
    }
}

/// Which backup an action is to work on: the parameter `backup-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupChoice {
    /// The newest finished one of ours.
    Latest,
    /// This one.
    Id(AnyBackupId),
}

impl fmt::Display for BackupChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str(LATEST),
            Self::Id(id) => id.fmt(formatter),
        }
    }
}

impl FromStr for BackupChoice {
    type Err = InvalidBackupId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == LATEST {
            Ok(Self::Latest)
        } else {
            text.parse().map(Self::Id)
        }
    }
}
