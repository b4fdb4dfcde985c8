//! One run of the charm's program: started, its output taken, its end told.

use super::UnitRuntime;
use super::environment::variables;
use super::server::Server;
use crate::context::{HookContext, Purpose};
use crate::controller::Controller;
use crate::pod;
use anyhow::{Context as _, Result};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// How long the output of processes that outlive the charm is waited for.
const OUTPUT_GRACE: Duration = Duration::from_millis(100);
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// What a shell and bubblewrap add to a signal's number.
const SIGNAL_BASE: i32 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    /// By SIGKILL or SIGTERM, which Juju takes for no fault of the charm's.
    Terminated,
    Signal(i32),
    /// The charm has no program for this.
    Missing,
}

#[derive(Debug)]
pub(super) struct Finished {
    pub(super) exit: Exit,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) context: HookContext,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the charm for `purpose`, or `words` for an operator's command.
pub(super) async fn run(
    controller: &Arc<Controller>,
    unit: &UnitRuntime,
    purpose: Purpose,
    words: &[String],
) -> Result<Finished> {
    let context = HookContext::new(&unit.name, purpose);
    let host = unit.host.lock().await;
    let places = host.places(unit, controller.tools());
    let argv = match program(unit, &context.purpose) {
        _ if matches!(context.purpose, Purpose::Command) => words.to_vec(),
        Some(relative) => vec![places.charm.join(relative).display().to_string()],
        None => return Ok(Finished::missing(context)),
    };
    let environment = variables(&controller.model(), &context, &places);
    let socket = unit.agent_folder().join("agent.socket");
    let server = Server::open(controller, &unit.running, &socket, host.shares_root())?;
    let command = host.command(&argv, &environment, &places, unit, controller.tools())?;
    drop(host);
    let logger = logger(&context);
    *locked(&unit.running) = Some(context);
    let ended = finish(controller, unit, command, logger).await;
    *locked(&unit.charm_process) = None;
    drop(server);
    let context = locked(&unit.running).take();
    let (exit, stdout, stderr) = ended?;
    Ok(Finished {
        exit,
        stdout,
        stderr,
        context: context.context("the run has lost its context")?,
    })
}

async fn finish(
    controller: &Arc<Controller>,
    unit: &UnitRuntime,
    mut command: Command,
    logger: Option<String>,
) -> Result<(Exit, String, String)> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = pod::spawn(command).await?;
    *locked(&unit.charm_process) = child.id();
    if let Some(context) = locked(&unit.running).as_mut() {
        context.process = child.id();
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let stdout = take_output(controller, unit, logger.clone(), "DEBUG", out);
    let stderr = take_output(controller, unit, logger, "WARNING", err);
    let status = child.wait().await.context("cannot wait for the charm")?;
    Ok((exit(status), stdout.end().await, stderr.end().await))
}

impl Finished {
    fn missing(context: HookContext) -> Self {
        Self {
            exit: Exit::Missing,
            stdout: String::new(),
            stderr: String::new(),
            context,
        }
    }
}

/// `dispatch`, else the file of this hook or action.
fn program(unit: &UnitRuntime, purpose: &Purpose) -> Option<String> {
    let own = match purpose {
        Purpose::Hook(hook) => format!("hooks/{}", hook.name()),
        Purpose::Action { name, .. } => format!("actions/{name}"),
        Purpose::Command => return None,
    };
    ["dispatch".to_owned(), own]
        .into_iter()
        .find(|file| unit.charm_folder().join(file).is_file())
}

/// The module that a hook's output is logged under; an action's is kept for its results alone.
fn logger(context: &HookContext) -> Option<String> {
    match &context.purpose {
        Purpose::Hook(hook) => Some(format!("unit.{}.{}", context.unit, hook.name())),
        _ => None,
    }
}

fn exit(status: ExitStatus) -> Exit {
    let code = status.code();
    let signal = status.signal().or(code
        .map(|code| code - SIGNAL_BASE)
        .filter(|signal| matches!(*signal, SIGKILL | SIGTERM)));
    match (signal, code) {
        (Some(SIGKILL | SIGTERM), _) => Exit::Terminated,
        (Some(other), _) => Exit::Signal(other),
        (None, code) => Exit::Code(code.unwrap_or(1)),
    }
}

struct Output {
    text: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Output {
    /// What was written; a pipe that children still hold is not waited for long.
    async fn end(mut self) -> String {
        if tokio::time::timeout(OUTPUT_GRACE, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
        std::mem::take(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take_output<R: AsyncRead + Unpin + Send + 'static>(
    controller: &Arc<Controller>,
    unit: &UnitRuntime,
    logger: Option<String>,
    level: &'static str,
    pipe: Option<R>,
) -> Output {
    let text = Arc::new(Mutex::new(String::new()));
    let (kept, controller, name) = (
        Arc::clone(&text),
        Arc::clone(controller),
        unit.name.to_string(),
    );
    let task = tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .await
            .is_ok_and(|length| length > 0)
        {
            let piece = String::from_utf8_lossy(&line).into_owned();
            match &logger {
                Some(module) => {
                    controller.model().log.write(
                        &name,
                        level,
                        module,
                        piece.trim_end_matches('\n'),
                    );
                }
                None => kept
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&piece),
            }
            line.clear();
        }
    });
    Output { text, task }
}
