//! What to do, from what was read. Pure: no environment, files, network, clock, process or
//! random numbers; what of these is needed comes in with the [`State`].

mod actions;
pub(crate) mod jobs;
mod reconcile;
mod restore;
pub mod status;
mod volume;

pub(crate) use reconcile::service_condition;

use crate::event::Route;
use crate::plan::{Plan, Step};
use crate::state::{State, Workload};

/// Returns what a dispatch on `route` does.
///
/// # Errors
///
/// Fails only through a bug: when a file of the workload cannot be rendered.
pub fn decide(route: &Route, state: &State) -> anyhow::Result<Plan> {
    match route {
        Route::Reconcile => reconcile::plan(state),
        Route::Teardown => Ok(teardown(state)),
        Route::Action(_) => actions::plan(state),
        Route::UnknownAction(name) => {
            actions::refuse(state, format!("this charm has no action {name:?}"))
        }
        Route::Ignore => Ok(Plan::nothing(state.memory.clone())),
    }
}

fn teardown(state: &State) -> Plan {
    let mut plan = Plan::nothing(state.memory.clone());
    plan.memory.storage_attached = state.storage_attached;
    if matches!(state.workload, Workload::Bystander { running: true }) {
        plan.steps.push(Step::StopService);
    }
    plan
}

#[cfg(test)]
mod tests;
