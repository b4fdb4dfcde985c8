//! One run of staging, from preflight to what is left on the volume.

use std::sync::atomic::Ordering;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pebble_client::Client;

use super::cause::End;
use super::command::Source;
use super::report::{Database, Extracted, Report, Room};
use super::{Origin, Purpose, Staged, StagingJob};
use crate::backup::catalog::entry::names;
use crate::backup::catalog::manifest::Manifest;
use crate::backup::catalog::table;
use crate::backup::command::{Folders, build_clean_command};
use crate::backup::job::progress::{Counters, JobCounters};
use crate::backup::job::watch::watch;
use crate::backup::job::{NextStep, Progress, Runner, Stage, StagingError, of_end};
use crate::backup::limits::{BYTES_A_FILE, CLEAN_UP, reserve_bytes};
use crate::backup::passphrase::Passphrase;
use crate::backup::s3_client::S3Client;
use crate::backup::s3_parameters::S3Parameters;

/// A job and what it works with.
#[derive(Debug)]
pub(super) struct Running<'a> {
    container: &'a Client,
    s3_parameters: &'a S3Parameters,
    s3_client: S3Client,
    passphrase: &'a Passphrase,
    job: &'a StagingJob,
    began: Instant,
}

/// What one archive gave.
#[derive(Debug, Default)]
struct Fetched {
    extracted: Extracted,
    paths: Vec<String>,
    database: Option<Database>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        container: &'a Client,
        s3_parameters: &'a S3Parameters,
        passphrase: &'a Passphrase,
        job: &'a StagingJob,
    ) -> Result<Self, StagingError> {
        Ok(Self {
            container,
            s3_parameters,
            s3_client: S3Client::new(s3_parameters)?,
            passphrase,
            job,
            began: Instant::now(),
        })
    }

    /// Brings the backup; whatever comes of it, nothing runs afterwards.
    pub(super) async fn run(&self, progress: &mut dyn Progress) -> Result<Staged, StagingError> {
        self.preflight()?;
        let counters = JobCounters::default();
        let deadline = self.began + self.job.max_duration;
        let result = tokio::select! {
            staged = Box::pin(self.bring(&counters)) => staged,
            error = watch(&counters, deadline, progress) => Err(error),
        };
        self.clean_up(result.is_ok()).await;
        result
    }

    /// What [`run`](Self::run) does before the first byte of an archive.
    pub(super) async fn try_out(&self) -> Result<(), StagingError> {
        self.preflight()?;
        let counters = JobCounters::default();
        let tried = async {
            let (canary, ()) = tokio::try_join!(self.canary(), self.check_sizes())?;
            let room = self.prepare(&canary, &counters.prepare).await?;
            check_room(room, self.promised())
        };
        let tried = tried.await;
        let mut folders = self.job.purpose.folders();
        let (Purpose::Restore { folder, .. } | Purpose::Verify { folder }) = &self.job.purpose;
        folders.staging.clone_from(folder);
        clean(self.container, &folders).await;
        tried
    }

    fn preflight(&self) -> Result<(), StagingError> {
        let mut missing: Vec<&str> = self.job.tools.missing.iter().map(String::as_str).collect();
        let next = "use an image that has it";
        if let Origin::Ours(manifest) = &self.job.origin {
            check_objects(manifest)?;
            let is_compressed = manifest.state.object == names::STATE_ZSTD;
            missing.extend((is_compressed && self.job.tools.zstd.is_none()).then_some("zstd"));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("the workload's image cannot run {}", missing.join(", "));
        Err(StagingError::new(Stage::Preflight, message, next))
    }

    async fn bring(&self, counters: &JobCounters) -> Result<Staged, StagingError> {
        let (canary, ()) = tokio::try_join!(self.canary(), self.check_sizes())?;
        let room = self.prepare(&canary, &counters.prepare).await?;
        let promised = self.promised();
        check_room(room, promised)?;
        counters
            .total_bytes
            .store(promised.stream_bytes, Ordering::Relaxed);
        let reserve_bytes = reserve_bytes(room.volume_bytes);
        let fetch = |source| self.fetch(source, reserve_bytes, !canary.is_empty(), counters);
        let fetched = match self.job.sources().as_slice() {
            [state, media] => {
                let (state, media) =
                    tokio::try_join!(Box::pin(fetch(*state)), Box::pin(fetch(*media)))?;
                vec![state, media]
            }
            one => {
                let mut fetched = Vec::new();
                for source in one {
                    fetched.push(Box::pin(fetch(*source)).await?);
                }
                fetched
            }
        };
        let media_rows_without_file = self.settle(&counters.prepare).await?;
        self.staged(fetched, media_rows_without_file)
    }

    /// The canary as the workload gets it; empty when the backup has none.
    async fn canary(&self) -> Result<String, StagingError> {
        let Origin::Ours(manifest) = &self.job.origin else {
            return Ok(String::new());
        };
        let name = format!("{}/{}", manifest.id, names::CANARY);
        let canary = self.s3_client.get_small(&name).await?;
        Ok(canary
            .map(|canary| STANDARD.encode(canary))
            .unwrap_or_default())
    }

    /// An archive that was cut or replaced is not downloaded for hours first.
    async fn check_sizes(&self) -> Result<(), StagingError> {
        for source in self.job.sources() {
            let expected = match (&self.job.origin, source.manifest()) {
                (Origin::Legacy { size_bytes, .. }, _) => *size_bytes,
                (_, Some(archive)) => archive.size_bytes,
                (_, None) => continue,
            };
            let object = self.job.object(source);
            let stored = self.s3_client.size_bytes(&object).await?;
            let has = match stored {
                Some(stored) if stored == expected => continue,
                Some(stored) => format!("has {stored} bytes of {object} instead of {expected}"),
                None => format!("does not have {object}"),
            };
            let message = format!("the backup is damaged: the S3 server {has}");
            let next = "restore another backup; list-backups shows which are whole";
            return Err(StagingError::new(Stage::Preflight, message, next).blaming_backup());
        }
        Ok(())
    }

    async fn prepare(&self, canary: &str, counters: &Counters) -> Result<Room, StagingError> {
        let command = self.job.build_prepare_command(self.s3_parameters, canary);
        let mut room = None;
        let take_report = |report| {
            if let Report::Room(found) = report {
                room = Some(found);
            }
        };
        let ended = self
            .runner()
            .run(command, counters, take_report, |_| true)
            .await?;
        match room {
            Some(room) if ended.status.success() => Ok(room),
            _ => Err(of_end(&ended)),
        }
    }

    async fn fetch(
        &self,
        source: Source<'_>,
        reserve_bytes: u64,
        is_passphrase_proven: bool,
        counters: &JobCounters,
    ) -> Result<Fetched, StagingError> {
        let counters = match source {
            Source::Media(_) => &counters.media,
            Source::State(_) | Source::Legacy => &counters.state,
        };
        let command = self
            .job
            .build_fetch_command(self.s3_parameters, source, reserve_bytes);
        let mut fetched = Fetched::default();
        let mut end = End {
            is_passphrase_proven,
            ..End::default()
        };
        let mut is_whole = false;
        let take_report = |report| match report {
            Report::Read(bytes) => counters.read_bytes.store(bytes, Ordering::Relaxed),
            Report::Path(path) => fetched.paths.push(path),
            Report::Extracted(extracted) => {
                is_whole = true;
                fetched.extracted = extracted;
            }
            Report::Verdict(verdict) => end.verdict = verdict,
            Report::Database(database) => fetched.database = Some(database),
            Report::Stages(stages) => end.stages = stages,
            Report::Alive(_) | Report::Room(_) | Report::MediaRowsWithoutFile(_) => {}
        };
        let ended = self
            .runner()
            .run(command, counters, take_report, |_| true)
            .await?;
        if !ended.status.success() || end.stages.is_empty() {
            return Err(of_end(&ended));
        }
        end.log_tail.clone_from(&ended.log_tail);
        match end.failure(source.name()) {
            Some(error) => Err(error),
            None if is_whole => Ok(fetched),
            None => Err(of_end(&ended)),
        }
    }

    async fn settle(&self, counters: &Counters) -> Result<Option<u64>, StagingError> {
        if matches!(self.job.purpose, Purpose::Verify { .. }) {
            return Ok(None);
        }
        counters.ended.store(false, Ordering::Relaxed);
        let mut rows = None;
        let take_report = |report| {
            if let Report::MediaRowsWithoutFile(count) = report {
                rows = Some(count);
            }
        };
        let command = self.job.build_settle_command();
        let ended = self
            .runner()
            .run(command, counters, take_report, |_| true)
            .await?;
        if ended.status.success() {
            Ok(rows)
        } else {
            Err(of_end(&ended))
        }
    }

    fn staged(
        &self,
        fetched: Vec<Fetched>,
        media_rows_without_file: Option<u64>,
    ) -> Result<Staged, StagingError> {
        let mut staged = Staged {
            server_name: self.job.server_name.clone(),
            media_rows_without_file,
            ..Staged::default()
        };
        for part in fetched {
            staged.entries += part.extracted.entries;
            staged.file_bytes += part.extracted.bytes;
            staged.paths.extend(part.paths);
            staged.synapse_version = staged.synapse_version.or(part.extracted.synapse_version);
            if let Some(database) = part.database {
                staged.schema_version = database.schema_version;
                staged.compat_version = database.compat_version;
                staged.users = database.users;
                staged.one_time_keys_removed = database.one_time_keys_removed;
            }
        }
        let has_database = staged.paths.contains(&self.job.database_path);
        if self.job.purpose.wants_database() && !has_database {
            let message = "there is no SQLite database in the backup";
            let next = "restore its keys alone by components=keys, or another backup";
            return Err(StagingError::new(Stage::Verify, message, next).blaming_backup());
        }
        staged.paths.sort();
        Ok(staged)
    }

    /// Ends what is left; the staged files stay when they are wanted.
    async fn clean_up(&self, is_staged: bool) {
        let mut folders = self.job.purpose.folders();
        if is_staged && matches!(self.job.purpose, Purpose::Restore { .. }) {
            folders.staging = String::new();
        }
        clean(self.container, &folders).await;
    }

    fn runner(&self) -> Runner<'_> {
        Runner {
            container: self.container,
            s3_parameters: self.s3_parameters,
            passphrase: self.passphrase,
            timeout: self.job.max_duration,
        }
    }

    fn promised(&self) -> Promised {
        let mut promised = Promised::default();
        for source in self.job.sources() {
            let (bytes, entries, stream_bytes) = match (&self.job.origin, source.manifest()) {
                (Origin::Legacy { size_bytes, .. }, _) => (*size_bytes, 0, *size_bytes),
                (_, Some(archive)) => {
                    let headers = archive.entries.saturating_mul(1024);
                    (
                        archive.file_bytes,
                        archive.entries,
                        archive.file_bytes.saturating_add(headers),
                    )
                }
                (_, None) => continue,
            };
            promised.stream_bytes = promised.stream_bytes.saturating_add(stream_bytes);
            if self.job.is_written(source) {
                promised.file_bytes = promised.file_bytes.saturating_add(bytes);
                promised.entries = promised.entries.saturating_add(entries);
            }
        }
        promised
    }
}

/// What will be read, and written.
#[derive(Debug, Clone, Copy, Default)]
struct Promised {
    stream_bytes: u64,
    file_bytes: u64,
    entries: u64,
}

async fn clean(container: &Client, folders: &Folders) {
    let clean = build_clean_command(folders).exec(container, CLEAN_UP);
    match tokio::time::timeout(CLEAN_UP, clean.output_limit_bytes(4096).output()).await {
        Ok(Ok(cleaned)) if cleaned.status.success() => {}
        Ok(Ok(cleaned)) => {
            let said = String::from_utf8_lossy(&cleaned.stderr);
            tracing::warn!("cannot clean up in the workload: {}", said.trim());
        }
        Ok(Err(error)) => tracing::warn!("cannot clean up in the workload: {error}"),
        Err(_) => tracing::warn!("clean-up took too long; what is left is swept later"),
    }
}

/// The outer manifest is not authenticated: it chooses among our names, no others.
fn check_objects(manifest: &Manifest) -> Result<(), StagingError> {
    let state = manifest.state.object.as_str();
    let is_ours =
        [names::STATE, names::STATE_ZSTD].contains(&state) && manifest.media.object == names::MEDIA;
    if is_ours {
        return Ok(());
    }
    let message = "the backup's manifest names objects that this charm does not make";
    Err(StagingError::new(Stage::Preflight, message, "restore another backup").blaming_backup())
}

fn check_room(room: Room, promised: Promised) -> Result<(), StagingError> {
    let folders = promised.entries.saturating_mul(BYTES_A_FILE);
    let needed = promised
        .file_bytes
        .saturating_add(folders)
        .saturating_add(reserve_bytes(room.volume_bytes));
    let next = || NextStep::then_again("make the volume larger or remove what is not needed");
    if room.free_bytes < needed {
        let message = format!(
            "the backup needs {} of free space on the volume and there are {}",
            table::size(needed),
            table::size(room.free_bytes)
        );
        return Err(StagingError::new(Stage::Preflight, message, next()));
    }
    match room.free_files {
        Some(free_files) if free_files < promised.entries => {
            let message = format!(
                "the backup has {} files and folders and the volume has room for {free_files}",
                promised.entries
            );
            Err(StagingError::new(Stage::Preflight, message, next()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_bytes_files_and_the_reserve_is_needed() {
        let promised = Promised {
            stream_bytes: 0,
            file_bytes: 1_000_000_000,
            entries: 1_000,
        };
        let room = |free_bytes, free_files| Room {
            free_bytes,
            volume_bytes: 10_000_000_000,
            free_files,
        };
        assert!(check_room(room(1_504_096_000, None), promised).is_ok());
        let error = check_room(room(1_504_095_999, None), promised).unwrap_err();
        assert!(
            error.to_string().contains("needs 1.5 GB of free space"),
            "{error}"
        );
        let error = check_room(room(u64::MAX, Some(999)), promised).unwrap_err();
        assert!(
            error.to_string().contains("1000 files and folders"),
            "{error}"
        );
    }
}
