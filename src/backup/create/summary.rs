//! What is written and told of a job that succeeded.

use jiff::{SignedDuration, Timestamp};

use super::job::Running;
use super::pipeline::Made;
use super::receipt::{Receipt, RestoreInPlace};
use super::report::Measured;
use crate::backup::catalog::manifest::{ArchiveManifest, ENGINE, FORMAT, Manifest};
use crate::backup::catalog::{Contents, table};
use crate::backup::command::Archive;
use crate::backup::limits::{
    CLOCK_SKEW_WARNING, MEMORY_WORTH_TELLING_BYTES, aws_memory_bytes, part_size_bytes,
    reserve_bytes,
};

impl Running<'_> {
    pub(super) fn manifest(&self, measured: &Measured, (state, media): &(Made, Made)) -> Manifest {
        // Each archive has two members of ours.
        let archive =
            |archive: Archive, made: &Made, entries: u64, file_bytes: u64| ArchiveManifest {
                object: archive.object(&self.job.tools).to_owned(),
                size_bytes: made.sent.bytes,
                sha256: made.sent.sha256.clone(),
                entries: entries + 2,
                file_bytes,
            };
        Manifest {
            format: FORMAT,
            id: self.backup_key.to_string(),
            server_name: self.job.server_name.clone(),
            engine: ENGINE.to_owned(),
            synapse_version: self.job.tools.synapse_version.clone(),
            schema_version: state.copied.schema_version,
            compat_version: state.copied.compat_version,
            started: self.started,
            finished: Timestamp::now(),
            changed_while_read: media.changed,
            state: archive(
                Archive::State,
                state,
                state.copied.entries,
                state.copied.bytes,
            ),
            media: archive(
                Archive::Media,
                media,
                measured.media.entries,
                measured.media.bytes,
            ),
            contents: Some(Contents {
                // Not for everybody who can read the bucket.
                users: None,
                ..contents(measured, state)
            }),
        }
    }

    pub(super) fn receipt(
        &self,
        manifest: Manifest,
        measured: &Measured,
        (state, _): &(Made, Made),
    ) -> Receipt {
        let needed = manifest.state.file_bytes
            + manifest.media.file_bytes
            + reserve_bytes(measured.volume_bytes);
        Receipt {
            backup_id: self.backup_key.clone(),
            size_bytes: manifest.state.size_bytes + manifest.media.size_bytes,
            duration: self.began.elapsed(),
            contents: contents(measured, state),
            restore_in_place: RestoreInPlace::new(needed, measured.free_bytes),
            warnings: self.warnings(&manifest, measured),
            manifest,
        }
    }

    fn warnings(&self, manifest: &Manifest, measured: &Measured) -> Vec<String> {
        let mut warnings = Vec::new();
        let limit = SignedDuration::try_from(CLOCK_SKEW_WARNING).unwrap_or(SignedDuration::MAX);
        if let Some(skew) = self
            .s3_client
            .clock_skew()
            .filter(|skew| skew.abs() > limit)
        {
            warnings.push(format!(
                "the S3 server's clock is {} s off this machine's",
                skew.as_secs()
            ));
        }
        let memory = aws_memory_bytes(part_size_bytes(measured.media.archive_bytes));
        if memory > MEMORY_WORTH_TELLING_BYTES {
            warnings.push(format!(
                "a backup of this size needs {} of memory for aws",
                table::size(memory)
            ));
        }
        if measured.media.files == 0 {
            warnings.push("there is no local media in it".to_owned());
        }
        if manifest.changed_while_read > 0 {
            warnings.push(format!(
                "{} media files changed or went while they were read",
                manifest.changed_while_read
            ));
        }
        warnings
    }
}

fn contents(measured: &Measured, state: &Made) -> Contents {
    Contents {
        database_bytes: state.copied.database_bytes,
        users: state.copied.users,
        state_files: measured.state.files,
        media_files: measured.media.files,
        media_bytes: measured.media.bytes,
    }
}
