//! The actions: what must hold, and what is then done.

use pebble_client::ServiceStatus;
use secrecy::SecretString;

use super::volume::{Verdict, judge};
use super::{jobs, reconcile, restore};
use crate::backup::catalog::{AnyBackupId, BackupChoice};
use crate::backup::{Passphrase, S3Parameters};
use crate::plan::{
    CreateBackup, DeleteBackup, ListBackups, Plan, ProbeStore, RegisterUser, ShowBackup, Step,
    VerifyBackup,
};
use crate::state::{PassphraseSetting, Ready, Request, State, Store, Workload};
use crate::synapse::homeserver_yaml::Settings;
use crate::synapse::identity;

/// What is said when backups are set up without a passphrase.
pub(super) const NO_PASSPHRASE: &str =
    "no passphrase is set: set backup_passphrase_secret (or backup_passphrase)";

/// Returns what the action does that the state's request asks for.
pub(super) fn plan(state: &State) -> anyhow::Result<Plan> {
    let request = match &state.request {
        Some(Ok(request)) => request,
        Some(Err(fault)) => return refuse(state, fault),
        None => anyhow::bail!("an action was routed without its parameters"),
    };
    let planned = match request {
        Request::CreateBackup { take_over } => create_backup(state, *take_over),
        Request::ListBackups { limit, before } => list_backups(state, *limit, before.as_deref()),
        Request::ShowBackup { choice } => show_backup(state, choice),
        Request::VerifyBackup { choice } => verify_backup(state, choice),
        Request::DeleteBackup { id, take_over } => match delete_backup(state, id, *take_over) {
            Ok(steps) => return act(state, steps),
            Err(refusal) => Err(refusal),
        },
        Request::RestoreBackup {
            backup,
            components,
            dry_run,
        } => restore::restore_backup(state, backup, *components, *dry_run),
        Request::UndoRestore { restore } => restore::undo_restore(state, restore.as_ref()),
        Request::DiscardOldData { restore } => restore::discard_old_data(state, restore.as_ref()),
        Request::RegisterUser { username, admin } => register_user(state, username, *admin),
        Request::StartEmpty { confirm } => match may_start_empty(state, confirm) {
            Ok(()) => return start_empty(state),
            Err(refusal) => Err(refusal),
        },
    };
    match planned {
        Ok(step) => act(state, vec![step]),
        Err(refusal) => refuse(state, refusal),
    }
}

/// Returns a plan that takes these steps. The status goes on to say what a hook would say.
fn act(state: &State, steps: Vec<Step>) -> anyhow::Result<Plan> {
    Ok(Plan {
        steps,
        ..reconcile::view(state)?
    })
}

/// Returns a plan that refuses the action. The status goes on to say what a hook would say.
pub(super) fn refuse(state: &State, text: impl Into<String>) -> anyhow::Result<Plan> {
    Ok(Plan {
        refusal: Some(text.into()),
        ..reconcile::view(state)?
    })
}

fn create_backup(state: &State, take_over: bool) -> Result<Step, String> {
    let (settings, _) = living_server(state)?;
    let id = state
        .fresh_backup_id
        .clone()
        .ok_or("the backup was given no id")?;
    Ok(Step::CreateBackup(Box::new(CreateBackup {
        parameters: parameters(state)?.clone(),
        id,
        passphrase: passphrase(state)?.clone(),
        server_name: settings.server_name.clone(),
        extra_paths: state.backup.extra_paths.clone()?,
        take_over,
        max_duration: state.backup.max_duration.clone()?,
    })))
}

fn list_backups(state: &State, limit: usize, before: Option<&str>) -> Result<Step, String> {
    main_unit(state)?;
    let parameters = parameters(state)?.clone();
    Ok(Step::ListBackups(Box::new(ListBackups {
        parameters,
        limit,
        before: before.map(str::to_owned),
    })))
}

fn show_backup(state: &State, choice: &BackupChoice) -> Result<Step, String> {
    main_unit(state)?;
    let server_name = match choice {
        BackupChoice::Latest => Some(settings(state)?.server_name.clone()),
        BackupChoice::Id(_) => None,
    };
    Ok(Step::ShowBackup(Box::new(ShowBackup {
        parameters: parameters(state)?.clone(),
        choice: choice.clone(),
        server_name,
    })))
}

/// A verification needs the workload's programs and room, and no living server.
fn verify_backup(state: &State, choice: &BackupChoice) -> Result<Step, String> {
    let (settings, _) = container(state)?;
    Ok(Step::VerifyBackup(Box::new(VerifyBackup {
        parameters: parameters(state)?.clone(),
        choice: choice.clone(),
        passphrase: passphrase(state)?.clone(),
        server_name: settings.server_name.clone(),
        max_duration: state.backup.max_duration.clone()?,
    })))
}

/// Afterwards S3 is asked for what is now the last backup, also when only part of this one could be removed.
fn delete_backup(state: &State, id: &AnyBackupId, take_over: bool) -> Result<Vec<Step>, String> {
    let settings = settings(state)?;
    if let Workload::Busy(busy) = &state.workload {
        return Err(jobs::refusal(busy));
    }
    let parameters = parameters(state)?;
    let delete = DeleteBackup {
        parameters: parameters.clone(),
        id: id.clone(),
        server_name: settings.server_name.clone(),
        take_over,
    };
    let probe = ProbeStore {
        parameters: parameters.clone(),
        server_name: Some(settings.server_name.clone()),
    };
    Ok(vec![
        Step::DeleteBackup(Box::new(delete)),
        Step::ProbeStore(Box::new(probe)),
    ])
}

fn register_user(state: &State, username: &str, admin: bool) -> Result<Step, String> {
    let (_, ready) = living_server(state)?;
    if let Some(condition) = reconcile::service_condition(&ready.service, ready.healthy) {
        return Err(condition.text);
    }
    let registration_secret: SecretString = ready
        .volume
        .identity
        .get(identity::REGISTRATION)
        .cloned()
        .flatten()
        .ok_or("the registration secret is missing on the data volume: run any hook, such as juju config, first")?;
    Ok(Step::RegisterUser(RegisterUser {
        username: username.to_owned(),
        admin,
        registration_secret,
    }))
}

fn may_start_empty(state: &State, confirm: &str) -> Result<(), String> {
    let (settings, ready) = container(state)?;
    let name = &settings.server_name;
    if confirm != name {
        return Err(format!(
            "confirm={confirm:?} is not the name of this server: run start-empty confirm={name}"
        ));
    }
    if ready.volume.has_database {
        return Err(format!(
            "the data volume is not empty: {name} has a database there, nothing was changed"
        ));
    }
    match judge(name, &ready.volume, &ready.known, true) {
        Verdict::Run { .. } => Ok(()),
        Verdict::Stop(condition) | Verdict::Leave(condition) => Err(condition.text),
    }
}

fn start_empty(state: &State) -> anyhow::Result<Plan> {
    let mut plan = reconcile::plan_workload(state, true)?;
    // The database is what tells the next dispatch that the volume is not empty.
    plan.steps.push(Step::RequireDatabase);
    Ok(plan)
}

/// Returns the settings and container of a server that has a database.
fn living_server(state: &State) -> Result<(&Settings, &Ready), String> {
    let (settings, ready) = container(state)?;
    match judge(&settings.server_name, &ready.volume, &ready.known, false) {
        Verdict::Run { .. } if ready.volume.has_database => Ok((settings, ready)),
        Verdict::Run { .. } => Err(match ready.service.status {
            Some(ServiceStatus::Active) => {
                "Synapse has not made its database yet: try again in a minute".to_owned()
            }
            _ => "Synapse was not started yet: see juju status".to_owned(),
        }),
        Verdict::Stop(condition) | Verdict::Leave(condition) => Err(condition.text),
    }
}

pub(super) fn container(state: &State) -> Result<(&Settings, &Ready), String> {
    let settings = settings(state)?;
    if !state.storage_attached {
        return Err("the volume data is not attached yet: see juju status".to_owned());
    }
    match &state.workload {
        Workload::Ready(ready) => Ok((settings, ready)),
        Workload::Busy(busy) => Err(jobs::refusal(busy)),
        Workload::Unreadable(condition) => Err(format!(
            "the container synapse does not answer as it should: {}",
            condition.text
        )),
        Workload::NotConnectable | Workload::Unread | Workload::Bystander { .. } => Err(
            "the container synapse is not up: wait until juju status shows it, then try again"
                .to_owned(),
        ),
    }
}

fn settings(state: &State) -> Result<&Settings, String> {
    main_unit(state)?;
    let settings = state.homeserver.as_ref();
    settings.map_err(|faults| faults.join("; "))
}

pub(super) fn main_unit(state: &State) -> Result<(), String> {
    let app = state.unit.app();
    if state.is_main_unit() {
        Ok(())
    } else {
        Err(format!(
            "only {app}/0 runs Synapse: run this action on {app}/0"
        ))
    }
}

pub(super) fn parameters(state: &State) -> Result<&S3Parameters, String> {
    let app = state.unit.app();
    match &state.backup.store {
        Store::Ready(parameters) => Ok(parameters),
        Store::Unset => Err(format!(
            "no S3 store is configured: relate to one (juju integrate {app}:backup s3-integrator) or set the s3_ \
             options (juju config {app})"
        )),
        Store::Waiting(text) => Err(text.clone()),
        Store::Faulty(faults) => Err(faults.join("; ")),
    }
}

pub(super) fn passphrase(state: &State) -> Result<&Passphrase, String> {
    match &state.backup.passphrase {
        PassphraseSetting::Set(passphrase) => Ok(passphrase),
        PassphraseSetting::Unset => Err(NO_PASSPHRASE.to_owned()),
        PassphraseSetting::Faulty(text) => Err(text.clone()),
    }
}
