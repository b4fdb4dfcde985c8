//! Running a job's command: its passphrase, its reports, its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pebble_client::{Client, ExitStatus, Process, Stdin};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;

use super::failure::{self, BackupError, Stage};
use super::log_tail::{LogTail, words_of};
use super::progress::Counters;
use super::report::{self, Copied, Report, Sent};
use crate::backup::command::WorkloadCommand;
use crate::backup::passphrase::Passphrase;
use crate::backup::s3_parameters::S3Parameters;

/// Longer lines are cut: what a server answers may end up on stderr.
const LONGEST_LINE_BYTES: usize = 64 * 1024;

/// What all commands of a job need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner<'a> {
    pub(super) container: &'a Client,
    pub(super) s3_parameters: &'a S3Parameters,
    pub(super) passphrase: &'a Passphrase,
    pub(super) timeout: Duration,
}

/// How a command ended, and the last of what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) log_tail: String,
}

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
    /// Runs a command to its end; it lives from here on, by `counters`. When the future is dropped, the command and all that it started end too: Pebble kills
    /// the first process, the rest goes when stdin closes.
    pub(super) async fn run(
        &self,
        command: WorkloadCommand,
        counters: &Counters,
        mut take_report: impl FnMut(Report),
        mut take_diagnostic: impl FnMut(&str) -> bool,
    ) -> Result<Ended, BackupError> {
        // One that hangs before its first word is noticed too.
        counters.signs.fetch_add(1, Ordering::Relaxed);
        let spawned = command
            .exec(self.container, self.timeout)
            .stdin(Stdin::Piped)
            .spawn()
            .await;
        let mut process: Process = spawned.map_err(BackupError::workload)?;
        let (stdin, stdout, stderr) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(BackupError::new(
                Stage::Workload,
                "a command has no streams",
                "run create-backup again",
            ));
        };
        let mut tail = LogTail::without([
            self.passphrase.secret().clone(),
            self.s3_parameters.secret_key.clone(),
        ]);
        let feed = async {
            let line = self.passphrase.line();
            // One that is gone already says why by its end.
            let written = stdin.write_all(&line).await;
            if written.is_ok() {
                stdin.flush().await
            } else {
                written
            }
        };
        let reports = each_line(stdout, |line| {
            if let Some(report) = report::parse(line) {
                counters.signs.fetch_add(1, Ordering::Relaxed);
                take_report(report);
            }
        });
        let diagnostics = each_line(stderr, |line| {
            if take_diagnostic(line) {
                tail.push(line);
            }
        });
        let (_, (), (), status) = tokio::join!(feed, reports, diagnostics, process.wait());
        // Until here: the end of stdin is the order to end.
        drop(stdin);
        counters.ended.store(true, Ordering::Relaxed);
        Ok(Ended {
            status: status.map_err(BackupError::workload)?,
            log_tail: tail.into_text(),
        })
    }

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
            changed += u64::from(report::is_change(line));
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

/// A command that ended before it could say more.
pub(super) fn of_end(ended: &Ended) -> BackupError {
    let log_tail = ended.log_tail.clone();
    let said = words_of("relay", 0, &log_tail);
    let (stage, message, next) = match ended.status {
        ExitStatus::Exited(75) => (
            Stage::Preflight,
            said,
            "wait until it has ended, then try again",
        ),
        ExitStatus::Exited(66) => (
            Stage::Preflight,
            said,
            "start Synapse once so that it has a database",
        ),
        ExitStatus::Exited(69) => (
            Stage::Program("gpg"),
            words_of("gpg", 69, &log_tail),
            "look at failed.json or juju debug-log",
        ),
        ExitStatus::Exited(73) => (
            Stage::Preflight,
            said,
            "look whether there is room and user 991 may write there",
        ),
        ExitStatus::Exited(_) if !said.is_empty() => (
            Stage::Preflight,
            said,
            "mend that, then run create-backup again",
        ),
        ExitStatus::TimedOut => (
            Stage::Workload,
            "it took too long".to_owned(),
            "raise backup_max_duration, or look what is slow",
        ),
        ExitStatus::Unknown => (
            Stage::Workload,
            "Pebble was restarted meanwhile".to_owned(),
            "run create-backup again",
        ),
        status => (
            Stage::Workload,
            format!("the job in the workload ended: {status}"),
            "run create-backup again",
        ),
    };
    BackupError::new(stage, message, next).with_log(log_tail)
}

async fn each_line(stream: impl AsyncRead + Unpin, mut take: impl FnMut(&str)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // A stream that breaks off ends like one that is at its end: how the command ended tells the rest.
    while let Ok(buffer) = reader.fill_buf().await {
        if buffer.is_empty() {
            break;
        }
        let (part, ends) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&buffer[..end], true),
            None => (buffer, false),
        };
        let room = LONGEST_LINE_BYTES.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(ends);
        reader.consume(used);
        if ends {
            take(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    if !line.is_empty() {
        take(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_and_endless_ones_cut() {
        let mut text = b"one\n\ntwo\xff\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * LONGEST_LINE_BYTES));
        let mut lines = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(each_line(text.as_slice(), |line| {
            lines.push(line.to_owned());
        }));
        assert_eq!(lines[..3], ["one", "", "two\u{fffd}"]);
        assert_eq!(lines[3].len(), LONGEST_LINE_BYTES);
        assert_eq!(lines.len(), 4);
    }
}
