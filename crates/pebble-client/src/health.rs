//! Health: all checks in one word.

use serde::Deserialize;

use crate::Client;
use crate::checks::CheckLevel;
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
        let target =
            Target::new("/v1/health").with_some("level", level.as_ref().map(CheckLevel::as_str));
        let health: Health = self
            .get(target)
            .await
            .and_then(Envelope::result)
            .operation(|| String::from("get the health"))?;
        Ok(health.healthy)
    }
}
