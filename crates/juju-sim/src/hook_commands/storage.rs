//! `storage-list`, `storage-get`, `storage-add`, `resource-get`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::model::unit::StorageInstance;
use crate::node::Node;

/// What is provisioned for the unit and not yet detached.
fn instances(call: &Call<'_>) -> Vec<StorageInstance> {
    let all = call
        .model
        .units
        .get(&call.context.unit)
        .map(|unit| unit.storage.clone())
        .unwrap_or_default();
    all.into_values()
        .filter(StorageInstance::is_provisioned)
        .collect()
}

pub(super) fn list(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(1)?;
    let names = instances(call)
        .into_iter()
        .filter(|instance| arguments.word(0).is_none_or(|name| name == instance.name))
        .map(|instance| instance.id);
    call.print(&arguments, &Node::list(names))
}

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[(&["s"], Takes::Value)])?;
    arguments.at_most(1)?;
    let found = |id: &str| {
        instances(call)
            .into_iter()
            .find(|instance| instance.id == id)
    };
    let instance = match arguments.option("s") {
        Some(id) => found(id).ok_or_else(|| {
            CommandError::usage(format!(
                "invalid value {id:?} for option -s: storage attachment {id}:{} not found",
                call.context.unit
            ))
        })?,
        None => call
            .context
            .storage()
            .and_then(found)
            .ok_or_else(|| CommandError::usage("no storage instance specified"))?,
    };
    match arguments.word(0) {
        None => call.print(
            &arguments,
            &Node::map([
                ("kind", Node::text(instance.kind)),
                ("location", Node::text(instance.location)),
            ]),
        ),
        Some("kind") => call.print(&arguments, &Node::text(instance.kind)),
        Some("location") => call.print(&arguments, &Node::text(instance.location)),
        Some(other) => Err(CommandError::refused(format!(
            "invalid storage attribute {other:?}"
        ))),
    }
}

pub(super) fn add(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    if arguments.words.is_empty() {
        return Err(CommandError::usage(
            "storage add requires a storage directive",
        ));
    }
    for word in &arguments.words {
        let (name, count) = word.split_once('=').unwrap_or((word, "1"));
        let count = count
            .parse()
            .map_err(|_| CommandError::usage(format!("failed to parse directive: {word:?}")))?;
        call.context.changes.storage.push((name.to_owned(), count));
    }
    Ok(String::new())
}

pub(super) fn resource_get(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    let Some(name) = arguments.word(0) else {
        return Err(CommandError::usage("missing required resource name"));
    };
    arguments.at_most(1)?;
    let unit = &call.context.unit;
    let given = call
        .model
        .applications
        .get(&unit.application)
        .and_then(|application| application.resources.get(name));
    match given.and_then(|path| path.file_name()) {
        Some(file) => Ok(format!(
            "/var/lib/juju/agents/{}/resources/{name}/{}",
            unit.tag(),
            file.to_string_lossy()
        )),
        None => Err(CommandError::refused(format!(
            "could not download resource: HTTP request failed: Get http://model/units/{}/resources/{name}: resource \"{}/{name}\" not found",
            unit.tag(),
            unit.application
        ))),
    }
}
