//! What a unit's agent notes before and after a hook.

use super::hook::{Hook, RelationHook, RelationKind, SecretKind};
use crate::model::name::UnitName;
use crate::model::status::Status;
use crate::model::unit::{Churn, FailedHook, Life, PebbleEvent, Renewal};
use crate::model::{Model, SERVICE_ADDRESS};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The first wait before a failed hook runs again; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(5);
/// How long Juju's uniter takes to come back after a failing notice or check.
const UNITER_RESTART: Duration = Duration::from_secs(3);

/// What a unit is told by a hook that begins now. What changes while it runs is told by another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    config_version: u64,
    leader_settings: u64,
}

impl Told {
    pub(crate) fn now(model: &Model, name: &UnitName) -> Self {
        let (config_version, leader_settings) = model
            .applications
            .get(&name.application)
            .map_or((1, 1), |found| {
                (found.config_version, found.leader_settings_version)
            });
        Self {
            config_version,
            leader_settings,
        }
    }
}

/// Changes what must be so while the hook runs, not only after.
pub(crate) fn before(model: &mut Model, name: &UnitName, hook: &Hook) -> Told {
    let told = Told::now(model, name);
    match hook {
        Hook::Relation(relation) => before_relation(model, name, relation),
        Hook::Secret { id, .. } => {
            if let Some(secret) = model.secrets.get_mut(id) {
                secret.rotated_from = secret.latest();
            }
        }
        _ => {}
    }
    let Some(unit) = model.units.get_mut(name) else {
        return told;
    };
    if let Hook::Pebble(event) = hook {
        // Told again while its hook runs, it is something new.
        forget_event(&mut unit.agent.pebble, event);
    }
    let workload = match hook {
        Hook::Install => Some(Status::new("maintenance", "installing charm software")),
        Hook::Stop => Some(Status::new("maintenance", "")),
        Hook::Remove => Some(Status::new(
            "maintenance",
            "cleaning up prior to charm deletion",
        )),
        _ => None,
    };
    unit.agent.led |= *hook == Hook::LeaderElected;
    if let Some(status) = workload.filter(|_| unit.agent.failed.is_none()) {
        unit.workload_status = status;
    }
    unit.agent_status = Status::new("executing", &format!("running {} hook", hook.name()));
    told
}

fn before_relation(model: &mut Model, name: &UnitName, hook: &RelationHook) {
    let Some(relation) = model.relations.get_mut(&hook.id) else {
        return;
    };
    if hook.kind == RelationKind::Created {
        let bag = relation.unit_data.entry(name.clone()).or_default();
        if bag.version == 0 {
            let address = SERVICE_ADDRESS;
            bag.change(&BTreeMap::from([
                ("egress-subnets".to_owned(), format!("{address}/32")),
                ("ingress-address".to_owned(), address.to_owned()),
                ("private-address".to_owned(), address.to_owned()),
            ]));
        }
        relation.members.insert(name.clone());
    }
    let known = match model.units.get_mut(name) {
        Some(unit) => unit.agent.relations.entry(hook.id).or_default(),
        None => return,
    };
    match (hook.kind, &hook.remote_unit) {
        (RelationKind::Joined, Some(member)) => {
            known.members.entry(member.clone()).or_default();
            known.read.remove(member);
        }
        (RelationKind::Departed, Some(member)) => {
            known.members.remove(member);
            known.read.remove(member);
        }
        (RelationKind::Changed, None) => {
            known.application_version = relation.application_version(&hook.remote_application);
        }
        (RelationKind::Changed, Some(member)) => {
            let version = relation.unit_version(member);
            known.members.insert(member.clone(), Some(version));
            known.read.remove(member);
        }
        _ => {}
    }
}

/// Notes that a hook went well.
pub(crate) fn done(
    model: &mut Model,
    name: &UnitName,
    hook: &Hook,
    told: Told,
    status_was_set: bool,
) {
    if let Hook::Secret {
        kind, id, revision, ..
    } = hook
    {
        secret_done(model, name, *kind, id, *revision);
    }
    let Some(unit) = model.units.get_mut(name) else {
        return;
    };
    let state = &mut unit.agent;
    state.failed = None;
    state.again = None;
    if state.fired.front() == Some(hook) {
        state.fired.pop_front();
    }
    state.queued.take_if(|queued| queued == hook);
    match hook {
        Hook::Install => state.life = state.life.max(Life::Installed),
        Hook::LeaderSettingsChanged => state.leader_settings = Some(told.leader_settings),
        Hook::ConfigChanged => {
            state.config_version = told.config_version;
            state.queued = (!state.started && state.life == Life::Installed).then_some(Hook::Start);
        }
        Hook::Start => {
            state.started = true;
            state.rebooted = false;
            if !status_was_set && unit.workload_status.message == "installing charm software" {
                unit.workload_status = Status::new("unknown", "");
            }
        }
        Hook::UpdateStatus => state.update_status = false,
        Hook::UpgradeCharm if state.churn == Some(Churn::Upgrade) => {
            state.churn = None;
            state.queued = Some(Hook::ConfigChanged);
        }
        Hook::Stop if !unit.dying => state.churn = state.churn.map(Churn::after_stop),
        Hook::Stop if unit.dying => state.life = Life::Stopped,
        Hook::Remove => {
            state.life = Life::Removed;
            unit.workload_status = Status::new("terminated", "");
        }
        Hook::Relation(relation) if relation.kind == RelationKind::Broken => {
            state.relations.remove(&relation.id);
        }
        Hook::StorageAttached { id, .. } => {
            state.storage.insert(id.clone());
        }
        Hook::StorageDetaching { id, .. } => {
            state.storage.remove(id);
            if let Some(instance) = unit.storage.remove(id) {
                model.detach(name, instance);
            }
        }
        _ => {}
    }
    drop_silent_relations(model, name);
}

fn secret_done(model: &mut Model, name: &UnitName, kind: SecretKind, id: &str, revision: u32) {
    let Some(secret) = model.secrets.get_mut(id) else {
        return;
    };
    let latest = secret.latest();
    match kind {
        SecretKind::Changed => {
            if let Some(consumer) = secret.consumers.get_mut(name) {
                consumer.told = latest;
            }
        }
        SecretKind::Remove => {
            secret.told_obsolete.insert(revision);
        }
        SecretKind::Rotate => secret.told_rotate(secret.rotated_from),
        SecretKind::Expired => secret.told_expired(revision),
    }
}

/// A peer relation is left without a `-broken` hook.
fn drop_silent_relations(model: &mut Model, name: &UnitName) {
    let relations = &model.relations;
    if let Some(unit) = model.units.get_mut(name) {
        unit.agent.relations.retain(|id, known| {
            relations.get(id).is_some_and(|relation| {
                !relation.is_peer() || !relation.dying || known.agent_restarted
            })
        });
    }
    model.drop_finished_relations();
}

fn forget_event(events: &mut std::collections::VecDeque<PebbleEvent>, event: &PebbleEvent) {
    if let Some(index) = events.iter().position(|known| known == event) {
        events.remove(index);
    }
}

/// Notes that a hook failed; Juju does not treat what Pebble triggers like other hooks.
pub(crate) fn failed(model: &mut Model, name: &UnitName, hook: &Hook) {
    let Some(unit) = model.units.get_mut(name) else {
        return;
    };
    let state = &mut unit.agent;
    if state.fired.front() == Some(hook) {
        state.fired.pop_front();
    }
    match hook {
        Hook::Pebble(PebbleEvent::Ready { .. }) => {}
        Hook::Pebble(_) => {
            state.uniter_starts_at = Some(Instant::now() + UNITER_RESTART);
            state.again = None;
        }
        _ => {
            let attempts = state.failed.as_ref().map_or(0, |failed| failed.attempts) + 1;
            let wait = FIRST_RETRY
                .saturating_mul(1 << (attempts - 1).min(10))
                .min(LONGEST_RETRY);
            state.failed = Some(FailedHook {
                hook: hook.clone(),
                attempts,
                retry_at: Instant::now() + wait,
            });
        }
    }
}

/// Notes that the charm was killed: the hook runs again at once.
pub(crate) fn killed(model: &mut Model, name: &UnitName, hook: &Hook) {
    if let Some(unit) = model.units.get_mut(name) {
        unit.agent.failed = None;
        unit.agent.again = Some(hook.clone());
    }
}

/// Notes that a unit's pod cannot be made; says whether the unit is to go anyway.
pub(crate) fn unprepared(model: &mut Model, name: &UnitName, why: &str) -> bool {
    model.log.write(&name.to_string(), "ERROR", "juju-sim", why);
    let Some(unit) = model.units.get_mut(name) else {
        return true;
    };
    unit.workload_status = Status::new("error", why);
    unit.dying
}

/// Notes what Pebble told, unless it is already waiting to be delivered.
pub(crate) fn pebble(model: &mut Model, name: &UnitName, event: PebbleEvent) {
    if let PebbleEvent::Notice { container, key, .. } = &event {
        let text = format!("container {container:?}: custom notice, key {key:?}");
        let (unit, module) = (name.to_string(), "juju.worker.uniter");
        model.log.write(&unit, "DEBUG", module, &text);
    }
    if let Some(unit) = model.units.get_mut(name)
        && !unit.agent.pebble.contains(&event)
    {
        unit.agent.pebble.push_back(event);
    }
}

/// Notes that the agent has nothing to do.
pub(crate) fn idle(model: &mut Model, name: &UnitName) {
    if let Some(unit) = model.units.get_mut(name)
        && unit.agent_status.name != "idle"
        && unit.agent.uniter_starts_at.is_none()
    {
        unit.agent_status = Status::new("idle", "");
    }
}

/// Notes that the agent is new. With a lost disk the charm's files are, too.
pub(crate) fn renewed(model: &mut Model, name: &UnitName, disk_lost: bool) {
    if let Some(unit) = model.units.get_mut(name) {
        let state = &mut unit.agent;
        // A hook that waits to be run again hides what would have come next, as in Juju.
        state.churn = (disk_lost && state.failed.is_none()).then_some(Churn::Upgrade);
        state.queued = None;
    }
    uniter_started(model, name);
}

/// Notes that the unit's agent starts over: it knows of the relations only what the model keeps, and hears of everything in
/// the containers again.
pub(crate) fn uniter_started(model: &mut Model, name: &UnitName) {
    let Some(unit) = model.units.get_mut(name) else {
        return;
    };
    let state = &mut unit.agent;
    state.uniter_starts_at = None;
    state.rebooted = state.started;
    state.leader_settings = None;
    state.pebble.clear();
    for known in state.relations.values_mut() {
        known.agent_restarted = true;
        known.read.clear();
    }
}

impl Churn {
    fn after_stop(self) -> Self {
        match self {
            Self::Turn => Self::Replace(Renewal::Pod),
            Self::Stop(renewal) => Self::Replace(renewal),
            other => other,
        }
    }
}
