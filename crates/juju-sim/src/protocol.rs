//! What a client may ask of a model's controller: one line of JSON each way.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub(crate) enum Request {
    Deploy {
        source: PathBuf,
        name: Option<String>,
        config: BTreeMap<String, String>,
        resources: BTreeMap<String, PathBuf>,
        units: u32,
        storage_delay_ms: u64,
        #[serde(default)]
        allow_missing_images: bool,
    },
    DeployRemote {
        text: String,
        name: Option<String>,
    },
    Config {
        application: String,
        set: BTreeMap<String, String>,
        reset: Vec<String>,
    },
    Integrate {
        one: String,
        other: String,
    },
    RemoveRelation {
        one: String,
        other: String,
    },
    AddSecret {
        name: String,
        content: BTreeMap<String, String>,
        info: Option<String>,
    },
    UpdateSecret {
        name: String,
        content: BTreeMap<String, String>,
    },
    GrantSecret {
        name: String,
        applications: Vec<String>,
        grant: bool,
    },
    RemoveSecret {
        name: String,
    },
    Secrets,
    Run {
        unit: String,
        action: String,
        parameters: serde_json::Map<String, Value>,
    },
    Task {
        number: u32,
        log_after: usize,
    },
    CancelTask {
        number: u32,
    },
    Status,
    DebugLog {
        after: u64,
    },
    Exec {
        unit: String,
        words: Vec<String>,
    },
    AddUnit {
        application: String,
        count: u32,
        #[serde(default)]
        attach_storage: Vec<String>,
    },
    ScaleApplication {
        application: String,
        units: u32,
    },
    AttachStorage {
        unit: String,
        storage: String,
    },
    PebbleProgram,
    /// The time to rotate a charm's secret, or its latest revision's end, is now.
    SecretDue {
        secret: String,
        expire: bool,
    },
    RemoveUnit {
        unit: String,
    },
    RemoveApplication {
        application: String,
    },
    SetDatabag {
        application: String,
        unit: Option<u32>,
        values: BTreeMap<String, String>,
    },
    ShowUnit {
        unit: String,
    },
    SetLeader {
        unit: String,
    },
    Fire {
        unit: String,
        hook: String,
    },
    Resolved {
        unit: String,
        retry: bool,
    },
    Refresh {
        application: String,
        source: Option<PathBuf>,
    },
    ReplacePod {
        unit: String,
    },
    RestartAgent {
        unit: String,
        disk_lost: bool,
    },
    KillContainer {
        unit: String,
        container: String,
    },
    RestartContainer {
        unit: String,
        container: String,
    },
    KillCharm {
        unit: String,
    },
    DetachStorage {
        unit: String,
        storage: String,
    },
    Expose {
        unit: String,
        port: u16,
    },
    Paths {
        unit: String,
    },
    Destroy,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Done(Value),
    Refused(String),
}
