//! A Juju in memory, for unit tests of charms (feature `testing`).
//!
//! [`FakeJuju`] stands where Juju's hook commands stand: it gets arguments and stdin, and answers with an exit code, stdout
//! and stderr. So a test exercises everything that the charm and this crate do. What the charm wrote counts once
//! [`FakeJuju::end`] is told that it exited with 0, as in Juju.
//!
//! # Example
//!
//! ```
//! use jujuna::testing::{FakeJuju, State};
//! use jujuna::{Juju, Status};
//!
//! let fake = FakeJuju::new(State::new("hello/0").with_option("port", 8008));
//! let mut juju = Juju::new(Box::new(fake.clone()));
//! juju.state_set("port", juju.config_get()?["port"].to_string());
//! juju.status_set(&Status::Active(String::new()))?;
//! juju.flush()?;
//!
//! fake.end(1); // the hook fails after all
//! assert!(fake.state().state.is_empty()); // so what was buffered is dropped
//! assert_eq!(fake.state().status, "active".into()); // but a status shows at once
//! # Ok::<(), jujuna::Error>(())
//! ```

mod actions;
mod arguments;
mod charm;
mod commands;
mod crash;
mod diff;
mod environment;
mod fake;
mod harness;
mod relation;
mod relations;
mod secret;
mod secrets;
mod state;

pub use charm::{Charm, Mismatches};
pub use crash::Divergence;
pub use environment::variables;
pub use fake::{Call, FakeJuju};
pub use harness::{End, Fault, Harness};
pub use relation::Relation;
pub use secret::{Owner, Secret};
pub use state::{ShownStatus, State};

/// The model's uuid in every test.
const MODEL_UUID: &str = "00000000-0000-4000-8000-000000000000";
