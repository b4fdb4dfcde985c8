//! Waiting for a daemon, a service or a check, whatever happens to the daemon meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use crate::Client;
use crate::checks::{CheckFilter, CheckInfo, CheckStatus};
use crate::error::{Error, Failure};
use crate::services::{ServiceInfo, ServiceStatus};
use crate::system_info::SystemInfo;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Pauses that grow, for something that is asked again and again.
#[derive(Debug)]
struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = self.0.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// A time without a daemon, for streams that outlive it.
#[derive(Debug)]
pub(crate) struct Outage {
    longest: Option<Duration>,
    now: Option<(Instant, Backoff)>,
}

impl Outage {
    /// One that may last for ever.
    pub(crate) fn new() -> Self {
        Self {
            longest: None,
            now: None,
        }
    }

    pub(crate) fn set_longest(&mut self, longest: Duration) {
        self.longest = Some(longest);
    }

    pub(crate) fn is_over(&mut self) {
        self.now = None;
    }

    /// Waits a little before the next attempt; gives the error back when it cannot pass, or lasts too long.
    pub(crate) async fn after(&mut self, error: Error) -> Result<(), Error> {
        let (since, backoff) = self
            .now
            .get_or_insert_with(|| (Instant::now(), Backoff::new()));
        let too_long = self
            .longest
            .is_some_and(|longest| since.elapsed() >= longest);
        // A daemon that is about to end may answer with errors of any kind but those of the caller's.
        let passes = error.may_pass() || error.is_timeout() || error.http_status() >= Some(500);
        if too_long || !passes {
            return Err(error);
        }
        backoff.pause().await;
        Ok(())
    }
}

impl Client {
    /// Waits until the daemon answers, and returns what it says of itself. A socket that is not there yet, or that
    /// nobody listens on, is waited for.
    ///
    /// # Errors
    ///
    /// After `timeout`, the error of the last attempt ([`NotConnectable`](crate::ErrorKind::NotConnectable) mostly,
    /// [`Timeout`](crate::ErrorKind::Timeout) when the daemon does not answer). At once, when the socket may not be
    /// used, or when what listens there is not Pebble.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// client.wait_ready(std::time::Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_ready(&self, timeout: Duration) -> Result<SystemInfo, Error> {
        self.until(
            timeout,
            || String::from("get system info"),
            async || self.system_info().await.map(Some),
        )
        .await
    }

    /// Waits until a service is in `status`, and returns it. One that is not in the plan yet is waited for, and a
    /// daemon that is restarted meanwhile too.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout), or the connection's error when `timeout` passed without a daemon.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ServiceStatus;
    /// let timeout = std::time::Duration::from_secs(30);
    /// client.wait_for_service("web", &ServiceStatus::Active, timeout).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_service(
        &self,
        name: &str,
        status: &ServiceStatus,
        timeout: Duration,
    ) -> Result<ServiceInfo, Error> {
        let operation = || format!("wait for service {name} to be {status}");
        self.until(timeout, operation, async || {
            let services = self.services(&[name]).await?;
            Ok(services
                .into_iter()
                .find(|service| service.current == *status))
        })
        .await
    }

    /// Waits until a check is in `status`, and returns it. One that is not in the plan yet is waited for, and a
    /// daemon that is restarted meanwhile too.
    ///
    /// A check is up from its start until it has failed as often as its threshold; [`CheckInfo::successes`] tells
    /// whether it was ever performed.
    ///
    /// # Errors
    ///
    /// As [`wait_for_service`](Self::wait_for_service).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::CheckStatus;
    /// client.wait_for_check("http", &CheckStatus::Up, std::time::Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_check(
        &self,
        name: &str,
        status: &CheckStatus,
        timeout: Duration,
    ) -> Result<CheckInfo, Error> {
        let operation = || format!("wait for check {name} to be {status}");
        self.until(timeout, operation, async || {
            let filter = CheckFilter {
                names: &[name],
                level: None,
            };
            let checks = self.checks(filter).await?;
            Ok(checks.into_iter().find(|check| check.status == *status))
        })
        .await
    }

    /// Asks again and again until there is something, or an error that waiting does not mend.
    async fn until<T>(
        &self,
        timeout: Duration,
        operation: impl Fn() -> String,
        ask: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let late = || Error::new(operation(), Failure::Timeout(timeout));
            let left = timeout.saturating_sub(began.elapsed());
            let last_error = match tokio::time::timeout(left, ask()).await {
                Ok(Ok(Some(found))) => return Ok(found),
                Ok(Ok(None)) => late(),
                Ok(Err(error)) if error.may_pass() => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(late()),
            };
            let left = timeout.saturating_sub(began.elapsed());
            if tokio::time::timeout(left, backoff.pause()).await.is_err() {
                return Err(last_error);
            }
        }
    }
}
