//! What each hook command answers, secrets apart.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, done, refused, usage};
use super::fake::Model;
use super::state::{Relation, ShownStatus, State};
use crate::HookOutput;

/// Answers a hook command; `None` for one that the fake does not know.
pub(super) fn answer(
    model: &mut Model,
    name: &str,
    arguments: &Arguments,
    stdin: Option<&str>,
) -> Option<HookOutput> {
    let state = &mut model.pending;
    Some(match name {
        "config-get" => print(&state.config),
        "is-leader" => print(&state.leader),
        "goal-state" => goal_state(state),
        "network-get" => network_get(state, arguments),
        "resource-get" => resource_get(state, arguments),
        "storage-list" => storage_list(state, arguments),
        "storage-get" => storage_get(state, arguments),
        "relation-ids" => relation_ids(state, arguments),
        "relation-list" => relation_list(state, arguments),
        "relation-get" => relation_get(state, arguments),
        "relation-set" => relation_set(state, arguments, stdin),
        "state-get" if state.state.is_empty() => print(&Value::Null),
        "state-get" => print(&state.state),
        "state-set" => match read_map(arguments, stdin) {
            Ok(map) => {
                state.state.extend(map);
                done("")
            }
            Err(refusal) => refusal,
        },
        "state-delete" => {
            state
                .state
                .retain(|key, _| Some(key.as_str()) != arguments.word(0));
            done("")
        }
        "open-port" => {
            state
                .opened_ports
                .extend(arguments.word(0).map(str::to_owned));
            done("")
        }
        "close-port" => {
            state
                .opened_ports
                .retain(|port| Some(port.as_str()) != arguments.word(0));
            done("")
        }
        "opened-ports" => print(&state.opened_ports),
        "status-get" => status_get(state, arguments),
        "status-set" => status_set(model, arguments),
        "application-version-set" => {
            let version = arguments.word(0).unwrap_or_default();
            model.at_once(|state| version.clone_into(&mut state.workload_version));
            done("")
        }
        "juju-log" => {
            let level = arguments.option("--log-level").unwrap_or("INFO");
            model
                .log_lines
                .push(format!("{level} {}", arguments.words.join(" ")));
            done("")
        }
        _ if name.starts_with("action-") => action(model, name, arguments)?,
        _ => return None,
    })
}

pub(super) fn print(value: &impl Serialize) -> HookOutput {
    match serde_json::to_string(value) {
        Ok(text) => done(text + "\n"),
        Err(error) => refused(&error.to_string()),
    }
}

fn read_map(
    arguments: &Arguments,
    stdin: Option<&str>,
) -> Result<BTreeMap<String, String>, HookOutput> {
    match (arguments.option("--file"), stdin) {
        (Some("-"), Some(text)) => {
            serde_json::from_str(text).map_err(|error| refused(&error.to_string()))
        }
        (Some("-"), None) => Err(refused("hook tool requires stdin, none supplied")),
        _ => Err(usage("the fake takes a map on stdin only")),
    }
}

fn goal_state(state: &State) -> HookOutput {
    let goal = |status: &str| json!({"status": status, "since": "2026-01-02 03:04:05Z"});
    let units: Map<String, Value> = (0..state.planned_units)
        .map(|number| (format!("{}/{number}", state.unit.app()), goal("active")))
        .collect();
    print(&json!({"units": units, "relations": {}}))
}

fn network_get(state: &State, arguments: &Arguments) -> HookOutput {
    let binding = arguments.word(0).unwrap_or_default();
    match state.networks.get(binding) {
        Some(network) => print(network),
        None => refused(&format!("no network config found for binding {binding:?}")),
    }
}

fn resource_get(state: &State, arguments: &Arguments) -> HookOutput {
    let name = arguments.word(0).unwrap_or_default();
    match state.resources.get(name) {
        Some(path) => done(path.display().to_string()),
        None => refused(&format!(
            "could not download resource: resource \"{}/{name}\" not found",
            state.unit.app()
        )),
    }
}

fn storage_list(state: &State, arguments: &Arguments) -> HookOutput {
    let wanted = |name: &str| arguments.word(0).is_none_or(|word| word == name);
    let ids = state.storages.keys().filter(|id| wanted(id.name()));
    print(&ids.map(ToString::to_string).collect::<Vec<_>>())
}

fn storage_get(state: &State, arguments: &Arguments) -> HookOutput {
    let Some(id) = arguments.option("-s") else {
        return usage("no storage instance specified");
    };
    match state
        .storages
        .iter()
        .find(|(known, _)| known.to_string() == id)
    {
        Some((_, location)) => print(&json!({"kind": "filesystem", "location": location})),
        None => usage(&format!(
            "invalid value {id:?} for option -s: storage attachment {id}:{} not found",
            state.unit
        )),
    }
}

fn relation_ids(state: &State, arguments: &Arguments) -> HookOutput {
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

fn find_relation<'a>(
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

fn relation_list(state: &mut State, arguments: &Arguments) -> HookOutput {
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

fn relation_get(state: &mut State, arguments: &Arguments) -> HookOutput {
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

fn relation_set(state: &mut State, arguments: &Arguments, stdin: Option<&str>) -> HookOutput {
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

fn status_get(state: &State, arguments: &Arguments) -> HookOutput {
    let shown = |status: &ShownStatus| json!({"status": status.status, "message": status.message, "status-data": {}});
    match arguments.has("--application") {
        false => print(&shown(&state.status)),
        true if state.leader => {
            print(&json!({"application-status": shown(&state.application_status)}))
        }
        true => refused("finding application status: this unit is not the leader"),
    }
}

fn status_set(model: &mut Model, arguments: &Arguments) -> HookOutput {
    let status = match arguments.words.as_slice() {
        [] => return usage("invalid args, require <status> [message]"),
        [status] | [status, _]
            if !["active", "blocked", "maintenance", "waiting"].contains(&status.as_str()) =>
        {
            return usage(&format!(
                "invalid status {status:?}, expected one of [maintenance blocked waiting active]"
            ));
        }
        [status] => ShownStatus::from(status.as_str()),
        [status, message] => ShownStatus {
            status: status.clone(),
            message: message.clone(),
        },
        [_, _, rest @ ..] => return usage(&format!("unrecognized args: {rest:?}")),
    };
    if !arguments.has("--application") {
        model.at_once(|state| state.status = status.clone());
    } else if model.pending.leader {
        model.at_once(|state| state.application_status = status.clone());
    } else {
        return refused("this unit is not the leader");
    }
    done("")
}

fn action(model: &mut Model, name: &str, arguments: &Arguments) -> Option<HookOutput> {
    let Some(params) = &model.pending.action else {
        return Some(refused("not running an action"));
    };
    match name {
        "action-get" => return Some(print(params)),
        "action-log" => model.action_log.push(arguments.words.join(" ")),
        "action-fail" if arguments.words.len() > 1 => {
            return Some(usage(&format!(
                "unrecognized args: {:?}",
                &arguments.words[1..]
            )));
        }
        "action-fail" => {
            let message = arguments
                .word(0)
                .unwrap_or("action failed without reason given, check action for errors");
            model.action_failure = Some(message.to_owned());
        }
        "action-set" => {
            for word in &arguments.words {
                let Some((key, value)) = word.split_once('=') else {
                    return Some(usage(&format!(
                        "argument {word:?} must be of the form key...=value"
                    )));
                };
                model
                    .action_results
                    .insert(key.to_owned(), value.to_owned());
            }
        }
        _ => return None,
    }
    Some(done(""))
}
