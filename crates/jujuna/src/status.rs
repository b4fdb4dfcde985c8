//! `status-set`, `status-get`, `application-version-set`: what an operator sees.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::juju::shorten;
use crate::{Error, HookCommand, Juju, Leader, UnitName};

/// A status that a charm may set, with a message that may be empty.
///
/// # Example
///
/// ```
/// let status = jujuna::Status::Blocked("set server_name".to_owned());
/// assert_eq!(status.to_string(), "blocked: set server_name");
/// ```
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
    ///
    /// [`Status`] has an example.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Blocked(_) => "blocked",
            Self::Maintenance(_) => "maintenance",
            Self::Waiting(_) => "waiting",
        }
    }

    /// Returns the message.
    ///
    /// [`Status`] has an example.
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

/// A status as it stands in Juju: also one that no charm can set, such as `error` or `unknown`.
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, Status, testing::{FakeJuju, State}};
/// let state = State::new("hello/0").with_status("error", "hook failed: \"start\"");
/// let juju = Juju::new(Box::new(FakeJuju::new(state)));
/// assert_eq!(juju.status_get()?.status, "error");
/// assert!(juju.status_get()? != Status::Active(String::new()));
/// # Ok::<(), jujuna::Error>(())
/// ```
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
    ///
    /// [`CurrentStatus`] has an example.
    pub fn is(&self, status: &Status) -> bool {
        self.status == status.word() && self.message == shown(status)
    }
}

/// The application's status, with its units' where Juju tells them.
///
/// [`Juju::application_status_get`](crate::Juju::application_status_get) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplicationStatus {
    /// What was set for it, or else the worst of its units'.
    pub status: CurrentStatus,
    /// The units'. On machines Juju often names none.
    pub units: BTreeMap<UnitName, CurrentStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawApplicationStatus {
    application_status: RawApplication,
    #[serde(default)]
    units: BTreeMap<UnitName, CurrentStatus>,
}

#[derive(Deserialize)]
struct RawApplication {
    #[serde(flatten)]
    status: CurrentStatus,
    #[serde(default)]
    units: BTreeMap<UnitName, CurrentStatus>,
}

impl PartialEq<Status> for CurrentStatus {
    fn eq(&self, status: &Status) -> bool {
        self.is(status)
    }
}

impl Juju {
    /// Returns the unit's status. [`CurrentStatus`] has an example.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    pub fn status_get(&self) -> Result<CurrentStatus, Error> {
        if let Some(status) = &self.cache.borrow().status {
            return Ok(status.clone());
        }
        let status: CurrentStatus =
            self.read(&status_get(), &|| "read the unit's status".to_owned())?;
        self.cache.borrow_mut().status = Some(status.clone());
        Ok(status)
    }

    /// Begins to read what [`status_set`](Juju::status_set) will compare with.
    pub(crate) fn begin_status(&self) {
        if self.cache.borrow().status.is_none() {
            self.begin(&status_get());
        }
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
        self.cache.borrow_mut().status = Some(now(status));
        Ok(())
    }

    /// Returns the application's status.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotLeader`](crate::ErrorKind::NotLeader) when leadership was lost.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Status, testing::{FakeJuju, State}};
    /// # let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_leader(true))));
    /// if let Some(leader) = juju.leader()? {
    ///     juju.application_status_set(&leader, &Status::Waiting("a quorum".to_owned()))?;
    ///     assert_eq!(juju.application_status_get(&leader)?.status.message, "a quorum");
    /// }
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn application_status_get(&self, _leader: &Leader) -> Result<ApplicationStatus, Error> {
        if let Some(status) = &self.cache.borrow().application_status {
            return Ok(status.clone());
        }
        let command = HookCommand::new("status-get").args([
            "--application",
            "--include-data",
            "--format=json",
        ]);
        let raw: RawApplicationStatus =
            self.read(&command, &|| "read the application's status".to_owned())?;
        let mut units = raw.application_status.units;
        units.extend(raw.units);
        let status = ApplicationStatus {
            status: raw.application_status.status,
            units,
        };
        self.cache.borrow_mut().application_status = Some(status.clone());
        Ok(status)
    }

    /// Sets the application's status, at once, unless it is so already.
    ///
    /// [`application_status_get`](Juju::application_status_get) has an example.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotLeader`](crate::ErrorKind::NotLeader) when leadership was lost.
    pub fn application_status_set(&self, leader: &Leader, status: &Status) -> Result<(), Error> {
        let current = self.application_status_get(leader);
        if current
            .as_ref()
            .is_ok_and(|current| current.status.is(status))
        {
            return Ok(());
        }
        let purpose = || format!("set the application's status to {}", status.word());
        self.run(&status_set(status, &["--application"]), &purpose)?;
        self.cache.borrow_mut().application_status =
            current.ok().map(|current| ApplicationStatus {
                status: now(status),
                ..current
            });
        Ok(())
    }

    /// Sets the workload's version, which `juju status` shows, at once.
    ///
    /// It costs a hook command each time, as Juju does not tell which one it has:
    /// [`Event::may_change_workload`](crate::Event::may_change_workload) tells when it is worth it.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not take it.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// # let fake = FakeJuju::new(State::new("hello/0"));
    /// # let juju = Juju::new(Box::new(fake.clone()));
    /// juju.application_version_set("1.119.0")?;
    /// assert_eq!(fake.state().workload_version, "1.119.0");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn application_version_set(&self, version: &str) -> Result<(), Error> {
        let command = HookCommand::new("application-version-set").text(&shorten(version));
        self.run(&command, &|| "set the workload's version".to_owned())
            .map(drop)
    }
}

fn status_get() -> HookCommand {
    HookCommand::new("status-get").args(["--include-data", "--format=json"])
}

fn now(status: &Status) -> CurrentStatus {
    CurrentStatus {
        status: status.word().to_owned(),
        message: shown(status),
        data: Map::new(),
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
