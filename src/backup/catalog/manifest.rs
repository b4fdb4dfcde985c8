//! The outer manifest, whose name is the commit marker. It is not encrypted and not authenticated, so it names no file and
//! its gates are checked again from the manifest inside the archives.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The format that this version writes. An unknown one is refused.
pub const FORMAT: u32 = 1;

/// `manifest-<state bytes>-<media bytes>.json`: a backup with such an object, and archives of these sizes, is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkerName {
    /// Size of the state archive's object.
    pub state_bytes: u64,
    /// Size of the media archive's object.
    pub media_bytes: u64,
}

impl fmt::Display for MarkerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "manifest-{}-{}.json",
            self.state_bytes, self.media_bytes
        )
    }
}

impl FromStr for MarkerName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let sizes = name
            .strip_prefix("manifest-")
            .and_then(|rest| rest.strip_suffix(".json"))
            .ok_or(())?;
        let (state, media) = sizes.split_once('-').ok_or(())?;
        let read = |digits: &str| -> Result<u64, ()> {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain {
                digits.parse().map_err(drop)
            } else {
                Err(())
            }
        };
        Ok(Self {
            state_bytes: read(state)?,
            media_bytes: read(media)?,
        })
    }
}

/// One archive of a finished backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveManifest {
    /// The object's name below the backup's id.
    pub object: String,
    /// The object's size.
    pub size_bytes: u64,
    /// SHA-256 of the object, in hexadecimal.
    pub sha256: String,
    /// Members of the archive, ours included.
    pub entries: u64,
    /// Bytes of the files in it.
    pub file_bytes: u64,
}

/// What a finished backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]
    pub format: u32,
    /// The backup's id.
    pub id: String,
    /// Whose data it is.
    pub server_name: String,
    /// The database's engine: `sqlite`.
    pub engine: String,
    /// Synapse's version, if it could be told.
    pub synapse_version: Option<String>,
    /// The database's schema version.
    pub schema_version: Option<i64>,
    /// The oldest schema version that can work with this database.
    pub compat_version: Option<i64>,
    /// When the job began.
    pub started: Timestamp,
    /// When the last archive was complete.
    pub finished: Timestamp,
    /// Members that the media archive misses or has as they changed: media comes and goes while the server runs.
    pub changed_while_read: u64,
    /// The small archive.
    pub state: ArchiveManifest,
    /// The big archive.
    pub media: ArchiveManifest,
}

impl Manifest {
    /// The name of the object that this manifest is written to.
    pub fn marker(&self) -> MarkerName {
        MarkerName {
            state_bytes: self.state.size_bytes,
            media_bytes: self.media.size_bytes,
        }
    }
}
