//! Bindings for Juju charms: hook commands, events, and one transaction a dispatch.
//!
//! Juju starts a charm's `dispatch` for each event and each action. The charm then reads what it needs, decides, and
//! writes; Juju keeps what was written if the charm exits with 0. This crate is that conversation, typed:
//!
//! 1. [`Context::from_env`] tells who the charm is and which [`Event`] woke it, without starting a process.
//! 2. [`Juju`] reads: [`config`](Juju::config), [`relation_get_app`](Juju::relation_get_app),
//!    [`secret_get`](Juju::secret_get), ... Each thing is asked for once a dispatch, as each hook command costs about 5 ms.
//! 3. [`Juju`] writes: what Juju shows at once ([`status_set`](Juju::status_set), logs) goes at once. All else waits in a
//!    buffer for [`flush`](Juju::flush), which leaves out what is so already, or for [`discard`](Juju::discard).
//! 4. [`exit_code`] turns the [`Outcome`] into the exit code that does least harm.
//!
//! [`run`] is a charm's `main`: it does 1 and 4 and what must be done around 2 and 3.
//! The `guide` (with the feature `testing`) leads through all of it and compares it with ops.
//!
//! # Example
//!
//! ```
//! use jujuna::testing::{Charm, Harness};
//! use jujuna::{BoxError, Context, Event, Juju, Outcome};
//!
//! fn handle(_context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
//!     let config = juju.config_get()?;
//!     let Some(name) = config.get("server_name").and_then(|name| name.as_str()) else {
//!         return Ok(Outcome::Blocked("set the option server_name".to_owned()));
//!     };
//!     juju.state_set("server-name", name);
//!     Ok(Outcome::Active(String::new()))
//! }
//!
//! # /*
//! fn main() -> std::process::ExitCode {
//!     jujuna::run(handle)
//! }
//! # */
//! // In a test:
//! let charm = Charm::parse("{name: hello}", "{options: {server_name: {type: string}}}", "");
//! let harness = Harness::new(charm, handle);
//! let state = harness.state("hello/0").with_option("server_name", "example.org");
//! let end = harness.run(&Event::ConfigChanged, &state);
//! assert_eq!(end.state.state["server-name"], "example.org");
//! ```
//!
//! # What goes wrong
//!
//! Every [`Error`] names what was wanted and has an [`ErrorKind`] to branch on; Juju's own words are its source. A value that
//! may be secret is in neither. A hook that fails exits with 1: Juju forgets what it wrote and runs it again. An action that
//! fails takes back what it wrote ([`roll_back`](Juju::roll_back)), says why by [`action_fail`](Juju::action_fail), flushes
//! that and exits with 0, because with any other code Juju replaces the message.
//!
//! # Leadership
//!
//! What belongs to the whole application, its databags and its secrets, is written by the leader alone. Those methods take
//! a [`Leader`], which only [`Juju::leader`] gives out: what forgets to ask does not compile.
//!
//! # Secrets
//!
//! Values are [`secrecy::SecretString`]s, which do not print. They reach Juju by a file in memory that goes with the call,
//! never by an argument or a disk. [`secret_declare`](Juju::secret_declare) says what shall be; whether that takes a new
//! secret, a new revision, a grant or nothing is found out at the flush.
//!
//! # Logging
//!
//! [`log::init`] sends what `tracing` records to Juju's log, and drops details before they cost a process.
//!
//! # Tests
//!
//! With the feature `testing`, [`testing::Harness`] dispatches an event to a charm in a model and gives back the model
//! afterwards. [`testing::FakeJuju`] stands where the hook commands stand, keeps or drops what was written by the exit code, as
//! Juju does, and can refuse, hang or kill at any one command.
//!
//! # The boundary
//!
//! [`HookTools`] is the only way to Juju. [`ProcessHookTools`] is the only place that starts a process, and
//! [`Context::from_env`] the only one that reads the environment.

mod action;
mod components;
mod config;
mod context;
mod credential;
mod databag;
mod dispatch;
mod error;
mod event;
mod goal_state;
#[cfg(feature = "testing")]
pub mod guide;
mod hook_tools;
mod juju;
mod leader;
pub mod log;
mod names;
mod network;
mod outcome;
mod port;
mod reboot;
mod relation;
mod resource;
mod secret;
mod state;
mod status;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod typed;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use components::Statuses;
pub use context::{Context, JujuVersion, Proxies};
pub use credential::{CloudCredential, CloudSpec};
pub use dispatch::{BoxError, chain, dispatch, run};
pub use error::{Error, ErrorKind, Refusal};
pub use event::{
    ActionEvent, Event, PebbleEvent, PebbleEventKind, RelationEvent, RelationEventKind,
    SecretEvent, SecretEventKind, StorageEvent, StorageEventKind,
};
pub use goal_state::{Goal, GoalState};
pub use hook_tools::{
    BegunHookCommand, DEFAULT_DEADLINE, HookCommand, HookOutput, HookTools, MAX_ARGUMENT_BYTES,
    ProcessHookTools, SecretFile,
};
pub use juju::Juju;
pub use leader::Leader;
pub use log::Level;
pub use names::{RelationId, StorageId, UnitName};
pub use network::{Address, BindAddress, Network, UnitAddress};
pub use outcome::{Outcome, exit_code};
pub use port::{OpenedPort, Port, Protocol};
pub use secrecy;
pub use secret::{Revision, Rotate, SecretAccess, SecretInfo, SecretOwner, SecretSpec, SecretUri};
pub use status::{ApplicationStatus, CurrentStatus, Status};
pub use storage::Storage;
pub use typed::Problem;
