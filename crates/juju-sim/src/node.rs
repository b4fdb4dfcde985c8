//! Values as Juju's commands print them: in the order they were built, with Go's notation for numbers.

mod yaml;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A value on its way to standard output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A time: never quoted in YAML.
    Time(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// What `--format` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Smart,
    Json,
    Yaml,
}

impl Node {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Node)>) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    pub(crate) fn texts(entries: &BTreeMap<String, String>) -> Self {
        Self::map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), Self::text(value))),
        )
    }

    pub(crate) fn list<T: Into<String>>(entries: impl IntoIterator<Item = T>) -> Self {
        Self::List(entries.into_iter().map(Node::text).collect())
    }

    /// The text a hook command prints, its last newline included.
    pub(crate) fn render(&self, format: Format) -> String {
        let mut text = match format {
            Format::Json => self.json(),
            Format::Yaml => self.yaml(),
            Format::Smart => self.smart(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    fn smart(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) | Self::Time(text) => text.clone(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::List(items) if items.iter().all(|item| matches!(item, Self::Text(_))) => {
                items.iter().map(Self::smart).collect::<Vec<_>>().join("\n")
            }
            other => other.yaml(),
        }
    }

    pub(crate) fn yaml(&self) -> String {
        match self {
            Self::Null => String::new(),
            other => {
                let mut out = String::new();
                yaml::write(&mut out, other);
                out.trim_end_matches('\n').to_owned()
            }
        }
    }

    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => out.push_str(&json_number(*value)),
            Self::Text(text) | Self::Time(text) => write_json_text(out, text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_text(out, key);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or_default()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => Self::map(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::from(value))),
            ),
        }
    }
}

/// Go's `encoding/json` escapes what a browser might take for markup.
fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn json_number(value: f64) -> String {
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        format!("{value}")
    } else {
        exponent_form(value)
    }
}

/// Go's `%g` in its shortest form, which YAML is written with: an exponent from the seventh digit on.
pub(super) fn general_number(value: f64) -> String {
    let exponent: i32 = format!("{value:e}")
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or_default();
    if (-4..6).contains(&exponent) {
        format!("{value}")
    } else {
        exponent_form(value)
    }
}

fn exponent_form(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_yaml_are_written_as_go_writes_floats() {
        for (value, text) in [
            (3.0, "3"),
            (0.5, "0.5"),
            (1e10, "1e+10"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.00001, "1e-05"),
        ] {
            assert_eq!(general_number(value), text);
        }
    }

    #[test]
    fn numbers_in_json_keep_their_digits() {
        assert_eq!(Node::Number(1e10).json(), "10000000000");
        assert_eq!(Node::Number(0.5).json(), "0.5");
    }

    #[test]
    fn texts_that_yaml_would_read_as_something_else_are_quoted() {
        for (text, yaml) in [
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("", "\"\""),
            ("x: y", "'x: y'"),
            ("plain words", "plain words"),
            ("a\nb", "|-\n  a\n  b"),
            ("one\ntwo\n", "|\n  one\n  two"),
            ("a 'quoted' \"t\": x", "'a ''quoted'' \"t\": x'"),
            ("- x", "'- x'"),
            ("#c", "'#c'"),
            ("~", "\"~\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("{}", "'{}'"),
        ] {
            assert_eq!(Node::text(text).yaml(), yaml, "{text:?}");
        }
    }

    #[test]
    fn lists_stand_at_the_level_of_their_key() {
        let node = Node::map([
            ("a", Node::list(["x", "y"])),
            ("b", Node::map([("c", Node::List(vec![]))])),
        ]);
        assert_eq!(node.yaml(), "a:\n- x\n- \"y\"\nb:\n  c: []");
    }
}
