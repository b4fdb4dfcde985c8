//! `relation-ids`, `relation-list`, `relation-set`, `relation-model-get`.

use super::arguments::{Arguments, Takes, pairs};
use super::{Call, CommandError, Options, Output};
use crate::agent::hook::RelationKind;
use crate::model::unit::KnownRelation;
use crate::node::Node;
use std::collections::BTreeMap;

pub(super) const RELATION: Options = &[
    (&["r", "relation"], Takes::Value),
    (&["app"], Takes::Nothing),
];

impl Call<'_> {
    pub(super) fn known_relations(&self) -> BTreeMap<u32, KnownRelation> {
        self.model
            .units
            .get(&self.context.unit)
            .map(|unit| unit.agent.relations.clone())
            .unwrap_or_default()
    }

    fn endpoint_name(&self, id: u32) -> String {
        let relation = self.model.relations.get(&id);
        relation
            .and_then(|relation| relation.endpoint_of(&self.context.unit.application))
            .map(|endpoint| endpoint.name.clone())
            .unwrap_or_default()
    }

    /// The relation that `-r` names (the endpoint before the colon is not compared), if given.
    pub(super) fn named_relation(
        &self,
        arguments: &Arguments,
    ) -> Result<Option<u32>, CommandError> {
        let Some(value) = arguments
            .option("relation")
            .filter(|value| !value.is_empty())
        else {
            return Ok(None);
        };
        let refuse = |why: &str| {
            CommandError::usage(format!("invalid value {value:?} for option -r: {why}"))
        };
        let id: u32 = value
            .rsplit(':')
            .next()
            .unwrap_or(value)
            .parse()
            .map_err(|_| refuse("invalid relation id"))?;
        if self.known_relations().contains_key(&id) {
            Ok(Some(id))
        } else {
            Err(refuse("relation not found"))
        }
    }

    /// The relation that `-r` names, else the hook's.
    pub(super) fn relation(&self, arguments: &Arguments) -> Result<u32, CommandError> {
        let own = self.context.relation().map(|hook| hook.id);
        self.named_relation(arguments)?
            .or(own)
            .ok_or_else(|| CommandError::usage("no relation id specified"))
    }
}

pub(super) fn ids(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    let hook = call.context.relation().map(|hook| hook.endpoint.clone());
    let Some(name) = arguments.word(0).map(str::to_owned).or(hook) else {
        return Err(CommandError::usage("no endpoint name specified"));
    };
    arguments.at_most(1)?;
    let ids = call
        .known_relations()
        .into_keys()
        .filter(|id| call.endpoint_name(*id) == name)
        .map(|id| format!("{name}:{id}"));
    call.print(&arguments, &Node::list(ids))
}

pub(super) fn list(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(RELATION)?;
    let id = call.relation(&arguments)?;
    arguments.at_most(0)?;
    if arguments.is_set("app") {
        let own = &call.context.unit.application;
        let relation = call.model.relations.get(&id);
        let application = relation
            .map(|relation| relation.counterpart(own).to_owned())
            .unwrap_or_default();
        return call.print(&arguments, &Node::text(application));
    }
    let members = call
        .known_relations()
        .remove(&id)
        .map(|known| known.members)
        .unwrap_or_default();
    let mut names: Vec<_> = members
        .into_keys()
        .map(|member| member.to_string())
        .collect();
    names.sort();
    call.print(&arguments, &Node::list(names))
}

pub(super) fn model_get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(RELATION)?;
    call.relation(&arguments)?;
    arguments.at_most(0)?;
    call.print(
        &arguments,
        &Node::map([("uuid", Node::text(&call.model.uuid))]),
    )
}

pub(super) fn set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[
        (&["r", "relation"], Takes::Value),
        (&["app"], Takes::Nothing),
        (&["file"], Takes::Value),
        (&["format"], Takes::Value),
    ])?;
    if arguments.option("format").is_some() {
        call.stderr
            .push_str("--format flag deprecated for command \"relation-set\"");
    }
    let id = call.relation(&arguments)?;
    let given = pairs(&arguments.words)?;
    let mut settings = match arguments.option("file") {
        Some(file) => call.settings_file(file)?,
        None => Vec::new(),
    };
    settings.extend(given);
    let application = arguments.is_set("app");
    if application && !call.is_leader() {
        return Err(CommandError::refused("cannot write relation settings"));
    }
    let broken = call
        .context
        .relation()
        .is_some_and(|hook| hook.id == id && hook.kind == RelationKind::Broken);
    if broken {
        // Juju takes the change and has nowhere to put it.
        return Ok(String::new());
    }
    let changes = &mut call.context.changes;
    let side = if application {
        &mut changes.application_data
    } else {
        &mut changes.unit_data
    };
    side.entry(id).or_default().extend(settings);
    Ok(String::new())
}
