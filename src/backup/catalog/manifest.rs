//! The outer manifest, whose name is the commit marker. It is not encrypted and not authenticated, so it names no file and
//! its gates are checked again from the manifest inside the archives.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contents::Contents;
use super::id::BackupId;
use crate::backup::s3_client::S3Client;
use crate::backup::s3_error::S3Error;

/// The format that this version writes. An unknown one is refused.
pub const FORMAT: u32 = 1;

/// The engine of every database that this version backs up.
pub const ENGINE: &str = "sqlite";

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
    /// What they hold, by kind; the first backups did not say.
    #[serde(default)]
    pub contents: Option<Contents>,
}

/// Why a backup's manifest is of no use.
#[derive(Debug)]
pub enum ManifestError {
    /// It cannot be had.
    S3(S3Error),
    /// It was there a moment ago.
    Gone,
    /// A newer charm wrote it.
    Format(u64),
    /// It cannot be understood.
    Unreadable,
    /// It speaks of another backup than the one it lies with.
    Contradiction,
}

impl ManifestError {
    /// What to do, as a sentence without a full stop.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::S3(error) => error.next_step(),
            Self::Gone => "list-backups shows what there is now",
            Self::Format(_) => "upgrade the charm to a revision that knows it",
            Self::Unreadable | Self::Contradiction => {
                "somebody changed it: take another backup, and look who can write to the bucket"
            }
        }
    }

    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        format!("{self}; {}", self.next_step())
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(error) => error.fmt(formatter),
            Self::Gone => formatter.write_str("the backup's manifest is gone"),
            Self::Format(format) => {
                write!(
                    formatter,
                    "the backup's manifest has the unknown format {format}"
                )
            }
            Self::Unreadable => formatter.write_str("the backup's manifest cannot be understood"),
            Self::Contradiction => {
                formatter.write_str("the backup's manifest is that of another backup")
            }
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::S3(error) => error.source(),
            _ => None,
        }
    }
}

impl From<S3Error> for ManifestError {
    fn from(error: S3Error) -> Self {
        Self::S3(error)
    }
}

impl Manifest {
    /// The manifest of the backup `id` whose listing shows this marker. Anyone who can write to the bucket could have
    /// written it.
    ///
    /// # Errors
    /// When it cannot be had, or is not that backup's.
    pub async fn read(
        s3_client: &S3Client,
        id: &BackupId,
        marker: MarkerName,
    ) -> Result<Self, ManifestError> {
        let content = s3_client.get_small(&id.object(&marker.to_string())).await?;
        Self::parse(&content.ok_or(ManifestError::Gone)?, id, marker)
    }

    fn parse(content: &[u8], id: &BackupId, marker: MarkerName) -> Result<Self, ManifestError> {
        let value: Value =
            serde_json::from_slice(content).map_err(|_| ManifestError::Unreadable)?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format != u64::from(FORMAT) => Err(ManifestError::Format(format)),
            _ => {
                let manifest: Self =
                    serde_json::from_value(value).map_err(|_| ManifestError::Unreadable)?;
                if !is_name(&manifest.server_name) {
                    return Err(ManifestError::Unreadable);
                }
                if manifest.id == id.as_str() && manifest.marker() == marker {
                    Ok(manifest)
                } else {
                    Err(ManifestError::Contradiction)
                }
            }
        }
    }

    /// The name of the object that this manifest is written to.
    pub fn marker(&self) -> MarkerName {
        MarkerName {
            state_bytes: self.state.size_bytes,
            media_bytes: self.media.size_bytes,
        }
    }
}

/// Whether it can be a server's name, and so be shown: Matrix allows no longer ones, and only such letters.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_is_believed_only_where_it_lies() {
        let id: BackupId = "backup-20261123-110000-00ff".parse().unwrap();
        let marker: MarkerName = "manifest-10-20.json".parse().unwrap();
        let archive = |bytes: u64| serde_json::json!({"object": "x", "size_bytes": bytes, "sha256": "", "entries": 2, "file_bytes": 0});
        let manifest = serde_json::json!({
            "format": 1, "id": id.as_str(), "server_name": "a.example", "engine": "sqlite", "synapse_version": null,
            "schema_version": null, "compat_version": null, "started": "2026-11-23T11:00:00Z",
            "finished": "2026-11-23T11:00:01Z", "changed_while_read": 0, "state": archive(10), "media": archive(20),
        });
        let parse = |value: &Value, marker| {
            Manifest::parse(value.to_string().as_bytes(), &id, marker)
                .map_err(|error| error.to_string())
        };
        assert_eq!(parse(&manifest, marker).unwrap().contents, None);
        let other = "manifest-10-21.json".parse().unwrap();
        assert!(
            parse(&manifest, other)
                .unwrap_err()
                .contains("of another backup")
        );
        for (key, value, cause) in [
            (
                "id",
                "backup-20261123-110000-00fe".into(),
                "of another backup",
            ),
            ("format", 2.into(), "unknown format 2"),
            ("format", Value::Null, "cannot be understood"),
            ("state", Value::Null, "cannot be understood"),
            ("server_name", "a.example\nb".into(), "cannot be understood"),
            (
                "server_name",
                "a".repeat(256).into(),
                "cannot be understood",
            ),
        ] {
            let mut changed = manifest.clone();
            changed[key] = value;
            let error = parse(&changed, marker).unwrap_err();
            assert!(error.contains(cause), "{key}: {error}");
        }
        assert!(matches!(
            Manifest::parse(b"{", &id, marker),
            Err(ManifestError::Unreadable)
        ));
    }
}
