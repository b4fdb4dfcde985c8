//! The plan and the layers it is made of: as YAML text, or as the values of [`layer`].

pub(crate) mod entries;
pub(crate) mod layer;

use serde::Serialize;

use crate::Client;
use crate::client::Operation;
use crate::envelope::Envelope;
use crate::error::{Error, Failure};
use crate::plan::layer::Layer;
use crate::query::Target;

/// What to do when a layer of the same label is there.
///
/// [`Client::add_layer`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerMode {
    /// Refuse.
    New,
    /// Combine the two by the `override` of each entry; append the layer where there is none of its label.
    Combine,
}

/// How to add a layer; the default refuses a label that is taken.
///
/// [`Client::add_layer_with`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerOptions {
    /// What to do when a layer of the same label is there.
    pub mode: LayerMode,
    /// Allows a new layer whose label is `folder/name` to be put between others: Pebble orders such layers by the
    /// folder. Without it they can only be the last.
    pub inner: bool,
}

impl Default for LayerOptions {
    fn default() -> Self {
        Self {
            mode: LayerMode::New,
            inner: false,
        }
    }
}

#[derive(Serialize)]
struct AddLayer<'a> {
    action: &'static str,
    combine: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inner: bool,
    label: &'a str,
    format: &'static str,
    layer: &'a str,
}

impl Client {
    /// Returns the plan that results from all layers, as YAML.
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
    /// let has_web = client.plan().await?.contains("web:");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn plan(&self) -> Result<String, Error> {
        let envelope = self
            .get(Target::new("/v1/plan").with("format", "yaml"))
            .await;
        envelope
            .and_then(Envelope::result)
            .operation(|| String::from("get the plan"))
    }

    /// Adds a layer, given as YAML. It is lost when Pebble is restarted.
    ///
    /// Checks are started and restarted at once; services only by [`replan`](Self::replan) or
    /// [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when the layer is not valid, or the label is taken and `mode` is
    /// [`LayerMode::New`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::LayerMode;
    /// let layer = "services: {web: {override: replace, command: /bin/web, startup: enabled}}";
    /// client.add_layer("web", layer, LayerMode::Combine).await?;
    /// client.replan().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_layer(
        &self,
        label: &str,
        layer_yaml: &str,
        mode: LayerMode,
    ) -> Result<(), Error> {
        let options = LayerOptions { mode, inner: false };
        self.add_layer_with(label, layer_yaml, options).await
    }

    /// As [`add_layer`](Self::add_layer), with options.
    ///
    /// # Errors
    ///
    /// As [`add_layer`](Self::add_layer); [`Daemon`](crate::ErrorKind::Daemon) for a label with a slash that needs
    /// [`LayerOptions::inner`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{LayerMode, LayerOptions};
    /// let options = LayerOptions { mode: LayerMode::Combine, inner: true };
    /// client.add_layer_with("web/tuning", "services: {web: {override: merge, environment: {WORKERS: '4'}}}", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_layer_with(
        &self,
        label: &str,
        layer_yaml: &str,
        options: LayerOptions,
    ) -> Result<(), Error> {
        let payload = AddLayer {
            action: "add",
            combine: options.mode == LayerMode::Combine,
            inner: options.inner,
            label,
            format: "yaml",
            layer: layer_yaml,
        };
        let envelope = self.post::<bool>(Target::new("/v1/layers"), &payload).await;
        envelope
            .map(drop)
            .operation(|| format!("add layer {label}"))
    }

    /// Adds a layer that was put together here.
    ///
    /// # Errors
    ///
    /// As [`add_layer`](Self::add_layer).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{Layer, LayerMode, LayerOptions, Service};
    ///
    /// let layer = Layer::new().service("web", Service::replace("web --port 80").environment("LANG", "C.UTF-8"));
    /// let options = LayerOptions { mode: LayerMode::Combine, ..LayerOptions::default() };
    /// client.put_layer("web", &layer, options).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_layer(
        &self,
        label: &str,
        layer: &Layer,
        options: LayerOptions,
    ) -> Result<(), Error> {
        // JSON is YAML; the daemon knows no other name for it.
        let text = serde_json::to_string(layer)
            .map_err(|error| Failure::Refused(error.to_string()))
            .operation(|| format!("add layer {label}"))?;
        self.add_layer_with(label, &text, options).await
    }

    /// Returns the plan that results from all layers, as one layer. What this crate does not know is kept in it.
    ///
    /// # Errors
    ///
    /// [`Protocol`](crate::ErrorKind::Protocol) when the plan cannot be read.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let plan = client.plan_layer().await?;
    /// let command = plan.services.get("web").and_then(|web| web.command.as_deref());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "yaml")]
    pub async fn plan_layer(&self) -> Result<Layer, Error> {
        let text = self.plan().await?;
        Layer::from_yaml(&text)
    }
}
