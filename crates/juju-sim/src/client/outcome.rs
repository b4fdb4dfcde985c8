//! What verbs tell, with Juju's names for the fields.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A status and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// `active`, `blocked`, ...
    pub current: String,
    /// What the charm said with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when.
    #[serde(default)]
    pub since: String,
}

/// A unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitStatus {
    /// What the charm says.
    #[serde(rename = "workload-status")]
    pub workload: StatusInfo,
    /// What the agent does.
    #[serde(rename = "juju-status")]
    pub agent: StatusInfo,
    /// The address its programs can bind.
    pub address: String,
    /// Whether it leads.
    pub leader: bool,
    /// `8008/tcp` and the like.
    #[serde(rename = "open-ports", default)]
    pub open_ports: Vec<String>,
    /// `dying` while it is being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
}

/// An application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplicationStatus {
    /// The charm's name.
    #[serde(rename = "charm-name")]
    pub charm: String,
    /// Its own status, or the worst of its units'.
    #[serde(rename = "application-status")]
    pub status: StatusInfo,
    /// What `application-version-set` said.
    #[serde(default)]
    pub version: String,
    /// By name.
    pub units: BTreeMap<String, UnitStatus>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What `status --format json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Name, uuid and version.
    pub model: Value,
    /// By name.
    pub applications: BTreeMap<String, ApplicationStatus>,
    /// By id.
    pub storage: Value,
}

impl Status {
    /// A unit by its name.
    pub fn unit(&self, name: &str) -> Option<&UnitStatus> {
        self.applications
            .get(name.split('/').next()?)?
            .units
            .get(name)
    }

    /// All units.
    pub fn units(&self) -> impl Iterator<Item = (&String, &UnitStatus)> {
        self.applications
            .values()
            .flat_map(|application| &application.units)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self
            .units()
            .map(|(name, unit)| {
                format!(
                    "{name}: {} {:?} ({})",
                    unit.workload.current, unit.workload.message, unit.agent.current
                )
            })
            .collect();
        formatter.write_str(if all.is_empty() { "without units" } else { "" })?;
        formatter.write_str(&all.join(", "))
    }
}

/// A line of `action-log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLog {
    /// When.
    pub time: Option<String>,
    /// The line.
    pub message: String,
}

/// An action that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskOutcome {
    /// Its number.
    pub id: String,
    /// The unit.
    pub unit: String,
    /// The action's name.
    pub action: String,
    /// `pending`, `running`, `completed`, `failed`, `aborted`, ...
    pub status: String,
    /// What `action-fail` said, or Juju.
    pub message: String,
    /// What `action-set` said, with `return-code`, `stdout`, `stderr`.
    pub results: Map<String, Value>,
    /// What `action-log` said.
    pub log: Vec<TaskLog>,
    /// Whether it has ended.
    pub finished: bool,
    /// When it was queued, started, completed.
    pub timing: Map<String, Value>,
}

impl TaskOutcome {
    /// A result that is text.
    pub fn result(&self, key: &str) -> Option<&str> {
        self.results.get(key).and_then(Value::as_str)
    }
}
