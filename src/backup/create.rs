//! `create-backup`: two archives, made in the workload side by side, and the marker that makes a backup of them.

mod failure;
mod job;
mod markers;
mod pipeline;
mod receipt;
mod report;
mod summary;

use std::time::Duration;

use pebble_client::Client;

pub use receipt::{Receipt, RestoreInPlace};

use super::catalog::BackupId;
use super::job::{BackupError, Progress};
use super::passphrase::Passphrase;
use super::s3_parameters::S3Parameters;
use super::workload_tools::WorkloadTools;

/// What is to be backed up, and for whom.
#[derive(Debug, Clone)]
pub struct CreateJob {
    /// The Matrix server's name.
    pub server_name: String,
    /// The Juju model.
    pub model_uuid: String,
    /// The Juju application.
    pub application: String,
    /// The unit that makes the backup.
    pub unit: String,
    /// The SQLite database in the workload.
    pub database_path: String,
    /// Where Synapse keeps media.
    pub media_store_path: String,
    /// Full paths below /data that the admin wants in the backup.
    pub extra_paths: Vec<String>,
    /// Claim a path that belongs to another deployment.
    pub take_over: bool,
    /// The job is ended after this.
    pub max_duration: Duration,
    /// The programs of the image, from [`probe`](super::workload_tools::probe).
    pub tools: WorkloadTools,
}

/// Makes a backup and returns what it holds. Synapse goes on running.
///
/// Dropping the future ends the job; what it leaves is listed as in progress, then as abandoned.
///
/// # Errors
/// Why there is no backup. Then nothing of the job runs any more, its folders are gone, and the list shows it as failed
/// (as far as the workload and S3 still answer).
pub async fn create_backup(
    container: &Client,
    s3_parameters: &S3Parameters,
    backup_key: &BackupId,
    passphrase: &Passphrase,
    job: &CreateJob,
    progress: &mut dyn Progress,
) -> Result<Receipt, BackupError> {
    let running = job::Running::new(container, s3_parameters, backup_key, passphrase, job)?;
    let claim = running.preflight().await?;
    let result = Box::pin(running.make(claim, progress)).await;
    running.clean_up(result.as_ref().err()).await;
    result
}
