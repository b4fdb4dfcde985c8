//! What goes to standard output, as Juju lays it out.

use super::arguments::OutputFormat;
use crate::node::{Format, Node};
use anyhow::Result;
use serde_json::Value;
use std::io::Write as _;

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
