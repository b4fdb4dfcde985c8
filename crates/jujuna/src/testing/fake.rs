//! The fake itself: records calls, answers them, and keeps or drops what was written.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::arguments::{Arguments, usage};
use super::{commands, secrets, state::State};
use crate::{HookCommand, HookOutput, HookTools};

/// A Juju in memory. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct FakeJuju {
    model: Arc<Mutex<Model>>,
}

/// A hook command that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The hook command's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it got on stdin.
    pub stdin: Option<String>,
}

#[derive(Debug)]
pub(super) struct Model {
    /// What holds if the running dispatch fails.
    pub(super) committed: State,
    /// What holds if it succeeds; reads see this, as they do in Juju.
    pub(super) pending: State,
    pub(super) log_lines: Vec<String>,
    pub(super) action_log: Vec<String>,
    pub(super) action_results: BTreeMap<String, String>,
    pub(super) action_failure: Option<String>,
    calls: Vec<Call>,
    failures: BTreeMap<usize, Failure>,
    secrets_made: u32,
}

#[derive(Debug, Clone)]
enum Failure {
    Refused(i32, String),
    Hangs,
}

impl FakeJuju {
    /// A Juju whose model holds this.
    pub fn new(state: State) -> Self {
        Self {
            model: Arc::new(Mutex::new(Model {
                committed: state.clone(),
                pending: state,
                log_lines: Vec::new(),
                action_log: Vec::new(),
                action_results: BTreeMap::new(),
                action_failure: None,
                calls: Vec::new(),
                failures: BTreeMap::new(),
                secrets_made: 0,
            })),
        }
    }

    /// Lets the `call`-th hook command (the first is 1) refuse with this exit code and stderr, and do nothing.
    pub fn fail_at(&self, call: usize, exit_code: i32, stderr: &str) {
        self.lock()
            .failures
            .insert(call, Failure::Refused(exit_code, stderr.to_owned()));
    }

    /// Lets the `call`-th hook command (the first is 1) run into its deadline, and do nothing.
    pub fn hang_at(&self, call: usize) {
        self.lock().failures.insert(call, Failure::Hangs);
    }

    /// Ends the dispatch as Juju does: exit code 0 keeps what was written, any other drops it.
    ///
    /// What shows at once stays either way: status, version, logs, action results, which revision of a secret is tracked.
    pub fn end(&self, exit_code: u8) {
        let mut model = self.lock();
        if exit_code == 0 {
            model.committed = model.pending.clone();
        } else {
            model.pending = model.committed.clone();
        }
    }

    /// Returns what the model holds; of the running dispatch only what shows at once.
    pub fn state(&self) -> State {
        self.lock().committed.clone()
    }

    /// Changes the model from outside, as an operator or another unit would.
    pub fn change(&self, change: impl Fn(&mut State)) {
        self.lock().at_once(change);
    }

    /// Returns every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Returns the names of the hook commands called so far.
    pub fn call_names(&self) -> Vec<String> {
        self.lock()
            .calls
            .iter()
            .map(|call| call.name.clone())
            .collect()
    }

    /// Forgets the calls so far; the next is number 1 again.
    pub fn forget_calls(&self) {
        self.lock().calls.clear();
    }

    /// Returns the lines of juju-log, each as `LEVEL text`.
    pub fn log_lines(&self) -> Vec<String> {
        self.lock().log_lines.clone()
    }

    /// Returns the lines of action-log.
    pub fn action_log(&self) -> Vec<String> {
        self.lock().action_log.clone()
    }

    /// Returns the action's results, by their dotted keys.
    pub fn action_results(&self) -> BTreeMap<String, String> {
        self.lock().action_results.clone()
    }

    /// Returns the message of the last action-fail.
    pub fn action_failure(&self) -> Option<String> {
        self.lock().action_failure.clone()
    }

    /// A test that panicked elsewhere shall not hide its message behind a poisoned lock here.
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HookTools for FakeJuju {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        let stdin = command
            .stdin_bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut model = self.lock();
        model.calls.push(Call {
            name: command.name().to_owned(),
            arguments: command.arguments().to_vec(),
            stdin: stdin.clone(),
        });
        let number = model.calls.len();
        match model.failures.get(&number) {
            Some(Failure::Refused(exit_code, stderr)) => {
                Ok(HookOutput::new(*exit_code, "", stderr.as_str()))
            }
            Some(Failure::Hangs) => Err(io::ErrorKind::TimedOut.into()),
            None => Ok(model.answer(command.name(), command.arguments(), stdin.as_deref())),
        }
    }
}

impl Model {
    /// Changes what holds whether or not the dispatch succeeds.
    pub(super) fn at_once(&mut self, change: impl Fn(&mut State)) {
        change(&mut self.committed);
        change(&mut self.pending);
    }

    /// Returns an id that no secret has yet.
    pub(super) fn new_secret_id(&mut self) -> String {
        self.secrets_made += 1;
        format!("fake{:016}", self.secrets_made)
    }

    fn answer(&mut self, name: &str, arguments: &[String], stdin: Option<&str>) -> HookOutput {
        let arguments = match Arguments::parse(arguments) {
            Ok(arguments) => arguments,
            Err(refusal) => return refusal,
        };
        let answer = if name.starts_with("secret-") {
            secrets::answer(self, name, &arguments)
        } else {
            commands::answer(self, name, &arguments, stdin)
        };
        answer.unwrap_or_else(|| usage(&format!("bad request: the fake does not know {name}")))
    }
}
