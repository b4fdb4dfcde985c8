//! How a dispatch went, and what exit code tells that to Juju.

use crate::{Event, Status};

/// How a dispatch went.
///
/// # Example
///
/// ```
/// use jujuna::{Outcome, Status};
///
/// let outcome = Outcome::from(Status::Waiting("for the database".to_owned()));
/// assert_eq!(outcome, Outcome::Waiting("for the database".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be; the status stays as it is, or was set.
    Done,
    /// All is as it should be, and this is to be said of it.
    Active(String),
    /// There is more to do, or an operator asked for something that takes a while.
    Maintenance(String),
    /// An operator must do something, which the text says.
    Blocked(String),
    /// Something else must happen first, which the text names.
    Waiting(String),
    /// A bug, or a hook command that failed for Juju's own reasons: nothing was flushed.
    Failed,
}

impl Outcome {
    /// Returns the status that it amounts to, if any.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(jujuna::Outcome::Done.status(), None);
    /// ```
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Active(text) => Some(Status::Active(text.clone())),
            Self::Maintenance(text) => Some(Status::Maintenance(text.clone())),
            Self::Blocked(text) => Some(Status::Blocked(text.clone())),
            Self::Waiting(text) => Some(Status::Waiting(text.clone())),
            Self::Done | Self::Failed => None,
        }
    }
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Active(text) => Self::Active(text),
            Status::Blocked(text) => Self::Blocked(text),
            Status::Maintenance(text) => Self::Maintenance(text),
            Status::Waiting(text) => Self::Waiting(text),
        }
    }
}

/// Returns the exit code that does least harm.
///
/// | event | anything else | failed | because |
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
        Outcome::Done
        | Outcome::Active(_)
        | Outcome::Maintenance(_)
        | Outcome::Blocked(_)
        | Outcome::Waiting(_) => 0,
        Outcome::Failed => u8::from(event.is_retried_by_juju()),
    }
}
