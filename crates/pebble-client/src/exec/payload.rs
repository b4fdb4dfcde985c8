//! The request that starts a command.

use std::collections::BTreeMap;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::Failure;

/// What Pebble is asked for; its field names are those of the request.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Payload {
    pub(super) command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_context: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "exposed")]
    pub(super) environment: BTreeMap<String, SecretString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    pub(super) split_stderr: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) terminal: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) interactive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) height: Option<u16>,
}

impl Payload {
    /// Returns the JSON in memory that is overwritten when it has been sent.
    pub(super) fn body(&self) -> Result<Bytes, Failure> {
        // Room enough that the buffer never moves and leaves a copy behind: JSON writes a byte as six at most.
        let words = self.command.iter().map(String::len).sum::<usize>();
        let variables: usize = self
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.expose_secret().len() + 6)
            .sum();
        let mut body = Zeroizing::new(Vec::with_capacity(4096 + 6 * (words + variables)));
        serde_json::to_writer(&mut *body, self)
            .map_err(|error| Failure::Refused(error.to_string()))?;
        Ok(Bytes::from_owner(body))
    }
}

fn exposed<S: Serializer>(
    environment: &BTreeMap<String, SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(environment.len()))?;
    for (name, value) in environment {
        map.serialize_entry(name, value.expose_secret())?;
    }
    map.end()
}
