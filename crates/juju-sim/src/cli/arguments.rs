//! What may stand on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(
    name = "juju-sim",
    version,
    about = "A Juju model on one machine, for charm authors. Not a place to run anything for users."
)]
pub(super) struct Arguments {
    /// The model; without it the one added last
    #[arg(short, long, global = true)]
    pub(super) model: Option<String>,
    /// The model's folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Tabular,
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(super) struct AddModelArguments {
    pub(super) name: String,
    /// A port of every unit's loopback that leads to a server of this machine: PORT=ADDRESS:PORT or PORT=/path/of.socket
    #[arg(long, value_name = "PORT=TO")]
    pub(super) forward: Vec<String>,
    /// The Pebble program; without it the one on PATH
    #[arg(long)]
    pub(super) pebble: Option<PathBuf>,
    /// How often update-status fires by itself, such as 5m; without it only by `fire`
    #[arg(long, value_name = "TIME")]
    pub(super) update_status: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct DeployArguments {
    pub(super) charm: PathBuf,
    pub(super) application: Option<String>,
    #[arg(long, value_name = "OPTION=VALUE")]
    pub(super) config: Vec<String>,
    #[arg(long, value_name = "NAME=FILE")]
    pub(super) resource: Vec<String>,
    #[arg(short, long, default_value_t = 1)]
    pub(super) num_units: u32,
    /// How long storage takes until it is there, such as 3s
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(super) storage_delay: String,
    #[arg(long, hide = true)]
    pub(super) trust: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    pub(super) application: String,
    /// OPTION=VALUE sets (VALUE may be @FILE), OPTION shows
    pub(super) settings: Vec<String>,
    #[arg(long, value_delimiter = ',')]
    pub(super) reset: Vec<String>,
    #[arg(long, value_enum, default_value = "yaml")]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    pub(super) unit: String,
    pub(super) action: String,
    /// KEY=VALUE; values are YAML, dots nest
    pub(super) parameters: Vec<String>,
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(super) wait: String,
    /// Do not wait
    #[arg(long)]
    pub(super) background: bool,
    #[arg(long, value_enum, default_value = "tabular")]
    pub(super) format: OutputFormat,
    /// Values are text, not YAML
    #[arg(long)]
    pub(super) string_args: bool,
}

#[derive(Debug, Args)]
pub(super) struct DebugLogArguments {
    /// Show what there is and end
    #[arg(long)]
    pub(super) no_tail: bool,
    /// Show all from the beginning
    #[arg(long)]
    pub(super) replay: bool,
    #[arg(short, long)]
    pub(super) include: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScenarioVerb {
    Run(ScenarioArguments),
}

#[derive(Debug, Args)]
pub(super) struct ScenarioArguments {
    pub(super) file: PathBuf,
    /// The Pebble program; without it the one on PATH
    #[arg(long)]
    pub(super) pebble: Option<PathBuf>,
    /// Leave the model running, to look at
    #[arg(long)]
    pub(super) keep: bool,
    #[arg(long, value_enum, default_value = "tabular")]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Start a model in the background
    AddModel(AddModelArguments),
    /// Deploy a charm's folder, or a YAML file that describes an application without a charm
    Deploy(DeployArguments),
    /// Show or set options
    Config(ConfigArguments),
    /// Relate two applications
    #[command(visible_alias = "relate")]
    Integrate {
        one: String,
        other: String,
    },
    RemoveRelation {
        one: String,
        other: String,
    },
    /// Add an operator's secret; prints its URI
    AddSecret {
        name: String,
        /// KEY=VALUE or KEY#file=PATH
        #[arg(required = true)]
        content: Vec<String>,
        #[arg(long)]
        info: Option<String>,
    },
    UpdateSecret {
        name: String,
        #[arg(required = true)]
        content: Vec<String>,
    },
    GrantSecret {
        name: String,
        #[arg(value_delimiter = ',')]
        applications: Vec<String>,
    },
    RevokeSecret {
        name: String,
        #[arg(value_delimiter = ',')]
        applications: Vec<String>,
    },
    RemoveSecret {
        name: String,
    },
    Secrets {
        #[arg(long, value_enum, default_value = "tabular")]
        format: OutputFormat,
    },
    /// Run an action and wait for its end
    Run(RunArguments),
    ShowTask {
        id: u32,
        #[arg(long, value_name = "TIME", default_value = "0s")]
        wait: String,
        #[arg(long, value_enum, default_value = "tabular")]
        format: OutputFormat,
    },
    CancelTask {
        id: u32,
    },
    Status {
        #[arg(long, value_enum, default_value = "tabular")]
        format: OutputFormat,
        #[arg(long)]
        relations: bool,
    },
    /// Wait until a unit's workload has a status
    WaitFor {
        unit: String,
        #[arg(default_value = "active")]
        status: String,
        #[arg(long, value_name = "TIME", default_value = "10m")]
        timeout: String,
    },
    DebugLog(DebugLogArguments),
    /// Run a command beside the charm, hook commands at hand
    Exec {
        #[arg(long)]
        unit: String,
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    AddUnit {
        application: String,
        #[arg(short, long, default_value_t = 1)]
        num_units: u32,
        /// Storage that another unit left, by its id
        #[arg(
            long,
            value_name = "ID",
            value_delimiter = ',',
            conflicts_with = "num_units"
        )]
        attach_storage: Vec<String>,
    },
    RemoveUnit {
        #[arg(required = true)]
        units: Vec<String>,
    },
    /// Add or remove units until there are so many
    ScaleApplication {
        application: String,
        units: u32,
    },
    RemoveApplication {
        application: String,
    },
    ShowUnit {
        unit: String,
    },
    /// Run a failed hook again, or skip it
    Resolved {
        unit: String,
        #[arg(long)]
        no_retry: bool,
    },
    /// Take a charm's files anew
    Refresh {
        application: String,
        #[arg(long)]
        path: Option<PathBuf>,
    },
    /// End the model and all it started
    DestroyModel {
        name: Option<String>,
        #[arg(long, hide = true)]
        no_prompt: bool,
        #[arg(long, hide = true)]
        destroy_storage: bool,
        #[arg(long, hide = true)]
        force: bool,
    },
    /// Lead a port of this machine's loopback to a port of a unit; prints the address
    Expose {
        unit: String,
        port: u16,
    },
    /// (test) Change the databag of an application without a charm
    SetDatabag {
        application: String,
        #[arg(required = true)]
        values: Vec<String>,
        #[arg(long)]
        unit: Option<u32>,
    },
    /// (test) Fire a hook that needs nothing else to be told
    Fire {
        unit: String,
        hook: String,
    },
    /// (test) Move leadership
    SetLeader {
        unit: String,
    },
    /// (test) Let the time come to rotate a charm's secret, by URI or label
    RotateSecret {
        secret: String,
    },
    /// (test) Let the latest revision of a charm's secret expire
    ExpireSecret {
        secret: String,
    },
    /// (test) Replace a unit's pod
    ReplacePod {
        unit: String,
    },
    /// (test) End a unit's agent and start it again, containers untouched
    RestartAgent {
        unit: String,
        /// The charm's files are unpacked anew
        #[arg(long)]
        disk_lost: bool,
    },
    /// (test) Kill a container's Pebble
    KillContainer {
        unit: String,
        container: String,
    },
    /// (test) Restart a container cleanly
    RestartContainer {
        unit: String,
        container: String,
    },
    /// (test) Kill the charm that runs in a unit now
    KillCharm {
        unit: String,
    },
    /// (test) Detach a unit's storage
    DetachStorage {
        unit: String,
        storage: String,
    },
    /// (test) Give a unit back storage that was detached from it
    AttachStorage {
        unit: String,
        storage: String,
    },
    /// (test) Show where a unit's things are on this machine
    Paths {
        unit: String,
    },
    /// Take the steps of a scenario file in a model of its own
    #[command(subcommand)]
    Scenario(ScenarioVerb),
    #[command(hide = true)]
    Controller {
        #[arg(long)]
        forward: Vec<String>,
        #[arg(long)]
        pebble: Option<PathBuf>,
        #[arg(long)]
        update_status: Option<String>,
        #[arg(long)]
        die_with_parent: bool,
    },
}
