//! The fake itself: records calls, answers them, and keeps or drops what was written.

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::arguments::{Arguments, usage};
use super::{commands, secrets, state::State};
use crate::{HookCommand, HookOutput, HookTools};

/// A Juju in memory. Clones are handles on the same one.
///
/// # Example
///
/// ```
/// use jujuna::testing::{FakeJuju, State};
/// use jujuna::{ErrorKind, Juju, Status};
///
/// let fake = FakeJuju::new(State::new("hello/0").with_action());
/// let mut juju = Juju::new(Box::new(fake.clone()));
/// fake.fail_at(1, 1, "ERROR connection is shut down");
/// fake.hang_at(2);
/// assert_eq!(juju.config_get().unwrap_err().kind(), ErrorKind::Failed);
/// assert_eq!(juju.config_get().unwrap_err().kind(), ErrorKind::Timeout);
/// assert_eq!(fake.calls()[0].arguments, ["--format=json"]);
///
/// fake.change(|state| state.leader = true); // another unit gave it up
/// assert!(juju.leader()?.is_some());
/// assert_eq!(fake.call_names(), ["config-get", "config-get", "is-leader"]);
///
/// juju.state_set("k", "v");
/// juju.flush()?;
/// fake.end(1);
/// assert!(fake.state().state.is_empty());
/// fake.forget_calls();
/// assert!(fake.calls().is_empty());
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FakeJuju {
    model: Arc<Mutex<Model>>,
}

/// A hook command that was called.
///
/// [`FakeJuju`] has an example.
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
    kill: Option<Kill>,
    /// The charm is dead: whatever it still does counts no more.
    killed: bool,
    started: Instant,
    advanced: Duration,
}

/// When the charm is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kill {
    /// The first call is 1.
    pub(super) call: usize,
    /// After the hook command did its work, not before.
    pub(super) after: bool,
}

/// What a kill unwinds with.
#[derive(Debug)]
pub(super) struct Killed;

/// The time at which every test begins: 2026-01-02 03:04:05 UTC.
const BEGIN: Duration = Duration::from_secs(1_767_323_045);

#[derive(Debug, Clone)]
enum Failure {
    Refused(i32, String),
    Hangs,
}

impl FakeJuju {
    /// A Juju whose model holds this.
    ///
    /// [`FakeJuju`] has an example.
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
                kill: None,
                killed: false,
                started: Instant::now(),
                advanced: Duration::ZERO,
            })),
        }
    }

    /// Lets the `call`-th hook command (the first is 1) refuse with this exit code and stderr, and do nothing.
    ///
    /// [`FakeJuju`] has an example.
    pub fn fail_at(&self, call: usize, exit_code: i32, stderr: &str) {
        self.lock()
            .failures
            .insert(call, Failure::Refused(exit_code, stderr.to_owned()));
    }

    /// Lets the `call`-th hook command (the first is 1) run into its deadline, and do nothing.
    ///
    /// [`FakeJuju`] has an example.
    pub fn hang_at(&self, call: usize) {
        self.lock().failures.insert(call, Failure::Hangs);
    }

    pub(super) fn kill_at(&self, kill: Kill) {
        self.lock().kill = Some(kill);
    }

    pub(super) fn was_killed(&self) -> bool {
        self.lock().killed
    }

    /// Lets time pass.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let juju = Juju::new(Box::new(fake.clone()));
    /// juju.leader()?;
    /// juju.leader()?; // known
    /// fake.advance(Duration::from_secs(26));
    /// juju.leader()?; // Juju vouches for 30 s only
    /// assert_eq!(fake.call_names(), ["is-leader", "is-leader"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn advance(&self, time: Duration) {
        self.lock().advanced += time;
    }

    /// Ends the dispatch as Juju does: exit code 0 keeps what was written, any other drops it.
    ///
    /// What shows at once stays either way: status, version, logs, action results, which revision of a secret is tracked.
    ///
    /// [`FakeJuju`] has an example.
    pub fn end(&self, exit_code: u8) {
        let mut model = self.lock();
        if exit_code == 0 {
            model.committed = model.pending.clone();
        } else {
            model.pending = model.committed.clone();
        }
    }

    /// Returns what the model holds; of the running dispatch only what shows at once.
    ///
    /// [`FakeJuju`] has an example.
    pub fn state(&self) -> State {
        self.lock().committed.clone()
    }

    /// Changes the model from outside, as an operator or another unit would.
    ///
    /// [`FakeJuju`] has an example.
    pub fn change(&self, change: impl Fn(&mut State)) {
        self.lock().at_once(change);
    }

    /// Returns every call so far.
    ///
    /// [`FakeJuju`] has an example.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Returns the names of the hook commands called so far.
    ///
    /// [`FakeJuju`] has an example.
    pub fn call_names(&self) -> Vec<String> {
        self.lock()
            .calls
            .iter()
            .map(|call| call.name.clone())
            .collect()
    }

    /// Forgets the calls so far; the next is number 1 again.
    ///
    /// [`FakeJuju`] has an example.
    pub fn forget_calls(&self) {
        self.lock().calls.clear();
    }

    /// Returns the lines of juju-log, each as `LEVEL text`.
    ///
    /// [`Juju::juju_log`](crate::Juju::juju_log) has an example.
    pub fn log_lines(&self) -> Vec<String> {
        self.lock().log_lines.clone()
    }

    /// Returns the lines of action-log.
    ///
    /// [`Juju::action_log`](crate::Juju::action_log) has an example.
    pub fn action_log(&self) -> Vec<String> {
        self.lock().action_log.clone()
    }

    /// Returns the action's results, by their dotted keys.
    ///
    /// [`Juju::action_set`](crate::Juju::action_set) has an example.
    pub fn action_results(&self) -> BTreeMap<String, String> {
        self.lock().action_results.clone()
    }

    /// Returns the message of the last action-fail.
    ///
    /// [`Juju::action_fail`](crate::Juju::action_fail) has an example.
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
        let answer = self.lock().call(command);
        // The lock is free again: who catches this may ask what happened.
        answer.unwrap_or_else(|killed| resume_unwind(Box::new(killed)))
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + BEGIN + self.lock().advanced
    }

    fn instant(&self) -> Instant {
        let model = self.lock();
        model.started + model.advanced
    }
}

impl Model {
    /// Changes what holds whether or not the dispatch succeeds.
    pub(super) fn at_once(&mut self, change: impl Fn(&mut State)) {
        change(&mut self.committed);
        change(&mut self.pending);
    }

    fn call(&mut self, command: &HookCommand) -> Result<io::Result<HookOutput>, Killed> {
        if self.killed {
            return Err(Killed);
        }
        let stdin = command
            .stdin_bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.calls.push(Call {
            name: command.name().to_owned(),
            arguments: command.arguments().to_vec(),
            stdin: stdin.clone(),
        });
        let number = self.calls.len();
        let kill = self.kill.filter(|kill| kill.call == number);
        self.killed = kill.is_some();
        if kill.is_some_and(|kill| !kill.after) {
            return Err(Killed);
        }
        let answer = match self.failures.get(&number) {
            Some(Failure::Refused(exit_code, stderr)) => {
                Ok(HookOutput::new(*exit_code, "", stderr.as_str()))
            }
            Some(Failure::Hangs) => Err(io::ErrorKind::TimedOut.into()),
            None => Ok(self.answer(command.name(), command.arguments(), stdin.as_deref())),
        };
        match kill {
            Some(_) => Err(Killed),
            None => Ok(answer),
        }
    }

    fn answer(&mut self, name: &str, arguments: &[String], stdin: Option<&str>) -> HookOutput {
        let arguments = match Arguments::parse(name, arguments) {
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
