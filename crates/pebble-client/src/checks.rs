//! Health checks.

use serde::{Deserialize, Serialize};

use crate::Client;
use crate::changes::ChangeId;
use crate::client::{Operation, named};
use crate::envelope::Envelope;
use crate::error::{Error, Failure};
use crate::open_enum::open_enum;
use crate::query::Target;
use crate::services::Startup;

open_enum! {
    /// What a check is for.
    CheckLevel {
        /// Down means: restart the container.
        Alive = "alive",
        /// Down means: send no requests.
        Ready = "ready",
    }
}

open_enum! {
    /// What a check last found.
    CheckStatus {
        /// All is well, or it has failed less often than its threshold.
        Up = "up",
        /// It has failed as often as its threshold.
        Down = "down",
        /// It does not run.
        Inactive = "inactive",
    }
}

/// One check of the plan.
///
/// [`Client::checks`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CheckInfo {
    /// Its name in the plan.
    pub name: String,
    /// What it is for; `None` where the plan does not say.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub level: Option<CheckLevel>,
    /// Whether it is started by itself; `None` from a daemon that does not say.
    pub startup: Option<Startup>,
    /// What it last found.
    pub status: CheckStatus,
    /// How often it succeeded since it was started; `None` from a daemon that does not say.
    pub successes: Option<u64>,
    /// How often it failed since it last succeeded.
    #[serde(default)]
    pub failures: u64,
    /// How many failures in a row make it `Down`.
    #[serde(default)]
    pub threshold: u64,
    /// The change that performs it, or waits for it to recover.
    pub change_id: Option<ChangeId>,
    /// The change before that one.
    pub prev_change_id: Option<ChangeId>,
}

/// Which checks to list; the default is all.
///
/// [`Client::checks`] has an example.
#[derive(Debug, Clone, Default)]
pub struct CheckFilter<'a> {
    /// Only checks of just this level.
    pub level: Option<CheckLevel>,
    /// Only checks of these names, unless empty.
    pub names: &'a [&'a str],
}

/// What a check found when it was performed on demand.
///
/// [`Client::refresh_check`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckRefresh {
    /// The check after it was performed.
    pub info: CheckInfo,
    /// Why it failed; `None` when it succeeded.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Refreshed {
    info: CheckInfo,
    #[serde(default)]
    error: String,
}

#[derive(Serialize)]
struct CheckAction<'a> {
    action: &'a str,
    checks: &'a [&'a str],
}

#[derive(Deserialize)]
struct Changed {
    changed: Option<Vec<String>>,
}

impl Client {
    /// Returns the checks that pass the filter, ordered by name.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when the level is not one the daemon knows.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{CheckFilter, CheckLevel, CheckStatus};
    /// let filter = CheckFilter { level: Some(CheckLevel::Alive), ..CheckFilter::default() };
    /// let checks = client.checks(filter).await?;
    /// let is_down = checks.iter().any(|check| check.status == CheckStatus::Down);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn checks(&self, filter: CheckFilter<'_>) -> Result<Vec<CheckInfo>, Error> {
        let target = Target::new("/v1/checks")
            .with_some("level", filter.level.as_ref().map(CheckLevel::as_str))
            .with_all("names", filter.names);
        let envelope: Result<Envelope<Vec<CheckInfo>>, Failure> = self.get(target).await;
        Ok(envelope
            .operation(|| named("list", "checks", filter.names))?
            .result
            .unwrap_or_default())
    }

    /// Starts checks and returns the names of those that did not run before (none from an old daemon).
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when a check is not in the plan.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let started = client.start_checks(&["ready"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_checks(&self, names: &[&str]) -> Result<Vec<String>, Error> {
        self.check_action("start", names).await
    }

    /// Stops checks and returns the names of those that ran before (none from an old daemon).
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when a check is not in the plan.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let stopped = client.stop_checks(&["ready"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop_checks(&self, names: &[&str]) -> Result<Vec<String>, Error> {
        self.check_action("stop", names).await
    }

    /// Performs a check now and returns what it found. Takes as long as the check does, at most its own timeout
    /// (3 s unless the plan says otherwise), and in any case no longer than [`with_timeout`](Self::with_timeout)
    /// allows.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when the check is not in the plan. That it fails is not an error.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let now = client.refresh_check("ready").await?;
    /// if let Some(why) = now.error {
    ///     let line = format!("{}: {why}", now.info.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh_check(&self, name: &str) -> Result<CheckRefresh, Error> {
        let target = Target::new("/v1/checks/refresh");
        let envelope = self.post(target, &serde_json::json!({"name": name})).await;
        let refreshed: Refreshed = envelope
            .and_then(Envelope::result)
            .operation(|| format!("refresh check {name}"))?;
        let error = Some(refreshed.error).filter(|error| !error.is_empty());
        Ok(CheckRefresh {
            info: refreshed.info,
            error,
        })
    }

    async fn check_action(&self, action: &str, checks: &[&str]) -> Result<Vec<String>, Error> {
        let payload = CheckAction { action, checks };
        let envelope: Result<Envelope<Changed>, Failure> =
            self.post(Target::new("/v1/checks"), &payload).await;
        let result = envelope
            .operation(|| named(action, "checks", checks))?
            .result;
        Ok(result.and_then(|result| result.changed).unwrap_or_default())
    }
}

fn none_if_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<CheckLevel>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    Ok(word.filter(|word| !word.is_empty()).map(CheckLevel::from))
}
