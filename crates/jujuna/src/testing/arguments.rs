//! The arguments of a hook command, told apart as Juju does: options may stand anywhere before `--`.

use std::collections::BTreeMap;

use crate::HookOutput;

/// What a hook command was given.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    options: BTreeMap<String, String>,
    pub(super) words: Vec<String>,
}

/// Options that are followed by a value.
const WITH_VALUE: [&str; 12] = [
    "--format",
    "--file",
    "--label",
    "--owner",
    "--revision",
    "--log-level",
    "--description",
    "-r",
    "-s",
    "--expire",
    "--rotate",
    "--unit",
];

/// Options that stand for themselves.
const FLAGS: [&str; 8] = [
    "--app",
    "--application",
    "--include-data",
    "--peek",
    "--refresh",
    "--endpoints",
    "--all",
    "--now",
];

impl Arguments {
    pub(super) fn parse(name: &str, arguments: &[String]) -> Result<Self, HookOutput> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                parsed.words.extend(rest.by_ref().cloned());
            } else if !argument.starts_with('-') || argument == "-" {
                parsed.words.push(argument.clone());
            } else {
                parsed.take_option(name, argument, &mut rest)?;
            }
        }
        Ok(parsed)
    }

    fn take_option<'a>(
        &mut self,
        command: &str,
        argument: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), HookOutput> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument, None),
        };
        // opened-ports asks for endpoints, the others name them.
        let names_endpoints = name == "--endpoints" && command != "opened-ports";
        let value = if WITH_VALUE.contains(&name) || names_endpoints {
            value.or_else(|| rest.next().cloned())
        } else if FLAGS.contains(&name) {
            value.or_else(|| Some("true".to_owned()))
        } else {
            return Err(usage(&format!("option provided but not defined: {name}")));
        };
        let value = value.ok_or_else(|| usage(&format!("option needs an argument: {name}")))?;
        self.options.insert(name.to_owned(), value);
        Ok(())
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.option(name)
            .is_some_and(|value| !value.eq_ignore_ascii_case("false"))
    }

    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }
}

pub(super) fn done(stdout: impl Into<Vec<u8>>) -> HookOutput {
    HookOutput::new(0, stdout, "")
}

pub(super) fn refused(message: &str) -> HookOutput {
    HookOutput::new(1, "", format!("ERROR {message}\n"))
}

pub(super) fn usage(message: &str) -> HookOutput {
    HookOutput::new(2, "", format!("ERROR {message}\n"))
}
