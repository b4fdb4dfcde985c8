//! `verify-backup`: whether a backup could be restored, without touching what is live.

use pebble_client::Client;

use super::job::{Progress, StagingError};
use super::passphrase::Passphrase;
use super::s3_parameters::S3Parameters;
use super::staging::{Staged, StagingJob, stage};

/// What a good backup was found to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The Synapse that it was made with, if it says so.
    pub synapse_version: Option<String>,
    /// The database's schema version.
    pub schema_version: Option<i64>,
    /// The oldest schema version that can work with the database.
    pub compat_version: Option<i64>,
    /// Users in the database.
    pub users: Option<u64>,
    /// Files and folders in both archives.
    pub entries: u64,
    /// Bytes of the files in them.
    pub file_bytes: u64,
    /// What the admin should know beside.
    pub warnings: Vec<String>,
}

/// Downloads and decrypts a backup, reads its archives to the end markers and checks the database in a private folder, which
/// is gone afterwards. `job` is one whose purpose is [`Verify`](super::staging::Purpose::Verify).
///
/// # Errors
/// Why it is not verified; [`blames_backup`](super::JobError::blames_backup) tells a bad backup from everything else.
pub async fn verify_backup(
    container: &Client,
    s3_parameters: &S3Parameters,
    passphrase: &Passphrase,
    job: &StagingJob,
    progress: &mut dyn Progress,
) -> Result<Verified, StagingError> {
    let Staged {
        synapse_version,
        schema_version,
        compat_version,
        users,
        entries,
        file_bytes,
        warnings,
        ..
    } = stage(container, s3_parameters, passphrase, job, progress).await?;
    Ok(Verified {
        synapse_version,
        schema_version,
        compat_version,
        users,
        entries,
        file_bytes,
        warnings,
    })
}
