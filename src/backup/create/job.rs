//! One run of create-backup, from preflight to clean-up.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use pebble_client::Client;
use serde_json::json;
use tokio::sync::oneshot;

use super::failure::{BackupError, Stage};
use super::pipeline::{Made, Runner, of_end};
use super::progress::{Counters, Progress};
use super::receipt::Receipt;
use super::report::{Measured, Report};
use super::{CreateJob, markers, watch};
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::{ArchiveManifest, FORMAT, Manifest};
use crate::backup::catalog::{BackupId, ID_PREFIX, table};
use crate::backup::command::{
    Archive, JobContext, PassphraseSource, build_backup_command, build_clean_command,
    build_prepare_command,
};
use crate::backup::limits::{CLEAN_UP, PREPARE, SNAPSHOT_ROOM_PERCENT, reserve_bytes};
use crate::backup::owner::Owner;
use crate::backup::passphrase::Passphrase;
use crate::backup::paths::{BackupPaths, get_paths_to_backup};
use crate::backup::s3_client::S3Client;
use crate::backup::s3_parameters::S3Parameters;

/// A job and what it works with.
#[derive(Debug)]
pub(super) struct Running<'a> {
    container: &'a Client,
    s3_parameters: &'a S3Parameters,
    pub(super) s3_client: S3Client,
    pub(super) backup_key: &'a BackupId,
    passphrase: &'a Passphrase,
    pub(super) job: &'a CreateJob,
    pub(super) began: Instant,
    pub(super) started: Timestamp,
}

/// What preparing found.
struct Prepared {
    measured: Measured,
    canary: Vec<u8>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        container: &'a Client,
        s3_parameters: &'a S3Parameters,
        backup_key: &'a BackupId,
        passphrase: &'a Passphrase,
        job: &'a CreateJob,
    ) -> Result<Self, BackupError> {
        let s3_client = S3Client::new(s3_parameters)?;
        let (began, started) = (Instant::now(), Timestamp::now());
        Ok(Self {
            container,
            s3_parameters,
            s3_client,
            backup_key,
            passphrase,
            job,
            began,
            started,
        })
    }

    /// Looks whether a job can begin; writes nothing.
    pub(super) async fn preflight(&self) -> Result<(), BackupError> {
        if !self.job.tools.missing.is_empty() {
            let message = format!(
                "the workload's image cannot run {}",
                self.job.tools.missing.join(", ")
            );
            return Err(BackupError::new(
                Stage::Preflight,
                message,
                "use an image that has these programs",
            ));
        }
        self.s3_client.check_bucket().await?;
        let owner = self.owner();
        match owner.may_write(&self.s3_client).await? {
            Ok(()) => {
                // What a killed aws left is billed and never listed; some keys may not see it.
                if let Err(error) = self.s3_client.abort_uploads(ID_PREFIX).await {
                    tracing::debug!("{error}");
                }
                Ok(())
            }
            Err(_) if self.job.take_over => Ok(()),
            Err(foreign) => Err(BackupError::foreign(&foreign, self.s3_client.place())),
        }
    }

    /// Makes the backup.
    pub(super) async fn make(&self, progress: &mut dyn Progress) -> Result<Receipt, BackupError> {
        let found = get_paths_to_backup(
            self.container,
            &self.job.database_path,
            &self.job.media_store_path,
            &self.job.extra_paths,
        );
        let prepare = async {
            let paths = found.await.map_err(BackupError::from)?;
            let prepared = self.prepare(&paths).await?;
            Ok((paths, prepared))
        };
        let ((paths, prepared), ()) = tokio::try_join!(prepare, self.write_marks())?;
        check_room(&prepared.measured)?;
        let canary = self.backup_key.object(names::CANARY);
        let upload_canary = self.s3_client.put(&canary, prepared.canary.clone());
        let archives = self.make_archives(&paths, &prepared.measured, progress);
        let (made, ()) = tokio::try_join!(archives, async {
            upload_canary.await.map_err(BackupError::from)
        })?;
        let manifest = self.manifest(&prepared.measured, &made);
        self.verify(&manifest).await?;
        markers::commit(&self.s3_client, self.backup_key, &manifest).await?;
        Ok(self.receipt(manifest, &prepared.measured, &made))
    }

    /// Ends what is left, whatever the result; within 20 s, because a pod that stops has no more.
    pub(super) async fn clean_up(&self, failed: Option<&BackupError>) {
        let work = async {
            let clean = build_clean_command(Some(self.backup_key)).exec(self.container, CLEAN_UP);
            if let Err(error) = clean.output_limit_bytes(4096).output().await {
                tracing::warn!("cannot clean up in the workload: {error}");
            }
            let Some(error) = failed else { return };
            if let Err(error) = markers::fail(&self.s3_client, self.backup_key, error).await {
                tracing::warn!("{error}");
            }
            if let Err(error) = self.s3_client.abort_uploads(self.backup_key.as_str()).await {
                tracing::warn!("{error}");
            }
        };
        if tokio::time::timeout(CLEAN_UP, work).await.is_err() {
            tracing::warn!("clean-up took too long; the next job sweeps what is left");
        }
    }

    fn owner(&self) -> Owner {
        Owner::new(
            &self.job.model_uuid,
            &self.job.application,
            &self.job.server_name,
        )
    }

    fn runner(&self, timeout: Duration) -> Runner<'_> {
        Runner {
            container: self.container,
            s3_parameters: self.s3_parameters,
            passphrase: self.passphrase,
            timeout,
        }
    }

    fn deadline(&self) -> Instant {
        self.began + self.job.max_duration
    }

    async fn write_marks(&self) -> Result<(), BackupError> {
        self.owner().write(&self.s3_client).await?;
        markers::start(&self.s3_client, self.backup_key, self.job).await?;
        Ok(())
    }

    fn context(&self, paths: &BackupPaths, reserve_bytes: u64) -> JobContext<'_> {
        let inner_manifest = json!({
            "format": FORMAT,
            "id": self.backup_key.as_str(),
            "server_name": self.job.server_name,
            "synapse_version": self.job.tools.synapse_version,
            "engine": "sqlite",
            "database": paths.database,
            "state_paths": paths.state,
            "media_paths": paths.media,
        });
        JobContext {
            tools: &self.job.tools,
            inner_manifest: inner_manifest.to_string(),
            reserve_bytes,
        }
    }

    async fn prepare(&self, paths: &BackupPaths) -> Result<Prepared, BackupError> {
        let command = build_prepare_command(
            self.s3_parameters,
            self.backup_key,
            paths,
            &self.context(paths, 0),
        );
        let (mut measured, mut canary) = (None, None);
        let take_report = |report| match report {
            Report::Measured(found) => measured = Some(*found),
            Report::Canary(text) => canary = STANDARD.decode(text).ok(),
            _ => {}
        };
        let ended = self
            .runner(PREPARE)
            .run(command, take_report, |_| true)
            .await?;
        match (measured, canary) {
            (Some(measured), Some(canary)) if ended.status.success() => {
                Ok(Prepared { measured, canary })
            }
            _ => Err(of_end(&ended)),
        }
    }

    async fn make_archives(
        &self,
        paths: &BackupPaths,
        measured: &Measured,
        progress: &mut dyn Progress,
    ) -> Result<(Made, Made), BackupError> {
        let context = self.context(paths, reserve_bytes(measured.volume_bytes));
        let command = |archive, size_bytes| {
            let source = PassphraseSource::Stdin;
            build_backup_command(
                self.s3_parameters,
                self.backup_key,
                (archive, paths),
                source,
                Some(size_bytes),
                &context,
            )
        };
        let runner = self.runner(self.job.max_duration);
        let (state_counters, media_counters) = (Counters::default(), Counters::default());
        let (pin, pinned) = oneshot::channel();
        let state = command(Archive::State, measured.state.archive_bytes);
        let making = runner.make_archive("state", state, &state_counters, Some(pin));
        let state = self.settled(Archive::State, Box::pin(making));
        let media = async {
            // Never, when the snapshot fails: then the other side of the join says why.
            if pinned.await.is_err() {
                std::future::pending::<()>().await;
            }
            let media = command(Archive::Media, measured.media.archive_bytes);
            let making = runner.make_archive("media", media, &media_counters, None);
            self.settled(Archive::Media, Box::pin(making)).await
        };
        let total_bytes = measured.state.archive_bytes + measured.media.archive_bytes;
        let pipelines = [("state", &state_counters), ("media", &media_counters)];
        tokio::select! {
            made = async { tokio::try_join!(state, media) } => made,
            error = watch::watch(pipelines, total_bytes, self.deadline(), progress) => Err(error),
            error = markers::beat(&self.s3_client, self.backup_key, self.job) => Err(error),
        }
    }

    /// An archive of which aws says that it failed is looked for at once, not after hours of the other one.
    async fn settled(
        &self,
        archive: Archive,
        making: impl Future<Output = Result<Made, BackupError>>,
    ) -> Result<Made, BackupError> {
        let mut made = making.await?;
        if let Some(doubt) = made.doubt.take() {
            let name = self.backup_key.object(archive.object(&self.job.tools));
            if self.s3_client.size_bytes(&name).await? != Some(made.sent.bytes) {
                return Err(doubt);
            }
            tracing::warn!("{doubt}; but it is stored whole");
        }
        Ok(made)
    }

    /// Compares what arrived with what was sent.
    async fn verify(&self, manifest: &Manifest) -> Result<(), BackupError> {
        tokio::try_join!(self.look(&manifest.state), self.look(&manifest.media))?;
        Ok(())
    }

    async fn look(&self, archive: &ArchiveManifest) -> Result<(), BackupError> {
        let (object, sent) = (&archive.object, archive.size_bytes);
        let stored = self
            .s3_client
            .size_bytes(&self.backup_key.object(object))
            .await?;
        let has = match stored {
            Some(stored) if stored == sent => return Ok(()),
            Some(stored) => format!("has {stored} bytes of it"),
            None => "does not have it".to_owned(),
        };
        Err(BackupError::new(
            Stage::Verify,
            format!("{sent} bytes of {object} were sent, but the S3 server {has}"),
            "look at the S3 server's log, then run create-backup again",
        ))
    }
}

fn check_room(measured: &Measured) -> Result<(), BackupError> {
    let copy = measured
        .database_bytes
        .saturating_mul(SNAPSHOT_ROOM_PERCENT)
        / 100;
    let needed = copy.saturating_add(reserve_bytes(measured.volume_bytes));
    if measured.free_bytes >= needed {
        return Ok(());
    }
    let message = format!(
        "the copy of the database needs {} of free space on the volume and there are {}",
        table::size(needed),
        table::size(measured.free_bytes)
    );
    Err(BackupError::new(
        Stage::Preflight,
        message,
        "make the volume larger or remove what is not needed",
    ))
}
