//! The commands that bring a backup. As with those that make one, their texts are fixed.

use serde_json::json;

use super::{Origin, Purpose, StagingJob};
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::{ArchiveManifest, ENGINE, FORMAT, Manifest};
use crate::backup::command::{Folders, WorkloadCommand, aws_config};
use crate::backup::limits::PART_SIZE_BYTES;
use crate::backup::paths::DATA_FOLDER;
use crate::backup::s3_parameters::{S3Parameters, get_environment};

const PREPARE_SCRIPT: &str = concat!(
    include_str!("../scripts/ground.sh"),
    include_str!("../scripts/harness.sh"),
    include_str!("../scripts/fetch_prepare.sh")
);
const FETCH_SCRIPT: &str = concat!(
    include_str!("../scripts/ground.sh"),
    include_str!("../scripts/harness.sh"),
    include_str!("../scripts/fetch.sh")
);
const SETTLE_SCRIPT: &str = concat!(
    include_str!("../scripts/ground.sh"),
    include_str!("../scripts/harness.sh"),
    include_str!("../scripts/fetch_settle.sh")
);
const ROOM_PROGRAM: &str = concat!(
    include_str!("../scripts/inner.py"),
    include_str!("../scripts/room.py")
);
const EXTRACT_PROGRAM: &str = concat!(
    include_str!("../scripts/inner.py"),
    include_str!("../scripts/tar_reader.py"),
    include_str!("../scripts/extract.py")
);
const EXAMINE_PROGRAM: &str = concat!(
    include_str!("../scripts/inner.py"),
    include_str!("../scripts/examine.py")
);
const MEDIA_PROGRAM: &str = concat!(
    include_str!("../scripts/inner.py"),
    include_str!("../scripts/media_rows.py")
);

/// An archive that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'a> {
    State(&'a Manifest),
    Media(&'a Manifest),
    Legacy,
}

impl<'a> Source<'a> {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Media(_) => "media",
            Self::Legacy => "legacy",
        }
    }

    /// What the outer manifest says of it.
    pub(super) fn manifest(self) -> Option<&'a ArchiveManifest> {
        match self {
            Self::State(manifest) => Some(&manifest.state),
            Self::Media(manifest) => Some(&manifest.media),
            Self::Legacy => None,
        }
    }
}

impl Purpose {
    /// Where what is written goes.
    pub(super) fn staging(&self) -> String {
        match self {
            Self::Restore { folder, .. } => format!("{folder}/new"),
            Self::Verify { folder } => folder.clone(),
        }
    }

    pub(super) fn folders(&self) -> Folders {
        let (Self::Restore { folder, .. } | Self::Verify { folder }) = self;
        let name = folder.rsplit('/').next().unwrap_or_default();
        Folders {
            job: format!("/tmp/synapse-charm-{}", name.trim_start_matches('.')),
            staging: self.staging(),
        }
    }

    pub(super) fn wants_database(&self) -> bool {
        match self {
            Self::Restore { components, .. } => components.database(),
            Self::Verify { .. } => true,
        }
    }

    /// Kinds of members that are written to the volume; all others are only read.
    fn write(&self) -> Vec<&'static str> {
        let Self::Restore { components, .. } = self else {
            return vec!["database"];
        };
        let mut kinds = Vec::new();
        kinds.extend(components.database().then_some("database"));
        kinds.extend(components.keys().then_some("key"));
        kinds.extend(
            components
                .media()
                .then_some(["media", "extra"])
                .into_iter()
                .flatten(),
        );
        kinds
    }
}

impl StagingJob {
    /// The archives that must be read, the small one first.
    pub(super) fn sources(&self) -> Vec<Source<'_>> {
        let wants_media = match &self.purpose {
            Purpose::Restore { components, .. } => components.media(),
            Purpose::Verify { .. } => true,
        };
        match &self.origin {
            Origin::Legacy { .. } => vec![Source::Legacy],
            Origin::Ours(manifest) if wants_media => {
                vec![Source::State(manifest), Source::Media(manifest)]
            }
            Origin::Ours(manifest) => vec![Source::State(manifest)],
        }
    }

    /// Whether anything of an archive goes to the volume that is worth speaking of.
    pub(super) fn is_written(&self, source: Source<'_>) -> bool {
        match (source, &self.purpose) {
            (Source::Media(_), Purpose::Verify { .. }) => false,
            (_, purpose) => purpose.wants_database(),
        }
    }

    /// An archive's name under the path.
    pub(super) fn object(&self, source: Source<'_>) -> String {
        match (&self.origin, source.manifest()) {
            (Origin::Ours(manifest), Some(archive)) => {
                format!("{}/{}", manifest.id, archive.object)
            }
            (Origin::Ours(manifest), None) => manifest.id.clone(),
            (Origin::Legacy { object, .. }, _) => object.clone(),
        }
    }

    /// Where the staged database is.
    pub(super) fn staged_database(&self) -> String {
        format!("{}{}", self.purpose.staging(), self.database_path)
    }

    fn python(&self) -> &str {
        self.tools.python.as_deref().unwrap_or("python3")
    }

    pub(super) fn build_prepare_command(
        &self,
        s3_parameters: &S3Parameters,
        canary: &str,
    ) -> WorkloadCommand {
        let archives: Vec<_> = self.sources().into_iter().map(Source::name).collect();
        WorkloadCommand::new(PREPARE_SCRIPT, "synapse-charm-fetch-prepare")
            .with_folders(&self.purpose.folders())
            .with("ARCHIVES", archives.join(" "))
            .with("PYTHON", self.python())
            .with(
                "CA_PEM",
                s3_parameters.tls_ca_chain.as_deref().unwrap_or_default(),
            )
            .with("CANARY", canary)
            .with("ROOM_PY", ROOM_PROGRAM)
    }

    pub(super) fn build_fetch_command(
        &self,
        s3_parameters: &S3Parameters,
        source: Source<'_>,
        reserve_bytes: u64,
    ) -> WorkloadCommand {
        let has_database = !matches!(source, Source::Media(_)) && self.purpose.wants_database();
        let database = has_database.then(|| self.staged_database());
        let is_compressed = source
            .manifest()
            .is_some_and(|archive| archive.object == names::STATE_ZSTD);
        let zstd = self.tools.zstd.as_deref().filter(|_| is_compressed);
        let examine = match self.purpose {
            Purpose::Restore { .. } => "clean",
            Purpose::Verify { .. } => "look",
        };
        let key = s3_parameters.key(&self.object(source));
        let mut command = WorkloadCommand::new(FETCH_SCRIPT, "synapse-charm-fetch")
            .with_folders(&self.purpose.folders())
            .with("ARCHIVE", source.name())
            .with("PLAN", self.plan(source, reserve_bytes))
            .with("DATABASE", database.unwrap_or_default())
            .with("SERVER_NAME", self.server_name.as_str())
            .with("EXAMINE", examine)
            .with("PYTHON", self.python())
            .with("AWS", self.tools.aws.as_deref().unwrap_or("aws"))
            .with("ZSTD", zstd.unwrap_or_default())
            .with("S3_CONFIG", aws_config(s3_parameters, PART_SIZE_BYTES))
            .with("S3_URL", format!("s3://{}/{key}", s3_parameters.bucket))
            .with(
                "S3_ENDPOINT",
                s3_parameters.endpoint.as_deref().unwrap_or_default(),
            )
            .with("EXTRACT_PY", EXTRACT_PROGRAM)
            .with("EXAMINE_PY", EXAMINE_PROGRAM);
        for (name, value) in get_environment(s3_parameters) {
            command = command.with(name, value);
        }
        command
    }

    fn plan(&self, source: Source<'_>, reserve_bytes: u64) -> String {
        let (format, id) = match &self.origin {
            Origin::Ours(manifest) => (Some(FORMAT), manifest.id.as_str()),
            Origin::Legacy { id, .. } => (None, id.as_str()),
        };
        let plan = json!({
            "staging": self.purpose.staging(),
            "folder": DATA_FOLDER,
            "reserve_bytes": reserve_bytes,
            "archive": source.name(),
            "write": self.purpose.write(),
            "database": self.database_path,
            "media_store": self.media_store_path,
            "format": format,
            "id": id,
            "server_name": self.server_name,
            "engine": ENGINE,
        });
        plan.to_string()
    }

    pub(super) fn build_settle_command(&self) -> WorkloadCommand {
        let (database, media) = match &self.purpose {
            Purpose::Restore { components, .. } if components.media() => (
                self.staged_database(),
                format!("{}{}", self.purpose.staging(), self.media_store_path),
            ),
            Purpose::Restore { components, .. } if components.database() => {
                (self.staged_database(), self.media_store_path.clone())
            }
            Purpose::Restore { .. } | Purpose::Verify { .. } => (String::new(), String::new()),
        };
        WorkloadCommand::new(SETTLE_SCRIPT, "synapse-charm-fetch-settle")
            .with_folders(&self.purpose.folders())
            .with("DATABASE", database)
            .with("MEDIA_STORE", media)
            .with("PYTHON", self.python())
            .with("MEDIA_PY", MEDIA_PROGRAM)
    }
}
