//! The plan and the layers it is made of, as YAML text.

use serde::Serialize;

use crate::Client;
use crate::client::Operation;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::query::Target;

/// What to do when a layer of the same label is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerMode {
    /// Refuse.
    New,
    /// Combine the two by the `override` of each entry; append the layer where there is none of its label.
    Combine,
}

#[derive(Serialize)]
struct AddLayer<'a> {
    action: &'static str,
    combine: bool,
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
    pub async fn add_layer(
        &self,
        label: &str,
        layer_yaml: &str,
        mode: LayerMode,
    ) -> Result<(), Error> {
        let payload = AddLayer {
            action: "add",
            combine: mode == LayerMode::Combine,
            label,
            format: "yaml",
            layer: layer_yaml,
        };
        let envelope = self.post::<bool>(Target::new("/v1/layers"), &payload).await;
        envelope
            .map(drop)
            .operation(|| format!("add layer {label}"))
    }
}
