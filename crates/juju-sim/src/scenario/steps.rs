//! The forms of a scenario's steps: one verb each.

use super::expect::{Expect, Matcher};
use serde::Deserialize;
use serde_norway::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The longest text of a step's that a report shows.
const LABEL_CHARACTERS: usize = 90;
/// What a report does not show of a step: too long, or secret.
const UNSHOWN: [&str; 3] = ["files", "content", "secrets"];

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    Deploy(Deploy),
    /// An application without a charm, in the form of its own file.
    Remote(Value),
    Refresh(Refresh),
    /// Application -> option -> value.
    Config(BTreeMap<String, BTreeMap<String, Setting>>),
    Integrate([String; 2]),
    RemoveRelation([String; 2]),
    AddUnit(AddUnit),
    RemoveUnit(String),
    Scale(BTreeMap<String, u32>),
    RemoveApplication(String),
    AddSecret(Secret),
    UpdateSecret(Secret),
    GrantSecret(Grant),
    RevokeSecret(Grant),
    RemoveSecret(String),
    RotateSecret(String),
    ExpireSecret(String),
    Run(Run),
    Cancel(String),
    Task(Task),
    Exec(Exec),
    Pebble(Pebble),
    SetDatabag(Databag),
    SetLeader(String),
    Fire(Fire),
    Resolved(Resolved),
    ReplacePod(String),
    RestartAgent(String),
    KillCharm(String),
    KillContainer(Container),
    RestartContainer(Container),
    DetachStorage(Storage),
    AttachStorage(Storage),
    Expect(Box<Expect>),
}

/// Where a charm comes from: a folder, or files written in the scenario itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Deploy {
    #[serde(default)]
    pub(super) charm: Option<PathBuf>,
    /// Path in the charm -> content; what begins with `#!` may be executed.
    #[serde(default)]
    pub(super) files: BTreeMap<PathBuf, String>,
    #[serde(default)]
    pub(super) application: Option<String>,
    #[serde(default)]
    pub(super) units: Option<u32>,
    #[serde(default)]
    pub(super) config: BTreeMap<String, Setting>,
    #[serde(default)]
    pub(super) resources: BTreeMap<String, Resource>,
    #[serde(default)]
    pub(super) storage_delay: Option<String>,
}

/// An application, or one and the storage that the unit is to have.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum AddUnit {
    Fresh(String),
    #[serde(rename_all = "kebab-case")]
    WithStorage {
        application: String,
        attach_storage: Vec<String>,
    },
}

/// A resource's file, or the description of an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Resource {
    File(PathBuf),
    Image(serde_norway::Mapping),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Refresh {
    pub(super) application: String,
    #[serde(default)]
    pub(super) charm: Option<PathBuf>,
    #[serde(default)]
    pub(super) files: BTreeMap<PathBuf, String>,
}

/// An option's value: null sets it back, `{secret: name}` is the URI of a secret of `add-secret`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Setting {
    Reset(()),
    Bool(bool),
    Number(serde_norway::Number),
    Text(String),
    Secret { secret: String },
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) content: BTreeMap<String, String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secret({})", self.name)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) name: String,
    pub(super) application: String,
}

/// What an action is to end with.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) message: Option<Matcher>,
    /// Keys of inner results are joined by dots.
    #[serde(default)]
    pub(super) results: BTreeMap<String, Matcher>,
    /// Lines of `action-log`, in this order, perhaps with others between.
    #[serde(default)]
    pub(super) log: Vec<Matcher>,
    #[serde(default)]
    pub(super) within: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) unit: String,
    pub(super) action: String,
    #[serde(default)]
    pub(super) parameters: serde_json::Map<String, serde_json::Value>,
    /// Do not wait: `task` and `cancel` know it by this name.
    #[serde(default)]
    pub(super) background: Option<String>,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Task {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exec {
    pub(super) unit: String,
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) code: i32,
    #[serde(default)]
    pub(super) stdout: Option<Matcher>,
    #[serde(default)]
    pub(super) stderr: Option<Matcher>,
}

/// Pebble's own client, run for a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pebble {
    pub(super) unit: String,
    pub(super) container: String,
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) stdout: Option<Matcher>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Databag {
    pub(super) application: String,
    #[serde(default)]
    pub(super) unit: Option<u32>,
    pub(super) values: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fire {
    pub(super) unit: String,
    pub(super) hook: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    pub(super) unit: String,
    #[serde(default = "yes")]
    pub(super) retry: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) unit: String,
    pub(super) container: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storage {
    pub(super) unit: String,
    pub(super) storage: String,
}

/// A step in a few words.
pub(super) fn label(step: &Value) -> String {
    let Value::Mapping(step) = step else {
        return "a step is one verb with what it is about".to_owned();
    };
    let words = step.iter().map(|(verb, value)| {
        let about = match value {
            Value::Mapping(fields) => {
                let shown = fields
                    .iter()
                    .filter(|(name, _)| !name.as_str().is_some_and(|name| UNSHOWN.contains(&name)));
                let shown = shown.map(|(name, value)| format!("{}: {}", brief(name), brief(value)));
                shown.collect::<Vec<_>>().join(", ")
            }
            other => brief(other),
        };
        format!("{} {about}", brief(verb))
    });
    let text = words.collect::<Vec<_>>().join("; ");
    let mut characters = text.chars();
    let short: String = characters.by_ref().take(LABEL_CHARACTERS).collect();
    if characters.next().is_some() {
        short + "..."
    } else {
        short
    }
}

fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
