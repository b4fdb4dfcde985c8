//! What a charm's folder says about it.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone)]
pub(crate) struct Charm {
    pub(crate) name: String,
    pub(crate) containers: Vec<ContainerMetadata>,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) storage: BTreeMap<String, Storage>,
    pub(crate) endpoints: BTreeMap<String, EndpointMetadata>,
    pub(crate) options: BTreeMap<String, ConfigOption>,
    pub(crate) actions: BTreeMap<String, ActionSchema>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Provider,
    Requirer,
    Peer,
}

#[derive(Debug, Clone)]
pub(crate) struct EndpointMetadata {
    pub(crate) role: Role,
    pub(crate) interface: String,
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct ContainerMetadata {
    pub(crate) name: String,
    pub(crate) resource: Option<String>,
    pub(crate) mounts: Vec<(String, String)>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Resource {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Storage {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) location: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConfigOption {
    #[serde(rename = "type", default = "string_type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) default: Option<Value>,
}

fn string_type() -> String {
    "string".to_owned()
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ActionSchema {
    pub(crate) params: BTreeMap<String, Value>,
    pub(crate) required: Vec<String>,
    pub(crate) additional: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RelationForm {
    Interface(String),
    Full {
        interface: String,
        limit: Option<usize>,
    },
}

#[derive(Deserialize)]
struct MountForm {
    storage: String,
    #[serde(default)]
    location: String,
}

#[derive(Deserialize, Default)]
struct ContainerForm {
    resource: Option<String>,
    #[serde(default)]
    mounts: Vec<MountForm>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    containers: BTreeMap<String, Option<ContainerForm>>,
    #[serde(default)]
    resources: BTreeMap<String, Resource>,
    #[serde(default)]
    storage: BTreeMap<String, Storage>,
    #[serde(default)]
    peers: BTreeMap<String, RelationForm>,
    #[serde(default)]
    requires: BTreeMap<String, RelationForm>,
    #[serde(default)]
    provides: BTreeMap<String, RelationForm>,
}

#[derive(Deserialize, Default)]
struct ConfigFile {
    #[serde(default)]
    options: BTreeMap<String, ConfigOption>,
}

#[derive(Deserialize, Default)]
struct ActionForm {
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(rename = "additionalProperties", default = "yes")]
    additional: bool,
}

fn yes() -> bool {
    true
}

impl Charm {
    /// Reads `metadata.yaml`, `config.yaml` and `actions.yaml` of a charm's folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let metadata: Metadata = read_yaml(&folder.join("metadata.yaml"))?.with_context(|| {
            format!(
                "{} is not a charm: it has no metadata.yaml",
                folder.display()
            )
        })?;
        let config: ConfigFile = read_yaml(&folder.join("config.yaml"))?.unwrap_or_default();
        let actions: BTreeMap<String, Option<ActionForm>> =
            read_yaml(&folder.join("actions.yaml"))?.unwrap_or_default();
        let mut endpoints = BTreeMap::new();
        for (role, forms) in [
            (Role::Peer, metadata.peers),
            (Role::Requirer, metadata.requires),
            (Role::Provider, metadata.provides),
        ] {
            endpoints.extend(
                forms
                    .into_iter()
                    .map(|(name, form)| (name, endpoint(role, form))),
            );
        }
        if !metadata.containers.is_empty()
            && !folder.join("manifest.yaml").exists()
            && !metadata
                .resources
                .values()
                .any(|resource| resource.kind == "oci-image")
        {
            bail!(
                "charm {:?} has containers but no resource of type oci-image",
                metadata.name
            );
        }
        for (name, option) in &config.options {
            option.check_type(name)?;
        }
        Ok(Self {
            name: metadata.name,
            containers: metadata
                .containers
                .into_iter()
                .map(|(name, form)| container(name, form.unwrap_or_default()))
                .collect(),
            resources: metadata.resources,
            storage: metadata.storage,
            endpoints,
            options: config.options,
            actions: actions
                .into_iter()
                .map(|(name, form)| (name, action(form.unwrap_or_default())))
                .collect(),
        })
    }
}

fn endpoint(role: Role, form: RelationForm) -> EndpointMetadata {
    match form {
        RelationForm::Interface(interface) => EndpointMetadata {
            role,
            interface,
            limit: None,
        },
        RelationForm::Full { interface, limit } => EndpointMetadata {
            role,
            interface,
            limit,
        },
    }
}

fn container(name: String, form: ContainerForm) -> ContainerMetadata {
    ContainerMetadata {
        name,
        resource: form.resource,
        mounts: form
            .mounts
            .into_iter()
            .map(|mount| (mount.storage, mount.location))
            .collect(),
    }
}

fn action(form: ActionForm) -> ActionSchema {
    ActionSchema {
        params: form.params,
        required: form.required,
        additional: form.additional,
    }
}

fn read_yaml<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_norway::from_str(&text)
        .map(Some)
        .with_context(|| format!("cannot parse {}", path.display()))
}
