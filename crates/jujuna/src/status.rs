//! `status-set`, `status-get`, `application-version-set`: what an operator sees.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::juju::shorten;
use crate::{Error, HookCommand, Juju, Leader};

/// A status that a charm may set, with a message that may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// The workload does what it should.
    Active(String),
    /// An operator must do something: the message says what.
    Blocked(String),
    /// The charm is at work; the workload may be down.
    Maintenance(String),
    /// Something else must happen first: the message names it.
    Waiting(String),
}

impl Status {
    /// Returns the status without its message, as Juju writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Blocked(_) => "blocked",
            Self::Maintenance(_) => "maintenance",
            Self::Waiting(_) => "waiting",
        }
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        match self {
            Self::Active(text)
            | Self::Blocked(text)
            | Self::Maintenance(text)
            | Self::Waiting(text) => text,
        }
    }
}

/// Writes the status as `blocked: message`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            "" => f.write_str(self.word()),
            message => write!(f, "{}: {message}", self.word()),
        }
    }
}

/// The unit's status as it stands in Juju: also one that no charm can set, such as `error` or `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CurrentStatus {
    /// Juju's word.
    pub status: String,
    /// The message; may be empty.
    #[serde(default)]
    pub message: String,
    /// What Juju adds, such as the failed hook's name.
    #[serde(default, rename = "status-data")]
    pub data: Map<String, Value>,
}

impl CurrentStatus {
    /// Returns whether setting `status` would change nothing.
    pub fn is(&self, status: &Status) -> bool {
        self.status == status.word() && self.message == shown(status)
    }
}

impl PartialEq<Status> for CurrentStatus {
    fn eq(&self, status: &Status) -> bool {
        self.is(status)
    }
}

impl Juju {
    /// Returns the unit's status.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    pub fn status_get(&self) -> Result<CurrentStatus, Error> {
        if let Some(status) = &self.cache.borrow().status {
            return Ok(status.clone());
        }
        let command = HookCommand::new("status-get").args(["--include-data", "--format=json"]);
        let status: CurrentStatus = self.read(&command, &|| "read the unit's status".to_owned())?;
        self.cache.borrow_mut().status = Some(status.clone());
        Ok(status)
    }

    /// Sets the unit's status, at once, unless it is so already.
    ///
    /// The first call of a dispatch asks Juju for the status that stands, later ones know it: an unchanged status costs one
    /// hook command and leaves no trace in the history.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not take it.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Status, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let juju = Juju::new(Box::new(fake.clone()));
    /// juju.status_set(&Status::Waiting("storage".to_owned()))?;
    /// juju.status_set(&Status::Waiting("storage".to_owned()))?;
    /// assert_eq!(fake.call_names(), ["status-get", "status-set"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn status_set(&self, status: &Status) -> Result<(), Error> {
        // Where the status that stands cannot be read, setting it is still right.
        if self.status_get().is_ok_and(|current| current.is(status)) {
            return Ok(());
        }
        self.run(&status_set(status, &[]), &|| {
            format!("set the unit's status to {}", status.word())
        })?;
        self.cache.borrow_mut().status = Some(CurrentStatus {
            status: status.word().to_owned(),
            message: shown(status),
            data: Map::new(),
        });
        Ok(())
    }

    /// Sets the application's status, at once, unless this dispatch has set it to the same before.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotLeader`](crate::ErrorKind::NotLeader) when leadership was lost.
    pub fn application_status_set(&self, _leader: &Leader, status: &Status) -> Result<(), Error> {
        if self.cache.borrow().application_status.as_ref() == Some(status) {
            return Ok(());
        }
        let purpose = || format!("set the application's status to {}", status.word());
        self.run(&status_set(status, &["--application"]), &purpose)?;
        self.cache.borrow_mut().application_status = Some(status.clone());
        Ok(())
    }

    /// Sets the workload's version, which `juju status` shows, at once.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not take it.
    pub fn application_version_set(&self, version: &str) -> Result<(), Error> {
        let command = HookCommand::new("application-version-set").text(&shorten(version));
        self.run(&command, &|| "set the workload's version".to_owned())
            .map(drop)
    }
}

fn shown(status: &Status) -> String {
    shorten(&status.message().replace('\0', "\u{fffd}"))
}

fn status_set(status: &Status, flags: &[&str]) -> HookCommand {
    let command = HookCommand::new("status-set")
        .args(flags.iter().copied())
        .args(["--", status.word()]);
    match shown(status) {
        message if message.is_empty() => command,
        message => command.arg(message),
    }
}
