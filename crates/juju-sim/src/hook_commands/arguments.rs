//! Arguments as Go's flag library of Juju reads them: options may stand anywhere before `--`.

use super::CommandError;
use crate::node::Format;
use std::collections::BTreeMap;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// A command's options: every spelling (without dashes), the name it is stored under, and what it takes.
pub(super) type Options = &'static [(&'static [&'static str], Takes)];

/// The options of every command that prints.
pub(super) const OUTPUT: Options = &[
    (&["format"], Takes::Value),
    (&["o", "output"], Takes::Value),
];

/// A command's arguments, read.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    options: BTreeMap<&'static str, String>,
    pub(super) words: Vec<String>,
}

impl Arguments {
    /// Reads `args` (without the command's name) against the options of the command.
    pub(super) fn read(args: &[String], options: &[Options]) -> Result<Self, CommandError> {
        let mut read = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                read.words.extend(rest.cloned());
                break;
            }
            if let Some(long) = arg.strip_prefix("--") {
                let (name, given) = long
                    .split_once('=')
                    .map_or((long, None), |(name, value)| (name, Some(value)));
                let (key, takes) =
                    find(options, name).ok_or_else(|| undefined(&format!("--{name}")))?;
                let value = match (takes, given) {
                    (Takes::Nothing, None) => "true".to_owned(),
                    (_, Some(value)) => value.to_owned(),
                    (Takes::Value, None) => rest.next().cloned().ok_or_else(|| {
                        CommandError::usage(format!("option needs an argument: --{name}"))
                    })?,
                };
                read.store(key, takes, name, value)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                read.short(&arg[1..], options, &mut rest)?;
            } else {
                read.words.push(arg.clone());
            }
        }
        Ok(read)
    }

    fn short<'a>(
        &mut self,
        letters: &str,
        options: &[Options],
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), CommandError> {
        let characters = letters.char_indices();
        for (index, letter) in characters {
            let mut name = [0_u8; 4];
            let name: &str = letter.encode_utf8(&mut name);
            let (key, takes) = find(options, name).ok_or_else(|| undefined(&format!("-{name}")))?;
            if takes == Takes::Nothing {
                self.store(key, takes, name, "true".to_owned())?;
                continue;
            }
            let attached = &letters[index + letter.len_utf8()..];
            let value = if attached.is_empty() {
                rest.next().cloned().ok_or_else(|| {
                    CommandError::usage(format!("option needs an argument: -{name}"))
                })?
            } else {
                attached.to_owned()
            };
            return self.store(key, takes, name, value);
        }
        Ok(())
    }

    fn store(
        &mut self,
        key: &'static str,
        takes: Takes,
        spelled: &str,
        value: String,
    ) -> Result<(), CommandError> {
        if takes == Takes::Nothing && boolean(&value).is_none() {
            return Err(CommandError::usage(format!(
                "invalid value {value:?} for option --{spelled}: strconv.ParseBool: parsing {value:?}: invalid syntax"
            )));
        }
        self.options.insert(key, value);
        Ok(())
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.option(name).and_then(boolean).unwrap_or_default()
    }

    pub(super) fn format(&self) -> Result<Format, CommandError> {
        match self.option("format") {
            None | Some("smart") => Ok(Format::Smart),
            Some("json") => Ok(Format::Json),
            Some("yaml") => Ok(Format::Yaml),
            Some(other) => Err(CommandError::usage(format!(
                "invalid value {other:?} for option --format: unknown format {other:?}"
            ))),
        }
    }

    /// Refuses more than `most` words, as Juju words it.
    pub(super) fn at_most(&self, most: usize) -> Result<(), CommandError> {
        if self.words.len() > most {
            let extra = serde_json::to_string(&self.words[most..]).unwrap_or_default();
            return Err(CommandError::usage(format!(
                "unrecognized args: {}",
                extra.replace("\",\"", "\", \"")
            )));
        }
        Ok(())
    }

    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }
}

fn find(options: &[Options], name: &str) -> Option<(&'static str, Takes)> {
    options
        .iter()
        .flat_map(|group| group.iter())
        .find(|(names, _)| names.contains(&name))
        .and_then(|(names, takes)| Some((*names.last()?, *takes)))
}

fn undefined(option: &str) -> CommandError {
    CommandError::usage(format!("option provided but not defined: {option}"))
}

/// What Go's `strconv.ParseBool` accepts.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `key=value` pairs; Juju's words for what is none.
pub(super) fn pairs(words: &[String]) -> Result<Vec<(String, String)>, CommandError> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(CommandError::usage(format!(
                "expected \"key=value\", got {word:?}"
            ))),
        })
        .collect()
}
