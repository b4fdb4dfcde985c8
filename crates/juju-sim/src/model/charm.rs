//! What a charm's folder says about it.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};
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
    /// It says what it assumes and not what it runs on, which Juju notices too late.
    pub(crate) lacks_bases: bool,
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

#[derive(Debug, Clone)]
pub(crate) struct ActionSchema {
    /// JSON Schema of all parameters.
    pub(crate) schema: Value,
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
    assumes: Option<Value>,
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
        let actions: BTreeMap<String, Option<Map<String, Value>>> =
            read_yaml(&folder.join("actions.yaml"))?.unwrap_or_default();
        for form in actions.values().flatten() {
            refuse_yaml_1_1_names(&folder.join("actions.yaml"), form.get("params"))?;
        }
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
            lacks_bases: metadata.assumes.is_some() && !folder.join("manifest.yaml").exists(),
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

/// What an action's form says beside how it is run is part of its schema.
fn action(mut form: Map<String, Value>) -> ActionSchema {
    let params = form.remove("params").filter(|params| !params.is_null());
    for name in ["description", "parallel", "execution-group"] {
        form.remove(name);
    }
    form.insert("type".to_owned(), json!("object"));
    form.insert("properties".to_owned(), params.unwrap_or_else(|| json!({})));
    ActionSchema {
        schema: Value::Object(form),
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

/// Words that are booleans to YAML 1.1, which Juju reads, and so no names there unless they are quoted.
const YAML_1_1_BOOLEANS: [&str; 6] = ["y", "yes", "on", "n", "no", "off"];

/// Refuses parameters that Juju cannot take for names: `on: {type: boolean}`.
fn refuse_yaml_1_1_names(file: &Path, parameters: Option<&Value>) -> Result<()> {
    let mut names = Vec::new();
    collect_names(parameters, &mut names);
    let is_boolean = |name: &&String| YAML_1_1_BOOLEANS.contains(&name.to_lowercase().as_str());
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match names
        .iter()
        .filter(is_boolean)
        .find(|name| is_a_bare_name(&text, name))
    {
        Some(name) => bail!(
            "cannot parse {}: map keyed with non-string value: quote {name:?}, which is a boolean in YAML 1.1",
            file.display()
        ),
        None => Ok(()),
    }
}

fn collect_names(value: Option<&Value>, names: &mut Vec<String>) {
    match value {
        Some(Value::Object(fields)) => {
            for (name, field) in fields {
                names.push(name.clone());
                collect_names(Some(field), names);
            }
        }
        Some(Value::Array(items)) => items
            .iter()
            .for_each(|item| collect_names(Some(item), names)),
        _ => {}
    }
}

/// Whether the text has `name:` where a key may begin, without quotes and not in a text of several lines.
fn is_a_bare_name(text: &str, name: &str) -> bool {
    let mut block = None;
    text.lines().any(|line| {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            return false;
        }
        let marks = |character| matches!(character, '+' | '-' | '0'..='9');
        let begins_block = line
            .trim_end()
            .trim_end_matches(marks)
            .ends_with(['|', '>']);
        block = begins_block.then_some(indent);
        line.match_indices(name).any(|(index, _)| {
            let before = line[..index].trim_end();
            let after = line[index + name.len()..].trim_start();
            let begins = before.is_empty() || before.ends_with(['{', ',', '-']);
            begins && after.starts_with(':')
        })
    })
}
