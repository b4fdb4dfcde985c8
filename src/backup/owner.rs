//! Whose path it is: two servers that write to one path would prune each other's backups.

use serde::{Deserialize, Serialize};

use super::catalog::manifest::FORMAT;
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
    /// The object cannot be understood.
    Unreadable,
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
            let owner: Self = serde_json::from_slice(&content).map_err(|_| Foreign::Unreadable)?;
            if owner.format == FORMAT {
                Ok(owner)
            } else {
                Err(Foreign::Unreadable)
            }
        }))
    }

    /// Whether this deployment may write to the path.
    ///
    /// # Errors
    /// The outer one when S3 fails; the inner one says whose the path is.
    pub async fn may_write(&self, s3_client: &S3Client) -> Result<Result<(), Foreign>, S3Error> {
        Ok(match Self::read(s3_client).await? {
            None => Ok(()),
            Some(Ok(owner)) if owner == *self => Ok(()),
            Some(Ok(owner)) => Err(Foreign::Other(Box::new(owner))),
            Some(Err(foreign)) => Err(foreign),
        })
    }

    /// Claims the path.
    ///
    /// # Errors
    /// When the object cannot be written.
    pub async fn write(&self, s3_client: &S3Client) -> Result<(), S3Error> {
        let content = serde_json::to_vec_pretty(self).unwrap_or_default();
        s3_client.put(NAME, content).await
    }
}
