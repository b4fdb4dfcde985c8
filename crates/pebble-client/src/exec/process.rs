//! A command that runs.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::Client;
use crate::changes::ChangeId;
use crate::client::Operation;
use crate::error::{Error, Failure};
use crate::exec::channel::Channel;
use crate::exec::exit_status::ExitStatus;
use crate::exec::feed::Feed;
use crate::exec::stdin::Input;
use crate::exec::streams::{ProcessStderr, ProcessStdin, ProcessStdout};
use crate::exec::websocket::{self, Socket};
use crate::exec::{OnDrop, TerminalSize};

/// How long a command may take to end that has to be killed before its input is closed.
const KILL_GRACE: Duration = Duration::from_secs(5);

const SIGKILL: i32 = 9;

/// A command that was started by [`ExecBuilder::spawn`](crate::ExecBuilder::spawn).
///
/// Dropping it kills the process with SIGKILL, unless it has ended or
/// [`ExecBuilder::on_drop`](crate::ExecBuilder::on_drop) says otherwise; losing the connection kills it in any case. What
/// the process itself has started lives on. [`detach`](Self::detach) leaves it running.
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
    pub(super) start: Start,
    pub(super) control: Option<Socket>,
    pub(super) stdio: Arc<Channel>,
    pub(super) split: Option<Arc<Channel>>,
    /// What [`Stdin::Stream`](crate::Stdin::Stream) still brings.
    pub(super) feed: Arc<Mutex<Option<Feed>>>,
    pub(super) started: Instant,
    /// A change of this id that began later is another one, of a daemon that counts from 1 again.
    pub(super) answered: Timestamp,
    pub(super) failure: Option<String>,
    aborted: bool,
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
    pub(crate) on_drop: OnDrop,
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
        let (channel, reader) = match input {
            Input::Null => (Channel::with_bytes(stdio, Bytes::new()), None),
            Input::Bytes(bytes) => (Channel::with_bytes(stdio, Bytes::from_owner(bytes)), None),
            Input::Piped => (Channel::with_writer(stdio), None),
            Input::Stream(reader) => (Channel::with_writer(stdio), Some(reader)),
        };
        let stdio = Arc::new(channel);
        let feed = reader.map(|reader| Feed::new(reader, Arc::clone(&stdio)));
        let split = stderr.map(|stderr| Arc::new(Channel::without_input(stderr)));
        Ok(Self {
            stdin: piped.then(|| ProcessStdin::new(Arc::clone(&stdio))),
            stdout: Some(ProcessStdout::new(Arc::clone(&stdio))),
            stderr: split.clone().map(ProcessStderr::new),
            start,
            control: Some(control),
            stdio,
            split,
            feed: Arc::new(Mutex::new(feed)),
            started,
            answered,
            failure: None,
            aborted: false,
            outcome: None,
        })
    }

    /// Returns the change that stands for the command in the daemon.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let process = client.exec(["sleep", "60"]).spawn().await?;
    /// let change = client.change(process.change_id()).await?;
    /// # Ok(())
    /// # }
    /// ```
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
    /// [`ChangeFailed`](crate::ErrorKind::ChangeFailed) for an end that no [`ExitStatus`] stands for, and
    /// [`LocalIo`](crate::ErrorKind::LocalIo) when the reader of [`Stdin::Stream`](crate::Stdin::Stream) failed; then
    /// the command was killed before its input was closed. That Pebble went away is no error but
    /// [`ExitStatus::Unknown`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ExitStatus;
    /// let mut process = client.exec(["true"]).spawn().await?;
    /// assert_eq!(process.wait().await?, ExitStatus::Exited(0));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        if let Some(outcome) = self.outcome {
            return Ok(outcome);
        }
        drop(self.stdin.take());
        let result = self.watch().await;
        self.control = None;
        if let Err(Failure::LocalIo(_)) = &result {
            let ended = self
                .start
                .client
                .wait_end(&self.start.change_id, Some(KILL_GRACE));
            let _ = ended.await;
        }
        self.stdio.break_input();
        if result
            .as_ref()
            .map_or(true, |status| status.code().is_none())
        {
            self.channels().for_each(Channel::give_up_output);
        }
        let mut status = result.operation(|| format!("run {}", self.start.program))?;
        if self.aborted && status == ExitStatus::Signaled(SIGKILL) {
            status = ExitStatus::Aborted;
        }
        self.outcome = Some(status);
        Ok(status)
    }

    /// Sends a signal (a name like `SIGTERM`) to the process itself, not to what it has started. Pebble does not
    /// answer: whether the signal exists, or came in time, shows in how the process ends.
    ///
    /// # Errors
    ///
    /// [`ConnectionLost`](crate::ErrorKind::ConnectionLost). A process that has ended already is no error.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let mut process = client.exec(["sleep", "60"]).spawn().await?;
    /// process.signal("SIGTERM").await?;
    /// let status = process.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal(&mut self, name: &str) -> Result<(), Error> {
        let command = serde_json::json!({"command": "signal", "signal": {"name": name}});
        self.send_control(&command)
            .await
            .operation(|| format!("send {name} to {}", self.start.program))
    }

    /// Tells the command's terminal its new size; the process gets SIGWINCH. Without a terminal it does nothing.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::TerminalSize;
    /// let size = TerminalSize { width: 80, height: 24 };
    /// let mut process = client.exec(["top"]).interactive(size).spawn().await?;
    /// process.resize(TerminalSize { width: 120, height: 40 }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), Error> {
        let command = serde_json::json!({
            "command": "resize",
            "resize": {"width": size.width, "height": size.height},
        });
        self.send_control(&command)
            .await
            .operation(|| format!("resize the terminal of {}", self.start.program))
    }

    async fn send_control(&mut self, command: &serde_json::Value) -> Result<(), Failure> {
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        match control.send(Message::text(command.to_string())).await {
            Err(error) if !is_closed(&error) => Err(Failure::Lost(Box::new(error))),
            _ => Ok(()),
        }
    }

    /// Tells Pebble to give the command up, which kills the process itself with SIGKILL. Then [`wait`](Self::wait)
    /// returns [`ExitStatus::Aborted`].
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when the command has ended.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ExitStatus;
    /// let mut process = client.exec(["sleep", "60"]).spawn().await?;
    /// process.abort().await?;
    /// assert_eq!(process.wait().await?, ExitStatus::Aborted);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn abort(&mut self) -> Result<(), Error> {
        self.start
            .client
            .abort_change(&self.start.change_id)
            .await?;
        self.aborted = true;
        Ok(())
    }

    /// Returns Pebble's own words of why the command failed, where [`wait`](Self::wait) returned
    /// [`ExitStatus::FailedToStart`], [`ExitStatus::Aborted`] or [`ExitStatus::TimedOut`] and Pebble said something.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let mut process = client.exec(["sleep", "60"]).timeout(Duration::from_secs(1)).spawn().await?;
    /// let status = process.wait().await?;
    /// let why = process.failure();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Leaves the process running and returns its change. Its input ends, and what it writes from now on fails with
    /// a broken pipe.
    ///
    /// # Errors
    ///
    /// [`ConnectionLost`](crate::ErrorKind::ConnectionLost); then the process may have been killed.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let process = client.exec(["sleep", "60"]).spawn().await?;
    /// let change = process.detach().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn detach(mut self) -> Result<ChangeId, Error> {
        if let Some(mut control) = self.control.take() {
            match control.close(Some(goodbye())).await {
                Err(error) if !is_closed(&error) => {
                    let operation = format!("detach from {}", self.start.program);
                    return Err(Error::new(operation, Failure::Lost(Box::new(error))));
                }
                _ => {}
            }
        }
        Ok(self.start.change_id.clone())
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        std::iter::once(&*self.stdio).chain(self.split.as_deref())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Before the streams: whoever is killed shall not see the end of its input first.
        let control = self.control.take();
        if let (Some(mut control), OnDrop::Detach) = (control, self.start.on_drop) {
            // There is always room for a frame this small, so nothing has to be waited for.
            let _ = control.send(Message::Close(Some(goodbye()))).now_or_never();
        }
    }
}

/// What keeps Pebble from killing the process when the connection ends.
fn goodbye() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Normal,
        reason: "detach".into(),
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
