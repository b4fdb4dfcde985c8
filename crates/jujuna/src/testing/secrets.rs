//! What the hook commands for secrets answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::arguments::{Arguments, done, refused, usage};
use super::commands::print;
use super::fake::Model;
use super::state::{Owner, Secret, State};
use crate::HookOutput;

/// Answers a hook command; `None` for one that the fake does not know.
pub(super) fn answer(model: &mut Model, name: &str, arguments: &Arguments) -> Option<HookOutput> {
    let answer = match name {
        "secret-get" => get(model, arguments),
        "secret-add" => add(model, arguments),
        "secret-set" => set(model, arguments),
        "secret-remove" => remove(model, arguments),
        "secret-info-get" => info(&model.pending, arguments),
        "secret-ids" => {
            let state = &model.pending;
            let own = state.secrets.iter().filter(|secret| manages(state, secret));
            Ok(print(
                &own.map(|secret| secret.id.clone()).collect::<Vec<_>>(),
            ))
        }
        _ => return None,
    };
    Some(answer.unwrap_or_else(|refusal| refusal))
}

fn manages(state: &State, secret: &Secret) -> bool {
    match secret.owner {
        Owner::Unit => true,
        Owner::Application => state.leader,
        Owner::Other => false,
    }
}

/// Returns the bare id of the secret that the arguments mean by URI.
fn bare_id(uri: &str) -> Result<&str, HookOutput> {
    let id = uri.rsplit(['/', ':']).next().unwrap_or_default();
    if id.len() == 20 {
        Ok(id)
    } else {
        Err(usage(&format!("secret URI {uri:?} not valid")))
    }
}

/// Finds the secret that the arguments mean. Units find their application's by its label, leader or not.
fn find(state: &State, arguments: &Arguments) -> Result<usize, HookOutput> {
    let position = |wanted: &dyn Fn(&Secret) -> bool| state.secrets.iter().position(wanted);
    match (arguments.word(0), arguments.option("--label")) {
        (Some(uri), _) => {
            let id = bare_id(uri)?;
            position(&|secret| secret.id == id)
                .ok_or_else(|| refused(&format!("secret {uri:?} not found")))
        }
        (None, Some(label)) => position(&|secret| secret.label == label)
            .ok_or_else(|| refused(&format!("consumer label {label:?} not found"))),
        (None, None) => Err(usage("require either a secret URI or label")),
    }
}

fn get(model: &mut Model, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let (peek, refresh) = (arguments.has("--peek"), arguments.has("--refresh"));
    if peek && refresh {
        return Err(usage("specify one of --peek or --refresh but not both"));
    }
    let index = find(&model.pending, arguments)?;
    let secret = &model.pending.secrets[index];
    if secret.owner == Owner::Other && !secret.granted {
        return Err(refused("permission denied"));
    }
    let latest = secret.latest_revision();
    let revision = match secret.tracked {
        Some(tracked) if !peek && !refresh => tracked,
        _ => latest,
    };
    let Some(content) = secret.revisions.get(&revision).cloned() else {
        return Err(refused(&format!("secret revision {revision} not found")));
    };
    if !peek {
        let id = secret.id.clone();
        let label = arguments.word(0).and(arguments.option("--label"));
        // Which revision is tracked, and the reader's label, count even if the hook fails.
        model.at_once(|state| track(state, &id, revision, label));
    }
    Ok(print(&content))
}

fn track(state: &mut State, id: &str, revision: u64, label: Option<&str>) {
    if let Some(secret) = state.secrets.iter_mut().find(|secret| secret.id == id) {
        secret.tracked = Some(revision);
        if let Some(label) = label {
            label.clone_into(&mut secret.label);
        }
    }
}

/// Reads the fields as the agent does: it opens the file itself.
fn read_fields(arguments: &Arguments) -> Result<BTreeMap<String, String>, HookOutput> {
    let Some(path) = arguments.option("--file") else {
        return Err(usage("missing secret value or filename"));
    };
    let text =
        std::fs::read_to_string(path).map_err(|error| refused(&format!("open {path}: {error}")))?;
    let fields: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|error| refused(&error.to_string()))?;
    match fields.iter().find(|(_, value)| value.is_empty()) {
        Some(_) => Err(usage("empty secret value not valid")),
        None => Ok(fields),
    }
}

fn add(model: &mut Model, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let owner = match arguments.option("--owner").unwrap_or("application") {
        "unit" => Owner::Unit,
        "application" if model.pending.leader => Owner::Application,
        "application" => return Err(refused("this unit is not the leader")),
        other => return Err(usage(&format!("secret owner {other:?} not valid"))),
    };
    let fields = read_fields(arguments)?;
    let id = model.new_secret_id();
    model.pending.secrets.push(Secret {
        id: id.clone(),
        label: arguments.option("--label").unwrap_or_default().to_owned(),
        owner,
        granted: false,
        revisions: BTreeMap::from([(1, fields)]),
        tracked: None,
    });
    Ok(done(format!(
        "secret://00000000-0000-4000-8000-000000000000/{id}\n"
    )))
}

fn set(model: &mut Model, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let fields = read_fields(arguments)?;
    let index = find(&model.pending, arguments)?;
    if !manages(&model.pending, &model.pending.secrets[index]) {
        return Err(refused("permission denied"));
    }
    // Several writes in one hook make one revision.
    let committed = model
        .committed
        .secret(&model.pending.secrets[index].id)
        .map_or(0, Secret::latest_revision);
    model.pending.secrets[index]
        .revisions
        .insert(committed + 1, fields);
    Ok(done(""))
}

fn remove(model: &mut Model, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let id = bare_id(arguments.word(0).unwrap_or_default())?;
    let revision = arguments
        .option("--revision")
        .and_then(|text| text.parse::<u64>().ok());
    let state = &mut model.pending;
    // A secret that is not there is removed already, says Juju.
    if let Some(index) = state.secrets.iter().position(|secret| secret.id == id) {
        if let Some(revision) = revision {
            state.secrets[index].revisions.remove(&revision);
        }
        if revision.is_none() || state.secrets[index].revisions.is_empty() {
            state.secrets.remove(index);
        }
    }
    Ok(done(""))
}

fn info(state: &State, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let index = find(state, arguments)?;
    let secret = &state.secrets[index];
    if !manages(state, secret) {
        return Err(refused(&format!("secret {:?} not found", secret.id)));
    }
    let owner = if secret.owner == Owner::Unit {
        "unit"
    } else {
        "application"
    };
    let about =
        json!({"revision": secret.latest_revision(), "label": secret.label, "owner": owner});
    Ok(print(&Map::from_iter([(
        secret.id.clone(),
        about as Value,
    )])))
}
