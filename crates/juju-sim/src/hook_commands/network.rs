//! `network-get`, `unit-get`, `goal-state`, `credential-get`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::model::SERVICE_ADDRESS;
use crate::model::status::Status;
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
        .map(|unit| unit.address())
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

pub(super) fn goal_state(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(0)?;
    let application = &call.context.unit.application;
    let goal = |status: &str, since: &Status| {
        Node::map([
            ("status", Node::text(status)),
            (
                "since",
                Node::text(since.since.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
            ),
        ])
    };
    let of_units = |application: &str| {
        let units = call.model.units_of(application).map(|unit| {
            let status = unit.shown_status();
            (
                unit.name.to_string(),
                goal(if unit.dying { "dying" } else { &status.name }, &status),
            )
        });
        units.collect::<Vec<_>>()
    };
    let mut relations: Vec<(String, Node)> = Vec::new();
    for relation in call
        .model
        .relations
        .values()
        .filter(|relation| !relation.is_peer() && !relation.dying)
    {
        let Some(endpoint) = relation.endpoint_of(application) else {
            continue;
        };
        let other = relation.counterpart(application);
        let joined = Status::new("joined", "");
        let mut entries = vec![(other.to_owned(), goal("joined", &joined))];
        entries.extend(of_units(other));
        let charmless = call
            .model
            .applications
            .get(other)
            .and_then(|other| other.remote.as_ref())
            .map(|data| data.units.keys().copied().collect::<Vec<_>>());
        entries.extend(
            charmless
                .unwrap_or_default()
                .into_iter()
                .map(|number| (format!("{other}/{number}"), goal("active", &joined))),
        );
        match relations
            .iter_mut()
            .find(|(name, _)| *name == endpoint.name)
        {
            Some((_, Node::Map(known))) => known.extend(entries),
            _ => relations.push((endpoint.name.clone(), Node::Map(entries))),
        }
    }
    let node = Node::map([
        ("units", Node::Map(of_units(application))),
        ("relations", Node::Map(relations)),
    ]);
    call.print(&arguments, &node)
}

pub(super) fn credential_get(call: &mut Call<'_>) -> Output {
    call.printing(&[])?;
    Err(CommandError::refused(
        "cannot access cloud credentials: getting model credentials: permission denied",
    ))
}
