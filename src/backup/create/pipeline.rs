//! Making one archive.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::failure;
use super::report::{self, Copied, Report, Sent};
use crate::backup::command::WorkloadCommand;
use crate::backup::job::progress::Counters;
use crate::backup::job::{BackupError, Runner, is_change, of_end};

/// A complete archive.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) sent: Sent,
    pub(super) copied: Copied,
    /// Files that changed or went while they were read.
    pub(super) changed: u64,
    /// aws got everything and yet says that it failed: it may have asked twice for what was done at once, so the size
    /// that is stored decides.
    pub(super) doubt: Option<BackupError>,
}

impl Runner<'_> {
    /// Makes one archive. `pinned` is told as soon as the database's moment is fixed.
    pub(super) async fn make_archive(
        &self,
        archive: &'static str,
        command: WorkloadCommand,
        counters: &Counters,
        pinned: Option<oneshot::Sender<()>>,
    ) -> Result<Made, BackupError> {
        let mut pinned = pinned;
        let mut made = Made::default();
        let mut stages = None;
        let mut sent = None;
        let mut changed = 0;
        let take_report = |report| match report {
            Report::Pinned(_) => drop(pinned.take().map(|pinned| pinned.send(()))),
            Report::Copied(copied) => made.copied = copied,
            Report::Sent(bytes) => counters.sent_bytes.store(bytes, Ordering::Relaxed),
            Report::Done(done) => {
                counters.all_sent.store(true, Ordering::Relaxed);
                sent = Some(done);
            }
            Report::Stages(all) => stages = Some(all),
            Report::Alive(_) | Report::Integrity(_) | Report::Measured(_) | Report::Canary(_) => {}
        };
        let take_diagnostic = |line: &str| {
            if let Some(bytes) = report::bytes_read(line) {
                counters.read_bytes.store(bytes, Ordering::Relaxed);
                return false;
            }
            changed += u64::from(is_change(line));
            true
        };
        let ended = self
            .run(command, counters, take_report, take_diagnostic)
            .await?;
        let Some(stages) = stages else {
            return Err(of_end(&ended));
        };
        let cause = failure::first_cause(&stages, archive == "media");
        let only_aws = cause.is_some_and(|(name, status)| name == "aws" && status < 128);
        match (sent, cause) {
            (Some(sent), Some(cause)) if only_aws => {
                let doubt = Some(failure::of_stage(archive, cause, ended.log_tail));
                Ok(Made {
                    sent,
                    changed,
                    doubt,
                    ..made
                })
            }
            (_, Some(cause)) => Err(failure::of_stage(archive, cause, ended.log_tail)),
            (Some(sent), None) if ended.status.success() => Ok(Made {
                sent,
                changed,
                ..made
            }),
            (_, None) => Err(of_end(&ended)),
        }
    }
}
