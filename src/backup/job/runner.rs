//! Running a job's command: its passphrase, its reports, its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pebble_client::{Client, ExitStatus, Process, Stdin};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};

use super::failure::{JobError, NextStep, Stage};
use super::log_tail::{LogTail, words_of};
use super::progress::Counters;
use crate::backup::command::WorkloadCommand;
use crate::backup::passphrase::Passphrase;
use crate::backup::s3_parameters::S3Parameters;

/// Longer lines are cut: what a server answers may end up on stderr.
const LONGEST_LINE_BYTES: usize = 64 * 1024;

/// What all commands of a job need.
#[derive(Debug, Clone, Copy)]
pub(in crate::backup) struct Runner<'a> {
    pub(in crate::backup) container: &'a Client,
    pub(in crate::backup) s3_parameters: &'a S3Parameters,
    pub(in crate::backup) passphrase: &'a Passphrase,
    pub(in crate::backup) timeout: Duration,
}

/// How a command ended, and the last of what it said.
#[derive(Debug)]
pub(in crate::backup) struct Ended {
    pub(in crate::backup) status: ExitStatus,
    pub(in crate::backup) log_tail: String,
}

impl Runner<'_> {
    /// Runs a command to its end; it lives from here on, by `counters`. When the future is dropped, the command and all that it started end too: Pebble kills
    /// the first process, the rest goes when stdin closes.
    /// Each line of stdout that is a report, one JSON object, is handed over; what is none is no line of ours.
    pub(in crate::backup) async fn run<R: DeserializeOwned>(
        &self,
        command: WorkloadCommand,
        counters: &Counters,
        mut take_report: impl FnMut(R),
        mut take_diagnostic: impl FnMut(&str) -> bool,
    ) -> Result<Ended, JobError> {
        // One that hangs before its first word is noticed too.
        counters.signs.fetch_add(1, Ordering::Relaxed);
        let spawned = command
            .exec(self.container, self.timeout)
            .stdin(Stdin::Piped)
            .spawn()
            .await;
        let mut process: Process = spawned.map_err(JobError::workload)?;
        let (stdin, stdout, stderr) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(JobError::new(
                Stage::Workload,
                "a command has no streams",
                NextStep::again(),
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
            if let Ok(report) = serde_json::from_str(line) {
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
            status: status.map_err(JobError::workload)?,
            log_tail: tail.into_text(),
        })
    }
}

/// A command that ended before it could say more.
pub(in crate::backup) fn of_end(ended: &Ended) -> JobError {
    let log_tail = ended.log_tail.clone();
    let said = words_of("relay", 0, &log_tail);
    let (stage, message, next) = match ended.status {
        ExitStatus::Exited(75) => (
            Stage::Preflight,
            said,
            NextStep::then_again("wait until it has ended"),
        ),
        ExitStatus::Exited(66) => (
            Stage::Preflight,
            said,
            "start Synapse once so that it has a database".into(),
        ),
        ExitStatus::Exited(69) => (
            Stage::Program("gpg"),
            words_of("gpg", 69, &log_tail),
            "look at juju debug-log".into(),
        ),
        ExitStatus::Exited(77) => (
            Stage::Program("gpg"),
            said,
            NextStep::then_again("set that passphrase"),
        ),
        ExitStatus::Exited(73) => (
            Stage::Preflight,
            said,
            "look whether there is room and user 991 may write there".into(),
        ),
        ExitStatus::Exited(_) if !said.is_empty() => {
            (Stage::Preflight, said, NextStep::then_again("mend that"))
        }
        ExitStatus::TimedOut => (
            Stage::Workload,
            "it took too long".to_owned(),
            "raise backup_max_duration, or look what is slow".into(),
        ),
        ExitStatus::Unknown => (
            Stage::Workload,
            "Pebble was restarted meanwhile".to_owned(),
            NextStep::again(),
        ),
        status => (
            Stage::Workload,
            format!("the job in the workload ended: {status}"),
            NextStep::again(),
        ),
    };
    JobError::new(stage, message, next).with_log(log_tail)
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
