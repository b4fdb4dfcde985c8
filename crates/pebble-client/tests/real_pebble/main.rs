//! The client against a real Pebble, one daemon a test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod daemon;
mod exec_streams;
mod file_content;
mod services;
