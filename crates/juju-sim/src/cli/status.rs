//! The tables of `status`.

use crate::client::{Status, StatusInfo};
use anyhow::Result;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

/// Rows in columns two spaces apart.
fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}", width = *width));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn cells<const N: usize>(row: [&str; N]) -> Vec<String> {
    row.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Prints a status as `juju status` lays it out.
pub(super) fn print(status: &Status, relations: bool) -> Result<()> {
    let mut all = vec![model(status), applications(status), units(status)];
    if relations {
        all.push(related(status));
    }
    let tables: Vec<_> = all
        .iter()
        .filter(|rows| rows.len() > 1)
        .map(|rows| table(rows))
        .collect();
    let text = tables.join("\n");
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = if colour { coloured(&text) } else { text };
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn model(status: &Status) -> Vec<Vec<String>> {
    let text = |name: &str| status.model[name].as_str().unwrap_or_default();
    vec![
        cells(["Model", "Controller", "Cloud/Region", "Version"]),
        cells([
            text("name"),
            text("controller"),
            text("cloud"),
            text("version"),
        ]),
    ]
}

fn applications(status: &Status) -> Vec<Vec<String>> {
    let head = [
        "App", "Version", "Status", "Scale", "Charm", "Channel", "Rev", "Exposed", "Message",
    ];
    let mut rows = vec![cells(head)];
    for (name, application) in &status.applications {
        let scale = application.units.len().to_string();
        let revision = application
            .other
            .get("charm-rev")
            .map(ToString::to_string)
            .unwrap_or_default();
        let StatusInfo {
            current, message, ..
        } = &application.status;
        let charm = &application.charm;
        rows.push(cells([
            name,
            &application.version,
            current,
            &scale,
            charm,
            "",
            &revision,
            "no",
            first_line(message),
        ]));
    }
    rows
}

fn units(status: &Status) -> Vec<Vec<String>> {
    let mut rows = vec![cells([
        "Unit", "Workload", "Agent", "Address", "Ports", "Message",
    ])];
    for (unit, shown) in status.units() {
        let name = if shown.leader {
            format!("{unit}*")
        } else {
            unit.clone()
        };
        let ports = shown.open_ports.join(",");
        let message = first_line(&shown.workload.message);
        rows.push(cells([
            &name,
            &shown.workload.current,
            &shown.agent.current,
            &shown.address,
            &ports,
            message,
        ]));
    }
    rows
}

fn related(status: &Status) -> Vec<Vec<String>> {
    let mut rows = vec![cells([
        "Application",
        "Endpoint",
        "Related application",
        "Interface",
    ])];
    for (name, application) in &status.applications {
        let ends = application
            .other
            .get("relations")
            .and_then(Value::as_object);
        for (endpoint, others) in ends.into_iter().flatten() {
            for other in others.as_array().into_iter().flatten() {
                let text = |field: &str| other[field].as_str().unwrap_or_default();
                rows.push(cells([
                    name,
                    endpoint,
                    text("related-application"),
                    text("interface"),
                ]));
            }
        }
    }
    rows
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Juju's colours for the words of a status.
fn coloured(text: &str) -> String {
    let colours = [
        ("active", 32),
        ("idle", 32),
        ("blocked", 33),
        ("error", 31),
        ("maintenance", 33),
        ("waiting", 33),
        ("executing", 33),
        ("terminated", 31),
    ];
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let mut line = line.to_owned();
        for (word, colour) in colours {
            let padded = format!("  {word} ");
            if line.contains(&padded) {
                line = line.replacen(&padded, &format!("  \u{1b}[{colour}m{word}\u{1b}[0m "), 1);
            }
        }
        out.push_str(&line);
    }
    out
}
