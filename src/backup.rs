//! Backup and restore of a Synapse server: what the company is staked on.

pub mod catalog;
pub mod command;
pub mod components;
pub mod create;
mod dated_name;
pub mod delete;
pub mod job;
pub mod limits;
pub mod owner;
pub mod passphrase;
pub mod paths;
pub mod restore;
pub mod s3_client;
pub mod s3_error;
pub mod s3_parameters;
pub mod staging;
pub mod sweep;
pub mod verify;
pub mod workload_tools;

pub use catalog::BackupId;
pub use components::Components;
pub use create::{CreateJob, Receipt, create_backup};
pub use delete::{DeleteError, Deleted, delete_backup};
pub use job::{BackupError, JobError, Progress, StagingError};
pub use passphrase::{InvalidPassphrase, Passphrase};
pub use s3_client::S3Client;
pub use s3_error::{S3Error, S3ErrorKind};
pub use s3_parameters::{
    ParameterProblem, RawS3Parameters, S3Parameters, S3UriStyle, get_environment,
};
