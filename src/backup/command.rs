//! The commands that the charm runs in the workload. Their texts are fixed; whatever an admin or a user chose reaches them
//! by environment or stdin and is never part of a text.

use std::collections::BTreeMap;
use std::time::Duration;

use pebble_client::{Client, ExecBuilder};
use secrecy::SecretString;

use super::catalog::BackupId;
use super::catalog::entry::names;
use super::limits::{
    CONCURRENT_REQUESTS, DATA_UID, DEFAULT_EXPECTED_SIZE_BYTES, SWEEP_AFTER, part_size_bytes,
};
use super::paths::{BackupPaths, DATA_FOLDER};
use super::s3_parameters::{S3Parameters, get_environment};
use super::workload_tools::WorkloadTools;

/// Where the Python charm's image has aws; other images have it on PATH. Which of them holds is found by
/// [`probe`](super::workload_tools::probe).
pub const AWS_COMMAND: &str = "/aws/dist/aws";

const ARCHIVE_SCRIPT: &str = concat!(
    include_str!("scripts/ground.sh"),
    include_str!("scripts/harness.sh"),
    include_str!("scripts/archive.sh")
);
const PREPARE_SCRIPT: &str = concat!(
    include_str!("scripts/ground.sh"),
    include_str!("scripts/harness.sh"),
    include_str!("scripts/prepare.sh")
);
const CLEAN_SCRIPT: &str = concat!(
    include_str!("scripts/ground.sh"),
    include_str!("scripts/clean.sh")
);
const SNAPSHOT_PROGRAM: &str = concat!(
    include_str!("scripts/inner.py"),
    include_str!("scripts/snapshot.py")
);
const MEASURE_PROGRAM: &str = concat!(
    include_str!("scripts/inner.py"),
    include_str!("scripts/measure.py")
);
const RELAY_PROGRAM: &str = include_str!("scripts/relay.py");

/// Which of a backup's two archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archive {
    /// Database, keys and settings: small.
    State,
    /// Media and the admin's extra paths: big.
    Media,
}

impl Archive {
    /// `state` or `media`.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Media => "media",
        }
    }

    /// The object's name below the backup's id. Media is compressed already.
    pub fn object(self, tools: &WorkloadTools) -> &'static str {
        match self {
            Self::State if tools.zstd.is_some() => names::STATE_ZSTD,
            Self::State => names::STATE,
            Self::Media => names::MEDIA,
        }
    }
}

/// How the passphrase reaches a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphraseSource {
    /// As the first line of stdin, which then stays open while the command may go on.
    Stdin,
}

/// What a job's commands have in common.
#[derive(Debug, Clone)]
pub struct JobContext<'a> {
    /// The programs of the image.
    pub tools: &'a WorkloadTools,
    /// The manifest inside the archives, but for what is counted there: a JSON object.
    pub inner_manifest: String,
    /// Room to leave free on the data volume, in bytes.
    pub reserve_bytes: u64,
}

/// A program with its arguments and environment; some of the environment is secret.
#[derive(Debug, Clone)]
pub struct WorkloadCommand {
    /// Program and arguments: the same for every backup.
    pub argv: Vec<String>,
    /// Everything that differs.
    pub environment: BTreeMap<String, SecretString>,
}

impl WorkloadCommand {
    pub(super) fn new(script: &str, name: &str) -> Self {
        let argv = ["nice", "-n", "10", "bash", "-c", script, name];
        Self {
            argv: argv.map(str::to_owned).into(),
            environment: BTreeMap::new(),
        }
    }

    pub(super) fn with(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    fn with_paths(mut self, prefix: &str, paths: &[String]) -> Self {
        self = self.with(format!("{prefix}S"), paths.len().to_string());
        for (index, path) in paths.iter().enumerate() {
            self = self.with(format!("{prefix}_{index}"), path.as_str());
        }
        self
    }

    pub(super) fn with_folders(self, folders: &Folders) -> Self {
        self.with("JOB_DIR", folders.job.as_str())
            .with("STAGING", folders.staging.as_str())
            .with("DATA_UID", DATA_UID.to_string())
            .with("DATA_FOLDER", DATA_FOLDER)
    }

    /// The command as Pebble runs it.
    pub(super) fn exec(self, container: &Client, timeout: Duration) -> ExecBuilder {
        let builder = container.exec(self.argv).working_dir("/").timeout(timeout);
        self.environment
            .into_iter()
            .fold(builder, |builder, (name, value)| {
                builder.environment(name, value)
            })
    }
}

/// Where a job has its folders; empty: it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// In the container; short, because gpg may put sockets there.
    pub job: String,
    /// On the data volume.
    pub staging: String,
}

impl Folders {
    /// Those of a job that makes a backup.
    pub fn of_backup(backup_key: &BackupId) -> Self {
        Self {
            job: format!("/tmp/synapse-charm-{backup_key}"),
            staging: format!("{DATA_FOLDER}/.backup-{backup_key}"),
        }
    }
}

/// The command that makes and uploads one archive. `expected_size` is the most bytes that it may have; without one it is
/// taken for 10^10.
pub fn build_backup_command(
    s3_parameters: &S3Parameters,
    backup_key: &BackupId,
    (archive, backup_paths): (Archive, &BackupPaths),
    passphrase_source: PassphraseSource,
    expected_size: Option<u64>,
    job: &JobContext<'_>,
) -> WorkloadCommand {
    // The script knows no other source.
    let PassphraseSource::Stdin = passphrase_source;
    let expected_size = expected_size.unwrap_or(DEFAULT_EXPECTED_SIZE_BYTES);
    let tools = job.tools;
    let object = s3_parameters.key(&backup_key.object(archive.object(tools)));
    let (database, zstd, paths) = match archive {
        Archive::State => (
            backup_paths.database.as_str(),
            tools.zstd.as_deref().unwrap_or_default(),
            &backup_paths.state,
        ),
        Archive::Media => ("", "", &backup_paths.media),
    };
    let mut command = WorkloadCommand::new(ARCHIVE_SCRIPT, "synapse-charm-backup")
        .with_folders(&Folders::of_backup(backup_key))
        .with_paths("BACKUP_PATH", paths)
        .with("ARCHIVE", archive.name())
        .with("DATABASE", database)
        .with("ZSTD", zstd)
        .with("PYTHON", tools.python.as_deref().unwrap_or("python3"))
        .with("AWS", tools.aws.as_deref().unwrap_or("aws"))
        .with(
            "S3_CONFIG",
            aws_config(s3_parameters, part_size_bytes(expected_size)),
        )
        .with("S3_URL", format!("s3://{}/{object}", s3_parameters.bucket))
        .with(
            "S3_ENDPOINT",
            s3_parameters.endpoint.as_deref().unwrap_or_default(),
        )
        .with("EXPECTED_SIZE", expected_size.to_string())
        .with("RESERVE_BYTES", job.reserve_bytes.to_string())
        .with("INNER_MANIFEST", job.inner_manifest.as_str())
        .with("SNAPSHOT_PY", SNAPSHOT_PROGRAM)
        .with("RELAY_PY", RELAY_PROGRAM);
    for (name, value) in get_environment(s3_parameters) {
        command = command.with(name, value);
    }
    command
}

/// The command that makes a job's folders, measures and encrypts the canary.
pub(super) fn build_prepare_command(
    s3_parameters: &S3Parameters,
    backup_key: &BackupId,
    backup_paths: &BackupPaths,
    job: &JobContext<'_>,
) -> WorkloadCommand {
    WorkloadCommand::new(PREPARE_SCRIPT, "synapse-charm-prepare")
        .with_folders(&Folders::of_backup(backup_key))
        .with_paths("STATE_PATH", &backup_paths.state)
        .with_paths("MEDIA_PATH", &backup_paths.media)
        .with("DATABASE", backup_paths.database.as_str())
        .with("PYTHON", job.tools.python.as_deref().unwrap_or("python3"))
        .with(
            "CA_PEM",
            s3_parameters.tls_ca_chain.as_deref().unwrap_or_default(),
        )
        .with("CANARY", format!("canary of {backup_key}"))
        .with("INNER_MANIFEST", job.inner_manifest.as_str())
        .with("MEASURE_PY", MEASURE_PROGRAM)
}

/// The command that removes a job's folders and what dead jobs left.
pub(super) fn build_clean_command(folders: &Folders) -> WorkloadCommand {
    WorkloadCommand::new(CLEAN_SCRIPT, "synapse-charm-clean")
        .with_folders(folders)
        .with("SWEEP_MINUTES", (SWEEP_AFTER.as_secs() / 60).to_string())
}

/// aws's configuration: no secrets. Many other servers refuse the newer request checksums; the setting for responses is
/// left alone, because with it some versions of aws never end a download.
pub(super) fn aws_config(s3_parameters: &S3Parameters, part_size_bytes: u64) -> String {
    let checksums = if s3_parameters.is_aws() {
        ""
    } else {
        "request_checksum_calculation = when_required\n"
    };
    format!(
        "[default]\nregion = {}\n{checksums}s3 =\n    addressing_style = {}\n    max_concurrent_requests = {CONCURRENT_REQUESTS}\n    \
         multipart_threshold = {part_size_bytes}\n    multipart_chunksize = {part_size_bytes}\n",
        s3_parameters.signing_region(),
        s3_parameters.addressing_style(),
    )
}

#[cfg(test)]
mod tests;
