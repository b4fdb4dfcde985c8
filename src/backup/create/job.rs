//! One run of create-backup, from preflight to clean-up.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use pebble_client::Client;
use serde_json::json;
use tokio::sync::oneshot;

use super::pipeline::Made;
use super::receipt::Receipt;
use super::report::{Contents, Measured, Report};
use super::{CreateJob, markers};
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::{ArchiveManifest, ENGINE, FORMAT, Manifest};
use crate::backup::catalog::{BackupId, ID_PREFIX, table};
use crate::backup::command::{
    Archive, Folders, JobContext, PassphraseSource, build_backup_command, build_clean_command,
    build_prepare_command,
};
use crate::backup::job::patience::patiently;
use crate::backup::job::progress::{Counters, JobCounters};
use crate::backup::job::watch::watch;
use crate::backup::job::{BackupError, NextStep, Progress, Runner, Stage, of_end};
use crate::backup::limits::{
    CLEAN_UP, GROWTH_DIVISOR, LEAST_GROWTH_BYTES, SNAPSHOT_ROOM_PERCENT, reserve_bytes,
};
use crate::backup::owner::{Claim, Owner};
use crate::backup::passphrase::Passphrase;
use crate::backup::paths::{BackupPaths, get_paths_to_backup};
use crate::backup::s3_client::S3Client;
use crate::backup::s3_error::S3Error;
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

    /// Looks whether a job can begin; writes nothing. Returns why it may write to the path.
    pub(super) async fn preflight(&self) -> Result<Claim, BackupError> {
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
        match self.owner().look(&self.s3_client).await? {
            Ok(claim) => Ok(claim),
            Err(_) if self.job.take_over => Ok(Claim::TakenOver),
            Err(foreign) => Err(BackupError::foreign(&foreign, self.s3_client.place())),
        }
    }

    /// Makes the backup.
    pub(super) async fn make(
        &self,
        claim: Claim,
        progress: &mut dyn Progress,
    ) -> Result<Receipt, BackupError> {
        let counters = JobCounters::default();
        let mut beating = pin!(markers::beat(&self.s3_client, self.backup_key, self.job));
        let (measured, made) = tokio::select! {
            uploaded = self.upload(claim, &counters) => uploaded?,
            error = watch(&counters, self.deadline(), progress) => return Err(error),
            error = &mut beating => return Err(error),
        };
        let manifest = self.manifest(&measured, &made);
        // Everything is stored: no time limit and no missed heartbeat takes that away.
        tokio::select! {
            done = self.commit(&manifest) => done?,
            () = async { beating.await; std::future::pending().await } => {}
        }
        Ok(self.receipt(manifest, &measured, &made))
    }

    /// Measures, makes both archives and looks at what arrived.
    async fn upload(
        &self,
        claim: Claim,
        counters: &JobCounters,
    ) -> Result<(Measured, (Made, Made)), BackupError> {
        let found = get_paths_to_backup(
            self.container,
            &self.job.database_path,
            &self.job.media_store_path,
            &self.job.extra_paths,
        );
        let prepare = async {
            let paths = found.await.map_err(BackupError::from)?;
            let prepared = self.prepare(&paths, &counters.prepare).await?;
            Ok((paths, prepared))
        };
        let ((paths, prepared), ()) = tokio::try_join!(prepare, self.write_marks(claim))?;
        check_room(&prepared.measured)?;
        if claim == Claim::Ours {
            // What a killed aws of ours left is billed and never listed. Preparing had the lock, so none of ours runs.
            self.abort_uploads(ID_PREFIX, is_archive_of_ours).await;
        }
        let measured = prepared.measured;
        let total_bytes = measured.state.archive_bytes + measured.media.archive_bytes;
        counters.total_bytes.store(total_bytes, Ordering::Relaxed);
        let canary = self.backup_key.object(names::CANARY);
        let upload_canary = self.s3_client.put(&canary, prepared.canary);
        let (made, ()) =
            tokio::try_join!(self.make_archives(&paths, &measured, counters), async {
                upload_canary.await.map_err(BackupError::from)
            })?;
        check_growth(&measured.media, made.1.sent.bytes)?;
        self.verify(&self.manifest(&measured, &made)).await?;
        Ok((measured, made))
    }

    /// Makes a backup of what was uploaded, unless somebody claimed the path meanwhile.
    async fn commit(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let patient = self.s3_client.patient();
        let owner = self.owner();
        match patiently(async || owner.look(&patient).await).await? {
            Ok(_) => Ok(markers::commit(&patient, self.backup_key, manifest).await?),
            Err(foreign) => Err(BackupError::foreign(&foreign, patient.place())),
        }
    }

    /// Ends what is left, whatever the result; within 20 s, because a pod that stops has no more.
    pub(super) async fn clean_up(&self, failed: Option<&BackupError>) {
        let work = async {
            let clean = build_clean_command(&Folders::of_backup(self.backup_key));
            let clean = clean.exec(self.container, CLEAN_UP);
            match clean.output_limit_bytes(4096).output().await {
                Ok(cleaned) if cleaned.status.success() => {}
                Ok(cleaned) => {
                    let said = String::from_utf8_lossy(&cleaned.stderr);
                    tracing::warn!("cannot clean up in the workload: {}", said.trim());
                }
                Err(error) => tracing::warn!("cannot clean up in the workload: {error}"),
            }
            let Some(error) = failed else { return };
            if let Err(error) = markers::fail(&self.s3_client, self.backup_key, error).await {
                tracing::warn!("{error}");
            }
            self.abort_uploads(self.backup_key.as_str(), is_archive_of_ours)
                .await;
        };
        if tokio::time::timeout(CLEAN_UP, work).await.is_err() {
            tracing::warn!("clean-up took too long; the next job sweeps what is left");
        }
    }

    async fn abort_uploads(&self, prefix: &str, ours: fn(&str) -> bool) {
        // Some keys may not see or abort any.
        match self.s3_client.abort_uploads(prefix, ours).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("aborted {count} incomplete uploads of dead backups"),
            Err(error) => tracing::warn!("{error}"),
        }
    }

    fn owner(&self) -> Owner {
        Owner::new(
            &self.job.model_uuid,
            &self.job.application,
            &self.job.server_name,
        )
    }

    fn runner(&self) -> Runner<'_> {
        Runner {
            container: self.container,
            s3_parameters: self.s3_parameters,
            passphrase: self.passphrase,
            timeout: self.job.max_duration,
        }
    }

    fn deadline(&self) -> Instant {
        self.began + self.job.max_duration
    }

    async fn write_marks(&self, claim: Claim) -> Result<(), BackupError> {
        let owner = self.owner();
        let first = claim == Claim::Nobodys;
        if !first {
            owner.write(&self.s3_client).await?;
        } else if !owner.write_first(&self.s3_client).await? {
            // Somebody was faster, or it was us: the answer to the first attempt may have been lost.
            match owner.look(&self.s3_client).await? {
                Ok(Claim::Nobodys) => owner.write(&self.s3_client).await?,
                Ok(_) => {}
                Err(foreign) => {
                    return Err(BackupError::foreign(&foreign, self.s3_client.place()));
                }
            }
        }
        markers::start(&self.s3_client, self.backup_key, self.job).await?;
        Ok(())
    }

    fn context(&self, paths: &BackupPaths, reserve_bytes: u64) -> JobContext<'_> {
        let inner_manifest = json!({
            "format": FORMAT,
            "id": self.backup_key.as_str(),
            "server_name": self.job.server_name,
            "synapse_version": self.job.tools.synapse_version,
            "engine": ENGINE,
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

    async fn prepare(
        &self,
        paths: &BackupPaths,
        counters: &Counters,
    ) -> Result<Prepared, BackupError> {
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
            .runner()
            .run(command, counters, take_report, |_| true)
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
        counters: &JobCounters,
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
        let runner = self.runner();
        let (pin, pinned) = oneshot::channel();
        let state = command(Archive::State, measured.state.archive_bytes);
        let making = runner.make_archive("state", state, &counters.state, Some(pin));
        let state = self.settled(Archive::State, Box::pin(making));
        let media = async {
            // Never, when the snapshot fails: then the other side of the join says why.
            if pinned.await.is_err() {
                std::future::pending::<()>().await;
            }
            let media = command(Archive::Media, measured.media.archive_bytes);
            let making = runner.make_archive("media", media, &counters.media, None);
            self.settled(Archive::Media, Box::pin(making)).await
        };
        tokio::try_join!(state, media)
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
            if self.stored_bytes(&name).await? != Some(made.sent.bytes) {
                return Err(doubt);
            }
            tracing::warn!("{doubt}; but it is stored whole");
        }
        Ok(made)
    }

    async fn stored_bytes(&self, name: &str) -> Result<Option<u64>, S3Error> {
        let patient = self.s3_client.patient();
        patiently(async || patient.size_bytes(name).await).await
    }

    /// Compares what arrived with what was sent.
    async fn verify(&self, manifest: &Manifest) -> Result<(), BackupError> {
        tokio::try_join!(self.look(&manifest.state), self.look(&manifest.media))?;
        Ok(())
    }

    async fn look(&self, archive: &ArchiveManifest) -> Result<(), BackupError> {
        let (object, sent) = (&archive.object, archive.size_bytes);
        let stored = self.stored_bytes(&self.backup_key.object(object)).await?;
        let has = match stored {
            Some(stored) if stored == sent => return Ok(()),
            Some(stored) => format!("has {stored} bytes of it"),
            None => "does not have it".to_owned(),
        };
        Err(BackupError::new(
            Stage::Verify,
            format!("{sent} bytes of {object} were sent, but the S3 server {has}"),
            NextStep::then_again("look at the S3 server's log"),
        ))
    }
}

/// Whether a name under the path is that of an archive that this charm makes.
fn is_archive_of_ours(name: &str) -> bool {
    name.split_once('/').is_some_and(|(id, object)| {
        id.parse::<BackupId>().is_ok()
            && [names::STATE, names::STATE_ZSTD, names::MEDIA].contains(&object)
    })
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

/// The first member of an archive says how much will follow, and a restore takes little more: what grew further while it
/// was read would be a backup that no restore takes.
fn check_growth(measured: &Contents, sent_bytes: u64) -> Result<(), BackupError> {
    let more = sent_bytes.saturating_sub(measured.archive_bytes);
    if more <= (measured.bytes / GROWTH_DIVISOR).max(LEAST_GROWTH_BYTES) {
        return Ok(());
    }
    let message = format!("media grew by {} while it was read", table::size(more));
    Err(BackupError::new(Stage::Verify, message, NextStep::again()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_that_grew_by_more_than_a_restore_takes_is_no_backup() {
        let measured = |bytes| Contents {
            bytes,
            archive_bytes: bytes,
            ..Contents::default()
        };
        assert!(check_growth(&measured(100_000_000), 105_000_000).is_ok());
        assert!(check_growth(&measured(1_000), 1_000_000).is_ok());
        let error = check_growth(&measured(100_000_000), 106_000_000).unwrap_err();
        assert!(error.to_string().contains("grew by 6.0 MB"), "{error}");
    }

    #[test]
    fn room_for_the_copy_and_the_reserve_is_needed() {
        let measured = |free_bytes| Measured {
            database_bytes: 1_000_000_000,
            volume_bytes: 10_000_000_000,
            free_bytes,
            ..Measured::default()
        };
        assert!(check_room(&measured(1_600_000_000)).is_ok());
        let error = check_room(&measured(1_599_999_999)).unwrap_err();
        assert!(
            error.to_string().contains("needs 1.6 GB of free space"),
            "{error}"
        );
    }

    #[test]
    fn only_archives_that_this_charm_makes_are_its_own() {
        assert!(is_archive_of_ours(
            "backup-20261123-070501-00ff/media.tar.gpg"
        ));
        for other in [
            "backup-20261123070501123456",
            "backup-db.dump",
            "backup-20261123-070501-00ff/notes",
            "backup-x/media.tar.gpg",
        ] {
            assert!(!is_archive_of_ours(other), "{other}");
        }
    }
}
