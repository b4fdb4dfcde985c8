//! The life of a dispatch, from the environment to the exit code.

use std::error::Error as StdError;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::{
    Context, Error, Event, Juju, Outcome, PebbleEvent, ProcessHookTools, Status, exit_code,
};

/// What an operator is told when the charm itself is wrong.
pub(crate) const INTERNAL_ERROR: &str = "internal error, see juju debug-log";

/// Any error of a charm's own.
///
/// [`run`] has an example.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Runs a charm: reads the context, lets `handle` do what Juju woke it for, and tells Juju how it went.
///
/// This is all of a charm's `main`. `handle` reads, decides and writes; see [`dispatch`] for what is done around it.
///
/// # Example
///
/// ```no_run
/// // It needs Juju's environment.
/// use jujuna::{Context, BoxError, Juju, Outcome};
///
/// fn main() -> std::process::ExitCode {
///     jujuna::run(handle)
/// }
///
/// fn handle(_context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
///     let config = juju.config_get()?;
///     Ok(match config.get("name") {
///         Some(_) => Outcome::Active(String::new()),
///         None => Outcome::Blocked("set the option name".to_owned()),
///     })
/// }
/// ```
pub fn run(handle: impl FnOnce(&Context, &mut Juju) -> Result<Outcome, BoxError>) -> ExitCode {
    let context = match Context::from_env() {
        Ok(context) => context,
        Err(error) => {
            // There is no Juju to tell it to; if stderr is closed, too, there is nothing left to do.
            let _ = writeln!(std::io::stderr(), "{}", chain(&error));
            return ExitCode::FAILURE;
        }
    };
    // Only a second one is refused, and the first is as good.
    let _ = crate::log::init(ProcessHookTools::new());
    let mut juju = Juju::for_context(Box::new(ProcessHookTools::new()), &context);
    ExitCode::from(dispatch(&context, &mut juju, handle))
}

/// Does what [`run`] does with a context and a Juju that are there already, and returns the exit code.
///
/// - A hook that this crate does not know ends here with 0.
/// - A revision of a secret that Juju says nobody reads is removed.
/// - What `handle` buffered is flushed. Then the unit's status is set, if the outcome says one and the event is a hook.
/// - If `handle` fails or panics, or the flush does, everything is taken back ([`Juju::roll_back`]), the error is logged
///   with its causes, an action gets it as its message, and what Pebble triggers shows as a blocked unit, because Juju would
///   not show it at all.
///
/// # Example
///
/// ```
/// use jujuna::testing::{FakeJuju, State};
/// use jujuna::{Context, Juju, Outcome};
///
/// # let variables = [("JUJU_UNIT_NAME", "hello/0"), ("JUJU_MODEL_NAME", "m"), ("JUJU_MODEL_UUID", "u"),
/// #     ("JUJU_VERSION", "3.6.11"), ("JUJU_CHARM_DIR", "/charm"),
/// #     ("JUJU_DISPATCH_PATH", "actions/greet"), ("JUJU_ACTION_UUID", "2")];
/// # let context = Context::from_vars(variables)?;
/// let fake = FakeJuju::new(State::new("hello/0").with_action());
/// let mut juju = Juju::for_context(Box::new(fake.clone()), &context);
/// let code = jujuna::dispatch(&context, &mut juju, |_, juju| {
///     juju.state_set("greeted", "yes");
///     Err("nobody is there".into())
/// });
/// fake.end(code);
/// assert_eq!(code, 0);
/// assert_eq!(fake.action_failure().as_deref(), Some("nobody is there"));
/// assert!(fake.state().state.is_empty());
/// # Ok::<(), jujuna::Error>(())
/// ```
pub fn dispatch(
    context: &Context,
    juju: &mut Juju,
    handle: impl FnOnce(&Context, &mut Juju) -> Result<Outcome, BoxError>,
) -> u8 {
    if matches!(context.event, Event::Unknown(_)) {
        return 0;
    }
    if let Event::Secret(event) = &context.event {
        juju.secret_prune(event);
    }
    let handled = catch_unwind(AssertUnwindSafe(|| handle(context, juju)));
    let outcome = match handled {
        Ok(Ok(outcome)) => end(&context.event, outcome, juju),
        Ok(Err(error)) => Err(chain(error.as_ref())),
        // What it was is on stderr, which the agent logs.
        Err(_) => Err(INTERNAL_ERROR.to_owned()),
    };
    let outcome = outcome.unwrap_or_else(|reason| {
        tracing::error!("{}: {reason}", context.event);
        fail(&context.event, &reason, juju);
        Outcome::Failed
    });
    exit_code(&context.event, &outcome)
}

/// Returns an error's sentence with those of its causes.
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, testing::{FakeJuju, State}};
/// let fake = FakeJuju::new(State::new("hello/0"));
/// fake.fail_at(1, 1, "ERROR connection is shut down");
/// let error = Juju::new(Box::new(fake)).config_get().unwrap_err();
/// let text = "cannot read the charm's options: config-get: connection is shut down";
/// assert_eq!(jujuna::chain(&error), text);
/// ```
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn end(event: &Event, outcome: Outcome, juju: &mut Juju) -> Result<Outcome, String> {
    if outcome == Outcome::Failed {
        return Err(INTERNAL_ERROR.to_owned());
    }
    let status = outcome
        .status()
        .filter(|_| !matches!(event, Event::Action(_)));
    if status.is_some() {
        juju.begin_status();
    }
    juju.flush().map_err(|error| chain(&error))?;
    if let Some(status) = status {
        juju.status_set(&status).map_err(|error| chain(&error))?;
    }
    Ok(outcome)
}

/// Takes back what was written and tells of the failure where it is looked for. An error here can only be logged.
fn fail(event: &Event, reason: &str, juju: &mut Juju) {
    let told = juju.roll_back().and_then(|()| tell(event, reason, juju));
    if let Err(error) = told.or_else(|_: Error| tell(event, reason, juju)) {
        tracing::error!(error = &error as &dyn StdError, "{event}");
    }
}

fn tell(event: &Event, reason: &str, juju: &mut Juju) -> Result<(), Error> {
    match event {
        Event::Action(_) => {
            juju.action_fail(reason);
            juju.flush()
        }
        Event::Pebble(PebbleEvent { .. }) => {
            juju.status_set(&Status::Blocked(INTERNAL_ERROR.to_owned()))
        }
        _ => Ok(()),
    }
}
