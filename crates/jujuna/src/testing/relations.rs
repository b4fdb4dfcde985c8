//! What the hook commands for relations answer.

use serde_json::json;

use super::arguments::{Arguments, done, refused, usage};
use super::commands::{print, read_map};
use super::relation::Relation;
use super::state::State;
use crate::HookOutput;

pub(super) fn relation_ids(state: &State, arguments: &Arguments) -> HookOutput {
    let Some(endpoint) = arguments.word(0) else {
        return usage("no endpoint name specified");
    };
    let ids = state
        .relations
        .iter()
        .map(|relation| &relation.id)
        .filter(|id| id.endpoint() == endpoint);
    print(&ids.map(ToString::to_string).collect::<Vec<_>>())
}

pub(super) fn find_relation<'a>(
    relations: &'a mut [Relation],
    arguments: &Arguments,
) -> Result<&'a mut Relation, HookOutput> {
    let id = arguments
        .option("-r")
        .ok_or_else(|| usage("no relation id specified"))?;
    let relation = relations
        .iter_mut()
        .find(|relation| relation.id.to_string() == id);
    relation.ok_or_else(|| {
        usage(&format!(
            "invalid value {id:?} for option -r: relation not found"
        ))
    })
}

pub(super) fn relation_list(state: &mut State, arguments: &Arguments) -> HookOutput {
    match find_relation(&mut state.relations, arguments) {
        Ok(relation) if arguments.has("--app") => print(&relation.remote_app),
        Ok(relation) => print(
            &relation
                .remote_units
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        ),
        Err(refusal) => refusal,
    }
}

pub(super) fn relation_get(state: &mut State, arguments: &Arguments) -> HookOutput {
    let (unit, leader) = (state.unit.clone(), state.leader);
    let relation = match find_relation(&mut state.relations, arguments) {
        Ok(relation) => relation,
        Err(refusal) => return refusal,
    };
    let Some(name) = arguments.word(1) else {
        return usage("no unit or application specified");
    };
    let is_peer = relation.remote_app == unit.app();
    if arguments.has("--app") {
        return match name {
            name if name == unit.app() && !leader && !is_peer => refused("permission denied"),
            name if name == unit.app() => print(&relation.app_data),
            name if name == relation.remote_app => print(&relation.remote_app_data),
            _ => refused("permission denied"),
        };
    }
    if name == unit.to_string() {
        return print(&relation.unit_data);
    }
    match relation
        .remote_units
        .iter()
        .find(|(known, _)| known.to_string() == name)
    {
        Some((_, databag)) => print(databag),
        None if name.split('/').next() == Some(relation.remote_app.as_str()) => refused(&format!(
            "cannot read settings for unit {name:?}: unit {name:?}: settings not found"
        )),
        None => refused("permission denied"),
    }
}

pub(super) fn relation_set(
    state: &mut State,
    arguments: &Arguments,
    stdin: Option<&str>,
) -> HookOutput {
    let leader = state.leader;
    let relation = match find_relation(&mut state.relations, arguments) {
        Ok(relation) => relation,
        Err(refusal) => return refusal,
    };
    let map = match read_map(arguments, stdin) {
        Ok(map) => map,
        Err(refusal) => return refusal,
    };
    let databag = match arguments.has("--app") {
        true if !leader => return refused("cannot write relation settings"),
        true => &mut relation.app_data,
        false => &mut relation.unit_data,
    };
    for (key, value) in map {
        match value.as_str() {
            "" => databag.remove(&key),
            _ => databag.insert(key, value),
        };
    }
    done("")
}

pub(super) fn relation_model_get(state: &mut State, arguments: &Arguments) -> HookOutput {
    match find_relation(&mut state.relations, arguments) {
        Ok(_) => print(&json!({"uuid": super::MODEL_UUID})),
        Err(refusal) => refusal,
    }
}
