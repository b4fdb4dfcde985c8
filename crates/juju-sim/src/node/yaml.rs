//! YAML as Go's yaml.v2 writes it: quoted where YAML 1.1 would read something else than a string.

use super::{Node, general_number};
use std::fmt::Write as _;

const INDENT: usize = 2;
/// Words that a YAML 1.1 reader takes for a boolean or null.
const RESERVED: [&str; 12] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "=",
];

pub(super) fn write(out: &mut String, node: &Node) {
    block(out, node, 0);
}

fn block(out: &mut String, node: &Node, indent: usize) {
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str(&scalar_text(key, indent));
                out.push(':');
                nested(out, value, indent);
            }
        }
        Node::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                block(out, item, indent + INDENT);
            }
        }
        other => {
            out.push_str(&scalar(other, indent));
            out.push('\n');
        }
    }
}

fn nested(out: &mut String, value: &Node, indent: usize) {
    match value {
        Node::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            pad(out, indent + INDENT);
            block(out, value, indent + INDENT);
        }
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            pad(out, indent);
            block(out, value, indent);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other, indent));
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(node: &Node, indent: usize) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Number(value) => general_number(*value),
        Node::Text(text) => scalar_text(text, indent),
        Node::Time(text) => text.clone(),
        Node::List(_) => "[]".to_owned(),
        Node::Map(_) => "{}".to_owned(),
    }
}

fn scalar_text(text: &str, indent: usize) -> String {
    if reads_as_something_else(text) || text.chars().any(unprintable) {
        return double_quoted(text);
    }
    if text.contains('\n') {
        return literal(text, indent + INDENT);
    }
    if needs_quotes(text) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    text.to_owned()
}

fn literal(text: &str, indent: usize) -> String {
    if text.starts_with([' ', '\n']) {
        return double_quoted(text);
    }
    let body = text.trim_end_matches('\n');
    let trailing = text.len() - body.len();
    let mut out = String::from(match trailing {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(&mut out, indent);
            out.push_str(line);
        }
    }
    for _ in 1..trailing {
        out.push('\n');
    }
    out
}

fn unprintable(character: char) -> bool {
    (character.is_control() && character != '\n') || character == '\u{feff}'
}

fn reads_as_something_else(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.is_empty() || RESERVED.contains(&lower.as_str()) || is_number(&lower) || is_date(text)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return false;
    }
    let plain = unsigned.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).is_ok();
        }
    }
    let sexagesimal = plain.split(':').count() > 1
        && plain
            .split(':')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    plain.parse::<f64>().is_ok() || sexagesimal
}

/// The forms that Go's yaml.v2 takes for a time; one with a space and a zone is none of them.
fn is_date(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let numbers: Vec<_> = date.split('-').collect();
    let digits = |part: &&str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_date = numbers.len() == 3 && numbers[0].len() == 4 && numbers.iter().all(digits);
    let spaced = text.contains(' ');
    is_date
        && time.is_none_or(|time| {
            time.bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.') || !spaced)
        })
}

fn needs_quotes(text: &str) -> bool {
    text.starts_with([
        ' ', '[', ']', '{', '}', ',', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
    ]) || text.ends_with([' ', ':'])
        || matches!(text, "-" | "?" | ":" | "---" | "...")
        || ["- ", "? ", ": "]
            .iter()
            .any(|start| text.starts_with(start))
        || text.contains(": ")
        || text.contains(" #")
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if unprintable(control) => {
                let _ = write!(out, "\\x{:02X}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
