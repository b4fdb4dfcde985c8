//! Services: what they do now, and starting and stopping them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::changes::ChangeId;
use crate::client::{Operation, named};
use crate::envelope::Envelope;
use crate::error::{Error, Failure};
use crate::open_enum::open_enum;
use crate::query::Target;

open_enum! {
    /// What a service does now.
    ServiceStatus {
        /// Runs.
        Active = "active",
        /// Waits to be restarted after it ended.
        Backoff = "backoff",
        /// Ended and is not restarted.
        Error = "error",
        /// Was not started, or was stopped.
        Inactive = "inactive",
    }
}

open_enum! {
    /// Whether a service or check is started by itself.
    Startup {
        /// Is started by autostart and replan.
        Enabled = "enabled",
        /// Is started only when named.
        Disabled = "disabled",
    }
}

/// One service of the plan.
///
/// [`Client::services`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its name in the plan.
    pub name: String,
    /// Whether it is started by itself.
    pub startup: Startup,
    /// What it does now.
    pub current: ServiceStatus,
    /// Since when it does that; `None` where it was never started.
    pub current_since: Option<Timestamp>,
}

impl ServiceInfo {
    /// Returns whether the service runs.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let runs = client.services(&["web"]).await?.iter().any(|service| service.is_active());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.current == ServiceStatus::Active
    }
}

#[derive(Serialize)]
struct ServiceAction<'a> {
    action: &'a str,
    services: &'a [&'a str],
}

impl Client {
    /// Returns the named services, or all for an empty slice, ordered by name. A name that is not in the plan is
    /// left out, not an error.
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
    /// for service in client.services(&[]).await? {
    ///     let line = format!("{}: {}, at start-up {}", service.name, service.current, service.startup);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn services(&self, names: &[&str]) -> Result<Vec<ServiceInfo>, Error> {
        let envelope: Result<Envelope<Vec<ServiceInfo>>, Failure> = self
            .get(Target::new("/v1/services").with_all("names", names))
            .await;
        Ok(envelope
            .operation(|| named("list", "services", names))?
            .result
            .unwrap_or_default())
    }

    /// Starts services and what they require. Returns at once: [`wait_change`](Self::wait_change) tells how it ended.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when a service is not in the plan or none is named.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.start(&["web"]).await?;
    /// client.wait_change(&change, Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(&self, names: &[&str]) -> Result<ChangeId, Error> {
        self.service_action("start", names).await
    }

    /// Stops services and what depends on them. Returns at once.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.stop(&["web"]).await?;
    /// client.wait_change(&change, Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(&self, names: &[&str]) -> Result<ChangeId, Error> {
        self.service_action("stop", names).await
    }

    /// Restarts just the named services; one that does not run is started. Returns at once.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.restart(&["web"]).await?;
    /// client.wait_change(&change, Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart(&self, names: &[&str]) -> Result<ChangeId, Error> {
        self.service_action("restart", names).await
    }

    /// Starts the services with `startup: enabled`. Returns at once.
    ///
    /// # Errors
    ///
    /// [`NoDefaultServices`](crate::ErrorKind::NoDefaultServices) when there is none.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.autostart().await?;
    /// client.wait_change(&change, Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn autostart(&self) -> Result<ChangeId, Error> {
        self.service_action("autostart", &[]).await
    }

    /// Restarts running services whose part of the plan changed and starts those with `startup: enabled`.
    /// Returns at once.
    ///
    /// # Errors
    ///
    /// Of a connection only; what became of the services is told by the change.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.replan().await?;
    /// client.wait_change(&change, Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replan(&self) -> Result<ChangeId, Error> {
        self.service_action("replan", &[]).await
    }

    async fn service_action(&self, action: &str, services: &[&str]) -> Result<ChangeId, Error> {
        let payload = ServiceAction { action, services };
        let envelope = self
            .post::<serde::de::IgnoredAny>(Target::new("/v1/services"), &payload)
            .await;
        envelope
            .and_then(Envelope::change)
            .operation(|| named(action, "services", services))
    }
}
