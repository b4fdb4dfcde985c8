//! What a real Pebble cannot be made to do: answers cut off at any byte, garbage, delays, old and new versions.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod answers;
mod commands;
mod cuts;
mod server;
mod versions;
