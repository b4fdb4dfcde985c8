//! Bindings for Juju charms.
//!
//! (The guide follows.)

mod action;
mod config;
mod context;
mod error;
mod event;
mod goal_state;
mod hook_tools;
mod juju;
mod leader;
pub mod log;
mod names;
mod network;
mod outcome;
mod port;
mod relation;
mod resource;
mod secret;
mod state;
mod status;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use context::{Context, JujuVersion, Proxies};
pub use error::{Error, ErrorKind, Refusal};
pub use event::{
    ActionEvent, Event, PebbleEvent, PebbleEventKind, RelationEvent, RelationEventKind,
    SecretEvent, SecretEventKind, StorageEvent, StorageEventKind,
};
pub use goal_state::{Goal, GoalState};
pub use hook_tools::{
    DEFAULT_DEADLINE, HookCommand, HookOutput, HookTools, MAX_ARGUMENT_BYTES, ProcessHookTools,
    SecretFile,
};
pub use juju::Juju;
pub use leader::Leader;
pub use log::Level;
pub use names::{RelationId, StorageId, UnitName};
pub use network::{Address, BindAddress, Network};
pub use outcome::{Outcome, exit_code};
pub use port::{Port, Protocol};
pub use secrecy;
pub use secret::{Revision, SecretInfo, SecretOwner, SecretUri};
pub use status::{CurrentStatus, Status};
pub use storage::Storage;
