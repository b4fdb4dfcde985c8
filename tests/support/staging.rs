//! Bringing backups to a workload's volume in tests.
//!
//! Include it by `#[path = "support/staging.rs"] mod staging;`, beside `workload` and `s3_server`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::path::PathBuf;
use std::time::Duration;

use synapse_charm::backup::catalog::manifest::Manifest;
use synapse_charm::backup::staging::{Origin, Purpose, Staged, StagingJob, stage};
use synapse_charm::backup::{Components, Passphrase, StagingError};

use crate::workload::{Lines, SERVER_NAME, Workload};

pub const FOLDER: &str = "/data/.restore-restore-20261123-070501-00ff";

/// A job that restores one of our backups.
pub fn restoring(workload: &Workload, manifest: &Manifest, components: Components) -> StagingJob {
    job(
        workload,
        Origin::Ours(Box::new(manifest.clone())),
        Purpose::Restore {
            components,
            folder: FOLDER.to_owned(),
        },
    )
}

pub fn job(workload: &Workload, origin: Origin, purpose: Purpose) -> StagingJob {
    StagingJob {
        origin,
        purpose,
        server_name: SERVER_NAME.to_owned(),
        database_path: "/data/homeserver.db".to_owned(),
        media_store_path: "/data/media_store".to_owned(),
        max_duration: Duration::from_mins(10),
        tools: workload.tools.clone(),
    }
}

pub async fn stage_with(
    workload: &Workload,
    passphrase: &str,
    job: &StagingJob,
) -> Result<Staged, StagingError> {
    let passphrase = Passphrase::new(&passphrase.into()).unwrap();
    let parameters = workload.parameters();
    let mut lines = Lines::default();
    stage(
        &workload.container,
        &parameters,
        &passphrase,
        job,
        &mut lines,
    )
    .await
}

/// What was staged, as the host sees it: what will be `/data` after the swap.
pub fn new_data(workload: &Workload) -> PathBuf {
    let folder = FOLDER.strip_prefix("/data/").unwrap();
    workload.data().join(folder).join("new/data")
}
