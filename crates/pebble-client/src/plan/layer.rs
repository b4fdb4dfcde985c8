//! A layer as a value: what is known of it is typed, what is not is kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::entries::{Check, LogTarget, Service};

/// Keys that this crate does not know, with their values, so that reading and writing loses nothing.
pub type Unknown = BTreeMap<String, serde_json::Value>;

/// A layer, or the plan that all layers make together.
///
/// The maps and fields can be used directly; the methods are for putting one together.
///
/// # Example
///
/// ```
/// use pebble_client::{Check, Layer, Service, Startup};
///
/// let layer = Layer::new()
///     .service("web", Service::replace("web --port 80").startup(Startup::Enabled).after(["database"]))
///     .check("web", Check::replace().http("http://localhost/health"));
/// assert_eq!(
///     serde_json::to_value(&layer)?["services"]["web"]["after"][0],
///     serde_json::json!("database"),
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Layer {
    /// One line for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// More for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The services by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// The checks by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Where logs are sent, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub log_targets: BTreeMap<String, LogTarget>,
    /// Further sections.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Layer {
    /// An empty layer.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Layer;
    /// assert!(Layer::new().services.is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a service.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Layer, Service};
    /// let layer = Layer::new().service("web", Service::replace("/bin/web"));
    /// assert!(layer.services.contains_key("web"));
    /// ```
    #[must_use]
    pub fn service(mut self, name: impl Into<String>, service: Service) -> Self {
        self.services.insert(name.into(), service);
        self
    }

    /// Sets a check.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Check, Layer};
    /// let layer = Layer::new().check("ready", Check::replace().tcp(8080));
    /// ```
    #[must_use]
    pub fn check(mut self, name: impl Into<String>, check: Check) -> Self {
        self.checks.insert(name.into(), check);
        self
    }

    /// Sets where logs are sent.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Layer, LogTarget};
    /// let loki = LogTarget::replace("loki", "http://loki:3100/loki/api/v1/push", ["all"]);
    /// let layer = Layer::new().log_target("loki", loki);
    /// ```
    #[must_use]
    pub fn log_target(mut self, name: impl Into<String>, target: LogTarget) -> Self {
        self.log_targets.insert(name.into(), target);
        self
    }

    /// Reads a layer.
    ///
    /// # Errors
    ///
    /// [`Protocol`](crate::ErrorKind::Protocol) when it is not YAML, or a known key has a value of another type.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Layer;
    /// let layer = Layer::from_yaml("services: {web: {override: merge, command: web, new-key: 1}}\n")?;
    /// assert_eq!(layer.services["web"].command.as_deref(), Some("web"));
    /// assert_eq!(layer.services["web"].unknown["new-key"], 1);
    /// # Ok::<(), pebble_client::Error>(())
    /// ```
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, crate::Error> {
        use crate::client::Operation;
        serde_saphyr::from_str(text)
            // Not the parser's own words: they show the text, and environments hold secrets.
            .map_err(|_| crate::error::Failure::Protocol(String::from("it is no layer in YAML")))
            .operation(|| String::from("read the layer"))
    }
}

/// Environment variables. `Debug` shows their names only: values may be secrets.
///
/// # Example
///
/// ```
/// use pebble_client::Service;
/// let service = Service::replace("/bin/web").environment("TOKEN", "s3cret");
/// assert_eq!(format!("{:?}", service.environment), r#"{"TOKEN"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Layer;
    use crate::plan::entries::Service;

    #[test]
    fn debug_of_a_layer_shows_no_value_of_a_variable() {
        let service = Service::replace("web").environment("TOKEN", "hunter2");
        let shown = format!("{:?}", Layer::new().service("web", service));
        assert!(
            shown.contains("TOKEN") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn unknown_keys_are_kept_at_every_level() -> Result<(), serde_json::Error> {
        let json = serde_json::json!({
            "summary": "s",
            "services": {"a": {"override": "merge", "command": "a", "x-new": {"deep": [1, null]}}},
            "checks": {"c": {"override": "replace", "period": "1.5s", "http": {"url": "u", "x-new": true}, "x-new": 1}},
            "log-targets": {"l": {"override": "replace", "type": "loki", "labels": {"k": "v"}, "x-new": "y"}},
            "workloads": {"w": {"override": "replace"}},
        });
        let layer: Layer = serde_json::from_value(json.clone())?;
        let mut expected = json;
        expected["checks"]["c"]["period"] = "1500ms".into();
        assert_eq!(serde_json::to_value(&layer)?, expected);
        Ok(())
    }
}
