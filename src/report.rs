//! The one place that tells Juju how a dispatch went: status, action result or failure, exit
//! code.

use jiff::Timestamp;
use jujuna::{Event, Juju, Outcome, Status, exit_code};

use crate::apply::Applied;
use crate::decide::status;
use crate::error_chain::error_chain;
use crate::event::Route;
use crate::state::{Memory, State};

/// What is said when the charm itself is wrong.
const INTERNAL_ERROR: &str = "internal error, see juju debug-log";

/// What is needed of the state to say how things are.
#[derive(Debug)]
pub struct Ended {
    /// What was read.
    pub state: State,
    /// What was done.
    pub applied: Applied,
}

/// Tells Juju how the dispatch went, and returns the exit code.
pub fn report(event: &Event, route: &Route, ended: anyhow::Result<Ended>, juju: &mut Juju) -> u8 {
    let told = ended.and_then(|ended| tell(route, ended, juju));
    let outcome = match told {
        Ok(outcome) => outcome,
        Err(error) => {
            roll_back(juju);
            tracing::error!("{error:#}");
            if let Err(error) = tell_failure(event, route, &format!("{error:#}"), juju) {
                tracing::error!("{error:#}");
            }
            Outcome::Failed
        }
    };
    exit_code(event, &outcome)
}

/// Tells Juju that the charm panicked, and returns the exit code.
pub fn report_panic(event: &Event, route: &Route, juju: &mut Juju) -> u8 {
    roll_back(juju);
    if let Err(error) = tell_failure(event, route, INTERNAL_ERROR, juju) {
        tracing::error!("{error:#}");
    }
    exit_code(event, &Outcome::Failed)
}

/// An action and what Pebble triggers exit with 0, by which Juju would take over what it has got.
fn roll_back(juju: &mut Juju) {
    if let Err(error) = juju.roll_back() {
        tracing::error!("{}", error_chain(&error));
    }
}

fn tell(route: &Route, ended: Ended, juju: &mut Juju) -> anyhow::Result<Outcome> {
    let Ended { state, applied } = ended;
    let status = unit_status(&state, &applied);
    match route {
        Route::Ignore => return Ok(Outcome::Done),
        Route::Teardown => {
            remember(&applied.memory, juju)?;
            juju.flush()?;
            return Ok(Outcome::Done);
        }
        Route::Reconcile => {
            remember(&applied.memory, juju)?;
            juju.flush()?;
        }
        Route::Action(_) | Route::UnknownAction(_) => {
            tell_action(applied, &state.memory, juju)?;
        }
    }
    if route.changes_status() {
        juju.status_set(&status)?;
    }
    Ok(match status {
        Status::Blocked(text) => Outcome::Blocked(text),
        Status::Waiting(text) => Outcome::Waiting(text),
        Status::Active(_) | Status::Maintenance(_) => Outcome::Done,
    })
}

/// A failing action writes nothing but its reason, what S3 was seen to hold (half a deletion stays when it fails), that a
/// backup failed, and that an earlier failure of a restore is no news any more.
fn tell_action(applied: Applied, before: &Memory, juju: &mut Juju) -> anyhow::Result<()> {
    if let Some(reason) = applied.failure {
        juju.discard();
        let seen = Memory {
            store: applied.memory.store,
            backup_failure: applied.memory.backup_failure,
            setback: applied.memory.setback,
            ..before.clone()
        };
        if seen != *before {
            remember(&seen, juju)?;
        }
        juju.action_fail(reason);
    } else {
        remember(&applied.memory, juju)?;
        juju.action_set(applied.results);
    }
    Ok(juju.flush()?)
}

fn unit_status(state: &State, applied: &Applied) -> Status {
    // An action may have taken hours since the state was read.
    let now = Timestamp::now();
    let (store, memory) = (&state.backup.store, &applied.memory);
    let mut conditions = applied.conditions.clone();
    conditions.extend(status::store_condition(store, memory));
    conditions.extend(status::failed_backup(store, memory, now));
    status::compose(&conditions, &status::backup_line(store, memory, now))
}

fn remember(memory: &Memory, juju: &mut Juju) -> anyhow::Result<()> {
    for (key, value) in memory.to_fields()? {
        match value {
            Some(value) => juju.state_set(key, value),
            None => juju.state_delete(key),
        }
    }
    Ok(())
}

/// Juju shows a failing action's message only when the charm exits with 0, runs a failing
/// pebble-ready again and again without showing an error, and shows every other failing hook.
fn tell_failure(
    event: &Event,
    route: &Route,
    text: &str,
    juju: &mut Juju,
) -> Result<(), jujuna::Error> {
    let blocked = Status::Blocked(INTERNAL_ERROR.to_owned());
    match event {
        Event::Action(_) => {
            juju.action_fail(text);
            juju.flush()?;
            // It may have said "backing up 43 %", which would stand there for good.
            if route.changes_status() {
                juju.status_set(&blocked)?;
            }
            Ok(())
        }
        event if !event.is_retried_by_juju() => juju.status_set(&blocked),
        _ => Ok(()),
    }
}
