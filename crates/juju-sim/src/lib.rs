//! A Juju model on one machine, without a cluster: it runs any charm's `dispatch` with hook commands of its own and a real Pebble
//! for each of its containers. A stand-in for development, not a place to run anything for users.
//!
//! Tests drive it through [`Juju`]:
//!
//! ```no_run
//! use juju_sim::{AddModel, Deploy, Juju};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), juju_sim::Error> {
//! let juju = Juju::add_model(AddModel::default())?;
//! juju.deploy(&Deploy::new("build/charm").config("server_name", "example.com").resource("synapse-image", "tests/images/ours.yaml"))?;
//! juju.wait_for_unit("synapse/0", "active", Duration::from_secs(60))?;
//! # Ok(())
//! # }
//! ```

mod agent;
mod cli;
mod client;
mod context;
mod controller;
mod forms;
mod hook_commands;
mod model;
mod node;
pub mod pod;
mod protocol;
mod scenario;

pub use cli::main;
pub use client::{
    AddModel, ApplicationStatus, Deploy, Error, Juju, Status, StatusInfo, TaskLog, TaskOutcome,
    UnitStatus,
};
pub use scenario::{Scenario, ScenarioReport, StepReport};
