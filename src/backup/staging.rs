//! Bringing a backup from S3 to a private folder of the volume, checked to its end. Nothing live is touched.

mod cause;
mod command;
mod report;
mod run;

use std::time::Duration;

use pebble_client::Client;

use super::catalog::manifest::Manifest;
use super::catalog::{Entry, LegacyId};
use super::components::Components;
use super::job::{Operation, Progress, StagingError};
use super::passphrase::Passphrase;
use super::s3_parameters::S3Parameters;
use super::workload_tools::WorkloadTools;
use run::Running;

/// Which backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One of ours; its outer manifest, whose gates are checked again from the one inside.
    Ours(Box<Manifest>),
    /// One of the Python charm.
    Legacy {
        /// Its id.
        id: LegacyId,
        /// Its object, a name relative to the path.
        object: String,
        /// The object's size.
        size_bytes: u64,
    },
}

impl Origin {
    /// One of the Python charm, as a listing tells of it.
    pub fn legacy(id: &LegacyId, entry: &Entry) -> Self {
        let object = entry.legacy_object.clone();
        Self::Legacy {
            id: id.clone(),
            object: object.unwrap_or_else(|| id.as_str().to_owned()),
            size_bytes: entry.size_bytes,
        }
    }
}

/// What for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To be swapped with what is live.
    Restore {
        /// What is brought.
        components: Components,
        /// The restore's folder on the volume, `/data/.restore-<id>`; it exists. What is brought lies in its `new`, which
        /// must not be there yet.
        folder: String,
    },
    /// To be looked at and removed.
    Verify {
        /// A folder on the volume, `/data/.verify-<backup id>`, made for it.
        folder: String,
    },
}

/// What is to be brought, and what it must be.
#[derive(Debug, Clone)]
pub struct StagingJob {
    /// Which backup.
    pub origin: Origin,
    /// What for.
    pub purpose: Purpose,
    /// The Matrix server's name, which the backup must have too.
    pub server_name: String,
    /// The SQLite database in the workload.
    pub database_path: String,
    /// Where Synapse keeps media.
    pub media_store_path: String,
    /// The job is ended after this.
    pub max_duration: Duration,
    /// The programs of the image, from [`probe`](super::workload_tools::probe).
    pub tools: WorkloadTools,
}

/// A backup on the volume, verified and on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    /// Whose data it is, as the backup says; a legacy backup says nothing, so it is the job's.
    pub server_name: String,
    /// The Synapse that the backup was made with, if it says so.
    pub synapse_version: Option<String>,
    /// The database's schema version; absent without a database.
    pub schema_version: Option<i64>,
    /// The oldest schema version that can work with the database; absent without a database.
    pub compat_version: Option<i64>,
    /// Users in the database; absent without a database.
    pub users: Option<u64>,
    /// Live absolute paths that were staged, each to be renamed as a whole: database, keys, every `local_*` below the media
    /// store, extra paths. Each lies at `<folder>/new<path>`.
    pub paths: Vec<String>,
    /// Files and folders in the archives that were read.
    pub entries: u64,
    /// Bytes of the files in them.
    pub file_bytes: u64,
    /// One-time keys that were taken out of the staged database.
    pub one_time_keys_removed: u64,
    /// Local media that the database knows and of which there is no file: staged, or live where media stays. Absent
    /// without a database.
    pub media_rows_without_file: Option<u64>,
    /// What the admin should know beside.
    pub warnings: Vec<String>,
}

/// Brings a backup to the volume: downloads, decrypts, extracts, checks to gpg's verdict and the end marker, checks the
/// database and empties its one-time keys, and waits until all of it is on disk.
///
/// Dropping the future ends the job; what it leaves of the folder is removed within seconds.
///
/// # Errors
/// Why it is not there. Then nothing of the job runs any more, and its `new` is gone as far as the workload still answers.
pub async fn stage(
    container: &Client,
    s3_parameters: &S3Parameters,
    passphrase: &Passphrase,
    job: &StagingJob,
    progress: &mut dyn Progress,
) -> Result<Staged, StagingError> {
    let operation = match job.purpose {
        Purpose::Restore { .. } => Operation::RestoreBackup,
        Purpose::Verify { .. } => Operation::VerifyBackup,
    };
    let staged = async {
        let running = Running::new(container, s3_parameters, passphrase, job)?;
        Box::pin(running.run(progress)).await
    };
    staged.await.map_err(|error| error.of(operation))
}

/// Finds out whether bringing the backup would fail before anything of it is brought: the programs, the objects and their sizes, the
/// passphrase, the room. Leaves nothing behind.
///
/// # Errors
/// Why it would fail.
pub async fn try_out(
    container: &Client,
    s3_parameters: &S3Parameters,
    passphrase: &Passphrase,
    job: &StagingJob,
) -> Result<(), StagingError> {
    let tried = async {
        let running = Running::new(container, s3_parameters, passphrase, job)?;
        Box::pin(running.try_out()).await
    };
    tried
        .await
        .map_err(|error| error.of(Operation::RestoreBackup))
}
