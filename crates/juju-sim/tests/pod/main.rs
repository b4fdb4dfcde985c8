//! Pods with real Pebble, on this machine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;
mod life;
