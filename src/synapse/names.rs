//! Where Synapse's things are in the workload container, and under which names Pebble knows
//! them. Everything that must agree on a path takes it from here.

/// The workload container, as `metadata.yaml` names it.
pub const CONTAINER: &str = "synapse";
/// Pebble's socket as the charm container sees it.
pub const PEBBLE_SOCKET: &str = "/charm/containers/synapse/pebble.socket";
/// The Pebble service that runs the homeserver.
pub const SERVICE: &str = "synapse";
/// The label of the one layer that the charm adds.
pub const LAYER_LABEL: &str = "synapse-charm";
/// The Pebble check that asks Synapse whether it serves.
pub const CHECK: &str = "synapse-ready";

/// The Juju storage that holds the volume, as `metadata.yaml` names it.
pub const STORAGE: &str = "data";
/// Where that volume is mounted in the workload container.
pub const DATA_DIR: &str = "/data";
/// Synapse's configuration, rendered by the charm.
pub const HOMESERVER_YAML: &str = "/data/homeserver.yaml";
/// Where Synapse is told to log to, rendered by the charm.
pub const LOG_CONFIG: &str = "/data/log.config";
/// The SQLite database.
pub const DATABASE: &str = "/data/homeserver.db";
/// The media that users uploaded (`local_*`) and what was fetched from elsewhere.
pub const MEDIA_STORE: &str = "/data/media_store";
/// How the folders begin in which backups are made, and looked at.
pub const BACKUP_STAGING: [&str; 2] = ["/data/.backup-", "/data/.verify-"];
/// How the folders of restores begin.
pub const RESTORE_STAGING: &str = "/data/.restore-";
/// Where a job has its files while it is open.
pub const JOB_DIR: &str = "/data/.synapse-charm";
/// How far a job is.
pub const JOURNAL: &str = "/data/.synapse-charm/journal.json";
/// Synapse's configuration for a trial start.
pub const TRIAL_YAML: &str = "/data/.synapse-charm/trial.yaml";
/// Where Synapse is told to log to in a trial start.
pub const TRIAL_LOG_CONFIG: &str = "/data/.synapse-charm/trial-log.config";
/// The Pebble service that wakes the charm while a job is open.
pub const WAKER: &str = "job-waker";
/// The notice by which it does.
pub const WAKER_NOTICE: &str = "synapse.charm/job-resume";

/// The user that runs Synapse where the container has root.
pub const UID: u32 = 991;
/// The group that runs Synapse where the container has root.
pub const GID: u32 = 991;

/// The port of the one listener: clients, federation and health.
pub const PORT: u16 = 8008;

/// The last part of the signing key's file name, after the server name.
pub const SIGNING_KEY_SUFFIX: &str = ".signing.key";

/// Returns the full path of the signing key of `server_name`.
pub fn signing_key(server_name: &str) -> String {
    format!("{DATA_DIR}/{server_name}{SIGNING_KEY_SUFFIX}")
}

/// Returns the full path of the macaroon secret of `server_name`.
pub fn macaroon_key(server_name: &str) -> String {
    format!("{DATA_DIR}/{server_name}.macaroon.key")
}

/// Returns the full path of the form secret of `server_name`.
pub fn form_key(server_name: &str) -> String {
    format!("{DATA_DIR}/{server_name}.form.key")
}

/// Returns the full path of the registration shared secret of `server_name`.
pub fn registration_key(server_name: &str) -> String {
    format!("{DATA_DIR}/{server_name}.registration.key")
}
