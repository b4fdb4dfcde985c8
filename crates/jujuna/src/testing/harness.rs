//! A charm under test: a model goes in, a model comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::environment::variables;
use super::fake::Kill;
use super::{Call, Charm, FakeJuju, State};
use crate::{BoxError, Context, Event, Juju, Outcome};

/// A charm under test. `W` is what stands for its workload, if anything.
///
/// It takes nothing from the machine and leaves nothing behind, so that tests run side by side.
///
/// # Example
///
/// ```
/// use jujuna::testing::{Charm, Harness};
/// use jujuna::{BoxError, Context, Event, Juju, Outcome, Status};
///
/// fn handle(_context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
///     juju.state_set("port", juju.config_get()?["port"].to_string());
///     Ok(Outcome::Active("serving".to_owned()))
/// }
///
/// let charm = Charm::parse("{name: hello}", "{options: {port: {type: int, default: 80}}}", "");
/// let harness = Harness::new(charm, handle);
/// let before = harness.state("hello/0");
/// let end = harness.run(&Event::Install, &before).within(4);
/// assert_eq!(end.exit_code, Some(0));
/// assert_eq!(before.diff(&end.state), [
///     "+ state port: 80",
///     "- status: unknown",
///     "+ status: active serving",
/// ]);
/// harness.converges_from_every_crash_point(&Event::Install, &before).unwrap();
/// ```
pub struct Harness<W = ()> {
    charm: Charm,
    handle: Box<Handle<W>>,
    juju_version: String,
}

type Handle<W> = dyn Fn(&Context, &FakeJuju, &mut W) -> u8;

/// How a dispatch ended.
///
/// [`Harness`] has an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct End {
    /// The exit code; `None` if the charm was killed.
    pub exit_code: Option<u8>,
    /// The model afterwards: what shows at once, and with exit code 0 what was handed over.
    pub state: State,
    /// Every hook command, in order.
    pub calls: Vec<Call>,
    /// The lines of juju-log, each as `LEVEL text`. `tracing` goes its own way; see [`crate::log`].
    pub log_lines: Vec<String>,
    /// The lines of action-log.
    pub action_log: Vec<String>,
    /// The action's results, by their dotted keys.
    pub action_results: BTreeMap<String, String>,
    /// The message of action-fail.
    pub action_failure: Option<String>,
}

/// What goes wrong in a dispatch, on purpose.
///
/// # Example
///
/// ```
/// # use jujuna::testing::{Charm, Fault, Harness};
/// # use jujuna::{Event, Outcome, Status};
/// let harness = Harness::new(Charm::parse("{name: hello}", "", ""), |_, juju| {
///     juju.state_set("k", "v");
///     juju.flush()?;
///     Ok(Outcome::Active(String::new()))
/// });
/// let before = harness.state("hello/0");
/// let end = harness.run_with_fault(&Event::Start, &before, Fault::KillAfter(1));
/// assert_eq!(end.exit_code, None);
/// assert_eq!(end.state, before);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Juju refuses the hook command of this number (the first is 1), as it does when it cannot reach its controller.
    Fail(usize),
    /// The hook command does not answer within its deadline.
    Hang(usize),
    /// The charm is killed just before the hook command does its work.
    KillBefore(usize),
    /// The charm is killed when the hook command has done its work.
    KillAfter(usize),
}

impl Harness {
    /// Tests a charm whose `main` is [`run`](crate::run) with this `handle`.
    ///
    /// [`Harness`] has an example.
    pub fn new(
        charm: Charm,
        handle: impl Fn(&Context, &mut Juju) -> Result<Outcome, BoxError> + 'static,
    ) -> Self {
        Self::with_workload(charm, move |context, fake, ()| {
            let mut juju = Juju::for_context(Box::new(fake.clone()), context);
            crate::dispatch(context, &mut juju, &handle)
        })
    }

    /// Dispatches an event to the charm in a model.
    ///
    /// # Panics
    ///
    /// Panics when Juju could not bring this about ([`Charm::inconsistencies`]), and when the charm does.
    ///
    /// [`Harness`] has an example.
    pub fn run(&self, event: &Event, state: &State) -> End {
        self.run_on(event, state, &mut ())
    }

    /// Dispatches an event, in which something goes wrong. [`Fault`] has an example.
    ///
    /// # Panics
    ///
    /// As of [`run`](Harness::run).
    pub fn run_with_fault(&self, event: &Event, state: &State, fault: Fault) -> End {
        self.run_on_with_fault(event, state, &mut (), Some(fault))
    }
}

impl<W> Harness<W> {
    /// Tests a charm that has a `main` of its own and does something to a workload: `handle` gets the context, the Juju to
    /// talk to and what stands for the workload, and returns the exit code.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Harness};
    /// # use jujuna::{Event, Juju, Outcome};
    /// /// Which services run.
    /// type Services = Vec<String>;
    ///
    /// let charm = Charm::parse("{name: hello}", "", "");
    /// let harness = Harness::with_workload(charm, |context, fake, services: &mut Services| {
    ///     let mut juju = Juju::for_context(Box::new(fake.clone()), context);
    ///     jujuna::dispatch(context, &mut juju, |_, _| {
    ///         services.push("web".to_owned());
    ///         Ok(Outcome::Active(String::new()))
    ///     })
    /// });
    /// let mut services = Services::new();
    /// harness.run_on(&Event::Start, &harness.state("hello/0"), &mut services);
    /// assert_eq!(services, ["web"]);
    /// ```
    pub fn with_workload(
        charm: Charm,
        handle: impl Fn(&Context, &FakeJuju, &mut W) -> u8 + 'static,
    ) -> Self {
        Self {
            charm,
            handle: Box::new(handle),
            juju_version: "3.6.11".to_owned(),
        }
    }

    /// Says which Juju it is; without that, it is 3.6.11.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Harness};
    /// # use jujuna::{Event, Outcome};
    /// let harness = Harness::new(Charm::parse("{name: hello}", "", ""), |context, _| {
    ///     assert!(context.juju_version.is_at_least(4, 0));
    ///     Ok(Outcome::Done)
    /// });
    /// let harness = harness.on_juju("4.0.5");
    /// harness.run(&Event::Start, &harness.state("hello/0"));
    /// ```
    #[must_use]
    pub fn on_juju(mut self, version: &str) -> Self {
        version.clone_into(&mut self.juju_version);
        self
    }

    /// Returns a fresh model, as of [`Charm::state`].
    ///
    /// # Panics
    ///
    /// Panics when `unit` is no unit's name.
    ///
    /// [`Harness`] has an example.
    pub fn state(&self, unit: &str) -> State {
        self.charm.state(unit)
    }

    /// Dispatches an event to the charm in a model, on a workload.
    ///
    /// # Panics
    ///
    /// Panics when Juju could not bring this about ([`Charm::inconsistencies`]), and when the charm does.
    ///
    /// [`with_workload`](Harness::with_workload) has an example.
    pub fn run_on(&self, event: &Event, state: &State, workload: &mut W) -> End {
        self.run_on_with_fault(event, state, workload, None)
    }

    /// Dispatches an event on a workload, in which something may go wrong.
    ///
    /// # Panics
    ///
    /// As of [`run_on`](Harness::run_on).
    ///
    /// [`Fault`] has an example.
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub fn run_on_with_fault(
        &self,
        event: &Event,
        state: &State,
        workload: &mut W,
        fault: Option<Fault>,
    ) -> End {
        let mut state = state.clone();
        match event {
            Event::Action(_) => drop(state.action.get_or_insert_default()),
            _ => state.action = None,
        }
        let wrong = self.charm.inconsistencies(event, &state);
        assert!(
            wrong.is_empty(),
            "Juju could not bring this about:\n{}",
            wrong.join("\n")
        );
        let context = Context::from_vars(variables(event, &state.unit, &self.juju_version))
            .expect("variables as Juju sets them");
        let fake = FakeJuju::new(state);
        arrange(&fake, fault);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            (self.handle)(&context, &fake, workload)
        }));
        let exit_code = match ended {
            _ if fake.was_killed() => None,
            Ok(code) => Some(code),
            Err(panic) => resume_unwind(panic),
        };
        fake.end(exit_code.unwrap_or(u8::MAX));
        End {
            exit_code,
            state: State {
                action: None,
                ..fake.state()
            },
            calls: fake.calls(),
            log_lines: fake.log_lines(),
            action_log: fake.action_log(),
            action_results: fake.action_results(),
            action_failure: fake.action_failure(),
        }
    }
}

fn arrange(fake: &FakeJuju, fault: Option<Fault>) {
    let kill = |call, after| fake.kill_at(Kill { call, after });
    match fault {
        None => {}
        Some(Fault::Fail(call)) => fake.fail_at(call, 1, "ERROR connection is shut down\n"),
        Some(Fault::Hang(call)) => fake.hang_at(call),
        Some(Fault::KillBefore(call)) => kill(call, false),
        Some(Fault::KillAfter(call)) => kill(call, true),
    }
}

impl End {
    /// Returns the names of the hook commands.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Harness};
    /// # use jujuna::{Event, Outcome};
    /// # let harness = Harness::new(Charm::parse("{name: hello}", "", ""), |_, _| Ok(Outcome::Active(String::new())));
    /// let end = harness.run(&Event::UpdateStatus, &harness.state("hello/0"));
    /// assert_eq!(end.call_names(), ["status-get", "status-set"]);
    /// ```
    pub fn call_names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.name.as_str()).collect()
    }

    /// Holds the dispatch to a budget of hook commands, each of which costs about 5 ms. [`Harness`] has an example.
    ///
    /// # Panics
    ///
    /// Panics, naming them, when there were more.
    #[must_use]
    pub fn within(self, most_calls: usize) -> Self {
        assert!(
            self.calls.len() <= most_calls,
            "{} hook commands, at most {most_calls} were expected: {}",
            self.calls.len(),
            self.call_names().join(", ")
        );
        self
    }
}

impl<W> fmt::Debug for Harness<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("charm", &self.charm)
            .finish_non_exhaustive()
    }
}
