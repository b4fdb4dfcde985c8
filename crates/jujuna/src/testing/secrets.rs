//! What the hook commands for secrets answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::arguments::{Arguments, done, refused, usage};
use super::commands::print;
use super::fake::Model;
use super::relations::find_relation;
use super::secret::{Owner, Secret};
use super::state::State;
use crate::HookOutput;

/// Answers a hook command; `None` for one that the fake does not know.
pub(super) fn answer(model: &mut Model, name: &str, arguments: &Arguments) -> Option<HookOutput> {
    let answer = match name {
        "secret-get" => get(model, arguments),
        "secret-add" => add(model, arguments),
        "secret-set" => set(model, arguments),
        "secret-remove" => remove(model, arguments),
        "secret-grant" => share(model, arguments, true),
        "secret-revoke" => share(model, arguments, false),
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
    let id = new_id(&model.pending);
    let mut secret = Secret {
        id: id.clone(),
        label: arguments.option("--label").unwrap_or_default().to_owned(),
        owner,
        ..Secret::granted(&id, [])
    };
    secret.granted = false;
    secret.revisions = BTreeMap::from([(1, fields)]);
    set_attributes(&mut secret, arguments);
    model.pending.secrets.push(secret);
    Ok(done(format!("secret://{}/{id}\n", super::MODEL_UUID)))
}

/// Returns an id that no secret has yet, the same one each time that nothing else is different.
fn new_id(state: &State) -> String {
    let ids = (1_u32..).map(|number| format!("fake{number:016}"));
    let is_free = |id: &String| state.secrets.iter().all(|secret| secret.id != *id);
    ids.into_iter().find(is_free).unwrap_or_default()
}

fn set_attributes(secret: &mut Secret, arguments: &Arguments) {
    for (option, field) in [
        ("--description", &mut secret.description),
        ("--rotate", &mut secret.rotation),
        ("--expire", &mut secret.expire),
        ("--label", &mut secret.label),
    ] {
        if let Some(value) = arguments.option(option) {
            value.clone_into(field);
        }
    }
    if secret.rotation == "never" {
        secret.rotation.clear();
    }
}

fn set(model: &mut Model, arguments: &Arguments) -> Result<HookOutput, HookOutput> {
    let fields = match arguments.option("--file") {
        Some(_) => Some(read_fields(arguments)?),
        None => None,
    };
    // A label that stands here is a new one.
    let id = bare_id(arguments.word(0).unwrap_or_default())?;
    let position = model
        .pending
        .secrets
        .iter()
        .position(|secret| secret.id == id);
    let Some(index) = position.filter(|at| manages(&model.pending, &model.pending.secrets[*at]))
    else {
        // Juju finds out at the end of the hook only.
        return Ok(done(""));
    };
    // Several writes in one hook make one revision, and the same content none.
    let committed = model.committed.secret(id).cloned();
    let latest = committed.as_ref().map_or(0, Secret::latest_revision);
    let secret = &mut model.pending.secrets[index];
    set_attributes(secret, arguments);
    if let Some(fields) = fields {
        secret.revisions.remove(&(latest + 1));
        if committed.is_none_or(|committed| committed.latest() != fields) {
            secret.revisions.insert(latest + 1, fields);
        }
    }
    Ok(done(""))
}

fn share(model: &mut Model, arguments: &Arguments, grant: bool) -> Result<HookOutput, HookOutput> {
    let remote = find_relation(&mut model.pending.relations, arguments)?
        .remote_app
        .clone();
    let id = bare_id(arguments.word(0).unwrap_or_default())?;
    let state = &model.pending;
    let position = state.secrets.iter().position(|secret| secret.id == id);
    let Some(index) = position.filter(|index| manages(state, &state.secrets[*index])) else {
        return Err(refused(&format!("secret {id:?} not found")));
    };
    let grants = &mut model.pending.secrets[index].grants;
    let target = format!("application-{remote}");
    if grant {
        grants.insert(target);
    } else {
        grants.remove(&target);
    }
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
    let own = state.unit.app();
    let access = |target: &String| {
        let app = target.trim_start_matches("application-");
        let scopes = state
            .relations
            .iter()
            .filter(|relation| relation.remote_app == app);
        let mut scopes =
            scopes.map(|relation| format!("relation-{own}.{}#{app}.x", relation.id.endpoint()));
        json!({"target": target, "scope": scopes.next().unwrap_or_default(), "role": "view"})
    };
    let mut about =
        json!({"revision": secret.latest_revision(), "label": secret.label, "owner": owner});
    for (name, value) in [
        ("description", &secret.description),
        ("rotation", &secret.rotation),
        ("expiry", &secret.expire),
    ] {
        if !value.is_empty() {
            about[name] = value.as_str().into();
        }
    }
    if !secret.grants.is_empty() {
        about["access"] = secret.grants.iter().map(access).collect();
    }
    Ok(print(&Map::from_iter([(
        secret.id.clone(),
        about as Value,
    )])))
}
