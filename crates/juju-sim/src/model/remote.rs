//! Applications without a charm: databags from a file, for the other side of a relation.

use super::Model;
use super::application::Application;
use super::charm::{EndpointMetadata, Role};
use super::id;
use super::name::{UnitName, is_application_name};
use super::secret::{Attributes, Content, Owner, Secret, check_content};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file that `deploy` reads for an application without a charm.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    endpoint: String,
    interface: String,
    #[serde(default = "provides")]
    role: RemoteRole,
    #[serde(default)]
    application_data: BTreeMap<String, DataValue>,
    #[serde(default)]
    units: Option<BTreeMap<u32, BTreeMap<String, DataValue>>>,
    #[serde(default)]
    secrets: BTreeMap<String, Content>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RemoteRole {
    Provides,
    Requires,
}

fn provides() -> RemoteRole {
    RemoteRole::Provides
}

/// A databag's value: text, or `{secret: <name>}`, which stands for that secret's URI.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum DataValue {
    Text(String),
    Secret { secret: String },
}

/// What an application without a charm writes into each of its relations.
#[derive(Debug, Clone, Default)]
pub(crate) struct RemoteData {
    pub(crate) application: BTreeMap<String, String>,
    pub(crate) units: BTreeMap<u32, BTreeMap<String, String>>,
    secrets: Vec<String>,
}

impl Model {
    /// Adds an application without a charm, under `name` or the name in its file.
    pub(crate) fn deploy_remote(&mut self, text: &str, name: Option<&str>) -> Result<String> {
        let file: RemoteFile = serde_norway::from_str(text)
            .context("cannot parse the description of a charmless application")?;
        let name = name.unwrap_or(&file.name).to_owned();
        self.check_new_application(&name)?;
        let mut uris = BTreeMap::new();
        for (label, content) in &file.secrets {
            check_content(content)?;
            let id = id::secret();
            let attributes = Attributes {
                label: Some(label.clone()),
                ..Attributes::default()
            };
            self.secrets.insert(
                id.clone(),
                Secret::new(
                    id.clone(),
                    Owner::Application(name.clone()),
                    attributes,
                    content.clone(),
                ),
            );
            uris.insert(label.clone(), id);
        }
        let units = file
            .units
            .unwrap_or_else(|| BTreeMap::from([(0, BTreeMap::new())]));
        let data = RemoteData {
            application: resolve(&file.application_data, &uris)?,
            units: units
                .iter()
                .map(|(number, values)| Ok((*number, resolve(values, &uris)?)))
                .collect::<Result<_>>()?,
            secrets: uris.into_values().collect(),
        };
        let role = match file.role {
            RemoteRole::Provides => Role::Provider,
            RemoteRole::Requires => Role::Requirer,
        };
        let endpoints = BTreeMap::from([(
            file.endpoint,
            EndpointMetadata {
                role,
                interface: file.interface,
                limit: None,
            },
        )]);
        self.applications
            .insert(name.clone(), Application::remote(&name, endpoints, data));
        Ok(name)
    }

    pub(super) fn check_new_application(&self, name: &str) -> Result<()> {
        if !is_application_name(name) {
            bail!("invalid application name {name:?}");
        }
        if self.applications.contains_key(name) {
            bail!("cannot add application {name:?}: application already exists");
        }
        Ok(())
    }

    /// Writes the databags of charmless sides into a new relation and grants their secrets to it.
    pub(super) fn publish_remote(&mut self, relation_id: u32) -> Result<()> {
        let relation = self
            .relations
            .get_mut(&relation_id)
            .context("relation not found")?;
        for endpoint in relation.endpoints.clone() {
            let Some(data) = self
                .applications
                .get(&endpoint.application)
                .and_then(|application| application.remote.as_ref())
            else {
                continue;
            };
            relation
                .application_data
                .entry(endpoint.application.clone())
                .or_default()
                .change(&data.application);
            for (number, values) in &data.units {
                let unit = UnitName::new(&endpoint.application, *number);
                relation
                    .unit_data
                    .entry(unit.clone())
                    .or_default()
                    .change(values);
                relation.members.insert(unit);
            }
            let reader = relation.counterpart(&endpoint.application).to_owned();
            for id in &data.secrets {
                if let Some(secret) = self.secrets.get_mut(id) {
                    secret.grants.insert(reader.clone(), Some(relation_id));
                }
            }
        }
        Ok(())
    }

    /// Changes what a charmless application has written: its own databag, or one unit's.
    pub(crate) fn change_remote(
        &mut self,
        application: &str,
        unit: Option<u32>,
        changes: &BTreeMap<String, String>,
    ) -> Result<()> {
        let Some(data) = self.application_mut(application)?.remote.as_mut() else {
            bail!("application {application:?} runs a charm: its databags are the charm's to write")
        };
        let values = match unit {
            None => &mut data.application,
            Some(number) => data.units.entry(number).or_default(),
        };
        for (key, value) in changes {
            if value.is_empty() {
                values.remove(key);
            } else {
                values.insert(key.clone(), value.clone());
            }
        }
        for relation in self
            .relations
            .values_mut()
            .filter(|relation| relation.endpoint_of(application).is_some())
        {
            match unit {
                None => relation
                    .application_data
                    .entry(application.to_owned())
                    .or_default()
                    .change(changes),
                Some(number) => {
                    let unit = UnitName::new(application, number);
                    relation
                        .unit_data
                        .entry(unit.clone())
                        .or_default()
                        .change(changes);
                    relation.members.insert(unit);
                }
            }
        }
        Ok(())
    }

    /// Lets a unit of a charmless application depart from all its relations.
    pub(crate) fn remove_remote_unit(&mut self, unit: &UnitName) -> Result<()> {
        let found = self
            .application_mut(&unit.application)?
            .remote
            .as_mut()
            .and_then(|data| data.units.remove(&unit.number));
        if found.is_none() {
            bail!("unit {:?} not found", unit.to_string());
        }
        for relation in self.relations.values_mut() {
            relation.members.remove(unit);
        }
        Ok(())
    }
}

fn resolve(
    values: &BTreeMap<String, DataValue>,
    secrets: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    values
        .iter()
        .map(|(key, value)| match value {
            DataValue::Text(text) => Ok((key.clone(), text.clone())),
            DataValue::Secret { secret } => match secrets.get(secret) {
                Some(id) => Ok((key.clone(), format!("secret:{id}"))),
                None => bail!("{key:?} names the secret {secret:?}, which the file does not have"),
            },
        })
        .collect()
}
