//! Health: all checks in one word.

use serde::Deserialize;

use crate::Client;
use crate::checks::{CheckFilter, CheckLevel};
use crate::client::Operation;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::query::Target;

#[derive(Deserialize)]
struct Health {
    healthy: bool,
}

impl Client {
    /// Returns whether all checks of `level` are up; `None` means every check. `Ready` takes the `Alive` ones in.
    /// Checks that were stopped do not count.
    ///
    /// # Errors
    ///
    /// Of a connection only; being unhealthy is not an error.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::CheckLevel;
    /// let ready = client.health(Some(CheckLevel::Ready)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn health(&self, level: Option<CheckLevel>) -> Result<bool, Error> {
        self.health_of(CheckFilter { level, names: &[] }).await
    }

    /// As [`health`](Self::health), of the named checks only where there are names.
    ///
    /// # Errors
    ///
    /// As [`health`](Self::health).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::CheckFilter;
    /// let healthy = client.health_of(CheckFilter { names: &["http"], ..CheckFilter::default() }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn health_of(&self, filter: CheckFilter<'_>) -> Result<bool, Error> {
        let target = Target::new("/v1/health")
            .with_some("level", filter.level.as_ref().map(CheckLevel::as_str))
            .with_all("names", filter.names);
        let health: Health = self
            .get(target)
            .await
            .and_then(Envelope::result)
            .operation(|| String::from("get the health"))?;
        Ok(health.healthy)
    }
}
