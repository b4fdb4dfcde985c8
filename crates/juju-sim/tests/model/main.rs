//! A charm without containers in a model: what Juju does, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod actions;
mod fixture;
mod hooks;
mod order;
mod refusals;
mod scale;
mod secrets;
