//! Makes the changes that a charm asked for: secrets first, one by one, then the rest or nothing.

use super::{Changes, HookContext, SecretChanges};
use crate::model::Model;
use crate::model::name::UnitName;
use crate::model::secret::{Owner, Secret};

/// The most that `state-set` may keep for a unit.
const STATE_LIMIT_BYTES: usize = 2 * 1024 * 1024;

/// Makes the changes; the error is Juju's text for the first that it refuses.
pub(crate) fn flush(model: &mut Model, context: &mut HookContext) -> Result<(), String> {
    let changes = std::mem::take(&mut context.changes);
    let unit = &context.unit;
    check_rest(model, unit, &changes).or_else(|refusal| match refusal {
        Refusal::Early(text) => Err(text),
        Refusal::Late(text) => flush_secrets(model, unit, &changes.secrets).and(Err(text)),
    })?;
    flush_secrets(model, unit, &changes.secrets)?;
    flush_rest(model, unit, changes);
    Ok(())
}

enum Refusal {
    Early(String),
    /// After the secrets' changes, which stay.
    Late(String),
}

fn check_rest(model: &Model, unit: &UnitName, changes: &Changes) -> Result<(), Refusal> {
    if changes.ports.keys().any(|port| port.protocol == "icmp") {
        return Err(Refusal::Early(
            "protocol icmp on caas models not supported".to_owned(),
        ));
    }
    if let Some((name, count)) = changes.storage.first() {
        return Err(Refusal::Late(storage_refusal(model, unit, name, *count)));
    }
    if !changes.application_data.is_empty() && !model.is_leader(unit) {
        return Err(Refusal::Late(format!(
            "cannot write application settings: {:?} is not leader of {:?}",
            unit.to_string(),
            unit.application
        )));
    }
    let state = model
        .units
        .get(unit)
        .map(|unit| merged_state(&unit.charm_state, &changes.state))
        .unwrap_or_default();
    let size: usize = state
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > STATE_LIMIT_BYTES {
        return Err(Refusal::Late(format!(
            "cannot persist state for unit {unit}: max allowed size for storing charm state is {STATE_LIMIT_BYTES}: quota limit exceeded"
        )));
    }
    Ok(())
}

/// A charm's storage is single here: whatever is added is too much, or unknown.
fn storage_refusal(model: &Model, unit: &UnitName, name: &str, count: u32) -> String {
    let application = model.applications.get(&unit.application);
    let charm = application.and_then(|application| application.charm.as_ref());
    match charm.filter(|charm| charm.storage.contains_key(name)) {
        Some(charm) => format!(
            "adding {name:?} storage to {unit}: charm {:?} storage {name:?}: at most 1 instances supported, {} specified",
            charm.name,
            count + 1
        ),
        None => format!("adding {name:?} storage to {unit}: charm storage {name:?} not found"),
    }
}

pub(crate) type State = std::collections::BTreeMap<String, String>;

/// The state with a run's own changes.
pub(crate) fn merged_state(
    state: &State,
    changes: &std::collections::BTreeMap<String, Option<String>>,
) -> State {
    let mut state = state.clone();
    for (key, value) in changes {
        match value {
            Some(value) => drop(state.insert(key.clone(), value.clone())),
            None => drop(state.remove(key)),
        }
    }
    state
}

fn may_manage(model: &Model, unit: &UnitName, secret: &Secret) -> bool {
    match &secret.owner {
        Owner::Unit(owner) => owner == unit,
        Owner::Application(owner) => *owner == unit.application && model.is_leader(unit),
        Owner::Model => false,
    }
}

fn label_is_taken(model: &Model, unit: &UnitName, label: &str, but: &str) -> bool {
    model.secrets.values().any(|secret| {
        let owned = secret.is_owned_by(unit)
            && secret.id != but
            && secret.attributes.label.as_deref() == Some(label);
        owned
            || (secret.id != but
                && secret
                    .consumers
                    .get(unit)
                    .is_some_and(|consumer| consumer.label.as_deref() == Some(label)))
    })
}

fn flush_secrets(
    model: &mut Model,
    unit: &UnitName,
    changes: &SecretChanges,
) -> Result<(), String> {
    let denied = |doing: &str| format!("{doing} secrets: permission denied");
    for (id, secret) in &changes.created {
        if let Some(label) = secret
            .attributes
            .label
            .as_deref()
            .filter(|label| label_is_taken(model, unit, label, id))
        {
            return Err(format!(
                "creating secrets: secret with label {label:?} already exists"
            ));
        }
        model.secrets.insert(id.clone(), secret.clone());
    }
    for (id, update) in &changes.updated {
        let Some(secret) = model.secrets.get(id) else {
            return Err(format!("updating secrets: secret {id:?} not found"));
        };
        if !may_manage(model, unit, secret) {
            return Err(denied("updating"));
        }
        if let Some(label) = update
            .attributes
            .label
            .as_deref()
            .filter(|label| label_is_taken(model, unit, label, id))
        {
            return Err(format!(
                "updating secrets: secret with label {label:?} already exists"
            ));
        }
        if let Some(secret) = model.secrets.get_mut(id) {
            secret.change(&update.attributes, update.content.clone());
        }
    }
    for grant in &changes.granted {
        if let Some(secret) = model.secrets.get_mut(&grant.secret) {
            secret.grants.insert(grant.reader.clone(), grant.relation);
        }
    }
    for grant in &changes.revoked {
        if let Some(secret) = model.secrets.get_mut(&grant.secret) {
            secret.grants.remove(&grant.reader);
        }
    }
    for (id, revision) in &changes.removed {
        let Some(secret) = model.secrets.get(id) else {
            continue;
        };
        if !may_manage(model, unit, secret) {
            return Err(denied("removing"));
        }
        remove(model, id, *revision);
    }
    Ok(())
}

fn remove(model: &mut Model, id: &str, revision: Option<u32>) {
    let Some(secret) = model.secrets.get_mut(id) else {
        return;
    };
    if let Some(revision) = revision {
        secret.revisions.remove(&revision);
        secret.expiries.remove(&revision);
    }
    if revision.is_none() || secret.revisions.is_empty() {
        model.secrets.remove(id);
    }
}

fn flush_rest(model: &mut Model, name: &UnitName, changes: Changes) {
    for (id, data) in &changes.unit_data {
        if let Some(relation) = model.relations.get_mut(id) {
            relation
                .unit_data
                .entry(name.clone())
                .or_default()
                .change(data);
        }
    }
    for (id, data) in &changes.application_data {
        if let Some(relation) = model.relations.get_mut(id) {
            relation
                .application_data
                .entry(name.application.clone())
                .or_default()
                .change(data);
        }
    }
    let Some(unit) = model.units.get_mut(name) else {
        return;
    };
    unit.charm_state = merged_state(&unit.charm_state, &changes.state);
    for (port, open) in changes.ports {
        if open {
            unit.ports.insert(port);
        } else {
            unit.ports.remove(&port);
        }
    }
}
