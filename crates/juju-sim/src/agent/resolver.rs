//! What a unit's agent does next: the difference between what the unit knows and what the model says, in Juju's order.

use super::hook::{Hook, RelationHook, RelationKind, SecretKind};
use crate::model::Model;
use crate::model::name::UnitName;
use crate::model::relation::Relation;
use crate::model::task::TaskStatus;
use crate::model::unit::{Churn, KnownRelation, Life, StorageInstance, Unit};
use std::time::Instant;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Run(Hook),
    Act(u32),
    /// The pod is to be replaced before anything else.
    ReplacePod,
    /// Nothing, until something changes or until then.
    Wait(Option<Instant>),
    /// The unit is gone.
    End,
}

/// Decides what `name` does next; changes nothing.
pub(crate) fn next(model: &Model, name: &UnitName) -> Next {
    let Some(unit) = model.units.get(name) else {
        return Next::End;
    };
    let state = &unit.agent;
    if state.life == Life::Removed {
        return Next::End;
    }
    if let Some(hook) = &state.again {
        return Next::Run(hook.clone());
    }
    let action = || next_task(model, unit).map(Next::Act);
    if let Some(failed) = &state.failed {
        return action().unwrap_or_else(|| {
            if failed.retry_at <= Instant::now() {
                Next::Run(failed.hook.clone())
            } else {
                Next::Wait(Some(failed.retry_at))
            }
        });
    }
    if let Some(until) = state.paused_until.filter(|until| *until > Instant::now()) {
        return Next::Wait(Some(until));
    }
    if state.life == Life::New {
        return Next::Run(Hook::Install);
    }
    match state.churn {
        Some(Churn::Stop) => return Next::Run(Hook::Stop),
        Some(Churn::Replace) => return Next::ReplacePod,
        Some(Churn::Upgrade) => return Next::Run(Hook::UpgradeCharm),
        None => {}
    }
    created_relation(model, unit)
        .or_else(|| leadership(model, unit))
        .or_else(|| secret(model, unit))
        .map(Next::Run)
        .or_else(action)
        .or_else(|| {
            storage(unit)
                .or_else(|| state.pebble.front().cloned().map(Hook::Pebble))
                .map(Next::Run)
        })
        .or_else(|| Some(Next::Run(life(model, unit)?)))
        .unwrap_or_else(|| {
            Next::Wait(
                unit.storage
                    .values()
                    .map(|instance| instance.ready_at)
                    .filter(|at| *at > Instant::now())
                    .min(),
            )
        })
}

fn life(model: &Model, unit: &Unit) -> Option<Hook> {
    let state = &unit.agent;
    if unit.dying {
        return relations(model, unit).or(Some(if state.life == Life::Stopped {
            Hook::Remove
        } else {
            Hook::Stop
        }));
    }
    let application = model.applications.get(&unit.name.application)?;
    if state.config_version != application.config_version {
        return Some(Hook::ConfigChanged);
    }
    if !state.started {
        return Some(Hook::Start);
    }
    relations(model, unit)
        .or_else(|| state.fired.front().cloned())
        .or_else(|| state.update_status.then_some(Hook::UpdateStatus))
}

fn next_task(model: &Model, unit: &Unit) -> Option<u32> {
    let waiting = model
        .tasks
        .values()
        .find(|task| task.unit == unit.name && task.status == TaskStatus::Pending)?;
    (unit.agent.life >= Life::Installed).then_some(waiting.number)
}

fn created_relation(model: &Model, unit: &Unit) -> Option<Hook> {
    if unit.dying {
        return None;
    }
    let mut fresh: Vec<_> = model
        .relations
        .values()
        .filter(|relation| {
            !relation.dying
                && relation.endpoint_of(&unit.name.application).is_some()
                && !unit.agent.relations.contains_key(&relation.id)
        })
        .collect();
    fresh.sort_by_key(|relation| (relation.is_peer(), relation.id));
    fresh
        .first()
        .map(|relation| relation_hook(relation, unit, RelationKind::Created, None))
}

fn leadership(model: &Model, unit: &Unit) -> Option<Hook> {
    if unit.dying {
        return None;
    }
    match (unit.agent.led, model.is_leader(&unit.name)) {
        (Some(true), true) | (Some(false), false) => None,
        (_, true) => Some(Hook::LeaderElected),
        (_, false) => Some(Hook::LeaderSettingsChanged),
    }
}

fn secret(model: &Model, unit: &Unit) -> Option<Hook> {
    if unit.dying {
        return None;
    }
    let changed = model.secrets.values().find_map(|secret| {
        let consumer = secret.consumers.get(&unit.name)?;
        let tell = !secret.is_owned_by(&unit.name)
            && secret.may_be_read_by(&unit.name)
            && consumer.told < secret.latest();
        tell.then(|| Hook::Secret {
            kind: SecretKind::Changed,
            id: secret.id.clone(),
            label: consumer.label.clone().unwrap_or_default(),
            revision: 0,
        })
    });
    changed.or_else(|| {
        model.secrets.values().find_map(|secret| {
            let owner_told = secret.owner == crate::model::secret::Owner::Unit(unit.name.clone())
                || (secret.is_owned_by(&unit.name) && model.is_leader(&unit.name));
            let revision = secret
                .obsolete()
                .find(|revision| !secret.told_obsolete.contains(revision))?;
            let label = secret.attributes.label.clone().unwrap_or_default();
            owner_told.then(|| Hook::Secret {
                kind: SecretKind::Remove,
                id: secret.id.clone(),
                label,
                revision,
            })
        })
    })
}

fn storage(unit: &Unit) -> Option<Hook> {
    let attached = |instance: &&StorageInstance| unit.agent.storage.contains(&instance.id);
    if let Some(instance) = unit
        .storage
        .values()
        .filter(attached)
        .find(|instance| unit.dying || instance.detaching)
    {
        let StorageInstance {
            id,
            name,
            kind,
            location,
            ..
        } = instance.clone();
        return Some(Hook::StorageDetaching {
            id,
            name,
            kind,
            location,
        });
    }
    let instance = unit.storage.values().find(|instance| {
        !unit.dying && !instance.detaching && instance.is_provisioned() && !attached(instance)
    })?;
    let StorageInstance {
        id,
        name,
        kind,
        location,
        ..
    } = instance.clone();
    Some(Hook::StorageAttached {
        id,
        name,
        kind,
        location,
    })
}

/// Departures and new data; non-peer relations first.
fn relations(model: &Model, unit: &Unit) -> Option<Hook> {
    let mut known: Vec<_> = unit
        .agent
        .relations
        .iter()
        .filter_map(|(id, known)| Some((model.relations.get(id)?, known)))
        .collect();
    known.sort_by_key(|(relation, _)| (relation.is_peer(), relation.id));
    known
        .into_iter()
        .find_map(|(relation, known)| relation_change(relation, known, unit))
}

fn relation_change(relation: &Relation, known: &KnownRelation, unit: &Unit) -> Option<Hook> {
    let leaving = unit.dying || relation.dying;
    let present: Vec<_> = relation.remote_members(&unit.name).collect();
    let gone = known
        .members
        .keys()
        .find(|member| leaving || !present.contains(member));
    if let Some(gone) = gone {
        let mut hook = hook_of(
            relation,
            known,
            unit,
            RelationKind::Departed,
            Some(gone.clone()),
        );
        hook.departing_unit = Some(if unit.dying {
            unit.name.clone()
        } else {
            gone.clone()
        });
        return Some(Hook::Relation(hook));
    }
    if leaving {
        let told_broken = !relation.is_peer() || known.agent_restarted;
        return told_broken
            .then(|| Hook::Relation(hook_of(relation, known, unit, RelationKind::Broken, None)));
    }
    let hook = |kind, member| Some(Hook::Relation(hook_of(relation, known, unit, kind, member)));
    let version = relation.application_version(relation.counterpart(&unit.name.application));
    if version != known.application_version {
        return hook(RelationKind::Changed, None);
    }
    for member in present {
        match known.members.get(member) {
            None => return hook(RelationKind::Joined, Some(member.clone())),
            Some(version) if *version != Some(relation.unit_version(member)) => {
                return hook(RelationKind::Changed, Some(member.clone()));
            }
            Some(_) => {}
        }
    }
    None
}

fn relation_hook(
    relation: &Relation,
    unit: &Unit,
    kind: RelationKind,
    member: Option<UnitName>,
) -> Hook {
    Hook::Relation(hook_of(
        relation,
        &KnownRelation::default(),
        unit,
        kind,
        member,
    ))
}

fn hook_of(
    relation: &Relation,
    known: &KnownRelation,
    unit: &Unit,
    kind: RelationKind,
    member: Option<UnitName>,
) -> RelationHook {
    let forgotten = kind == RelationKind::Broken && known.agent_restarted;
    RelationHook {
        kind,
        id: relation.id,
        endpoint: relation
            .endpoint_of(&unit.name.application)
            .map(|endpoint| endpoint.name.clone())
            .unwrap_or_default(),
        remote_application: if forgotten {
            String::new()
        } else {
            relation.counterpart(&unit.name.application).to_owned()
        },
        remote_unit: member,
        departing_unit: None,
    }
}
