//! `config-get`, `leader-get`, `leader-set`.

use super::arguments::{Takes, pairs};
use super::{Call, CommandError, Output};
use crate::node::Node;
use serde_json::Value;

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[(&["a", "all"], Takes::Nothing)])?;
    arguments.at_most(1)?;
    let mut configuration = call
        .model
        .applications
        .get(&call.context.unit.application)
        .map(super::super::model::application::Application::configuration)
        .unwrap_or_default();
    let node = |value: &Option<Value>| value.as_ref().map_or(Node::Null, Node::from);
    if let Some(name) = arguments.word(0) {
        let value = configuration.get(name).map_or(Node::Null, node);
        return call.print(&arguments, &value);
    }
    if !arguments.is_set("all") {
        configuration.retain(|_, value| value.is_some());
    }
    let all = Node::map(
        configuration
            .iter()
            .map(|(name, value)| (name.clone(), node(value))),
    );
    call.print(&arguments, &all)
}

pub(super) fn leader_get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(1)?;
    let settings = call
        .model
        .applications
        .get(&call.context.unit.application)
        .map(|application| application.leader_settings.clone())
        .unwrap_or_default();
    match arguments.word(0).filter(|key| *key != "-") {
        Some(key) => call.print(
            &arguments,
            &settings.get(key).map_or(Node::Null, Node::text),
        ),
        None => call.print(&arguments, &Node::texts(&settings)),
    }
}

pub(super) fn leader_set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    let pairs = pairs(&arguments.words)?;
    if !call.is_leader() {
        return Err(CommandError::refused(
            "cannot write leadership settings: cannot write settings: not the leader",
        ));
    }
    if let Some(application) = call
        .model
        .applications
        .get_mut(&call.context.unit.application)
    {
        let before = application.leader_settings.clone();
        for (key, value) in pairs {
            if value.is_empty() {
                application.leader_settings.remove(&key);
            } else {
                application.leader_settings.insert(key, value);
            }
        }
        application.leader_settings_version += u64::from(application.leader_settings != before);
    }
    Ok(String::new())
}
