//! Finds the one backup that an action is to work on.

use std::fmt;

use super::id::{AnyBackupId, BackupChoice};
use super::{Entry, list, list_below};
use crate::backup::s3_client::S3Client;
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
}

impl FindError {
    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        match self {
            Self::S3(error) => error.with_next_step(),
            Self::Missing(_) => format!("{self}; list-backups shows those that do"),
            Self::NoneFinished(_) => {
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
        }
    }
}

impl std::error::Error for FindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::S3(error) => error.source(),
            Self::Missing(_) | Self::NoneFinished(_) => None,
        }
    }
}

impl From<S3Error> for FindError {
    fn from(error: S3Error) -> Self {
        Self::S3(error)
    }
}

/// The backup that is meant, in whatever state it is; `latest` is always a finished one of ours. One that has an id costs
/// one request.
///
/// # Errors
/// When there is none, or the listing cannot be had.
pub async fn find(s3_client: &S3Client, choice: &BackupChoice) -> Result<Entry, FindError> {
    match choice {
        BackupChoice::Latest => {
            let catalog = list(s3_client).await?;
            let latest = catalog.latest().cloned();
            latest.ok_or_else(|| FindError::NoneFinished(s3_client.place().to_owned()))
        }
        BackupChoice::Id(id) => {
            let catalog = list_below(s3_client, id.as_str()).await?;
            let mut entries = catalog.entries.into_iter();
            entries
                .find(|entry| entry.id == *id)
                .ok_or_else(|| FindError::Missing(id.clone()))
        }
    }
}
