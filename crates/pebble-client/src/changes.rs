//! Changes: work that goes on in the daemon after the request that began it was answered.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::{Operation, within};
use crate::duration;
use crate::envelope::{Data, Envelope};
use crate::error::{Error, ErrorKind, Failure};
use crate::open_enum::open_enum;
use crate::query::{Target, is_id};

/// How much longer than the daemon's own deadline the client waits for the daemon to say that it passed.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// How often a daemon that cannot wait is asked.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// The id of a change. Where Pebble runs without saved state they begin at 1 again when it is restarted.
///
/// # Example
///
/// ```
/// use pebble_client::ChangeId;
/// assert_eq!(ChangeId::from("42").to_string(), "42");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(String);

impl ChangeId {
    /// Returns the id as the daemon writes it.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::ChangeId;
    /// assert_eq!(ChangeId::from("42").as_str(), "42");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ChangeId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for ChangeId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

open_enum! {
    /// Where a change or task stands.
    ChangeStatus {
        /// Nothing was done yet.
        Do = "Do",
        /// Is being done.
        Doing = "Doing",
        /// Was done. The only good end.
        Done = "Done",
        /// Is being given up.
        Abort = "Abort",
        /// Is to be undone.
        Undo = "Undo",
        /// Is being undone.
        Undoing = "Undoing",
        /// Was undone.
        Undone = "Undone",
        /// Is not to be done, since something before it failed.
        Hold = "Hold",
        /// Waits for something outside Pebble.
        Wait = "Wait",
        /// Failed.
        Error = "Error",
    }
}

/// Work in the daemon, as it stands now.
///
/// [`Client::changes`] has an example.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// What it does: `start`, `stop`, `restart`, `replan`, `autostart`, `exec`, `perform-check`, `recover-check`.
    pub kind: String,
    /// One line for a person. That of an exec names the command without its arguments.
    pub summary: String,
    /// Where it stands.
    pub status: ChangeStatus,
    /// Its parts.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Whether it has ended, well or not.
    pub ready: bool,
    /// Why it failed; missing for some bad ends, so look at `status`.
    pub err: Option<String>,
    /// When it began.
    pub spawn_time: Option<Timestamp>,
    /// When it ended.
    pub ready_time: Option<Timestamp>,
    /// Further data, by kind.
    #[serde(default)]
    pub data: Data,
}

/// A part of a change.
///
/// [`Client::change`] has an example.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Task {
    /// Its id.
    pub id: String,
    /// What it does: `start`, `stop`, `exec`, ...
    pub kind: String,
    /// One line for a person.
    pub summary: String,
    /// Where it stands.
    pub status: ChangeStatus,
    /// How far it has come.
    pub progress: Option<Progress>,
    /// When it began.
    pub spawn_time: Option<Timestamp>,
    /// When it ended.
    pub ready_time: Option<Timestamp>,
    /// The last lines of its log; a service that could not be started shows its output here.
    #[serde(default)]
    pub log: Vec<String>,
    /// Further data, by kind; an exec's `exit-code`.
    #[serde(default)]
    pub data: Data,
}

/// How far a task has come.
///
/// [`Client::change`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Progress {
    /// What is counted; mostly empty.
    #[serde(default)]
    pub label: String,
    /// How much of it was done.
    #[serde(default)]
    pub done: i64,
    /// How much there is; a task that does not count has 1.
    #[serde(default)]
    pub total: i64,
}

/// Which changes to list.
///
/// [`Client::changes`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSelect {
    /// Those that have not ended.
    InProgress,
    /// Those that have ended.
    Ready,
    /// All.
    All,
}

impl ChangeSelect {
    fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Ready => "ready",
            Self::All => "all",
        }
    }
}

impl Change {
    /// Returns whether the change ended well. A change that is ready without error text can still have failed.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let change = client.change(&"42".into()).await?;
    /// if change.ready && !change.is_done() {
    ///     let why = change.err.unwrap_or_default();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ready && self.status == ChangeStatus::Done
    }

    pub(crate) fn write_failure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.err {
            Some(err) => f.write_str(err)?,
            None => write!(f, "the change ended as {}", self.status)?,
        }
        for line in self.tasks.iter().flat_map(|task| &task.log) {
            write!(f, "\n{line}")?;
        }
        Ok(())
    }
}

impl Client {
    /// Returns a change as it stands now.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none of this id (they are kept for seven days, at most
    /// 1,000 of them, and without saved state not across a restart of Pebble).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let change = client.change(&"42".into()).await?;
    /// for task in &change.tasks {
    ///     let so_far = task.progress.as_ref().map(|progress| (progress.done, progress.total));
    ///     let line = format!("{}: {} {so_far:?}", task.summary, task.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn change(&self, id: &ChangeId) -> Result<Change, Error> {
        self.get_change(id)
            .await
            .operation(|| format!("get change {id}"))
    }

    pub(crate) async fn get_change(&self, id: &ChangeId) -> Result<Change, Failure> {
        self.get(target(id, "")?).await.and_then(Envelope::result)
    }

    /// Returns the selected changes, oldest first; with `service`, only those that concern it.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ChangeSelect;
    /// for change in client.changes(ChangeSelect::InProgress, Some("web")).await? {
    ///     let line = format!("{} {} {}", change.id, change.status, change.summary);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn changes(
        &self,
        select: ChangeSelect,
        service: Option<&str>,
    ) -> Result<Vec<Change>, Error> {
        let target = Target::new("/v1/changes")
            .with("select", select.as_str())
            .with_some("for", service);
        let envelope: Envelope<Vec<Change>> = self
            .get(target)
            .await
            .operation(|| String::from("list changes"))?;
        let mut changes = envelope.result.unwrap_or_default();
        // The daemon gives them in no order.
        changes.sort_by_key(|change| change.spawn_time);
        Ok(changes)
    }

    /// Tells the daemon to give up a change that has not ended and returns it as it stands then.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when it has ended,
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ChangeSelect;
    /// for change in client.changes(ChangeSelect::InProgress, None).await? {
    ///     client.abort_change(&change.id).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn abort_change(&self, id: &ChangeId) -> Result<Change, Error> {
        let result = match target(id, "") {
            Ok(target) => {
                self.post(target, &serde_json::json!({"action": "abort"}))
                    .await
            }
            Err(failure) => Err(failure),
        };
        result
            .and_then(Envelope::result)
            .operation(|| format!("abort change {id}"))
    }

    /// Waits until a change has ended, and returns it if it ended well.
    ///
    /// # Errors
    ///
    /// [`ChangeFailed`](crate::ErrorKind::ChangeFailed) with the task logs for any status but `Done`,
    /// [`Timeout`](crate::ErrorKind::Timeout) when it has not ended after `timeout` (it goes on),
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ErrorKind;
    /// use std::time::Duration;
    ///
    /// let change = client.replan().await?;
    /// match client.wait_change(&change, Duration::from_secs(30)).await {
    ///     Ok(_) => {}
    ///     Err(error) if error.kind() == ErrorKind::ChangeFailed => {
    ///         let why = error.daemon_message();
    ///     }
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_change(&self, id: &ChangeId, timeout: Duration) -> Result<Change, Error> {
        let sentence = || format!("wait for change {id}");
        let change = self.wait_end(id, Some(timeout)).await.operation(sentence)?;
        if change.is_done() {
            Ok(change)
        } else {
            Err(Error::new(sentence(), Failure::Change(Box::new(change))))
        }
    }

    /// Waits until a change has ended in any way.
    pub(crate) async fn wait_end(
        &self,
        id: &ChangeId,
        timeout: Option<Duration>,
    ) -> Result<Change, Failure> {
        match self.long_poll(id, timeout).await {
            // Pebble before 1.0 cannot wait.
            Err(Failure::Daemon {
                kind: ErrorKind::Unsupported,
                ..
            }) => self.poll_end(id, timeout).await,
            ended => ended,
        }
    }

    async fn poll_end(&self, id: &ChangeId, timeout: Option<Duration>) -> Result<Change, Failure> {
        let polling = async {
            loop {
                let change = self.get_change(id).await?;
                if change.ready {
                    return Ok(change);
                }
                tokio::time::sleep(POLL_PAUSE).await;
            }
        };
        match timeout {
            Some(timeout) => within(timeout, polling).await,
            None => polling.await,
        }
    }

    async fn long_poll(&self, id: &ChangeId, timeout: Option<Duration>) -> Result<Change, Failure> {
        let target = target(id, "/wait")?;
        let envelope = match timeout {
            Some(timeout) => {
                // To the daemon, zero means for ever.
                let limit = timeout.max(Duration::from_nanos(1));
                let target = target.with("timeout", &duration::format(limit));
                match self
                    .get_within(target, limit.saturating_add(ANSWER_GRACE))
                    .await
                {
                    Err(Failure::Daemon { status: 504, .. } | Failure::Timeout(_)) => {
                        Err(Failure::Timeout(timeout))
                    }
                    other => other,
                }
            }
            None => self.get_within(target, Duration::MAX).await,
        };
        envelope.and_then(Envelope::result)
    }
}

fn target(id: &ChangeId, suffix: &str) -> Result<Target, Failure> {
    if is_id(id.as_str()) {
        Ok(Target::new(&format!("/v1/changes/{id}{suffix}")))
    } else {
        Err(Failure::Refused(format!(
            "{:?} is not the id of a change",
            id.as_str()
        )))
    }
}
