//! Finds the one backup that an action is to work on.

use std::fmt;

use jiff::Timestamp;

use super::id::{AnyBackupId, BackupChoice};
use super::{Entry, Reader, Unclear, legacy_name, list, list_named, newest_of};
use crate::backup::s3_client::{ObjectInfo, S3Client};
use crate::backup::s3_error::S3Error;

/// Why there is no such backup.
#[derive(Debug)]
pub enum FindError {
    /// The listing cannot be had.
    S3(S3Error),
    /// There is none of this id.
    Missing(AnyBackupId),
    /// There is no finished one of ours, so none is the latest. The place that was looked at.
    NoneFinished(String),
    /// There is no finished one of this server, so none is the latest.
    NoneOfServer {
        /// The server.
        server_name: String,
        /// The place that was looked at.
        place: String,
        /// Whose those are that are there.
        others: Vec<String>,
    },
}

impl FindError {
    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        match self {
            Self::S3(error) => error.with_next_step(),
            Self::Missing(_) => format!("{self}; list-backups shows those that do"),
            Self::NoneFinished(_) | Self::NoneOfServer { .. } => {
                format!("{self}; list-backups shows what there is, give the id of a legacy one")
            }
        }
    }
}

impl fmt::Display for FindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(error) => error.fmt(formatter),
            Self::Missing(id) => write!(formatter, "backup-id {id} does not exist"),
            Self::NoneFinished(place) => {
                write!(formatter, "there is no finished backup in {place}")
            }
            Self::NoneOfServer {
                server_name,
                place,
                others,
            } => write!(
                formatter,
                "there is no finished backup of {server_name} in {place}, those there are of {}",
                names(others)
            ),
        }
    }
}

impl std::error::Error for FindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::S3(error) => error.source(),
            Self::Missing(_) | Self::NoneFinished(_) | Self::NoneOfServer { .. } => None,
        }
    }
}

impl From<S3Error> for FindError {
    fn from(error: S3Error) -> Self {
        Self::S3(error)
    }
}

/// One backup, and the objects that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the listing says of it.
    pub entry: Entry,
    /// Its objects, names relative to the path.
    pub objects: Vec<ObjectInfo>,
}

/// The backup that is meant, in whatever state it is and whosever it is; `latest` is always a finished one of ours, and of
/// the server of this name. One that has an id costs one request, two without a path.
///
/// # Errors
/// When there is none, or what must be read cannot be had.
pub async fn find(
    s3_client: &S3Client,
    choice: &BackupChoice,
    server_name: &str,
) -> Result<Entry, FindError> {
    match choice {
        BackupChoice::Latest => latest(s3_client, server_name).await,
        BackupChoice::Id(id) => Ok(find_objects(s3_client, id).await?.entry),
    }
}

/// One whose manifest is of no use counts: an older one is not taken in silence, and whoever goes on to read it says why
/// it cannot be used.
async fn latest(s3_client: &S3Client, server_name: &str) -> Result<Entry, FindError> {
    let catalog = list(s3_client).await?;
    let place = s3_client.place().to_owned();
    if catalog.finished().is_empty() {
        return Err(FindError::NoneFinished(place));
    }
    let newest = newest_of(s3_client, &catalog, server_name, Unclear::IsOwn).await?;
    newest
        .entry
        .cloned()
        .ok_or_else(|| FindError::NoneOfServer {
            server_name: server_name.to_owned(),
            place,
            others: newest.others.into_iter().collect(),
        })
}

/// The first few of those servers.
fn names(servers: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = servers[..servers.len().min(SHOWN)].join(", ");
    match servers.len() {
        0 | 1 => format!("another server: {shown}"),
        2..=SHOWN => format!("other servers: {shown}"),
        all => format!("other servers: {shown} and {} more", all - SHOWN),
    }
}

/// The backup of this id with its objects, by one request, or two without a path.
///
/// # Errors
/// When there is none, or the listing cannot be had.
pub async fn find_objects(s3_client: &S3Client, id: &AnyBackupId) -> Result<Found, FindError> {
    let mut reader = Reader::default();
    let mut objects = Vec::new();
    let take = |object: ObjectInfo| {
        if reader.take(&object) && belongs_to(&object.key, id) {
            objects.push(object);
        }
    };
    list_named(s3_client, id.as_str(), take).await?;
    let catalog = reader.finish(s3_client.server_now().unwrap_or_else(Timestamp::now));
    let mut entries = catalog.entries.into_iter();
    match entries.find(|entry| entry.id == *id) {
        Some(entry) => Ok(Found { entry, objects }),
        None => Err(FindError::Missing(id.clone())),
    }
}

/// Another backup's id may begin with this one.
fn belongs_to(key: &str, id: &AnyBackupId) -> bool {
    let rest = key.strip_prefix(id.as_str());
    match id {
        AnyBackupId::Ours(_) => rest.is_some_and(|rest| rest.starts_with('/')),
        AnyBackupId::Legacy(id) => {
            legacy_name(key) == id.as_str() || rest.is_some_and(|rest| rest.starts_with('.'))
        }
    }
}
