//! Names of restores.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::dated_name::{dated_name, is_dated_name, new_dated_name};
use crate::synapse::names;

const KIND: &str = "restore";

/// `restore-<yyyymmdd>-<hhmmss>-<4 hex>`, UTC: names a restore or an undo, and its folder on the volume. A value of this type
/// is safe as part of a path or a result's name.
///
/// # Example
/// ```
/// use synapse_charm::backup::restore::RestoreId;
///
/// let id: RestoreId = "restore-20261123-070501-00ff".parse()?;
/// assert_eq!(id.folder(), "/data/.restore-restore-20261123-070501-00ff");
/// assert!("restore-20261123-070501-../x".parse::<RestoreId>().is_err());
/// # Ok::<(), synapse_charm::backup::restore::InvalidRestoreId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RestoreId(String);

/// Text that is no restore id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRestoreId(String);

impl fmt::Display for InvalidRestoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} is no restore id; it looks like restore-20260131-235959-0a1b and is in the result of restore-backup",
            self.0
        )
    }
}

impl std::error::Error for InvalidRestoreId {}

impl RestoreId {
    /// The id of a restore that begins now; two of the same second differ by `salt`.
    pub fn new(now: Timestamp, salt: u16) -> Self {
        Self(dated_name(KIND, now, salt))
    }

    /// The id of a restore that begins now.
    pub fn generate() -> Self {
        Self(new_dated_name(KIND))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder on the volume in which everything of this restore lies.
    pub fn folder(&self) -> String {
        format!("{}{}", names::RESTORE_STAGING, self.0)
    }
}

impl fmt::Display for RestoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for RestoreId {
    type Err = InvalidRestoreId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_dated_name(KIND, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRestoreId(text.chars().take(60).collect()))
        }
    }
}

impl TryFrom<String> for RestoreId {
    type Error = InvalidRestoreId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RestoreId> for String {
    fn from(id: RestoreId) -> Self {
        id.0
    }
}
