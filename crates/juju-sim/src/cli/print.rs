//! What goes to standard output, as Juju lays it out.

use super::arguments::OutputFormat;
use crate::client::Status;
use crate::node::{Format, Node};
use anyhow::Result;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

pub(super) fn line(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Beside the output: progress, for people.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub(super) fn value(value: &Value, format: OutputFormat) -> Result<()> {
    let format = if format == OutputFormat::Json {
        Format::Json
    } else {
        Format::Yaml
    };
    write!(std::io::stdout(), "{}", Node::from(value).render(format))?;
    Ok(())
}

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

pub(super) fn status(status: &Status, relations: bool) -> Result<()> {
    let text = |name: &str| status.model[name].as_str().unwrap_or_default();
    let model = vec![
        cells(["Model", "Controller", "Cloud/Region", "Version"]),
        cells([
            text("name"),
            text("controller"),
            text("cloud"),
            text("version"),
        ]),
    ];
    let mut applications = vec![cells([
        "App", "Version", "Status", "Scale", "Charm", "Channel", "Rev", "Exposed", "Message",
    ])];
    let mut units = vec![cells([
        "Unit", "Workload", "Agent", "Address", "Ports", "Message",
    ])];
    let mut related = vec![cells([
        "Application",
        "Endpoint",
        "Related application",
        "Interface",
    ])];
    for (name, application) in &status.applications {
        let scale = application.units.len().to_string();
        let revision = application
            .other
            .get("charm-rev")
            .map(ToString::to_string)
            .unwrap_or_default();
        let current = &application.status;
        applications.push(cells([
            name,
            &application.version,
            &current.current,
            &scale,
            &application.charm,
            "",
            &revision,
            "no",
            first_line(&current.message),
        ]));
        for (unit, shown) in &application.units {
            let unit = if shown.leader {
                format!("{unit}*")
            } else {
                unit.clone()
            };
            let ports = shown.open_ports.join(",");
            units.push(cells([
                &unit,
                &shown.workload.current,
                &shown.agent.current,
                &shown.address,
                &ports,
                first_line(&shown.workload.message),
            ]));
        }
        let ends = application
            .other
            .get("relations")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        for (endpoint, others) in ends {
            for other in others.as_array().into_iter().flatten() {
                let text = |field: &str| other[field].as_str().unwrap_or_default();
                related.push(cells([
                    name,
                    endpoint,
                    text("related-application"),
                    text("interface"),
                ]));
            }
        }
    }
    let mut all = vec![table(&model)];
    for (rows, wanted) in [(&applications, true), (&units, true), (&related, relations)] {
        if wanted && rows.len() > 1 {
            all.push(table(rows));
        }
    }
    let text = all.join("\n");
    let text = if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        coloured(&text)
    } else {
        text
    };
    write!(std::io::stdout(), "{text}")?;
    Ok(())
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
