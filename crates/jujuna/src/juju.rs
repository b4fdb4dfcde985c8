//! One dispatch's view of Juju: what was read, and what is to be written at its end.

mod begun;
mod cache;
mod flush;
mod undo;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use crate::error::Refusal;
use crate::hook_tools::{BegunHookCommand, HookCommand, HookOutput, HookTools, MAX_ARGUMENT_BYTES};
use crate::port::PortWrites;
use crate::relation::{Databag, Side};
use crate::secret::SecretWrite;
use crate::{Context, Error, ErrorKind, Event, JujuVersion, RelationId, UnitName};

pub(crate) use cache::Cache;

/// Juju, as one dispatch sees it.
///
/// Reads ask Juju at once, each thing once: a second read of the same is answered from memory. Status, logs and the
/// workload's version are written at once too, as Juju shows them at once. All else is kept until
/// [`flush`](Juju::flush), compared with what was read, and written in the order secrets, relation data, state,
/// ports, action results; [`discard`](Juju::discard) forgets it.
///
/// Juju in turn keeps what was flushed until the charm exits with 0.
///
/// # Example
///
/// ```
/// use jujuna::Juju;
/// use jujuna::testing::{FakeJuju, State};
///
/// let fake = FakeJuju::new(State::new("hello/0").with_state("greeted", "1"));
/// let mut juju = Juju::new(Box::new(fake.clone()));
/// assert_eq!(juju.state_get()?["greeted"], "1");
/// juju.state_set("greeted", "1"); // as it was: no hook command
/// juju.flush()?;
/// assert_eq!(fake.call_names(), ["state-get"]);
/// # Ok::<(), jujuna::Error>(())
/// ```
pub struct Juju {
    pub(crate) tools: Box<dyn HookTools>,
    pub(crate) unit: Option<UnitName>,
    pub(crate) event: Option<Event>,
    pub(crate) version: Option<JujuVersion>,
    pub(crate) model_uuid: Option<String>,
    pub(crate) cache: RefCell<Cache>,
    pub(crate) writes: Writes,
    undo: RefCell<Vec<undo::Undo>>,
    begun: RefCell<begun::Begun>,
}

/// What is to be written at the end of the dispatch.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) secrets: Vec<SecretWrite>,
    pub(crate) databags: BTreeMap<(RelationId, Side), Databag>,
    /// `None` deletes.
    pub(crate) state: BTreeMap<String, Option<String>>,
    pub(crate) ports: PortWrites,
    /// How many instances to add, by the storage's name.
    pub(crate) storage: BTreeMap<String, u32>,
    pub(crate) reboot: bool,
    pub(crate) action_results: BTreeMap<String, String>,
    pub(crate) action_failure: Option<String>,
}

impl Juju {
    /// A fresh view, for one dispatch of which nothing is known.
    ///
    /// [`Juju`] has an example.
    pub fn new(tools: Box<dyn HookTools>) -> Self {
        Self {
            tools,
            unit: None,
            event: None,
            version: None,
            model_uuid: None,
            cache: RefCell::default(),
            writes: Writes::default(),
            undo: RefCell::default(),
            begun: RefCell::default(),
        }
    }

    /// A fresh view, for the dispatch that the context tells of.
    ///
    /// What the environment tells needs no hook command: this unit's name, by which writes are compared with what was
    /// read, the event's relation and the application at its other end. And Juju's version tells which of its faults are to
    /// be gone around.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{FakeJuju, Relation, State};
    /// # use jujuna::{Context, Juju};
    /// # let variables = [("JUJU_UNIT_NAME", "web/0"), ("JUJU_MODEL_NAME", "m"), ("JUJU_MODEL_UUID", "u"),
    /// #     ("JUJU_VERSION", "3.6.11"), ("JUJU_CHARM_DIR", "/charm"),
    /// #     ("JUJU_DISPATCH_PATH", "hooks/db-relation-changed"), ("JUJU_RELATION", "db"),
    /// #     ("JUJU_RELATION_ID", "db:3"), ("JUJU_REMOTE_APP", "pg")];
    /// let context = Context::from_vars(variables)?;
    /// let fake = FakeJuju::new(State::new("web/0").with_relation(Relation::new("db", 3, "pg")));
    /// let juju = Juju::for_context(Box::new(fake.clone()), &context);
    /// let id = juju.relation("db")?.expect("it is what the event is about");
    /// assert_eq!(juju.relation_app(&id)?.as_deref(), Some("pg"));
    /// assert!(fake.calls().is_empty());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn for_context(tools: Box<dyn HookTools>, context: &Context) -> Self {
        let mut juju = Self::new(tools).with_unit(context.unit.clone());
        if let Event::Relation(event) = &context.event
            && let Some(app) = &event.remote_app
        {
            let apps = &mut juju.cache.get_mut().relation_apps;
            apps.insert(event.id.clone(), Some(app.clone()));
        }
        juju.event = Some(context.event.clone());
        juju.version = Some(context.juju_version.clone());
        juju.model_uuid = Some(context.model_uuid.clone());
        juju
    }

    /// Tells which unit this is, so that writes to its databags are compared with what was read of them.
    ///
    /// [`for_context`](Juju::for_context) tells more.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{FakeJuju, State};
    /// # use jujuna::{Juju, UnitName};
    /// # let fake = FakeJuju::new(State::new("web/0"));
    /// let juju = Juju::new(Box::new(fake)).with_unit(UnitName::new("web", 0));
    /// ```
    #[must_use]
    pub fn with_unit(mut self, unit: UnitName) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Returns the time of day, which a test can set.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let juju = Juju::new(Box::new(fake.clone()));
    /// let before = juju.now();
    /// fake.advance(Duration::from_secs(3600));
    /// assert_eq!(juju.now().duration_since(before)?, Duration::from_secs(3600));
    /// # Ok::<(), std::time::SystemTimeError>(())
    /// ```
    pub fn now(&self) -> SystemTime {
        self.tools.time()
    }

    /// Forgets everything that was buffered since the start or the last flush.
    ///
    /// A failing action does so before it says [`action_fail`](Juju::action_fail).
    /// [`roll_back`](Juju::roll_back) also takes back what was flushed.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::Juju;
    /// # use jujuna::testing::{FakeJuju, State};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.state_set("half", "done");
    /// juju.discard();
    /// juju.flush()?;
    /// assert!(fake.calls().is_empty());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn discard(&mut self) {
        self.writes = Writes::default();
    }

    /// Runs a hook command; `purpose` completes the sentence "cannot ...".
    pub(crate) fn run(
        &self,
        command: &HookCommand,
        purpose: &dyn Fn() -> String,
    ) -> Result<HookOutput, Error> {
        let cannot = || format!("cannot {}", purpose());
        if command
            .arguments()
            .iter()
            .any(|argument| argument.len() >= MAX_ARGUMENT_BYTES)
        {
            let text = format!("{}: an argument has 128 KiB or more", cannot());
            return Err(Error::new(ErrorKind::Usage, text));
        }
        let begun = self.begun(command);
        let output = begun.map_or_else(|| self.tools.call(command), BegunHookCommand::finish);
        let output = output.map_err(|error| {
            Error::with_source(call_kind(&error), cannot(), call_failed(command, error))
        })?;
        if output.success() {
            return Ok(output);
        }
        let refusal = Refusal::new(command.name(), &output);
        Err(Error::with_source(refusal.kind(), cannot(), refusal))
    }

    /// Runs a hook command and reads its JSON.
    ///
    /// What serde says about a mismatch may quote the answer; so only its place is kept.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        command: &HookCommand,
        purpose: &dyn Fn() -> String,
    ) -> Result<T, Error> {
        let output = self.run(command, purpose)?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let place = format!(
                "{}: the answer is not as expected at line {} column {}",
                command.name(),
                error.line(),
                error.column()
            );
            Error::with_source(ErrorKind::Protocol, format!("cannot {}", purpose()), place)
        })
    }
}

impl fmt::Debug for Juju {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Juju")
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

fn call_kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::Unsupported,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Io,
    }
}

fn call_failed(command: &HookCommand, error: io::Error) -> io::Error {
    let name = command.name();
    match (error.kind(), command.max_duration()) {
        (io::ErrorKind::NotFound, _) => io::Error::new(
            error.kind(),
            format!("{name}: there is no such hook command on PATH"),
        ),
        (io::ErrorKind::TimedOut, Some(deadline)) => {
            let text = format!("{name}: no answer within {} s", deadline.as_secs_f32());
            io::Error::new(error.kind(), text)
        }
        _ => error,
    }
}

/// Cuts a text so that it fits into one argument, which Linux limits to 128 KiB.
pub(crate) fn shorten(text: &str) -> String {
    const ROOM_BYTES: usize = 120 * 1024;
    if text.len() <= ROOM_BYTES {
        return text.to_owned();
    }
    let end = (0..=ROOM_BYTES)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{} [...]", &text[..end])
}
