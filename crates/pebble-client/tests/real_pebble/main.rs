//! The client against a real Pebble, one daemon a test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod checks;
mod connection;
mod daemon;
mod examples;
mod exec_commands;
mod exec_endings;
mod exec_streams;
mod exec_terminal;
mod file_content;
mod file_tree;
mod files_at_once;
mod identities;
mod logs;
mod notices;
mod plan;
mod services;
mod soak;
mod streams;
mod waiting;
mod wire;
