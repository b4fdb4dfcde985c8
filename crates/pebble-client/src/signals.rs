//! Signals to services.

use crate::Client;
use crate::client::{Operation, named};
use crate::error::Error;
use crate::query::Target;

impl Client {
    /// Sends `signal` (a name like `SIGHUP`) to the main process of each service.
    ///
    /// # Errors
    ///
    /// [`Daemon`](crate::ErrorKind::Daemon) when the signal is not known or a service does not run (the others were
    /// signalled), [`BadRequest`](crate::ErrorKind::BadRequest) when no service is named.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// client.signal("SIGHUP", &["web"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal(&self, signal: &str, services: &[&str]) -> Result<(), Error> {
        let payload = serde_json::json!({"signal": signal, "services": services});
        let envelope = self
            .post::<bool>(Target::new("/v1/signals"), &payload)
            .await;
        envelope
            .map(drop)
            .operation(|| named(&format!("send {signal} to"), "services", services))
    }
}
