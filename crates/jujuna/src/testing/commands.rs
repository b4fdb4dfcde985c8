//! What each hook command answers, secrets apart.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, done, refused, usage};
use super::fake::Model;
use super::relations::{
    find_relation, relation_get, relation_ids, relation_list, relation_model_get, relation_set,
};
use super::state::{ShownStatus, State};
use crate::{HookOutput, Port};

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
        "relation-model-get" => relation_model_get(state, arguments),
        "unit-get" => unit_get(state, arguments),
        "credential-get" => credential_get(state),
        "juju-reboot" => reboot(state),
        "storage-add" => storage_add(state, arguments),
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
        "open-port" | "close-port" => port(state, name, arguments),
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
        _ if name.starts_with("action-") => super::actions::answer(model, name, arguments)?,
        _ => return None,
    })
}

pub(super) fn print(value: &impl Serialize) -> HookOutput {
    match serde_json::to_string(value) {
        Ok(text) => done(text + "\n"),
        Err(error) => refused(&error.to_string()),
    }
}

pub(super) fn read_map(
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

fn port(state: &mut State, name: &str, arguments: &Arguments) -> HookOutput {
    let text = arguments.word(0).unwrap_or_default();
    let Ok(port) = text.parse::<Port>() else {
        return usage(&format!("invalid port {text:?}"));
    };
    let endpoints = arguments.option("--endpoints").unwrap_or_default();
    let endpoints = endpoints.split(',').filter(|endpoint| !endpoint.is_empty());
    let port = port.on(endpoints);
    if name == "open-port" {
        state.opened_ports.insert(port);
    } else {
        state.opened_ports.remove(&port);
    }
    done("")
}

fn unit_get(state: &State, arguments: &Arguments) -> HookOutput {
    let (address, what) = match arguments.word(0) {
        Some("private-address") => (&state.private_address, "private"),
        Some("public-address") => (&state.public_address, "public"),
        _ => return usage("unknown setting"),
    };
    match address {
        Some(address) => done(format!("{address}\n")),
        None => refused(&format!("{what} address not found")),
    }
}

fn credential_get(state: &State) -> HookOutput {
    match &state.cloud {
        Some(cloud) => print(cloud),
        None => {
            refused("cannot access cloud credentials: getting model credentials: permission denied")
        }
    }
}

fn reboot(state: &mut State) -> HookOutput {
    if state.action.is_some() {
        return refused("juju-reboot is not supported when running an action.");
    }
    state.reboot = true;
    done("")
}

fn storage_add(state: &mut State, arguments: &Arguments) -> HookOutput {
    for word in &arguments.words {
        let (name, count) = word.split_once('=').unwrap_or((word, "1"));
        let Ok(count) = count.parse::<u32>() else {
            return usage(&format!("cannot parse {word:?}"));
        };
        *state.requested_storage.entry(name.to_owned()).or_default() += count;
    }
    done("")
}

fn network_get(state: &mut State, arguments: &Arguments) -> HookOutput {
    if arguments.option("-r").is_some()
        && let Err(refusal) = find_relation(&mut state.relations, arguments)
    {
        return refusal;
    }
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
