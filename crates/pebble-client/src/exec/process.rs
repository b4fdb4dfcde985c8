//! A command that runs.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::Client;
use crate::changes::{Change, ChangeId, ChangeStatus};
use crate::client::Operation;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::Input;
use crate::exec::channel::{Channel, Output, Progress};
use crate::exec::exit_status::ExitStatus;
use crate::exec::streams::{ProcessStderr, ProcessStdin, ProcessStdout};
use crate::exec::websocket::{self, Socket};

/// How much longer than the command's timeout the daemon may take to say that it passed.
const TIMEOUT_GRACE: Duration = Duration::from_secs(5);

/// Without some pause a grace of zero would look again and again, not later.
const SHORTEST_GRACE: Duration = Duration::from_millis(10);

/// A command that was started by [`ExecBuilder::spawn`](crate::ExecBuilder::spawn).
///
/// Dropping it kills the process with SIGKILL, unless it has ended; so does losing the connection. What the process
/// itself has started lives on. [`detach`](Self::detach) leaves it running.
///
/// The streams are moved out with `take()`; those that are left are handled by [`wait`](Self::wait).
///
/// # Example
///
/// ```no_run
/// // no_run: needs a daemon
/// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pebble_client::Stdin;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut process = client.exec(["sort"]).stdin(Stdin::Piped).spawn().await?;
/// let (mut stdin, mut stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
/// let mut sorted = String::new();
/// let (fed, read, status) = tokio::join!(
///     async move { stdin.write_all(b"b\na\n").await },
///     stdout.read_to_string(&mut sorted),
///     process.wait(),
/// );
/// (fed?, read?);
/// assert!(status?.success());
/// assert_eq!(sorted, "a\nb\n");
/// # Ok(())
/// # }
/// ```
pub struct Process {
    /// Where the process reads; there with [`Stdin::Piped`](crate::Stdin::Piped) only.
    pub stdin: Option<ProcessStdin>,
    /// What the process writes.
    pub stdout: Option<ProcessStdout>,
    /// What the process complains about; not there where it was combined with the output.
    pub stderr: Option<ProcessStderr>,
    start: Start,
    control: Option<Socket>,
    stdio: Arc<Channel>,
    split: Option<Arc<Channel>>,
    started: Instant,
    /// A change of this id that began later is another one, of a daemon that counts from 1 again.
    answered: Timestamp,
    outcome: Option<ExitStatus>,
}

/// What the daemon was asked for and said.
pub(crate) struct Start {
    pub(crate) program: String,
    pub(crate) client: Client,
    pub(crate) change_id: ChangeId,
    pub(crate) task_id: String,
    pub(crate) split_stderr: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stdio_grace: Duration,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("program", &self.start.program)
            .field("change_id", &self.start.change_id)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Start {
    /// Opens the websockets in the daemon's order, one after the other: `control` last could come too late to be
    /// heard, and two at once can bring the daemon down.
    async fn open(&self) -> Result<(Socket, Socket, Option<Socket>), Failure> {
        let control = websocket::open(&self.client, &self.task_id, "control").await?;
        let stdio = websocket::open(&self.client, &self.task_id, "stdio").await?;
        let stderr = if self.split_stderr {
            Some(websocket::open(&self.client, &self.task_id, "stderr").await?)
        } else {
            None
        };
        Ok((control, stdio, stderr))
    }
}

impl Process {
    pub(crate) async fn connect(start: Start, input: Input) -> Result<Self, Failure> {
        let (answered, started) = (Timestamp::now(), Instant::now());
        let (control, stdio, stderr) = match start.open().await {
            Ok(sockets) => sockets,
            // Why a stream cannot be had is told by the change, if by anything.
            Err(failure) => match start.client.get_change(&start.change_id).await {
                Ok(change) if change.err.is_some() => {
                    return Err(Failure::Change(Box::new(change)));
                }
                _ => return Err(failure),
            },
        };
        let piped = matches!(input, Input::Piped);
        let stdio = Arc::new(match input {
            Input::Null => Channel::with_bytes(stdio, Bytes::new()),
            Input::Bytes(bytes) => Channel::with_bytes(stdio, Bytes::from_owner(bytes)),

            Input::Piped => Channel::with_writer(stdio),
        });
        let split = stderr.map(|stderr| Arc::new(Channel::without_input(stderr)));
        Ok(Self {
            stdin: piped.then(|| ProcessStdin::new(Arc::clone(&stdio))),
            stdout: Some(ProcessStdout::new(Arc::clone(&stdio))),
            stderr: split.clone().map(ProcessStderr::new),
            start,
            control: Some(control),
            stdio,
            split,
            started,
            answered,
            outcome: None,
        })
    }

    /// Returns the change that stands for the command in the daemon.
    #[must_use]
    pub fn change_id(&self) -> &ChangeId {
        &self.start.change_id
    }

    pub(crate) fn program(&self) -> &str {
        &self.start.program
    }

    /// Waits until the command has ended, and returns how. Ends its input if [`stdin`](Self::stdin) was not taken;
    /// reads and drops what streams say that were not taken. May be dropped and called again.
    ///
    /// Whoever has taken a stream must go on reading it meanwhile, or the process waits for that. When this has
    /// returned an exit code, what is left of the output can still be read. In any case the input is at its end then,
    /// also for what the process has started.
    ///
    /// # Errors
    ///
    /// [`ChangeFailed`](ErrorKind::ChangeFailed) when the program could not be executed. That Pebble went away is no
    /// error but [`ExitStatus::Unknown`].
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        if let Some(outcome) = self.outcome {
            return Ok(outcome);
        }
        drop(self.stdin.take());
        let result = self.watch().await;
        self.control = None;
        self.stdio.break_input();
        if result
            .as_ref()
            .map_or(true, |status| status.code().is_none())
        {
            self.channels().for_each(Channel::give_up_output);
        }
        let status = result.operation(|| format!("run {}", self.start.program))?;
        self.outcome = Some(status);
        Ok(status)
    }

    /// Sends a signal (a name like `SIGTERM`) to the process itself, not to what it has started. Pebble does not
    /// answer: whether the signal exists, or came in time, shows in how the process ends.
    ///
    /// # Errors
    ///
    /// [`ConnectionLost`](ErrorKind::ConnectionLost). A process that has ended already is no error.
    pub async fn signal(&mut self, name: &str) -> Result<(), Error> {
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        let command = serde_json::json!({"command": "signal", "signal": {"name": name}});
        match control.send(Message::text(command.to_string())).await {
            Err(error) if !is_closed(&error) => Err(Error::new(
                format!("send {name} to {}", self.start.program),
                Failure::Lost(Box::new(error)),
            )),
            _ => Ok(()),
        }
    }

    /// Leaves the process running and returns its change. Its input ends, and what it writes from now on fails with
    /// a broken pipe.
    ///
    /// # Errors
    ///
    /// [`ConnectionLost`](ErrorKind::ConnectionLost); then the process may have been killed.
    pub async fn detach(mut self) -> Result<ChangeId, Error> {
        if let Some(control) = &mut self.control {
            let frame = CloseFrame {
                code: CloseCode::Normal,
                reason: "detach".into(),
            };
            match control.close(Some(frame)).await {
                Err(error) if !is_closed(&error) => {
                    let operation = format!("detach from {}", self.start.program);
                    return Err(Error::new(operation, Failure::Lost(Box::new(error))));
                }
                _ => {}
            }
        }
        Ok(self.start.change_id.clone())
    }

    fn channels(&self) -> impl Iterator<Item = &Channel> {
        std::iter::once(&*self.stdio).chain(self.split.as_deref())
    }

    /// Waits for the first of: the change's end, the process's end with its output held open, the deadline.
    async fn watch(&mut self) -> Result<ExitStatus, Failure> {
        let client = self.start.client.clone();
        let change_id = self.start.change_id.clone();
        let deadline = self.start.timeout.and_then(|timeout| {
            self.started
                .checked_add(timeout.checked_add(TIMEOUT_GRACE)?)
        });
        let (stdio, split) = (Arc::clone(&self.stdio), self.split.clone());
        let (discard_stdout, discard_stderr) = (self.stdout.is_some(), self.stderr.is_some());
        let moving = std::future::poll_fn(|context| {
            stdio.poll_wait(context, discard_stdout);
            if let Some(split) = &split {
                split.poll_wait(context, discard_stderr);
            }
            Poll::<()>::Pending
        });
        tokio::select! {
            biased;
            change = client.wait_end(&change_id, None) => self.judge(change),
            () = moving => Ok(ExitStatus::Unknown),
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

    fn judge(&self, change: Result<Change, Failure>) -> Result<ExitStatus, Failure> {
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
            ChangeStatus::Error if self.start.timeout.is_some() && change.timed_out() => {
                Ok(ExitStatus::TimedOut)
            }
            _ => Err(Failure::Change(Box::new(change))),
        }
    }
}

impl Change {
    fn timed_out(&self) -> bool {
        self.err
            .as_ref()
            .is_some_and(|err| err.contains("(timed out after "))
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Whether the daemon has dropped the connection, which is how it says that the process has ended.
fn is_closed(error: &tokio_tungstenite::tungstenite::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    use tokio_tungstenite::tungstenite::Error as WebSocketError;
    match error {
        WebSocketError::ConnectionClosed
        | WebSocketError::AlreadyClosed
        | WebSocketError::Protocol(_) => true,
        WebSocketError::Io(error) => {
            matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
        }
        _ => false,
    }
}
