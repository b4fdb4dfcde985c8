//! Juju's own hook commands: programs that the agent puts on PATH.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{BegunHookCommand, HookCommand, HookOutput, HookTools};

/// Runs hook commands as the processes they are, found on PATH by their name.
///
/// They inherit the environment, by which Juju knows the dispatch. A command that is not done within its
/// deadline is killed.
///
/// # Example
///
/// ```
/// use jujuna::{ErrorKind, Juju, ProcessHookTools};
///
/// // Here is no Juju, so there are no hook commands.
/// let tools = ProcessHookTools::new().with_variable("PATH", "/nowhere");
/// let error = Juju::new(Box::new(tools)).config_get().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProcessHookTools {
    variables: BTreeMap<String, String>,
}

impl ProcessHookTools {
    /// Hook commands from this process's PATH, with this process's environment.
    ///
    /// [`ProcessHookTools`] has an example.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable for the hook commands alone. PATH tells, too, where they are looked for.
    ///
    /// [`ProcessHookTools`] has an example.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl HookTools for ProcessHookTools {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        let running = Running(self.spawn(command)?);
        let deadline = Deadline::after(command.max_duration());
        running.converse(command.stdin_bytes().unwrap_or_default(), deadline)
    }

    fn begin(&self, command: &HookCommand) -> Option<Box<dyn BegunHookCommand>> {
        // What cannot be started says so when it is called. And nobody is there to feed a stdin.
        if command.stdin_bytes().is_some() {
            return None;
        }
        let running = Running(self.spawn(command).ok()?);
        Some(Box::new(Begun {
            running,
            max_duration: command.max_duration(),
        }))
    }
}

impl ProcessHookTools {
    fn spawn(&self, command: &HookCommand) -> io::Result<Child> {
        let input = command.stdin_bytes();
        program(command.name())
            .args(command.arguments())
            .envs(&self.variables)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// A process that is ended, unless it has ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended meanwhile: then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Begun {
    running: Running,
    max_duration: Option<Duration>,
}

impl BegunHookCommand for Begun {
    fn finish(self: Box<Self>) -> io::Result<HookOutput> {
        // From now on: until now the charm may have been at work for long, and the command done for long.
        let deadline = Deadline::after(self.max_duration);
        self.running.converse(&[], deadline)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts processes"
)]
fn program(name: &str) -> Command {
    Command::new(name)
}

#[derive(Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(duration: Option<Duration>) -> Self {
        Self(duration.and_then(|duration| Instant::now().checked_add(duration)))
    }

    fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.0 else { return Ok(None) };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }
}

impl Running {
    fn converse(mut self, input: &[u8], deadline: Deadline) -> io::Result<HookOutput> {
        converse(&mut self.0, input, deadline)
    }
}

/// Feeds stdin and drains stdout and stderr side by side, so that no full pipe stops the child, then reaps it.
fn converse(child: &mut Child, mut input: &[u8], deadline: Deadline) -> io::Result<HookOutput> {
    let mut stdin = child.stdin.take();
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    for pipe in [
        stdin.as_ref().map(AsFd::as_fd),
        stdout.as_ref().map(AsFd::as_fd),
        stderr.as_ref().map(AsFd::as_fd),
    ] {
        pipe.map(set_nonblocking).transpose()?;
    }
    let mut output = HookOutput {
        exit_code: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    while stdin.is_some() || stdout.is_some() || stderr.is_some() {
        wait_ready(
            [
                stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::OUT)),
                stdout.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::IN)),
                stderr.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::IN)),
            ],
            deadline,
        )?;
        feed(&mut stdin, &mut input)?;
        drain(&mut stdout, &mut output.stdout)?;
        drain(&mut stderr, &mut output.stderr)?;
    }
    output.exit_code = reap(child, deadline)?;
    Ok(output)
}

fn set_nonblocking(pipe: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(pipe)?;
    Ok(fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?)
}

fn wait_ready(
    pipes: [Option<(BorrowedFd<'_>, PollFlags)>; 3],
    deadline: Deadline,
) -> io::Result<()> {
    let mut entries: Vec<PollFd<'_>> = pipes
        .into_iter()
        .flatten()
        .map(|(pipe, flags)| PollFd::from_borrowed_fd(pipe, flags))
        .collect();
    let left = deadline.left()?.map(Timespec::try_from).transpose();
    let left = left.map_err(io::Error::other)?;
    match poll(&mut entries, left.as_ref()) {
        Ok(0) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn feed(pipe: &mut Option<impl Write>, input: &mut &[u8]) -> io::Result<()> {
    let Some(writer) = pipe else { return Ok(()) };
    while !input.is_empty() {
        match writer.write(input) {
            Ok(written) => *input = &input[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A command that refuses its arguments does not read its stdin.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(error),
        }
    }
    *pipe = None;
    Ok(())
}

fn drain(pipe: &mut Option<impl Read>, output: &mut Vec<u8>) -> io::Result<()> {
    let Some(reader) = pipe else { return Ok(()) };
    match reader.read_to_end(output) {
        Ok(_) => *pipe = None,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Waits for a child that has closed its pipes: it is about to end, or already did.
fn reap(child: &mut Child, deadline: Deadline) -> io::Result<Option<i32>> {
    // A kernel without pidfd leaves waiting without a deadline, for what is as good as over.
    if let Ok(process) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        while child.try_wait()?.is_none() {
            wait_ready(
                [Some((process.as_fd(), PollFlags::IN)), None, None],
                deadline,
            )?;
        }
    }
    Ok(child.wait()?.code())
}
