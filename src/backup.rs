//! Backup and restore of a Synapse server: what the company is staked on.

pub mod catalog;
pub mod command;
pub mod create;
pub mod limits;
pub mod owner;
pub mod passphrase;
pub mod paths;
pub mod s3_client;
pub mod s3_error;
pub mod s3_parameters;
pub mod sweep;
pub mod workload_tools;

pub use catalog::BackupId;
pub use create::{BackupError, CreateJob, Progress, Receipt, create_backup};
pub use passphrase::{InvalidPassphrase, Passphrase};
pub use s3_client::S3Client;
pub use s3_error::{S3Error, S3ErrorKind};
pub use s3_parameters::{
    ParameterProblem, RawS3Parameters, S3Parameters, S3UriStyle, get_environment,
};
