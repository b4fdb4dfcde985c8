//! `credential-get`: the cloud that the model lives in, for charms that are trusted with it.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, HookCommand, Juju};

/// The cloud that the model lives in, and how to use it.
///
/// [`Juju::credential_get`](crate::Juju::credential_get) has an example.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CloudSpec {
    /// The cloud's type, such as `kubernetes`.
    #[serde(rename = "type", default)]
    pub cloud_type: String,
    /// The cloud's name.
    #[serde(default)]
    pub name: String,
    /// The region; may be empty.
    #[serde(default)]
    pub region: String,
    /// Where it is reached; may be empty.
    #[serde(default)]
    pub endpoint: String,
    /// Where identities are checked; may be empty.
    #[serde(default)]
    pub identity_endpoint: String,
    /// Where storage is asked for; may be empty.
    #[serde(default)]
    pub storage_endpoint: String,
    /// Whom to be there.
    #[serde(default)]
    pub credential: CloudCredential,
    /// Certificates of the authorities to trust, as PEM.
    #[serde(default, rename = "cacertificates")]
    pub ca_certificates: Vec<String>,
    /// Whether to trust any certificate.
    #[serde(default)]
    pub skip_tls_verify: bool,
    /// Whether the controller lives in the same cloud.
    #[serde(default)]
    pub is_controller_cloud: bool,
}

/// Whom to be in a cloud. No value of it prints.
///
/// [`Juju::credential_get`](crate::Juju::credential_get) has an example.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct CloudCredential {
    /// How it is checked, such as `oauth2`.
    pub auth_type: String,
    /// What it consists of, by name.
    #[serde(rename = "attrs", deserialize_with = "secrets")]
    pub attributes: BTreeMap<String, SecretString>,
    /// What Juju keeps to itself, by name.
    pub redacted: Vec<String>,
}

impl fmt::Debug for CloudCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudCredential")
            .field("auth_type", &self.auth_type)
            .field("attributes", &self.attributes.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn secrets<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, SecretString>, D::Error> {
    let attributes: Option<BTreeMap<String, Value>> = Option::deserialize(deserializer)?;
    let secret = |value| match value {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    };
    let attributes = attributes.unwrap_or_default().into_iter();
    Ok(attributes
        .map(|(name, value)| (name, secret(value)))
        .collect())
}

impl Juju {
    /// Returns the cloud that the model lives in, and how to use it.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) unless an operator ran `juju trust`.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// # let mut state = State::new("hello/0");
    /// # state.cloud = Some(serde_json::json!({"type": "kubernetes", "name": "k8s", "credential":
    /// #     {"auth-type": "oauth2", "attrs": {"Token": "hunter22"}}}));
    /// # let juju = Juju::new(Box::new(FakeJuju::new(state)));
    /// let cloud = juju.credential_get()?;
    /// assert_eq!(cloud.cloud_type, "kubernetes");
    /// assert!(cloud.credential.attributes.contains_key("Token"));
    /// assert!(!format!("{cloud:?}").contains("hunter22"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn credential_get(&self) -> Result<CloudSpec, Error> {
        self.read(&HookCommand::json("credential-get"), &|| {
            "read the cloud's credential".to_owned()
        })
    }
}
