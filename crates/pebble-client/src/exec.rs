//! Running a command in the workload: what to run, and starting it.

pub(crate) mod channel;
pub(crate) mod exit_status;
pub(crate) mod feed;
pub(crate) mod output;
mod payload;
pub(crate) mod process;
pub(crate) mod stdin;
pub(crate) mod streams;
pub(crate) mod watch;
pub(crate) mod websocket;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::Client;
use crate::client::Operation;
use crate::duration;
use crate::error::{Error, Failure};
use crate::exec::output::ExecOutput;
use crate::exec::payload::Payload;
use crate::exec::process::{Process, Start};
use crate::exec::stdin::{Input, Stdin};
use crate::query::Target;

/// How long a process's output may stay open and silent after the process has ended.
const DEFAULT_STDIO_GRACE: Duration = Duration::from_secs(5);

/// What becomes of a command when its [`Process`] is dropped, or the future of
/// [`output`](ExecBuilder::output) is.
///
/// [`ExecBuilder::on_drop`] has an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnDrop {
    /// Pebble kills the process itself, not what it has started, with SIGKILL.
    #[default]
    Kill,
    /// It goes on, without input, and what it writes fails with a broken pipe. As far as that can be had: where the
    /// connection breaks, or this program is killed, Pebble kills the process all the same.
    Detach,
}

/// The size of a terminal in characters.
///
/// [`ExecBuilder::interactive`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalSize {
    /// How many characters a line has.
    pub width: u16,
    /// How many lines there are.
    pub height: u16,
}

/// A command to run in the workload; made by [`Client::exec`].
///
/// Environment and standard input may hold secrets: neither shows in `Debug`, in an error or in the daemon's log.
/// Arguments are seen by every process of the workload, so they are no place for a secret.
///
/// [`Client::exec`] and each method have an example.
#[must_use = "nothing is run until `output` or `spawn`"]
pub struct ExecBuilder {
    client: Client,
    payload: Payload,
    timeout: Option<Duration>,
    stdio_grace: Duration,
    input: Input,
    output_limit_bytes: Option<usize>,
    on_drop: OnDrop,
}

/// Of the answer only this is looked at: the rest repeats the environment.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Started {
    task_id: String,
}

impl Client {
    /// Begins to describe a command. Its first word is the program: an absolute path, or a name that is looked up in
    /// the PATH of the daemon (not in that of [`ExecBuilder::environment`]). No shell is involved.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{ExitStatus, Stdin};
    ///
    /// let output = client.exec(["wc", "-c"]).stdin(Stdin::Bytes(b"hello".to_vec())).output().await?;
    /// assert_eq!(output.status, ExitStatus::Exited(0));
    /// assert_eq!(output.stdout, b"5\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn exec(&self, command: impl IntoIterator<Item = impl Into<String>>) -> ExecBuilder {
        ExecBuilder {
            client: self.clone(),
            payload: Payload {
                command: command.into_iter().map(Into::into).collect(),
                service_context: None,
                environment: BTreeMap::new(),
                working_dir: None,
                timeout: None,
                user_id: None,
                user: None,
                group_id: None,
                group: None,
                split_stderr: true,
                terminal: false,
                interactive: false,
                width: None,
                height: None,
            },
            timeout: None,
            stdio_grace: DEFAULT_STDIO_GRACE,
            input: Input::Null,
            output_limit_bytes: None,
            on_drop: OnDrop::Kill,
        }
    }
}

impl ExecBuilder {
    /// Sets a variable on top of the daemon's own environment.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).environment("TOKEN", "s3cret");
    /// assert!(!format!("{command:?}").contains("s3cret"));
    /// ```
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        self.payload.environment.insert(name.into(), value.into());
        self
    }

    /// Sets the directory to run in; at first the user's home, else `/`.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).working_dir("/data");
    /// ```
    pub fn working_dir(mut self, directory: impl Into<String>) -> Self {
        self.payload.working_dir = Some(directory.into());
        self
    }

    /// Sets how long the command may run; without it, for ever. Then Pebble kills the process itself (not what that
    /// has started) and the result is [`ExitStatus::TimedOut`](crate::ExitStatus::TimedOut).
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use std::time::Duration;
    /// let command = client.exec(["web", "--check"]).timeout(Duration::from_mins(1));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the user by id. Pebble must be root for it. HOME and USER become that user's.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).user_id(991);
    /// ```
    pub fn user_id(mut self, user_id: u32) -> Self {
        self.payload.user_id = Some(user_id);
        self
    }

    /// Sets the user by name. Pebble must be root for it.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).user("web");
    /// ```
    pub fn user(mut self, user: &str) -> Self {
        self.payload.user = Some(user.to_owned());
        self
    }

    /// Sets the group by id; needs a user too. Without it, it is the user's own group.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).user_id(991).group_id(991);
    /// ```
    pub fn group_id(mut self, group_id: u32) -> Self {
        self.payload.group_id = Some(group_id);
        self
    }

    /// Sets the group by name; needs a user too.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).user("web").group("web");
    /// ```
    pub fn group(mut self, group: &str) -> Self {
        self.payload.group = Some(group.to_owned());
        self
    }

    /// Takes environment, user, group and working directory of a service, below what is set here.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).service_context("web");
    /// ```
    pub fn service_context(mut self, service: &str) -> Self {
        self.payload.service_context = Some(service.to_owned());
        self
    }

    /// Sends the standard error where the standard output goes, in the order in which they were written.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).combine_stderr();
    /// ```
    pub fn combine_stderr(mut self) -> Self {
        self.payload.split_stderr = false;
        self
    }

    /// Lets the command write to a terminal of this size in place of pipes. Its standard error goes there too, unless
    /// [`separate_stderr`](Self::separate_stderr) is called after this. What it reads is still a pipe.
    ///
    /// The variable `TERM` is the daemon's, if it has one: set the one of the terminal that shows the output.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use pebble_client::TerminalSize;
    /// let command = client.exec(["web", "--check"]).terminal(TerminalSize { width: 80, height: 24 });
    /// ```
    pub fn terminal(mut self, size: TerminalSize) -> Self {
        self.payload.terminal = true;
        self.payload.split_stderr = false;
        self.payload.width = Some(size.width);
        self.payload.height = Some(size.height);
        self
    }

    /// As [`terminal`](Self::terminal), and the command reads from the terminal too, which is its controlling one. The
    /// end of the input is Ctrl-D there, so a command that does not read to the end of a line does not see it.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pebble_client::{Stdin, TerminalSize};
    /// let size = TerminalSize { width: 80, height: 24 };
    /// let shell = client.exec(["bash"]).interactive(size).environment("TERM", "xterm").stdin(Stdin::Piped);
    /// let mut process = shell.spawn().await?;
    /// process.resize(TerminalSize { width: 120, height: 40 }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn interactive(mut self, size: TerminalSize) -> Self {
        self.payload.interactive = true;
        self.terminal(size)
    }

    /// Sends the standard error a way of its own, which is so at first where there is no terminal.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use pebble_client::TerminalSize;
    /// let command = client.exec(["web", "--check"]).terminal(TerminalSize { width: 80, height: 24 }).separate_stderr();
    /// ```
    pub fn separate_stderr(mut self) -> Self {
        self.payload.split_stderr = true;
        self
    }

    /// Sets what becomes of the command when its [`Process`] is dropped; it is killed at first.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use pebble_client::OnDrop;
    /// let command = client.exec(["web", "--check"]).on_drop(OnDrop::Detach);
    /// ```
    pub fn on_drop(mut self, on_drop: OnDrop) -> Self {
        self.on_drop = on_drop;
        self
    }

    /// Sets what the command reads; nothing at first.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use pebble_client::Stdin;
    /// let command = client.exec(["web", "--check"]).stdin(Stdin::Bytes(b"one line\n".to_vec()));
    /// ```
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.input = stdin.into();
        self
    }

    /// Sets how much [`output`](Self::output) keeps of each stream: its first and its last `limit_bytes / 2`, the
    /// rest being read and dropped. Without it, more than 64 MiB of a stream is an error.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// let command = client.exec(["web", "--check"]).output_limit_bytes(64 * 1024);
    /// ```
    pub fn output_limit_bytes(mut self, limit_bytes: usize) -> Self {
        self.output_limit_bytes = Some(limit_bytes);
        self
    }

    /// Sets how long the output may stay open and silent after the process itself has ended, because something it
    /// started has it; then [`ExitStatus::StdioHeld`](crate::ExitStatus::StdioHeld) is the result. 5 s at first.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use std::time::Duration;
    /// let command = client.exec(["web", "--check"]).stdio_grace(Duration::from_millis(500));
    /// ```
    pub fn stdio_grace(mut self, grace: Duration) -> Self {
        self.stdio_grace = grace;
        self
    }

    /// Runs the command to its end and returns what it wrote. With [`Stdin::Piped`] it reads nothing.
    ///
    /// A future that is dropped kills the command, unless [`on_drop`](Self::on_drop) says otherwise.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Process::wait`]; [`TooLarge`](crate::ErrorKind::TooLarge). Ending with a bad
    /// exit code is no error.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let output = client.exec(["sh", "-c", "echo out; exit 3"]).output().await?;
    /// assert_eq!((output.status.code(), output.stdout), (Some(3), b"out\n".to_vec()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn output(self) -> Result<ExecOutput, Error> {
        let limit_bytes = self.output_limit_bytes;
        output::run(self.spawn().await?, limit_bytes).await
    }

    /// Starts the command and returns as soon as its streams are connected.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such program,
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for an empty command, an unknown user or service, a group
    /// without a user; [`Daemon`](crate::ErrorKind::Daemon) when the working directory does not exist. That the
    /// program cannot be executed is told by [`Process::wait`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pebble_client::Stdin;
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut process = client.exec(["sort"]).stdin(Stdin::Piped).spawn().await?;
    /// let mut stdin = process.stdin.take().ok_or("no input")?;
    /// stdin.write_all(b"b\na\n").await?;
    /// drop(stdin);
    /// let status = process.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn(self) -> Result<Process, Error> {
        let program = self.program();
        self.start(&program)
            .await
            .operation(|| format!("run {program}"))
    }

    async fn start(mut self, program: &str) -> Result<Process, Failure> {
        // To the daemon, zero means for ever.
        self.payload.timeout = self
            .timeout
            .map(|timeout| duration::format(timeout.max(Duration::from_nanos(1))));
        let body = self.payload.body()?;
        let client = self.client.clone();
        let _turn = client.turn_to_start().await;
        let envelope = self
            .client
            .post_bytes::<Started>(Target::new("/v1/exec"), body, self.client.timeout())
            .await?;
        let change_id = envelope.change.clone().ok_or_else(|| {
            Failure::Protocol(String::from("a command was started without a change"))
        })?;
        let start = Start {
            program: program.to_owned(),
            client: self.client,
            change_id,
            task_id: envelope.result()?.task_id,
            split_stderr: self.payload.split_stderr,
            timeout: self.timeout,
            stdio_grace: self.stdio_grace,
            on_drop: self.on_drop,
        };
        Process::connect(start, self.input).await
    }

    fn program(&self) -> String {
        self.payload
            .command
            .first()
            .map_or_else(|| String::from("an empty command"), Clone::clone)
    }
}

impl fmt::Debug for ExecBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecBuilder")
            .field("program", &self.program())
            .field("environment", &self.payload.environment.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Stdin;
    use crate::Client;

    #[test]
    fn debug_of_a_command_shows_no_secret() {
        let exec = Client::new("/nowhere")
            .exec(["gpg", "argument-secret"])
            .environment("AWS_SECRET_ACCESS_KEY", "environment-secret")
            .stdin(Stdin::Bytes(b"stdin-secret".to_vec()));
        let shown = format!("{exec:?}");
        assert!(
            shown.contains("gpg") && shown.contains("AWS_SECRET_ACCESS_KEY"),
            "{shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
    }
}
