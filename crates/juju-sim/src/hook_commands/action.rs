//! `action-get`, `action-set`, `action-fail`, `action-log`.

use super::{Call, CommandError, Output};
use crate::model::task::LogMessage;
use crate::node::Node;
use jiff::Timestamp;
use serde_json::{Map, Value};

const RESERVED: [&str; 4] = ["stdout", "stderr", "stdout-encoding", "stderr-encoding"];
/// What the message is when a charm gives none.
const NO_REASON: &str = "action failed without reason given, check action for errors";

fn running(call: &Call<'_>) -> Result<u32, CommandError> {
    call.context
        .task()
        .ok_or_else(|| CommandError::refused("not running an action"))
}

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(1)?;
    let number = running(call)?;
    let parameters = call
        .model
        .tasks
        .get(&number)
        .map(|task| Value::Object(task.parameters.clone()))
        .unwrap_or_default();
    let wanted = match arguments.word(0) {
        None => Some(&parameters),
        Some(path) => path
            .split('.')
            .try_fold(&parameters, |value, key| value.get(key)),
    };
    call.print(&arguments, &wanted.map_or(Node::Null, Node::from))
}

pub(super) fn set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    let mut entries = Vec::new();
    for word in &arguments.words {
        let Some((path, value)) = word.split_once('=') else {
            return Err(CommandError::usage(format!(
                "argument {word:?} must be of the form key...=value"
            )));
        };
        let keys: Vec<_> = path.split('.').map(str::to_owned).collect();
        for key in &keys {
            if RESERVED.contains(&key.as_str()) {
                return Err(CommandError::usage(format!(
                    "cannot set reserved action key {key:?}"
                )));
            }
            if !is_result_key(key) {
                return Err(CommandError::usage(format!(
                    "key {key:?} must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric and hyphens"
                )));
            }
        }
        entries.push((keys, value.to_owned()));
    }
    running(call)?;
    for (keys, value) in entries {
        insert(&mut call.context.action.results, &keys, value);
    }
    Ok(String::new())
}

fn is_result_key(key: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = key.bytes().next().is_some_and(inner) && key.bytes().next_back().is_some_and(inner);
    edges && key.bytes().all(|byte| inner(byte) || byte == b'-')
}

fn insert(results: &mut Map<String, Value>, keys: &[String], value: String) {
    match keys {
        [] => {}
        [last] => {
            results.insert(last.clone(), Value::String(value));
        }
        [first, rest @ ..] => {
            let inner = results
                .entry(first.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

pub(super) fn fail(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    arguments.at_most(1)?;
    running(call)?;
    call.context.action.failure = Some(arguments.word(0).unwrap_or(NO_REASON).to_owned());
    Ok(String::new())
}

pub(super) fn log(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    if arguments.words.is_empty() {
        return Err(CommandError::usage("no message specified"));
    }
    let number = running(call)?;
    if let Some(task) = call.model.tasks.get_mut(&number) {
        task.log.push(LogMessage {
            time: Timestamp::now(),
            message: arguments.words.join(" "),
        });
    }
    Ok(String::new())
}
