//! What the daemon says of itself.

use serde::Deserialize;

use crate::Client;
use crate::client::Operation;
use crate::error::Error;
use crate::query::Target;

/// What the daemon says of itself.
///
/// [`Client::system_info`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SystemInfo {
    /// Pebble's version, like `v1.32.1`.
    pub version: String,
    /// Changes when the machine is booted; where Pebble is the first process of a container, at each of its starts.
    #[serde(default)]
    pub boot_id: String,
    /// The address of the plain HTTP listener, where there is one.
    pub http_address: Option<String>,
    /// The address of the HTTPS listener, where there is one.
    pub https_address: Option<String>,
}

impl Client {
    /// Returns what the daemon says of itself; the cheapest way to see whether it is up.
    ///
    /// # Errors
    ///
    /// [`NotConnectable`](crate::ErrorKind::NotConnectable) while the daemon is not up.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let version = client.system_info().await?.version;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn system_info(&self) -> Result<SystemInfo, Error> {
        let envelope = self.get(Target::new("/v1/system-info")).await;
        envelope
            .and_then(crate::envelope::Envelope::result)
            .operation(|| String::from("get system info"))
    }
}
