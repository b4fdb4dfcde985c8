//! Names of backups.

mod any;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use any::{AnyBackupId, BackupChoice, LegacyId};

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
        let time = now
            .to_zoned(TimeZone::UTC)
            .strftime("%Y%m%d-%H%M%S")
            .to_string();
        Self(format!("backup-{time}-{salt:04x}"))
    }

    /// The id of a backup that begins now.
    pub fn generate() -> Self {
        let now = Timestamp::now();
        // Without randomness the clock's last digits still tell two backups of one second apart.
        let salt =
            getrandom::u32().unwrap_or_else(|_| now.subsec_nanosecond().unsigned_abs() / 1000);
        let [.., high, low] = salt.to_be_bytes();
        Self::new(now, u16::from_be_bytes([high, low]))
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
        let shape = b"backup-00000000-000000-xxxx";
        let fits = text.len() == shape.len()
            && text.bytes().zip(shape).all(|(byte, &wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                _ => byte == wanted,
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBackupId::new(text))
        }
    }
}
