//! What a unit's agent does next: the difference between what the unit knows and what the model says, in Juju's order.

use super::hook::{Hook, RelationHook, RelationKind, SecretKind};
use crate::model::Model;
use crate::model::name::UnitName;
use crate::model::relation::Relation;
use crate::model::secret::{Owner, Secret};
use crate::model::task::TaskStatus;
use crate::model::unit::{Churn, FailedHook, KnownRelation, Life, Renewal, StorageInstance, Unit};
use std::time::Instant;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Run(Hook),
    Act(u32),
    /// The pod or the agent is to be replaced before anything else.
    Renew(Renewal),
    /// The agent starts over after a notice or check that failed.
    StartUniter,
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
    if let Some(starts) = state.uniter_starts_at {
        return if starts > Instant::now() {
            Next::Wait(Some(starts))
        } else {
            Next::StartUniter
        };
    }
    if let Some(hook) = &state.again {
        return Next::Run(hook.clone());
    }
    if let Some(failed) = &state.failed {
        return in_error(model, unit, failed);
    }
    if state.life == Life::New {
        return Next::Run(Hook::Install);
    }
    if let Some(next) = unit.agent.churn.and_then(|_| churn(model, unit)) {
        return next;
    }
    if let Some(hook) = &state.queued {
        return Next::Run(hook.clone());
    }
    if state.rebooted {
        return Next::Run(Hook::Start);
    }
    created_relation(model, unit)
        .or_else(|| leadership(model, unit))
        .or_else(|| state.pebble.front().cloned().map(Hook::Pebble))
        .or_else(|| secret(model, unit))
        .map(Next::Run)
        .or_else(|| next_task(model, unit).map(Next::Act))
        .or_else(|| storage(unit).map(Next::Run))
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

/// After a hook that failed only actions run until it is time to run it again.
fn in_error(model: &Model, unit: &Unit, failed: &FailedHook) -> Next {
    if let Some(renewal) = renewal(model, unit) {
        // The agent that ends runs `stop` in place of what failed; a pod does not wait for a `stop` that fails.
        return if failed.hook == Hook::Stop {
            Next::Renew(renewal)
        } else {
            Next::Run(Hook::Stop)
        };
    }
    match next_task(model, unit) {
        Some(number) => Next::Act(number),
        None if failed.retry_at <= Instant::now() => Next::Run(failed.hook.clone()),
        None => Next::Wait(Some(failed.retry_at)),
    }
}

/// What is to be replaced now, if it is this unit's turn.
fn renewal(model: &Model, unit: &Unit) -> Option<Renewal> {
    match unit.agent.churn? {
        Churn::Stop(renewal) | Churn::Replace(renewal) => Some(renewal),
        Churn::Turn => {
            let later = model.units_of(&unit.name.application).any(|other| {
                other.name.number > unit.name.number
                    && other
                        .agent
                        .churn
                        .is_some_and(|churn| churn != Churn::Upgrade)
            });
            (!later).then_some(Renewal::Pod)
        }
        Churn::Upgrade => None,
    }
}

fn churn(model: &Model, unit: &Unit) -> Option<Next> {
    if unit.agent.churn == Some(Churn::Upgrade) {
        return Some(Next::Run(Hook::UpgradeCharm));
    }
    let renewal = renewal(model, unit)?;
    let stopped = matches!(unit.agent.churn, Some(Churn::Replace(_))) || !unit.agent.started;
    Some(if stopped {
        Next::Renew(renewal)
    } else {
        Next::Run(Hook::Stop)
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
    if model.is_leader(&unit.name) {
        return (!unit.agent.led).then_some(Hook::LeaderElected);
    }
    let application = model.applications.get(&unit.name.application)?;
    let told = unit.agent.leader_settings == Some(application.leader_settings_version);
    (!told).then_some(Hook::LeaderSettingsChanged)
}

fn secret(model: &Model, unit: &Unit) -> Option<Hook> {
    if unit.dying {
        return None;
    }
    let hook = |kind, secret: &Secret, label: Option<&String>, revision| Hook::Secret {
        kind,
        id: secret.id.clone(),
        label: label.cloned().unwrap_or_default(),
        revision,
    };
    let managed = || (model.secrets.values()).filter(|secret| is_managed_by(model, secret, unit));
    let own = |kind, secret: &Secret, revision| {
        hook(kind, secret, secret.attributes.label.as_ref(), revision)
    };
    let expired =
        managed().find_map(|secret| Some(own(SecretKind::Expired, secret, secret.expired()?)));
    let rotate = || {
        managed()
            .find(|secret| secret.is_to_be_rotated())
            .map(|secret| own(SecretKind::Rotate, secret, 0))
    };
    let changed = || {
        model.secrets.values().find_map(|secret| {
            let consumer = secret.consumers.get(&unit.name)?;
            // Whoever has read it is told, its owner and the unit that changed it too.
            let tell = secret.may_be_read_by(&unit.name) && consumer.told < secret.latest();
            let own = || {
                let managed = is_managed_by(model, secret, unit);
                secret.attributes.label.as_ref().filter(|_| managed)
            };
            let label = consumer.label.as_ref().or_else(own);
            tell.then(|| hook(SecretKind::Changed, secret, label, 0))
        })
    };
    let obsolete = || {
        managed().find_map(|secret| {
            let revision = secret
                .obsolete()
                .find(|revision| !secret.told_obsolete.contains(revision))?;
            Some(own(SecretKind::Remove, secret, revision))
        })
    };
    expired.or_else(rotate).or_else(changed).or_else(obsolete)
}

/// Whether the unit is the one that is told about a secret it owns.
fn is_managed_by(model: &Model, secret: &Secret, unit: &Unit) -> bool {
    secret.owner == Owner::Unit(unit.name.clone())
        || (secret.is_owned_by(&unit.name) && model.is_leader(&unit.name))
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
    let hook = |kind, member| Some(Hook::Relation(hook_of(relation, known, unit, kind, member)));
    let mut members: Vec<_> = known.members.keys().collect();
    members.sort_by_key(ToString::to_string);
    // Between joined and changed of a unit comes nothing else of the relation.
    if let Some(joined) = members
        .iter()
        .find(|member| known.members[**member].is_none())
    {
        return hook(RelationKind::Changed, Some((*joined).clone()));
    }
    let leaving = unit.dying || relation.dying;
    let mut present: Vec<_> = relation.remote_members(&unit.name).collect();
    present.sort_by_key(ToString::to_string);
    let gone = members
        .into_iter()
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
    let version = relation.application_version(relation.counterpart(&unit.name.application));
    if version != known.application_version {
        return hook(RelationKind::Changed, None);
    }
    let joined = present
        .iter()
        .find(|member| !known.members.contains_key(**member));
    if let Some(joined) = joined {
        return hook(RelationKind::Joined, Some((*joined).clone()));
    }
    let told = |member: &UnitName| known.members.get(member).copied().flatten();
    present
        .into_iter()
        .find(|member| told(member) != Some(relation.unit_version(member)))
        .and_then(|changed| hook(RelationKind::Changed, Some(changed.clone())))
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
