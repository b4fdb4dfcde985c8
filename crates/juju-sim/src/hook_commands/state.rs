//! `state-get`, `state-set`, `state-delete`.

use super::arguments::{Takes, pairs};
use super::{Call, CommandError, Output};
use crate::context::flush::{State, merged_state};
use crate::node::{Format, Node};

const KEY_LIMIT_BYTES: usize = 256;
const VALUE_LIMIT_BYTES: usize = 65_536;

fn current(call: &Call<'_>) -> State {
    let saved = call
        .model
        .units
        .get(&call.context.unit)
        .map(|unit| unit.charm_state.clone())
        .unwrap_or_default();
    merged_state(&saved, &call.context.changes.state)
}

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[(&["strict"], Takes::Nothing)])?;
    arguments.at_most(1)?;
    let state = current(call);
    let Some(key) = arguments.word(0) else {
        let node = if state.is_empty() && arguments.format()? == Format::Json {
            Node::Null
        } else {
            Node::texts(&state)
        };
        return call.print(&arguments, &node);
    };
    match state.get(key) {
        Some(value) => call.print(&arguments, &Node::text(value)),
        None if arguments.is_set("strict") => {
            Err(CommandError::refused(format!("{key:?} not found")))
        }
        None => call.print(&arguments, &Node::text("")),
    }
}

pub(super) fn set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[(&["file"], Takes::Value)])?;
    let given = pairs(&arguments.words)?;
    let mut entries = match arguments.option("file") {
        Some(file) => call.settings_file(file)?,
        None => Vec::new(),
    };
    entries.extend(given);
    for (key, value) in &entries {
        if key.len() > KEY_LIMIT_BYTES {
            return Err(CommandError::refused(format!(
                "max allowed key length ({KEY_LIMIT_BYTES}) exceeded"
            )));
        }
        if value.len() > VALUE_LIMIT_BYTES {
            return Err(CommandError::refused(format!(
                "max allowed value length ({VALUE_LIMIT_BYTES}) exceeded"
            )));
        }
    }
    call.context
        .changes
        .state
        .extend(entries.into_iter().map(|(key, value)| (key, Some(value))));
    Ok(String::new())
}

pub(super) fn delete(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    let Some(key) = arguments.word(0).filter(|key| !key.is_empty()) else {
        return Err(CommandError::usage("no key specified"));
    };
    arguments.at_most(1)?;
    call.context.changes.state.insert(key.to_owned(), None);
    Ok(String::new())
}
