//! The programs that extract and examine a backup, by themselves, run by the host's Python.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and it runs programs of the host"
)]

mod examine;
mod extract;
mod volume;
