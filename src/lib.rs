//! The Synapse charm: runs a Matrix homeserver on Kubernetes and backs it up.
//!
//! [`run`] is the life of a dispatch. ARCHITECTURE.md describes it and says what is where.

pub mod apply;
pub mod backup;
pub mod decide;
mod error_chain;
pub mod event;
pub mod plan;
pub mod report;
pub mod state;
pub mod synapse;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use anyhow::Context as _;
use jujuna::{Context, Juju, ProcessHookTools};
use pebble_client::Client;

use apply::Outside;
use event::Route;
use report::Ended;
use state::State;

/// Does what Juju woke the charm for, and returns the exit code.
pub fn run() -> u8 {
    let context = match Context::from_env() {
        Ok(context) => context,
        Err(error) => {
            // There is no Juju to tell it to.
            let _ = writeln!(std::io::stderr(), "{}", error_chain::error_chain(&error));
            return 1;
        }
    };
    let route = Route::of(&context.event);
    if route == Route::Ignore {
        return 0;
    }
    // The log can be sent to Juju only once; a second time nothing is lost.
    let _ = jujuna::log::init(ProcessHookTools::new());
    let mut juju = Juju::for_context(Box::new(ProcessHookTools::new()), &context);
    let pebble = Client::new(synapse::names::PEBBLE_SOCKET);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        block_on(dispatch(&context, &route, &mut juju, &pebble))
    }));
    match ended {
        Ok(ended) => report::report(&context.event, &route, ended, &mut juju),
        Err(_) => report::report_panic(&context.event, &route, &mut juju),
    }
}

/// Reads everything, decides what to do, and does it.
async fn dispatch(
    context: &Context,
    route: &Route,
    juju: &mut Juju,
    pebble: &Client,
) -> anyhow::Result<Ended> {
    let state = Box::pin(State::read(route, context, juju, pebble)).await?;
    let plan = decide::decide(route, &state)?;
    let outside = &mut Outside {
        juju,
        pebble,
        context,
    };
    let applied = apply::apply(plan, outside).await?;
    if !applied.again {
        return Ok(Ended { state, applied });
    }
    // A job left other data on the volume than was read: there is one way to start Synapse on it.
    let reading = State::read(&Route::Reconcile, context, outside.juju, pebble);
    let mut state = Box::pin(reading).await?;
    state.memory.clone_from(&applied.memory);
    let plan = decide::decide(&Route::Reconcile, &state)?;
    let started = apply::apply(plan, outside).await?;
    Ok(Ended {
        state,
        applied: applied.followed_by(started),
    })
}

#[cfg(test)]
mod tests;

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("cannot start the runtime")?;
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(future)));
    // Dropped, it would wait for a look-up of a name that nobody waits for any more.
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}
