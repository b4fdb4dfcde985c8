//! The small objects around the archives.

use jiff::Timestamp;
use serde::Serialize;

use super::CreateJob;
use super::failure::BackupError;
use crate::backup::catalog::BackupId;
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::{FORMAT, Manifest};
use crate::backup::limits::HEARTBEAT;
use crate::backup::s3_client::S3Client;
use crate::backup::s3_error::S3Error;

#[derive(Serialize)]
struct Mark<'a> {
    format: u32,
    id: &'a str,
    server_name: &'a str,
    unit: &'a str,
    at: Timestamp,
}

#[derive(Serialize)]
struct Failed<'a> {
    format: u32,
    id: &'a str,
    stage: String,
    cause: String,
    next_step: &'a str,
    log_tail: &'a str,
    at: Timestamp,
}

async fn mark(
    s3_client: &S3Client,
    backup_key: &BackupId,
    job: &CreateJob,
    name: &str,
) -> Result<(), S3Error> {
    let mark = Mark {
        format: FORMAT,
        id: backup_key.as_str(),
        server_name: &job.server_name,
        unit: &job.unit,
        at: Timestamp::now(),
    };
    s3_client.put(&backup_key.object(name), json(&mark)).await
}

/// Writes what proves that we may write, and the first heartbeat.
pub(super) async fn start(
    s3_client: &S3Client,
    backup_key: &BackupId,
    job: &CreateJob,
) -> Result<(), S3Error> {
    mark(s3_client, backup_key, job, names::STARTED).await?;
    mark(s3_client, backup_key, job, names::HEARTBEAT).await
}

/// Beats until it is dropped. One that cannot be written is no reason to end a job: the list shows it as abandoned
/// meanwhile.
pub(super) async fn beat(
    s3_client: &S3Client,
    backup_key: &BackupId,
    job: &CreateJob,
) -> BackupError {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = mark(s3_client, backup_key, job, names::HEARTBEAT).await {
            tracing::warn!("{error}");
        }
    }
}

/// Writes why a job failed.
pub(super) async fn fail(
    s3_client: &S3Client,
    backup_key: &BackupId,
    error: &BackupError,
) -> Result<(), S3Error> {
    let failed = Failed {
        format: FORMAT,
        id: backup_key.as_str(),
        stage: error.stage().to_string(),
        cause: error.to_string(),
        next_step: error.next_step(),
        log_tail: error.log_tail(),
        at: Timestamp::now(),
    };
    s3_client
        .put(&backup_key.object(names::FAILED), json(&failed))
        .await
}

/// Writes the commit marker: from here on there is a backup.
pub(super) async fn commit(
    s3_client: &S3Client,
    backup_key: &BackupId,
    manifest: &Manifest,
) -> Result<(), S3Error> {
    s3_client
        .put(
            &backup_key.object(&manifest.marker().to_string()),
            json(manifest),
        )
        .await
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Plain structs of text and numbers always serialize.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}
