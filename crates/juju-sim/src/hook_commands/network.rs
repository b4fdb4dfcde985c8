//! `network-get`, `unit-get`, `goal-state`, `credential-get`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::model::status::Status;
use crate::model::{Model, SERVICE_ADDRESS};
use crate::node::{Format, Node};

const FLAGS: super::Options = &[
    (&["bind-address"], Takes::Nothing),
    (&["ingress-address"], Takes::Nothing),
    (&["egress-subnets"], Takes::Nothing),
    (&["primary-address"], Takes::Nothing),
    (&["r", "relation"], Takes::Value),
];

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(FLAGS)?;
    let Some(binding) = arguments.word(0) else {
        return Err(CommandError::usage("no arguments specified"));
    };
    arguments.at_most(1)?;
    let known = call
        .model
        .applications
        .get(&call.context.unit.application)
        .is_some_and(|application| application.endpoints.contains_key(binding));
    if !known {
        return Err(CommandError::refused(format!(
            "no network config found for binding {binding:?}"
        )));
    }
    let address = call
        .model
        .units
        .get(&call.context.unit)
        .map(super::super::model::unit::Unit::address)
        .unwrap_or_default();
    let subnet = format!("{SERVICE_ADDRESS}/32");
    let asked: Vec<_> = [
        ("bind-address", &address),
        ("primary-address", &address),
        ("ingress-address", &SERVICE_ADDRESS.to_owned()),
        ("egress-subnets", &subnet),
    ]
    .into_iter()
    .filter(|(flag, _)| arguments.is_set(flag))
    .map(|(flag, value)| (flag, Node::text(value)))
    .collect();
    match asked.as_slice() {
        [] => {}
        [(_, only)] => return call.print(&arguments, only),
        _ => return call.print(&arguments, &Node::map(asked)),
    }
    let json = arguments.format()? == Format::Json;
    call.print(&arguments, &whole(&address, &subnet, json))
}

/// YAML repeats two fields under older names, which JSON does not.
fn whole(address: &str, subnet: &str, json: bool) -> Node {
    let mut one = vec![
        ("hostname", Node::text("")),
        ("value", Node::text(address)),
        ("cidr", Node::text("")),
    ];
    if !json {
        one.push(("address", Node::text(address)));
    }
    let mut bind = vec![
        ("mac-address", Node::text("")),
        ("interface-name", Node::text("")),
        ("addresses", Node::List(vec![Node::map(one)])),
    ];
    if !json {
        bind.extend([
            ("macaddress", Node::text("")),
            ("interfacename", Node::text("")),
        ]);
    }
    Node::map([
        ("bind-addresses", Node::List(vec![Node::map(bind)])),
        ("egress-subnets", Node::list([subnet])),
        ("ingress-addresses", Node::list([SERVICE_ADDRESS])),
    ])
}

pub(super) fn unit_get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    match arguments.word(0) {
        None => Err(CommandError::usage("no setting specified")),
        Some("private-address") => Err(CommandError::refused("private address not found")),
        Some("public-address") => call.print(&arguments, &Node::text(SERVICE_ADDRESS)),
        Some(other) => Err(CommandError::usage(format!("unknown setting {other:?}"))),
    }
}

fn goal(status: &str, since: &Status) -> Node {
    let time = since.since.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    Node::map([("status", Node::text(status)), ("since", Node::Time(time))])
}

/// The units of an application, whether it has a charm or not.
fn unit_goals(model: &Model, application: &str) -> Vec<(String, Node)> {
    let mut goals = Vec::new();
    for unit in model.units_of(application) {
        let status = unit.shown_status();
        let shown = if unit.dying { "dying" } else { &status.name };
        goals.push((unit.name.to_string(), goal(shown, &status)));
    }
    let remote = model
        .applications
        .get(application)
        .and_then(|found| found.remote.as_ref());
    let active = Status::new("active", "");
    for number in remote.iter().flat_map(|data| data.units.keys()) {
        goals.push((format!("{application}/{number}"), goal("active", &active)));
    }
    goals.sort_by(|one, other| one.0.cmp(&other.0));
    goals
}

pub(super) fn goal_state(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(0)?;
    let application = &call.context.unit.application;
    let mut relations: Vec<(String, Node)> = Vec::new();
    for relation in call.model.relations.values() {
        let Some(endpoint) = relation.endpoint_of(application) else {
            continue;
        };
        if relation.is_peer() || relation.dying {
            continue;
        }
        let other = relation.counterpart(application);
        let joined = Status::new("joined", "");
        let mut entries = vec![(other.to_owned(), goal("joined", &joined))];
        entries.extend(unit_goals(call.model, other));
        match relations
            .iter_mut()
            .find(|(name, _)| *name == endpoint.name)
        {
            Some((_, Node::Map(known))) => known.extend(entries),
            _ => relations.push((endpoint.name.clone(), Node::Map(entries))),
        }
    }
    let units = Node::Map(unit_goals(call.model, application));
    let node = Node::map([("units", units), ("relations", Node::Map(relations))]);
    call.print(&arguments, &node)
}

pub(super) fn credential_get(call: &mut Call<'_>) -> Output {
    call.printing(&[])?;
    Err(CommandError::refused(
        "cannot access cloud credentials: getting model credentials: permission denied",
    ))
}
