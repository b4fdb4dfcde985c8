//! How a command's end is seen: by its change, by the connection, by the clock.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep};

use crate::changes::{Change, ChangeStatus};
use crate::error::{ErrorKind, Failure};
use crate::exec::channel::{Channel, Output, Progress};
use crate::exec::exit_status::ExitStatus;
use crate::exec::feed::{Fed, Feed};
use crate::exec::process::Process;

/// How much longer than the command's timeout the daemon may take to say that it passed.
const TIMEOUT_GRACE: Duration = Duration::from_secs(5);

/// Without some pause a grace of zero would look again and again, not later.
const SHORTEST_GRACE: Duration = Duration::from_millis(10);

impl Process {
    /// Waits for the first of: the change's end, the process's end with its output held open, the deadline.
    pub(super) async fn watch(&mut self) -> Result<ExitStatus, Failure> {
        let client = self.start.client.clone();
        let change_id = self.start.change_id.clone();
        let deadline = self.start.timeout.and_then(|timeout| {
            self.started
                .checked_add(timeout.checked_add(TIMEOUT_GRACE)?)
        });
        let (stdio, split) = (Arc::clone(&self.stdio), self.split.clone());
        let (discard_stdout, discard_stderr) = (self.stdout.is_some(), self.stderr.is_some());
        let feed = Arc::clone(&self.feed);
        let moving = std::future::poll_fn(|context| {
            stdio.poll_wait(context, discard_stdout);
            if let Some(split) = &split {
                split.poll_wait(context, discard_stderr);
            }
            match poll_feed(&feed, context) {
                Some(error) => Poll::Ready(Failure::LocalIo(error)),
                None => Poll::Pending,
            }
        });
        tokio::select! {
            biased;
            change = client.wait_end(&change_id, None) => self.judge(change),
            failure = moving => Err(failure),
            () = self.stdio_held() => Ok(match self.start.timeout {
                Some(timeout) if self.started.elapsed() >= timeout => ExitStatus::TimedOut,
                _ => ExitStatus::StdioHeld,
            }),
            () = sleep_until(deadline) => Ok(ExitStatus::TimedOut),
        }
    }

    /// Returns when the process has ended and its output has stayed open and silent, with somebody there to read it.
    async fn stdio_held(&mut self) {
        if let Some(control) = &mut self.control {
            // The daemon says nothing here and drops the connection when the process has ended.
            while let Some(Ok(_)) = control.next().await {}
        }
        self.control = None;
        let mut before = self.progress();
        loop {
            sleep(self.start.stdio_grace.max(SHORTEST_GRACE)).await;
            let now = self.progress();
            let mut open = now
                .iter()
                .filter(|progress| progress.output == Output::Open)
                .peekable();
            if open.peek().is_some() && now == before && open.all(|progress| progress.hungry) {
                return;
            }
            before = now;
        }
    }

    fn progress(&self) -> Vec<Progress> {
        self.channels().map(Channel::progress).collect()
    }

    fn judge(&mut self, change: Result<Change, Failure>) -> Result<ExitStatus, Failure> {
        let change = match change {
            Ok(change) => change,
            Err(
                Failure::Lost(_)
                | Failure::Connect { .. }
                | Failure::Daemon {
                    kind: ErrorKind::NotFound,
                    ..
                },
            ) => return Ok(ExitStatus::Unknown),
            Err(failure) => return Err(failure),
        };
        let other = change
            .spawn_time
            .is_none_or(|spawned| spawned > self.answered)
            || change
                .tasks
                .first()
                .is_none_or(|task| task.id != self.start.task_id);
        if other
            || self
                .channels()
                .any(|channel| channel.progress().output == Output::Cut)
        {
            return Ok(ExitStatus::Unknown);
        }
        match change.status {
            ChangeStatus::Done => Ok(ExitStatus::of_done(&change)),
            ChangeStatus::Error => self.judge_error(change),
            _ => Err(Failure::Change(Box::new(change))),
        }
    }

    fn judge_error(&mut self, change: Change) -> Result<ExitStatus, Failure> {
        let err = change.err.as_deref().unwrap_or_default();
        let timed_out = self.start.timeout.is_some() && err.contains("(timed out after ");
        let status = if timed_out {
            ExitStatus::TimedOut
        } else if err.contains("(context canceled)") {
            ExitStatus::Aborted
        } else if change
            .tasks
            .iter()
            .any(|task| task.data.contains_key("exit-code"))
        {
            // There is one, -1, although nothing ran: what ran has ended as `Done`.
            ExitStatus::FailedToStart
        } else {
            return Err(Failure::Change(Box::new(change)));
        };
        self.failure = change.err;
        Ok(status)
    }
}

/// Brings input to the command; returns the error of the reader.
fn poll_feed(feed: &Mutex<Option<Feed>>, context: &mut Context<'_>) -> Option<io::Error> {
    let mut slot = feed.lock().unwrap_or_else(PoisonError::into_inner);
    let end = match slot.as_mut()?.poll(context) {
        Poll::Pending => return None,
        Poll::Ready(end) => end,
    };
    *slot = None;
    match end {
        Fed::Failed(error) => Some(error),
        Fed::All | Fed::Refused => None,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
