//! Whose path it is: two servers that write to one path would prune each other's backups.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::manifest::FORMAT;
use super::job::printable;
use super::s3_client::S3Client;
use super::s3_error::S3Error;

const NAME: &str = "owner.json";

/// The content of `owner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Format of this object.
    pub format: u32,
    /// The Juju model.
    pub model_uuid: String,
    /// The application in it.
    pub application: String,
    /// The Matrix server's name.
    pub server_name: String,
}

/// Why a path is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// Another deployment writes there.
    Other(Box<Owner>),
    /// A newer charm wrote it.
    Format(u64),
    /// The object cannot be understood.
    Unreadable,
}

impl Foreign {
    /// Whose the path in `place` is, or why nobody can tell.
    pub fn whose(&self, place: &str) -> String {
        let whose = match self {
            Self::Other(owner) => format!(
                "{place} belongs to application {} (server {}) of model {}",
                owner.application, owner.server_name, owner.model_uuid
            ),
            Self::Format(format) => format!(
                "the owner.json in {place} has the unknown format {format}: a newer charm wrote it"
            ),
            Self::Unreadable => format!("the owner.json in {place} cannot be understood"),
        };
        printable(&whose)
    }

    /// What to do, as a sentence without a full stop.
    pub fn next_step(&self) -> &'static str {
        "set another path, or take-over=true if that deployment is gone"
    }
}

/// Why this deployment may write to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It did so before.
    Ours,
    /// Nobody has written there yet.
    Nobodys,
    /// The admin says that whoever wrote there is gone.
    TakenOver,
}

impl Owner {
    /// The owner that this deployment writes.
    pub fn new(model_uuid: &str, application: &str, server_name: &str) -> Self {
        Self {
            format: FORMAT,
            model_uuid: model_uuid.to_owned(),
            application: application.to_owned(),
            server_name: server_name.to_owned(),
        }
    }

    /// What the path says: nothing, an owner, or something that is none.
    ///
    /// # Errors
    /// When the object cannot be had.
    pub async fn read(s3_client: &S3Client) -> Result<Option<Result<Self, Foreign>>, S3Error> {
        let content = s3_client.get_small(NAME).await?;
        Ok(content.map(|content| {
            let owner: Value = serde_json::from_slice(&content).map_err(|_| Foreign::Unreadable)?;
            match owner.get("format").and_then(Value::as_u64) {
                Some(format) if format != u64::from(FORMAT) => Err(Foreign::Format(format)),
                _ => serde_json::from_value(owner).map_err(|_| Foreign::Unreadable),
            }
        }))
    }

    /// Whose the path is, as this deployment sees it.
    ///
    /// # Errors
    /// The outer one when S3 fails; the inner one says whose the path is.
    pub async fn look(&self, s3_client: &S3Client) -> Result<Result<Claim, Foreign>, S3Error> {
        Ok(match Self::read(s3_client).await? {
            None => Ok(Claim::Nobodys),
            Some(Ok(owner)) if owner == *self => Ok(Claim::Ours),
            Some(Ok(owner)) => Err(Foreign::Other(Box::new(owner))),
            Some(Err(foreign)) => Err(foreign),
        })
    }

    /// Claims the path, whosever it is.
    ///
    /// # Errors
    /// When the object cannot be written.
    pub async fn write(&self, s3_client: &S3Client) -> Result<(), S3Error> {
        s3_client.put(NAME, self.content()).await
    }

    /// Claims a path that was nobody's. Returns whether it was still so, as far as the server can tell.
    ///
    /// # Errors
    /// When the object cannot be written.
    pub async fn write_first(&self, s3_client: &S3Client) -> Result<bool, S3Error> {
        s3_client.put_new(NAME, self.content()).await
    }

    fn content(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}
