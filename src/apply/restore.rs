//! Restores, undoes them, and frees what they put aside.

mod bring;
mod drive;
mod look;
mod results;
mod steps;
mod trial;

use pebble_client::Client;

use super::actions::told::Told;
use super::{Applied, Halt, Outside, workload};
use crate::backup::restore::RestoreId;
use crate::backup::restore::journal::{Journal, Kind};
use crate::backup::restore::kept::Record;
use crate::backup::restore::machine::{self, Next, Observation};
use crate::backup::restore::moves::{self, MovesError};
use crate::backup::restore::renames::Rename;
use crate::backup::staging::{self, Origin, Purpose, StagingJob};
use crate::backup::workload_tools::{self, WorkloadTools};
use crate::plan::{Condition, JobSite, RestoreBackup, ResumeJob, UndoRestore};
use crate::synapse::names;

use bring::Bring;
use drive::{Driver, Left, Patience};
pub(super) use steps::stop_waker;

impl From<MovesError> for Halt {
    fn from(error: MovesError) -> Self {
        Self::Refused(error.with_next_step())
    }
}

pub(super) async fn restore_backup(
    request: RestoreBackup,
    outside: &mut Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let tools = workload_tools::probe(outside.pebble).await?;
    let seen = Box::pin(look::look(&request, &tools, outside.pebble)).await;
    if let Some(known) = &request.dry_run {
        let tried = match &seen {
            Ok(seen) => try_out(&request, seen.origin.clone(), tools, outside.pebble).await,
            Err(_) => None,
        };
        applied
            .results
            .extend(results::of_dry_run(&request, known, seen, tried));
        return Ok(());
    }
    let seen = seen.map_err(|reasons| Halt::Refused(reasons.join("; ")))?;
    forget_setback(applied);
    claim(&request.site, outside.pebble).await?;
    let mut journal = Journal::new(
        Kind::Restore,
        request.site.restore.clone(),
        seen.backup.to_string(),
        request.site.server_name.clone(),
    );
    journal.components = request.components;
    journal.old_bytes = seen.survey.bytes;
    let mut told = Told::new(outside.juju, "restoring", &applied.conditions);
    let mut driver = Driver {
        juju: outside.juju,
        pebble: outside.pebble,
        run_as: request.site.run_as,
        patience: Patience::OfAnAction,
        bring: Some(Bring {
            parameters: &request.parameters,
            passphrase: &request.passphrase,
            job: staging_job(&request, seen.origin, tools),
            schema_version: seen.survey.schema_version,
            progress: &mut told,
            staged: None,
        }),
        waking: None,
        journal,
    };
    let left = driver.begin().await;
    let staged = driver.bring.take().and_then(|bring| bring.staged);
    let journal = driver.journal;
    ended(left, &journal, applied)?;
    if let (None, Some(staged)) = (&applied.failure, staged) {
        applied.results.extend(results::of_restore(
            &outside.context.unit,
            &journal,
            &staged,
        ));
    }
    Ok(())
}

fn staging_job(request: &RestoreBackup, origin: Origin, tools: WorkloadTools) -> StagingJob {
    StagingJob {
        origin,
        purpose: Purpose::Restore {
            components: request.components,
            folder: request.site.restore.folder(),
        },
        server_name: request.site.server_name.clone(),
        database_path: names::DATABASE.to_owned(),
        media_store_path: names::MEDIA_STORE.to_owned(),
        max_duration: request.max_duration,
        tools,
    }
}

/// Why bringing the backup would fail before anything of it is brought.
async fn try_out(
    request: &RestoreBackup,
    origin: Origin,
    tools: WorkloadTools,
    pebble: &Client,
) -> Option<String> {
    let mut job = staging_job(request, origin, tools);
    // The volume may not even be Synapse's yet, and is not written to.
    job.purpose = Purpose::Restore {
        components: request.components,
        folder: format!("/tmp/synapse-charm-try-{}", request.site.restore),
    };
    let tried = staging::try_out(pebble, &request.parameters, &request.passphrase, &job).await;
    tried.err().map(|error| error.with_next_step())
}

/// What an earlier job did not do is no news any more.
fn forget_setback(applied: &mut Applied) {
    if let Some(setback) = applied.memory.setback.take() {
        applied.conditions.retain(|known| known.text != setback);
    }
}

pub(super) async fn undo_restore(
    request: UndoRestore,
    outside: &mut Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let UndoRestore { record, site } = request;
    let seen = look::look_for_undo(&record, outside.pebble).await;
    let old_bytes = seen.map_err(|reasons| Halt::Refused(reasons.join("; ")))?;
    forget_setback(applied);
    claim(&site, outside.pebble).await?;
    let mut journal = Journal::new(
        Kind::Undo,
        site.restore,
        record.backup.clone(),
        site.server_name,
    );
    journal.undoes = Some(record.restore.clone());
    journal.components = record.parts().unwrap_or_default();
    journal.old_bytes = old_bytes;
    // What was put aside comes back, and what came goes.
    let renames = record
        .renames
        .iter()
        .map(|rename| Rename {
            live: rename.live.clone(),
            staged: rename.had_live,
            had_live: false,
        })
        .collect();
    journal.plan(renames).map_err(Halt::Refused)?;
    let mut driver = Driver {
        juju: outside.juju,
        pebble: outside.pebble,
        run_as: site.run_as,
        patience: Patience::OfAnAction,
        bring: None,
        waking: None,
        journal,
    };
    let left = driver.begin().await;
    let journal = driver.journal;
    ended(left, &journal, applied)?;
    if applied.failure.is_none() {
        applied.results.extend(results::of_undo(
            &outside.context.unit,
            &journal,
            record.kind,
        ));
    }
    Ok(())
}

/// Goes on with a job that was found open.
pub(super) async fn resume(
    job: ResumeJob,
    outside: &mut Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let mut driver = Driver {
        juju: outside.juju,
        pebble: outside.pebble,
        run_as: job.run_as,
        patience: if job.go_back {
            Patience::OfAnAction
        } else {
            Patience::OfAHook
        },
        bring: None,
        waking: None,
        journal: job.journal,
    };
    let left = if job.go_back {
        driver.go_back().await
    } else {
        driver.take_up().await
    };
    let journal = driver.journal;
    let over = matches!(left, Ok(Left::Over));
    match left? {
        Left::Over => {
            applied.again = true;
            applied.memory.setback = journal.setback.as_ref().map(|why| undone(&journal, why));
        }
        Left::Open(condition) | Left::Blocked(condition) => {
            if job.go_back {
                applied.failure = Some(condition.text.clone());
            }
            applied.conditions.push(condition);
        }
    }
    if over && job.go_back {
        applied.results.extend(results::of_going_back(&journal));
    }
    Ok(())
}

fn undone(journal: &Journal, why: &str) -> String {
    format!(
        "{} ({}) was not done, all is as it was before: {why}",
        journal.called(),
        journal.restore
    )
}

/// What an action makes of how its job ended. Whatever was renamed, the workload is looked at again.
fn ended(left: Result<Left, Halt>, journal: &Journal, applied: &mut Applied) -> Result<(), Halt> {
    match left {
        Ok(Left::Over) => {
            applied.again = true;
            applied.memory.setback = None;
            applied.failure = journal.setback.as_ref().map(|why| undone(journal, why));
            Ok(())
        }
        Ok(Left::Open(condition) | Left::Blocked(condition)) => {
            applied.failure = Some(condition.text.clone());
            applied.conditions.push(condition);
            Ok(())
        }
        Err(Halt::Condition(condition)) => Err(Halt::Condition(Condition {
            text: format!(
                "{} was interrupted at the step {} ({}); {}, see juju status",
                journal.called(),
                journal.step,
                condition.text,
                match machine::next(journal, &Observation::Found) {
                    Next::Begin(_) if journal.setback.is_none() => {
                        "it is taken up again as soon as the container answers"
                    }
                    _ =>
                        "it is given up as soon as the container answers, and all stays as it was before",
                }
            ),
            ..condition
        })),
        Err(halt) => Err(halt),
    }
}

/// Kubernetes mounts a new volume owned by root.
async fn claim(site: &JobSite, pebble: &Client) -> Result<(), Halt> {
    if site.own_volume {
        workload::own_volume(pebble).await?;
    }
    Ok(())
}

/// Removes what a job left that did not go well. What was live is never removed, only named.
pub(super) async fn sweep(
    restore: &RestoreId,
    pebble: &Client,
    applied: &mut Applied,
) -> Result<(), Halt> {
    match moves::sweep(pebble, restore).await {
        Ok(()) => tracing::info!("removed what {restore} left on the volume"),
        Err(MovesError::Refused(why)) => applied.conditions.push(Condition::note(format!(
            "{why}: look at it, and remove it by hand when nothing in it is needed"
        ))),
        Err(error) => tracing::warn!("{restore} stays on the volume for now: {error}"),
    }
    Ok(())
}

/// Removes data that was put aside. The next hook tries again.
pub(super) async fn free(restore: &RestoreId, pebble: &Client) {
    match moves::free(pebble, restore).await {
        Ok(()) => tracing::info!("freed the data from before {restore}"),
        Err(error) => tracing::warn!("the data from before {restore} stays for now: {error}"),
    }
}

pub(super) async fn discard(
    records: &[Record],
    pebble: &Client,
    applied: &mut Applied,
) -> Result<(), Halt> {
    for record in records {
        moves::free(pebble, &record.restore).await?;
    }
    applied.results.extend(results::of_discard(records));
    // The status need not speak of it any more.
    applied.again = true;
    Ok(())
}
