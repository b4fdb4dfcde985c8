//! The small objects around the archives.

use jiff::Timestamp;
use serde::Serialize;

use super::CreateJob;
use crate::backup::catalog::BackupId;
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::{FORMAT, Manifest};
use crate::backup::job::BackupError;
use crate::backup::job::patience::patiently;
use crate::backup::limits::{HEARTBEAT, MISSED_HEARTBEATS, REFUSED_HEARTBEATS};
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
    next_step: String,
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

/// Beats until it is dropped, or returns why the job must end: an aws to which S3 says no reads on to its end before it
/// tells, so after hours.
pub(super) async fn beat(
    s3_client: &S3Client,
    backup_key: &BackupId,
    job: &CreateJob,
) -> BackupError {
    let mut missed = Missed::default();
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let beat = mark(s3_client, backup_key, job, names::HEARTBEAT).await;
        if let Err(error) = &beat {
            tracing::warn!("{error}");
        }
        if let Some(error) = missed.after(beat) {
            return error.into();
        }
    }
}

/// Heartbeats in a row that could not be written.
#[derive(Debug, Default)]
struct Missed {
    all: u32,
    refused: u32,
}

impl Missed {
    /// The error that ends the job, if it does.
    fn after(&mut self, beat: Result<(), S3Error>) -> Option<S3Error> {
        let Err(error) = beat else {
            *self = Self::default();
            return None;
        };
        self.all += 1;
        self.refused = if error.kind().is_passing() {
            0
        } else {
            self.refused + 1
        };
        (self.all >= MISSED_HEARTBEATS || self.refused >= REFUSED_HEARTBEATS).then_some(error)
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

/// Writes the commit marker: from here on there is a backup. A server that does not answer is asked again; a request
/// without an answer may have been carried out, so it is looked for before this says no.
pub(super) async fn commit(
    s3_client: &S3Client,
    backup_key: &BackupId,
    manifest: &Manifest,
) -> Result<(), S3Error> {
    let marker = backup_key.object(&manifest.marker().to_string());
    let content = json(manifest);
    let written = patiently(async || s3_client.put(&marker, content.clone()).await).await;
    let Err(error) = written else { return Ok(()) };
    match s3_client.size_bytes(&marker).await {
        Ok(Some(stored)) if stored == content.len() as u64 => Ok(()),
        _ => Err(error),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Plain structs of text and numbers always serialize.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
