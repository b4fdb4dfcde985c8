//! What goes to standard output, as Juju lays it out.

use super::arguments::OutputFormat;
use crate::node::{Format, Node};
use crate::scenario::StepReport;
use anyhow::Result;
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};

pub(super) fn line(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Beside the output: progress, for people.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A scenario's step, its verdict coloured on a terminal.
pub(super) fn verdict(step: &StepReport) -> String {
    let (word, colour) = match step.problem {
        None => ("ok", 32),
        Some(_) => ("FAIL", 31),
    };
    let text = step.to_string();
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        return text.replacen(word, &format!("\u{1b}[{colour}m{word}\u{1b}[0m"), 1);
    }
    text
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
