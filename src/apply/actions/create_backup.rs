//! `create-backup`.

use jiff::Timestamp;

use super::told::Told;
use crate::apply::{Applied, Halt, Outside};
use crate::backup::{self, BackupError, CreateJob, Receipt, workload_tools};
use crate::plan::CreateBackup;
use crate::state::{BackupFailure, LastBackup, Memory, StoreMemory};
use crate::synapse::names;

pub(in crate::apply) async fn create_backup(
    request: CreateBackup,
    outside: &Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let Outside {
        juju,
        pebble,
        context,
    } = outside;
    let job = CreateJob {
        server_name: request.server_name.clone(),
        model_uuid: context.model_uuid.clone(),
        application: context.unit.app().to_owned(),
        unit: context.unit.to_string(),
        database_path: names::DATABASE.to_owned(),
        media_store_path: names::MEDIA_STORE.to_owned(),
        extra_paths: request.extra_paths,
        take_over: request.take_over,
        max_duration: request.max_duration,
        tools: workload_tools::probe(pebble).await?,
    };
    let mut told = Told::new(juju, "backing up", &applied.conditions);
    let made = backup::create_backup(
        pebble,
        &request.parameters,
        &request.id,
        &request.passphrase,
        &job,
        &mut told,
    );
    let receipt = made
        .await
        .inspect_err(|error| remember_failure(error, &mut applied.memory))?;
    applied.memory.backup_failure = None;
    if let Some(setback) = applied.memory.setback.take() {
        applied.conditions.retain(|known| known.text != setback);
    }
    applied.memory.store = Some(StoreMemory {
        parameters: request.parameters.hash(),
        server_name: Some(request.server_name),
        checked_at: Timestamp::now(),
        problem: None,
        last: Some(LastBackup {
            finished_at: receipt.manifest.finished,
            size_bytes: receipt.size_bytes,
        }),
        foreign: None,
    });
    applied.results.extend(receipt_results(&receipt));
    Ok(())
}

/// The task's own failure is soon out of sight, and whoever looks at the status must not think that all is well.
fn remember_failure(error: &BackupError, memory: &mut Memory) {
    memory.backup_failure = Some(BackupFailure {
        failed_at: Timestamp::now(),
        reason: error.to_string(),
    });
    if let Some(store) = &mut memory.store {
        // What S3 answered before may be true no longer: the next hook asks.
        store.checked_at = Timestamp::UNIX_EPOCH;
    }
}

fn receipt_results(receipt: &Receipt) -> Vec<(String, String)> {
    const KEEP: &str = "KEEP THE BACKUP PASSPHRASE OUTSIDE JUJU, beside the S3 address and keys: with Juju lost, no \
                        backup can be read without it.";
    let mut results = vec![
        ("result", "correct".to_owned()),
        ("backup-id", receipt.backup_id.to_string()),
        ("size-bytes", receipt.size_bytes.to_string()),
        ("duration-seconds", receipt.duration.as_secs().to_string()),
        ("contents", receipt.contents.to_string()),
        ("keep-outside-juju", KEEP.to_owned()),
        ("restore-in-place", receipt.restore_in_place.to_string()),
    ];
    if !receipt.warnings.is_empty() {
        results.push(("warnings", receipt.warnings.join("; ")));
    }
    results
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
