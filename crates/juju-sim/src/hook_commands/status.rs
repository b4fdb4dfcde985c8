//! `status-get`, `status-set`, `is-leader`, `application-version-set`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::model::Model;
use crate::model::status::Status;
use crate::model::unit::Unit;
use crate::node::{Format, Node};

const SETTABLE: [&str; 4] = ["maintenance", "blocked", "waiting", "active"];

pub(super) fn set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[(&["application"], Takes::Nothing)])?;
    let Some(name) = arguments.word(0) else {
        return Err(CommandError::usage(
            "invalid args, require <status> [message]",
        ));
    };
    if !SETTABLE.contains(&name) {
        return Err(CommandError::usage(format!(
            "invalid status {name:?}, expected one of [{}]",
            SETTABLE.join(" ")
        )));
    }
    arguments.at_most(2)?;
    let status = Status::new(name, arguments.word(1).unwrap_or_default());
    if arguments.is_set("application") {
        if !call.is_leader() {
            return Err(CommandError::refused("this unit is not the leader"));
        }
        if let Some(application) = call
            .model
            .applications
            .get_mut(&call.context.unit.application)
        {
            application.status = Some(status);
        }
        return Ok(String::new());
    }
    call.context.status_was_set = true;
    if let Some(unit) = call.model.units.get_mut(&call.context.unit) {
        unit.workload_status = status;
    }
    Ok(String::new())
}

/// The application's own status, or the most pressing of its units'.
pub(crate) fn application_status(model: &Model, application: &str) -> Status {
    let own = model
        .applications
        .get(application)
        .and_then(|application| application.status.clone());
    own.or_else(|| {
        model
            .units_of(application)
            .map(super::super::model::unit::Unit::shown_status)
            .max_by_key(Status::severity)
    })
    .unwrap_or_else(|| Status::new("unknown", ""))
}

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[
        (&["include-data"], Takes::Nothing),
        (&["application"], Takes::Nothing),
    ])?;
    arguments.at_most(0)?;
    let full = arguments.is_set("include-data");
    let smart = arguments.format()? == Format::Smart;
    let unit = &call.context.unit;
    if !arguments.is_set("application") {
        let now = call
            .model
            .units
            .get(unit)
            .map_or_else(|| Status::new("unknown", ""), Unit::shown_status);
        let status = call.context.status_read.get_or_insert(now).clone();
        let node = if smart && !full {
            Node::text(status.name)
        } else {
            Node::Map(fields(&status, full))
        };
        return call.print(&arguments, &node);
    }
    if !call.is_leader() {
        return Err(CommandError::refused(
            "finding application status: this unit is not the leader",
        ));
    }
    let status = application_status(call.model, &unit.application);
    if smart && !full {
        return call.print(&arguments, &Node::text(status.name));
    }
    let units = Node::map(call.model.units_of(&unit.application).map(|unit| {
        (
            unit.name.to_string(),
            Node::Map(fields(&unit.shown_status(), full)),
        )
    }));
    let mut entries = fields(&status, full);
    entries.push(("units".to_owned(), units));
    call.print(
        &arguments,
        &Node::map([("application-status", Node::Map(entries))]),
    )
}

fn fields(status: &Status, full: bool) -> Vec<(String, Node)> {
    let name = ("status".to_owned(), Node::text(&status.name));
    if !full {
        return vec![name];
    }
    let data = Node::map(
        status
            .data
            .iter()
            .map(|(key, value)| (key.clone(), Node::from(value))),
    );
    vec![
        ("message".to_owned(), Node::text(&status.message)),
        name,
        ("status-data".to_owned(), data),
    ]
}

pub(super) fn is_leader(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(0)?;
    call.print(&arguments, &Node::Bool(call.is_leader()))
}

pub(super) fn version_set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[])?;
    let Some(version) = arguments.word(0) else {
        return Err(CommandError::usage("no version specified"));
    };
    arguments.at_most(1)?;
    if let Some(application) = call
        .model
        .applications
        .get_mut(&call.context.unit.application)
    {
        version.clone_into(&mut application.version);
    }
    Ok(String::new())
}
