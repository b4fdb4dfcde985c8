//! Pods with real Pebble, on this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod images;
mod inside;
mod life;
mod network;
mod watch;
