//! `relation-get`.

use super::arguments::Arguments;
use super::relation::RELATION;
use super::{Call, CommandError, Output};
use crate::model::name::{UnitName, is_application_name};
use crate::node::Node;
use std::collections::BTreeMap;

/// Whose data is asked for.
enum Side {
    Application(String),
    Unit(UnitName),
}

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(RELATION)?;
    let id = call.relation(&arguments)?;
    arguments.at_most(2)?;
    let side = side(call, &arguments, id)?;
    let data = match &side {
        Side::Application(application) => application_data(call, id, application)?,
        Side::Unit(unit) => unit_data(call, id, unit)?,
    };
    match arguments.word(0).filter(|key| !matches!(*key, "" | "-")) {
        Some(key) => call.print(&arguments, &data.get(key).map_or(Node::Null, Node::text)),
        None => call.print(&arguments, &Node::texts(&data)),
    }
}

fn side(call: &Call<'_>, arguments: &Arguments, id: u32) -> Result<Side, CommandError> {
    let hook = call.context.relation().filter(|hook| hook.id == id);
    let application = arguments.is_set("app");
    let Some(named) = arguments.word(1) else {
        let unspecified = || CommandError::usage("no unit or application specified");
        let hook = hook.ok_or_else(unspecified)?;
        return match &hook.remote_unit {
            Some(unit) if !application => Ok(Side::Unit(unit.clone())),
            _ if hook.remote_application.is_empty() => Err(unspecified()),
            _ => Ok(Side::Application(hook.remote_application.clone())),
        };
    };
    match named.parse::<UnitName>() {
        Ok(unit) if application => Ok(Side::Application(unit.application)),
        Ok(unit) => Ok(Side::Unit(unit)),
        Err(_) if application && is_application_name(named) => {
            Ok(Side::Application(named.to_owned()))
        }
        Err(_) if is_application_name(named) => Err(CommandError::usage(format!(
            "expected unit name, got application name {named:?}"
        ))),
        Err(_) => Err(CommandError::usage(format!(
            "invalid value {named:?}: invalid unit name"
        ))),
    }
}

fn denied() -> CommandError {
    CommandError::refused("permission denied")
}

/// As it was first read in this run, with what the run itself has set.
fn application_data(
    call: &mut Call<'_>,
    id: u32,
    application: &str,
) -> Result<BTreeMap<String, String>, CommandError> {
    let relation = call.model.relations.get(&id).ok_or_else(denied)?;
    if relation.endpoint_of(application).is_none() {
        return Err(denied());
    }
    let own = application == call.context.unit.application;
    if own && !relation.is_peer() && !call.is_leader() {
        return Err(denied());
    }
    let now = relation
        .application_data
        .get(application)
        .map(|bag| bag.values.clone())
        .unwrap_or_default();
    let read = &mut call.context.read;
    let mut data = (read.entry((id, application.to_owned())))
        .or_insert(now)
        .clone();
    if own {
        overlay(&mut data, call.context.changes.application_data.get(&id));
    }
    Ok(data)
}

/// A member's data as they were read since the last hook about it; another unit's as they were first read in this run.
fn unit_data(
    call: &mut Call<'_>,
    id: u32,
    unit: &UnitName,
) -> Result<BTreeMap<String, String>, CommandError> {
    let relation = call.model.relations.get(&id).ok_or_else(denied)?;
    if *unit == call.context.unit {
        let mut data = relation
            .unit_data
            .get(unit)
            .map(|bag| bag.values.clone())
            .unwrap_or_default();
        overlay(&mut data, call.context.changes.unit_data.get(&id));
        return Ok(data);
    }
    if relation.counterpart(&call.context.unit.application) != unit.application {
        return Err(denied());
    }
    let now = relation.unit_data.get(unit).map(|bag| bag.values.clone()).ok_or_else(|| {
        CommandError::refused(format!("cannot read settings for unit {:?} in relation {:?}: unit {:?}: settings not found", unit.to_string(), relation.key(), unit.to_string()))
    });
    let known = (call.model.units.get_mut(&call.context.unit))
        .and_then(|own| own.agent.relations.get_mut(&id))
        .filter(|known| known.members.contains_key(unit));
    Ok(match known {
        Some(known) => match known.read.get(unit) {
            Some(read) => read.clone(),
            None => known.read.entry(unit.clone()).or_insert(now?).clone(),
        },
        None => match call.context.read.get(&(id, unit.to_string())) {
            Some(read) => read.clone(),
            None => (call.context.read.entry((id, unit.to_string())))
                .or_insert(now?)
                .clone(),
        },
    })
}

fn overlay(data: &mut BTreeMap<String, String>, changes: Option<&BTreeMap<String, String>>) {
    for (key, value) in changes.into_iter().flatten() {
        if value.is_empty() {
            data.remove(key);
        } else {
            data.insert(key.clone(), value.clone());
        }
    }
}
