//! The hook commands: arguments in, output and exit code out, against the model and the changes of the running hook.

mod action;
mod arguments;
mod config;
mod log;
mod network;
mod port;
mod relation;
mod relation_read;
mod secret;
mod secret_manage;
mod secret_read;
mod state;
mod status;
mod storage;

pub(crate) use arguments::boolean;
pub(crate) use status::application_status;

use crate::context::HookContext;
use crate::model::Model;
use crate::node::Node;
use arguments::{Arguments, OUTPUT, Options};
use std::path::{Path, PathBuf};

/// Why a command did not do what it was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CommandError {
    /// Exit code 2.
    Usage(String),
    /// Exit code 1.
    Refused(String),
    /// Ask again with standard input.
    NeedsStdin,
}

impl CommandError {
    fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

/// A request from the charm.
#[derive(Debug)]
pub(crate) struct Request {
    /// The command's name and its arguments.
    pub(crate) words: Vec<String>,
    pub(crate) stdin: Option<Vec<u8>>,
    /// The caller's working directory, in the caller's root.
    pub(crate) folder: PathBuf,
    /// Where the caller's root is seen from here.
    pub(crate) root: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    NeedsStdin,
    Done {
        exit_code: u8,
        stdout: String,
        stderr: String,
    },
}

/// What a command works with.
struct Call<'a> {
    model: &'a mut Model,
    context: &'a mut HookContext,
    request: &'a Request,
    stderr: String,
}

type Output = Result<String, CommandError>;
type Command = fn(&mut Call<'_>) -> Output;

/// Every command there is a link for; those without a function say that they are not implemented.
const COMMANDS: &[(&str, Option<Command>)] = &[
    ("action-fail", Some(action::fail)),
    ("action-get", Some(action::get)),
    ("action-log", Some(action::log)),
    ("action-set", Some(action::set)),
    ("application-version-set", Some(status::version_set)),
    ("close-port", Some(port::close)),
    ("config-get", Some(config::get)),
    ("credential-get", Some(network::credential_get)),
    ("goal-state", Some(network::goal_state)),
    ("is-leader", Some(status::is_leader)),
    ("juju-log", Some(log::write)),
    ("juju-reboot", Some(log::reboot)),
    ("k8s-raw-get", None),
    ("k8s-raw-set", None),
    ("k8s-spec-get", None),
    ("k8s-spec-set", None),
    ("leader-get", Some(config::leader_get)),
    ("leader-set", Some(config::leader_set)),
    ("network-get", Some(network::get)),
    ("open-port", Some(port::open)),
    ("opened-ports", Some(port::opened)),
    ("payload-register", None),
    ("payload-status-set", None),
    ("payload-unregister", None),
    ("pod-spec-get", None),
    ("pod-spec-set", None),
    ("relation-get", Some(relation_read::get)),
    ("relation-ids", Some(relation::ids)),
    ("relation-list", Some(relation::list)),
    ("relation-model-get", Some(relation::model_get)),
    ("relation-set", Some(relation::set)),
    ("resource-get", Some(storage::resource_get)),
    ("secret-add", Some(secret::add)),
    ("secret-get", Some(secret_read::get)),
    ("secret-grant", Some(secret_manage::grant)),
    ("secret-ids", Some(secret_read::ids)),
    ("secret-info-get", Some(secret_read::info_get)),
    ("secret-remove", Some(secret_manage::remove)),
    ("secret-revoke", Some(secret_manage::revoke)),
    ("secret-set", Some(secret::set)),
    ("state-delete", Some(state::delete)),
    ("state-get", Some(state::get)),
    ("state-set", Some(state::set)),
    ("status-get", Some(status::get)),
    ("status-set", Some(status::set)),
    ("storage-add", Some(storage::add)),
    ("storage-get", Some(storage::get)),
    ("storage-list", Some(storage::list)),
    ("unit-get", Some(network::unit_get)),
];

/// The names that the charm finds on its PATH.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| *name)
}

/// Runs one command.
pub(crate) fn run(model: &mut Model, context: &mut HookContext, request: &Request) -> Answer {
    let name = request
        .words
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let mut call = Call {
        model,
        context,
        request,
        stderr: String::new(),
    };
    let outcome = match COMMANDS.iter().find(|(known, _)| *known == name) {
        Some((_, Some(command))) => command(&mut call),
        Some((_, None)) => Err(CommandError::refused(format!(
            "juju-sim does not implement {name}"
        ))),
        None => Err(CommandError::refused(format!(
            "bad request: unknown command: {name}"
        ))),
    };
    let warnings = call.stderr;
    match outcome {
        Ok(stdout) => Answer::Done {
            exit_code: 0,
            stdout,
            stderr: warnings,
        },
        Err(CommandError::NeedsStdin) => Answer::NeedsStdin,
        Err(CommandError::Usage(text)) => Answer::Done {
            exit_code: 2,
            stdout: String::new(),
            stderr: format!("{warnings}ERROR {text}\n"),
        },
        Err(CommandError::Refused(text)) => Answer::Done {
            exit_code: 1,
            stdout: String::new(),
            stderr: format!("{warnings}ERROR {text}\n"),
        },
    }
}

impl Call<'_> {
    /// Reads the arguments of a command that prints.
    fn printing(&self, options: Options) -> Result<Arguments, CommandError> {
        let arguments = Arguments::read(&self.request.words[1..], &[OUTPUT, options])?;
        arguments.format()?;
        Ok(arguments)
    }

    /// Reads the arguments of a command that prints nothing.
    fn silent(&self, options: Options) -> Result<Arguments, CommandError> {
        Arguments::read(&self.request.words[1..], &[options])
    }

    /// Prints as `--format` says, or into the file that `-o` names.
    fn print(&self, arguments: &Arguments, node: &Node) -> Output {
        let text = node.render(arguments.format()?);
        let Some(file) = arguments.option("output") else {
            return Ok(text);
        };
        let path = self.inside(Path::new(file));
        std::fs::write(&path, text).map_err(|error| {
            CommandError::refused(format!("open {file}: {}", os_reason(&error)))
        })?;
        Ok(String::new())
    }

    /// A path of the caller's, seen from here.
    fn inside(&self, path: &Path) -> PathBuf {
        let absolute = self.request.folder.join(path);
        self.request
            .root
            .join(absolute.strip_prefix("/").unwrap_or(&absolute))
    }

    fn stdin(&self) -> Result<&[u8], CommandError> {
        self.request
            .stdin
            .as_deref()
            .ok_or(CommandError::NeedsStdin)
    }

    fn is_leader(&self) -> bool {
        self.model.is_leader(&self.context.unit)
    }

    /// A YAML map of scalars from `--file`: standard input for `-`.
    fn settings_file(&self, file: &str) -> Result<Vec<(String, String)>, CommandError> {
        let bytes = if file == "-" {
            self.stdin()?.to_vec()
        } else {
            std::fs::read(self.inside(Path::new(file))).map_err(|error| {
                CommandError::refused(format!("open {file}: {}", os_reason(&error)))
            })?
        };
        text_map(&bytes)
    }
}

/// The system's words for an error, without Rust's number.
fn os_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    let mut characters = plain.chars();
    characters
        .next()
        .map(|first| first.to_ascii_lowercase().to_string() + characters.as_str())
        .unwrap_or_default()
}

fn text_map(bytes: &[u8]) -> Result<Vec<(String, String)>, CommandError> {
    use serde_norway::Value;
    let refuse = |text: String| CommandError::refused(format!("yaml: {text}"));
    let value: Value =
        serde_norway::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    let kind = |kind: &str, line: usize, into: &str| {
        refuse(format!(
            "unmarshal errors:\n  line {line}: cannot unmarshal !!{kind} into {into}"
        ))
    };
    let entries = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(entries) => entries,
        Value::Sequence(_) => return Err(kind("seq", 1, "map[string]string")),
        _ => return Err(kind("str", 1, "map[string]string")),
    };
    let scalar = |value: &Value| match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Sequence(_) => Err(kind("seq", 1, "string")),
        _ => Err(kind("map", 1, "string")),
    };
    entries
        .iter()
        .map(|(key, value)| Ok((scalar(key)?, scalar(value)?)))
        .collect()
}
