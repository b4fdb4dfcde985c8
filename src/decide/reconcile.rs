//! The route of nearly every hook: make the workload what it should be.

use jiff::{SignedDuration, Timestamp};
use pebble_client::ServiceStatus;

use super::jobs;
use super::volume::{Verdict, judge};
use crate::plan::{Condition, IdentityCopy, Plan, ProbeStore, PushFile, Replan, Step};
use crate::state::{
    BackupSettings, KnownIdentity, Memory, PassphraseSetting, Ready, Service, State, Store, Volume,
    Workload,
};
use crate::synapse::homeserver_yaml::{self, Rendered, Settings};
use crate::synapse::identity::Identity;
use crate::synapse::layer::{Layer, RunAs};
use crate::synapse::names;

/// After this time a Synapse that does not answer has made Pebble's check fail.
const STARTING: SignedDuration = SignedDuration::from_mins(1);

/// For how long S3's last answer is believed.
const PROBE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Returns what makes the workload what configuration, relations and volume say.
pub(super) fn plan(state: &State) -> anyhow::Result<Plan> {
    plan_workload(state, false)
}

/// Returns what a hook would say, and does none of what it would do: for the actions.
pub(super) fn view(state: &State) -> anyhow::Result<Plan> {
    let mut plan = plan(state)?;
    for step in std::mem::take(&mut plan.steps) {
        match (step, &state.workload) {
            (Step::AwaitHealth(_), Workload::Ready(ready)) => plan
                .conditions
                .extend(service_condition(&ready.service, ready.healthy)),
            (Step::ResumeJob(job), _) => plan.conditions.push(jobs::is_open(&job.journal)),
            _ => {}
        }
    }
    Ok(plan)
}

/// Returns the same; `start_empty` tells that the admin confirmed that an earlier life is over.
pub(super) fn plan_workload(state: &State, start_empty: bool) -> anyhow::Result<Plan> {
    let mut plan = Plan::nothing(state.memory.clone());
    plan.memory.storage_attached = state.storage_attached;
    plan.steps
        .extend(state.answer.clone().map(Step::AnswerProvider));
    plan.steps
        .extend(state.obsolete.clone().map(Step::RemoveRevision));
    if !state.is_main_unit() {
        plan_other_unit(state, &mut plan);
        return Ok(plan);
    }
    if state.storage_attached {
        match (&state.homeserver, &state.workload) {
            (_, Workload::Busy(busy)) => jobs::resume(busy, &mut plan),
            (Err(faults), _) => plan
                .conditions
                .extend(faults.iter().map(Condition::blocked)),
            (Ok(_), Workload::NotConnectable) => {
                plan.conditions
                    .push(Condition::waiting("synapse: waiting for the container"));
            }
            (Ok(_), Workload::Unreadable(condition)) => plan.conditions.push(condition.clone()),
            (Ok(settings), Workload::Ready(ready)) => {
                plan_main_unit(state, settings, ready, start_empty, &mut plan)?;
            }
            (Ok(_), Workload::Bystander { .. } | Workload::Unread) => {}
        }
    } else {
        if let Err(faults) = &state.homeserver {
            plan.conditions
                .extend(faults.iter().map(Condition::blocked));
        }
        plan.conditions
            .push(Condition::waiting("storage: waiting for the volume data"));
    }
    plan_backups(state, &mut plan);
    Ok(plan)
}

/// Until workers exist, every other unit would be a second server of the same name.
fn plan_other_unit(state: &State, plan: &mut Plan) {
    let app = state.unit.app();
    plan.conditions.push(Condition::blocked(format!(
        "only {app}/0 runs Synapse; scale to 1"
    )));
    if matches!(state.workload, Workload::Bystander { running: true }) {
        plan.steps.push(Step::StopService);
    }
}

fn plan_main_unit(
    state: &State,
    settings: &Settings,
    ready: &Ready,
    start_empty: bool,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let name = &settings.server_name;
    if has_lived(name, &ready.volume, &ready.known) {
        // Unit state goes with the unit and outlives its pods: the scope of the volume.
        plan.memory.existed = Some(name.clone());
    }
    match judge(name, &ready.volume, &ready.known, start_empty) {
        Verdict::Leave(condition) => {
            plan.conditions.push(condition);
            jobs::stop_waker(ready, plan);
        }
        Verdict::Stop(condition) => {
            plan.conditions.push(condition);
            if !is_stopped(&ready.service) {
                plan.steps.push(Step::StopService);
            }
            jobs::stop_waker(ready, plan);
        }
        Verdict::Run { identity, missing } => {
            // What still runs there has the files open that are gone.
            let restart = start_empty && !is_stopped(&ready.service);
            if restart {
                plan.steps.push(Step::StopService);
            }
            if ready.run_as == RunAs::Synapse && ready.volume.owner != Some(names::UID) {
                plan.steps.push(Step::OwnVolume);
            }
            let files = missing.into_iter().map(|(file, content)| PushFile {
                path: file.path,
                content,
                run_as: ready.run_as,
            });
            plan.steps.extend(files.map(Step::PushFile));
            plan_service(settings, &identity, ready, restart, state.now, plan)?;
            // Juju runs one hook or action at a time: no backup is being made now.
            let is_staging = |path: &String| {
                let mut prefixes = names::BACKUP_STAGING.iter();
                prefixes.any(|prefix| path.starts_with(prefix))
            };
            if ready.volume.sizes.keys().any(is_staging) {
                plan.steps.push(Step::Sweep);
            }
            if copy_is_due(name, &identity, ready, plan) {
                plan_copy(state, name, identity, plan, ready.known.leads);
            }
        }
    }
    jobs::plan_old_data(ready, state.now, plan);
    Ok(())
}

fn plan_service(
    settings: &Settings,
    identity: &Identity,
    ready: &Ready,
    restart: bool,
    now: Timestamp,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let rendered = homeserver_yaml::render(settings, identity)?;
    let digest = rendered.digest.clone();
    let layer = Layer::new(&digest, ready.run_as);
    let planned = ready.plan.says(&layer);
    plan.steps.extend(files_to_push(rendered, ready, planned));
    if !planned {
        plan.steps.push(Step::AddLayer(layer.to_yaml()?));
    }
    let must_start = matches!(
        ready.service.status,
        None | Some(ServiceStatus::Inactive | ServiceStatus::Error)
    );
    let restarts = !planned || must_start || restart;
    // A layer is part of the plan as soon as it is added, also when the charm then dies.
    let replans = restarts || plan.memory.replanned.as_ref() != Some(&digest);
    if replans {
        plan.steps.push(Step::Replan(Replan { digest, restarts }));
    }
    // Once Synapse was told to start nobody needs to be woken for it.
    jobs::stop_waker(ready, plan);
    if replans || is_starting(ready, now) {
        let name = settings.server_name.clone();
        plan.steps
            .extend([Step::AwaitHealth(name), Step::ShowVersion]);
        return Ok(());
    }
    plan.conditions
        .extend(service_condition(&ready.service, ready.healthy));
    let shown = plan
        .memory
        .version
        .as_ref()
        .is_some_and(|version| version.since == ready.service.since);
    if ready.healthy && !shown {
        plan.steps.push(Step::ShowVersion);
    }
    Ok(())
}

fn is_stopped(service: &Service) -> bool {
    matches!(service.status, None | Some(ServiceStatus::Inactive))
}

/// Whether there is a sign that the server of this name, and no other, lived.
fn has_lived(server_name: &str, volume: &Volume, known: &KnownIdentity) -> bool {
    let has_key = volume.server_names.iter().any(|name| name == server_name);
    let has_copy = known
        .copy
        .as_ref()
        .is_some_and(|(name, _)| name == server_name);
    (volume.has_database && has_key) || has_copy || known.has_backups
}

/// Whether Synapse was started a moment ago, by a hook that was killed or by Pebble itself. No
/// event says when it answers: Pebble's check has not failed yet, so it cannot recover either.
fn is_starting(ready: &Ready, now: Timestamp) -> bool {
    let age = ready.service.since.map(|since| now.duration_since(since));
    ready.service.is_active() && !ready.healthy && age.is_some_and(|age| age < STARTING)
}

/// Files are written when Pebble's plan was made for others, and when they are not there as
/// they were written. The layer is added after them, so a crash in between is made good by the
/// next dispatch.
fn files_to_push(rendered: Rendered, ready: &Ready, planned: bool) -> Vec<Step> {
    use secrecy::ExposeSecret as _;
    let size = rendered.homeserver_yaml.expose_secret().len();
    let files = [
        (
            names::LOG_CONFIG,
            rendered.log_config.len(),
            rendered.log_config.into(),
        ),
        (names::HOMESERVER_YAML, size, rendered.homeserver_yaml),
    ];
    let there =
        |path: &str, size: usize| ready.volume.sizes.get(path).copied() == u64::try_from(size).ok();
    files
        .into_iter()
        .filter(|(path, size, _)| !planned || !there(path, *size))
        .map(|(path, _, content)| {
            Step::PushFile(PushFile {
                path: path.to_owned(),
                content,
                run_as: ready.run_as,
            })
        })
        .collect()
}

/// Returns what the state of the service means, where nothing is done about it.
pub(crate) fn service_condition(service: &Service, healthy: bool) -> Option<Condition> {
    match service.status {
        Some(ServiceStatus::Active) if healthy => None,
        Some(ServiceStatus::Active) => Some(Condition::waiting(format!(
            "synapse: started, but does not answer on port {} yet",
            names::PORT
        ))),
        None | Some(ServiceStatus::Inactive) => Some(Condition::waiting(
            "synapse: stopped; the next hook starts it",
        )),
        _ => Some(Condition::blocked(
            "synapse: ends by itself right after its start: `pebble logs synapse` in this unit's container synapse (juju \
             ssh --container synapse) tells why",
        )),
    }
}

/// The copy is written once there is a database: its being there is then a sign that the
/// server lived, also when the volume is gone.
fn copy_is_due(server_name: &str, identity: &Identity, ready: &Ready, plan: &Plan) -> bool {
    let copied = plan.memory.identity_copy.as_deref() == Some(&identity.digest(server_name));
    let starts = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::AwaitHealth(_)));
    !copied && (ready.volume.has_database || starts)
}

fn plan_copy(state: &State, server_name: &str, identity: Identity, plan: &mut Plan, leads: bool) {
    if leads {
        let server_name = server_name.to_owned();
        plan.steps.push(Step::CopyIdentity(IdentityCopy {
            server_name,
            identity,
        }));
    } else {
        let unit = &state.unit;
        plan.conditions.push(Condition::note(format!(
            "identity copy waits for {unit} to lead"
        )));
    }
}

/// Faults of the backups' settings show in the status; they keep nothing from being done.
fn plan_backups(state: &State, plan: &mut Plan) {
    plan.conditions.extend(backup_conditions(&state.backup));
    match &state.backup.store {
        Store::Ready(parameters) => {
            let settings = state.homeserver.as_ref().ok();
            let probe = ProbeStore {
                parameters: (**parameters).clone(),
                server_name: settings.map(|settings| settings.server_name.clone()),
            };
            if probe_is_due(&plan.memory, &probe, state.now) {
                plan.steps.push(Step::ProbeStore(Box::new(probe)));
            }
        }
        Store::Unset | Store::Waiting(_) | Store::Faulty(_) => plan.memory.store = None,
    }
}

fn backup_conditions(backup: &BackupSettings) -> Vec<Condition> {
    let fault = |text: &String| Condition::blocked(format!("backup: {text}"));
    let mut conditions = Vec::new();
    match &backup.store {
        Store::Unset | Store::Ready(_) => {}
        Store::Waiting(text) => conditions.push(Condition::waiting(format!("backup: {text}"))),
        Store::Faulty(faults) => conditions.extend(faults.iter().map(fault)),
    }
    match (&backup.passphrase, &backup.store) {
        (PassphraseSetting::Faulty(text), _) => conditions.push(fault(text)),
        (PassphraseSetting::Unset, Store::Ready(_)) => {
            conditions.push(fault(&super::actions::NO_PASSPHRASE.to_owned()));
        }
        (PassphraseSetting::Unset | PassphraseSetting::Set(_), _) => {}
    }
    let notes = backup.notes.iter();
    conditions.extend(notes.map(|text| Condition::note(format!("backup: {text}"))));
    conditions.extend(backup.extra_paths.as_ref().err().map(fault));
    conditions.extend(backup.max_duration.as_ref().err().map(fault));
    conditions
}

fn probe_is_due(memory: &Memory, probe: &ProbeStore, now: Timestamp) -> bool {
    let parameters = probe.parameters.hash();
    memory.store.as_ref().is_none_or(|answer| {
        let age = now.duration_since(answer.checked_at);
        // A clock that was set back must not make an answer last for ever.
        answer.parameters != parameters
            || answer.server_name != probe.server_name
            || age >= PROBE_EVERY
            || age < SignedDuration::ZERO
    })
}
