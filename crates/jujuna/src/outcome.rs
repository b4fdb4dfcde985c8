//! How a dispatch went, and what exit code tells that to Juju.

use crate::Event;

/// How a dispatch went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be.
    Done,
    /// An operator must do something, which the text says.
    Blocked(String),
    /// Something else must happen first, which the text names.
    Waiting(String),
    /// A bug, or a hook command that failed for Juju's own reasons: nothing was flushed.
    Failed,
}

/// Returns the exit code that does least harm.
///
/// | event | done, blocked, waiting | failed | because |
/// |---|---|---|---|
/// | action | 0 | 0 | another code replaces the message of action-fail by "exit status 1" |
/// | pebble-ready, notice, check | 0 | 0 | Juju runs a failing one again without pause or end, and shows no error |
/// | any other hook | 0 | 1 | Juju drops what was written, shows the error and runs the hook again later |
///
/// # Example
///
/// ```
/// use jujuna::{Event, Outcome, exit_code};
///
/// assert_eq!(exit_code(&Event::ConfigChanged, &Outcome::Failed), 1);
/// assert_eq!(exit_code(&Event::action("create-backup", "7"), &Outcome::Failed), 0);
/// ```
pub fn exit_code(event: &Event, outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done | Outcome::Blocked(_) | Outcome::Waiting(_) => 0,
        Outcome::Failed => u8::from(event.is_retried_by_juju()),
    }
}
