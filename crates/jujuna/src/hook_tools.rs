//! The one boundary to Juju: a hook command goes out, its answer comes back.

mod document;
mod process;
mod secret_file;

use std::fmt;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroize;

pub(crate) use document::document;
pub use process::ProcessHookTools;
pub use secret_file::SecretFile;

/// What answers hook commands: Juju's own programs, or a fake in tests.
///
/// This is the only way in which this crate talks to Juju.
///
/// # Example
///
/// ```
/// use std::io;
///
/// use jujuna::{HookCommand, HookOutput, HookTools, Juju};
///
/// /// Answers everything alike.
/// struct Always(&'static str);
///
/// impl HookTools for Always {
///     fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
///         assert_eq!(command.arguments(), ["--format=json"]);
///         Ok(HookOutput::new(0, self.0, ""))
///     }
/// }
///
/// let juju = Juju::new(Box::new(Always("{\"k\": \"v\"}")));
/// assert_eq!(juju.state_get()?["k"], "v");
/// # Ok::<(), jujuna::Error>(())
/// ```
pub trait HookTools {
    /// Runs one hook command to its end and returns how it ended and what it said.
    ///
    /// A command that refuses is an answer, not an error.
    ///
    /// # Errors
    ///
    /// Returns an error when the command cannot be run: [`io::ErrorKind::NotFound`] when there is
    /// no such command, [`io::ErrorKind::TimedOut`] when it did not end within its deadline.
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput>;

    /// Begins a hook command whose answer will be wanted later, so that it runs beside whatever the charm does until then.
    ///
    /// `None`, which a fake answers, leaves it to [`call`](HookTools::call) when the answer is wanted.
    ///
    /// [`BegunHookCommand`] has an example.
    fn begin(&self, command: &HookCommand) -> Option<Box<dyn BegunHookCommand>> {
        let _ = command;
        None
    }

    /// Returns the time of day. A test sets it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Returns a moment, to measure how long something takes. A test moves it on with the time.
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A hook command that runs beside the charm; dropping it ends it.
///
/// # Example
///
/// ```
/// use jujuna::{HookCommand, HookTools, ProcessHookTools};
///
/// let tools = ProcessHookTools::new();
/// // `uname` stands for one of Juju's.
/// let begun = tools.begin(&HookCommand::new("uname")).expect("it is on PATH");
/// // Meanwhile the charm does something else.
/// assert_eq!(begun.finish()?.stdout, b"Linux\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait BegunHookCommand {
    /// Waits for the end, for the command's deadline at most, and returns how it ended and what it said.
    ///
    /// [`BegunHookCommand`] has an example.
    ///
    /// # Errors
    ///
    /// As of [`HookTools::call`].
    fn finish(self: Box<Self>) -> io::Result<HookOutput>;
}

impl<T: HookTools + ?Sized> HookTools for Box<T> {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        (**self).call(command)
    }

    fn begin(&self, command: &HookCommand) -> Option<Box<dyn BegunHookCommand>> {
        (**self).begin(command)
    }

    fn time(&self) -> SystemTime {
        (**self).time()
    }

    fn instant(&self) -> Instant {
        (**self).instant()
    }
}

impl<T: HookTools + ?Sized> HookTools for &T {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        (**self).call(command)
    }

    fn begin(&self, command: &HookCommand) -> Option<Box<dyn BegunHookCommand>> {
        (**self).begin(command)
    }

    fn time(&self) -> SystemTime {
        (**self).time()
    }

    fn instant(&self) -> Instant {
        (**self).instant()
    }
}

/// How long a hook command may take: Juju answers in milliseconds, unless a backend of it hangs.
///
/// [`HookCommand`] has an example.
pub const DEFAULT_DEADLINE: Duration = Duration::from_mins(1);

/// The size in bytes that one argument stays under; Linux takes no argument of 128 KiB or more.
///
/// [`HookCommand`] has an example.
pub const MAX_ARGUMENT_BYTES: usize = 128 * 1024;

/// One call of a hook command: its name, arguments and stdin.
///
/// No argument ever holds a secret's value: those go by [`SecretFile`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use jujuna::{DEFAULT_DEADLINE, HookCommand, MAX_ARGUMENT_BYTES};
///
/// let command = HookCommand::json("relation-get").arg("-r").args(["db:3", "-", "pg/0"]);
/// assert_eq!((command.name(), command.arguments().len()), ("relation-get", 5));
/// assert_eq!(command.max_duration(), Some(DEFAULT_DEADLINE));
/// let command = HookCommand::new("juju-log").text("--not an option").deadline(Duration::from_secs(5));
/// assert_eq!(command.arguments(), ["--", "--not an option"]);
/// assert!(command.arguments().iter().all(|argument| argument.len() < MAX_ARGUMENT_BYTES));
/// let command = HookCommand::new("state-set").args(["--file", "-"]).stdin(b"{}".to_vec()).without_deadline();
/// assert_eq!((command.stdin_bytes(), command.max_duration()), (Some(b"{}".as_slice()), None));
/// ```
pub struct HookCommand {
    name: &'static str,
    arguments: Vec<String>,
    stdin: Option<Vec<u8>>,
    secret_file: Option<SecretFile>,
    deadline: Option<Duration>,
}

impl HookCommand {
    /// Starts a call of the hook command `name`, with nothing on stdin and the default deadline.
    ///
    /// [`HookCommand`] has an example.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            arguments: Vec::new(),
            stdin: None,
            secret_file: None,
            deadline: Some(DEFAULT_DEADLINE),
        }
    }

    /// Starts a call that answers in JSON.
    ///
    /// [`HookCommand`] has an example.
    pub fn json(name: &'static str) -> Self {
        Self::new(name).arg("--format=json")
    }

    /// Adds an argument.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds `--` and free text, which then may begin with a dash.
    ///
    /// A NUL, which no argument can hold, becomes U+FFFD.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.arg("--").arg(text.replace('\0', "\u{fffd}"))
    }

    /// Writes these bytes to the command's stdin.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Adds `--file` and the path of a file that lives in memory, as long as this call.
    ///
    /// [`SecretFile`] has an example.
    #[must_use]
    pub fn secret_file(mut self, file: SecretFile) -> Self {
        self.arguments.push("--file".to_owned());
        self.arguments.push(file.path().to_owned());
        self.secret_file = Some(file);
        self
    }

    /// Lets the command run as long as it takes.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn without_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// Lets the command run for `deadline` at most.
    ///
    /// [`HookCommand`] has an example.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns the hook command's name, which is also the program's.
    ///
    /// [`HookCommand`] has an example.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the arguments, the program's name not among them.
    ///
    /// [`HookCommand`] has an example.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Returns what goes to stdin; nothing is not the same as an empty stdin to Juju.
    ///
    /// [`HookCommand`] has an example.
    pub fn stdin_bytes(&self) -> Option<&[u8]> {
        self.stdin.as_deref()
    }

    /// Returns how long the command may run; `None` is for ever.
    ///
    /// [`HookCommand`] has an example.
    pub fn max_duration(&self) -> Option<Duration> {
        self.deadline
    }
}

impl fmt::Debug for HookCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookCommand")
            .field("name", &self.name)
            .field("arguments", &self.arguments)
            .field("stdin_bytes", &self.stdin.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// How a hook command ended and what it wrote.
///
/// Its `Debug` does not print stdout, which may be a secret; memory is wiped on drop.
///
/// # Example
///
/// ```
/// let output = jujuna::HookOutput::new(0, "{\"password\": \"hunter22\"}", "");
/// assert!(output.success());
/// assert!(!format!("{output:?}").contains("hunter22"));
/// ```
pub struct HookOutput {
    /// The exit code; absent when a signal ended the command.
    pub exit_code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl HookOutput {
    /// An answer of the given exit code and texts.
    ///
    /// [`HookOutput`] has an example.
    pub fn new(exit_code: i32, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Self {
            exit_code: Some(exit_code),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    /// Returns whether the command did what was asked.
    ///
    /// [`HookOutput`] has an example.
    pub fn success(&self) -> bool {
        self.exit_code == Some(0)
    }
}

impl fmt::Debug for HookOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookOutput")
            .field("exit_code", &self.exit_code)
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr", &String::from_utf8_lossy(&self.stderr))
            .finish()
    }
}

impl Drop for HookOutput {
    fn drop(&mut self) {
        self.stdout.zeroize();
    }
}
