//! The actions that replace or give back the server's data: what must hold before anything is asked of S3 or the volume.

use super::actions::{container, main_unit, parameters, passphrase};
use super::jobs;
use super::volume::{Verdict, judge};
use crate::backup::Components;
use crate::backup::catalog::BackupChoice;
use crate::backup::restore::RestoreId;
use crate::backup::restore::kept::Record;
use crate::backup::restore::on_volume::Folder;
use crate::plan::{JobSite, RestoreBackup, ResumeJob, Step, UndoRestore};
use crate::state::{Ready, State, Workload};
use crate::synapse::layer::RunAs;
use crate::synapse::names;

pub(super) fn restore_backup(
    state: &State,
    backup: &BackupChoice,
    components: Components,
    dry_run: bool,
) -> Result<Step, String> {
    let mut refusals = Vec::new();
    let site = note(&mut refusals, site(state));
    let parameters = note(&mut refusals, parameters(state));
    let passphrase = note(&mut refusals, passphrase(state));
    let max_duration = note(&mut refusals, state.backup.max_duration.clone());
    note(&mut refusals, alone(state));
    if !dry_run && !refusals.is_empty() {
        return Err(refusals.join("; "));
    }
    match (site, parameters, passphrase, max_duration) {
        (Some(site), Some(parameters), Some(passphrase), Some(max_duration)) => {
            Ok(Step::RestoreBackup(Box::new(RestoreBackup {
                parameters: parameters.clone(),
                passphrase: passphrase.clone(),
                backup: backup.clone(),
                components,
                max_duration,
                dry_run: dry_run.then_some(refusals),
                site,
            })))
        }
        // So much is missing that the backup cannot be looked at.
        _ => Ok(Step::Tell(vec![
            ("dry-run", "true".to_owned()),
            ("would-be-refused", "true".to_owned()),
            ("refused-because", refusals.join("; ")),
        ])),
    }
}

pub(super) fn undo_restore(state: &State, restore: Option<&RestoreId>) -> Result<Step, String> {
    main_unit(state)?;
    if let Workload::Busy(busy) = &state.workload
        && let Ok(journal) = &busy.journal
        && jobs::given_up(journal).is_some()
        && restore.is_none_or(|restore| *restore == journal.restore)
    {
        return Ok(Step::ResumeJob(Box::new(ResumeJob {
            journal: journal.clone(),
            run_as: busy.run_as,
            go_back: true,
        })));
    }
    let site = site(state)?;
    alone(state)?;
    let (_, ready) = container(state)?;
    let record = chosen(ready, restore)?.clone();
    if record.server_name != site.server_name {
        return Err(format!(
            "the data from before {} is of the server {}, not of {}",
            record.restore, record.server_name, site.server_name
        ));
    }
    let with_database = record
        .renames
        .iter()
        .any(|rename| rename.live == names::DATABASE && rename.had_live);
    if record.parts() != Some(Components::Keys) && !with_database {
        return Err(format!(
            "there was no database before {}: there is nothing to go back to",
            record.restore
        ));
    }
    Ok(Step::UndoRestore(Box::new(UndoRestore { record, site })))
}

pub(super) fn discard_old_data(state: &State, restore: Option<&RestoreId>) -> Result<Step, String> {
    let (_, ready) = container(state)?;
    let records = match restore {
        Some(_) => vec![chosen(ready, restore)?.clone()],
        None => kept(ready).cloned().collect(),
    };
    if records.is_empty() {
        return Err(NOTHING_KEPT.to_owned());
    }
    Ok(Step::DiscardOldData(records))
}

const NOTHING_KEPT: &str = "no data from before a restore is kept";

/// Where a job can begin.
fn site(state: &State) -> Result<JobSite, String> {
    let (settings, ready) = container(state)?;
    let name = &settings.server_name;
    if let Some(fault) = &ready.volume.fault {
        return Err(format!("storage: {fault}"));
    }
    // What is missing on the volume is what a restore brings.
    if let Verdict::Leave(condition) = judge(name, &ready.volume, &ready.known, true) {
        return Err(condition.text);
    }
    Ok(JobSite {
        restore: state
            .fresh_restore_id
            .clone()
            .ok_or("the restore was given no id")?,
        server_name: name.clone(),
        run_as: ready.run_as,
        own_volume: ready.run_as == RunAs::Synapse && ready.volume.owner != Some(names::UID),
    })
}

fn alone(state: &State) -> Result<(), String> {
    let app = state.unit.app();
    match state.planned_units {
        Some(1) => Ok(()),
        Some(planned) => Err(format!(
            "the application shall have {planned} units: scale to 1 first (juju scale-application {app} 1)"
        )),
        None => Err("nobody counted the application's units".to_owned()),
    }
}

fn kept(ready: &Ready) -> impl Iterator<Item = &Record> {
    ready.restores.iter().filter_map(|folder| match folder {
        Folder::Kept(record) => Some(&**record),
        Folder::Unrecorded(_) => None,
    })
}

fn chosen<'a>(ready: &'a Ready, restore: Option<&RestoreId>) -> Result<&'a Record, String> {
    let found = match restore {
        Some(restore) => kept(ready).find(|record| record.restore == *restore),
        None => kept(ready).max_by_key(|record| record.since),
    };
    found.ok_or_else(|| match restore {
        Some(restore) => {
            format!("no data from before {restore} is kept; juju status names what is")
        }
        None => NOTHING_KEPT.to_owned(),
    })
}

/// Returns the value, or notes why there is none.
fn note<T>(refusals: &mut Vec<String>, value: Result<T, String>) -> Option<T> {
    value
        .map_err(|reason| {
            if !refusals.contains(&reason) {
                refusals.push(reason);
            }
        })
        .ok()
}
