//! What a model holds, as far as one unit can see or change it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::{RelationId, StorageId, UnitName};

/// What a model holds, as far as one unit can see or change it.
///
/// The `with_` methods make one for a test; afterwards [`FakeJuju::state`](super::FakeJuju::state) gives one back, to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The unit that the charm runs as.
    pub unit: UnitName,
    /// Whether it is the leader.
    pub leader: bool,
    /// Options that are set or have a default.
    pub config: Map<String, Value>,
    /// The parameters of the running action; `None` in a hook.
    pub action: Option<Map<String, Value>>,
    /// The relations.
    pub relations: Vec<Relation>,
    /// The secrets, whoever owns them.
    pub secrets: Vec<Secret>,
    /// Where each attached storage instance is.
    pub storages: BTreeMap<StorageId, PathBuf>,
    /// What state-set keeps.
    pub state: BTreeMap<String, String>,
    /// The unit's status.
    pub status: ShownStatus,
    /// The application's status.
    pub application_status: ShownStatus,
    /// The workload's version.
    pub workload_version: String,
    /// How many units there shall be.
    pub planned_units: u32,
    /// What is open, such as `8008/tcp`.
    pub opened_ports: BTreeSet<String>,
    /// Where each resource is.
    pub resources: BTreeMap<String, PathBuf>,
    /// What network-get answers, by binding.
    pub networks: BTreeMap<String, Value>,
}

impl State {
    /// A model with this unit and nothing else; the unit is not the leader and runs a hook.
    ///
    /// # Panics
    ///
    /// Panics when `unit` is no unit's name.
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub fn new(unit: &str) -> Self {
        Self {
            unit: unit.parse().expect("a unit's name"),
            leader: false,
            config: Map::new(),
            action: None,
            relations: Vec::new(),
            secrets: Vec::new(),
            storages: BTreeMap::new(),
            state: BTreeMap::new(),
            status: "unknown".into(),
            application_status: "unknown".into(),
            workload_version: String::new(),
            planned_units: 1,
            opened_ports: BTreeSet::new(),
            resources: BTreeMap::new(),
            networks: BTreeMap::new(),
        }
    }

    /// Makes the unit the leader, or not.
    #[must_use]
    pub fn with_leader(mut self, leader: bool) -> Self {
        self.leader = leader;
        self
    }

    /// Sets an option.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.config.insert(name.to_owned(), value.into());
        self
    }

    /// Lets the unit run an action, so far without parameters.
    #[must_use]
    pub fn with_action(mut self) -> Self {
        self.action.get_or_insert_default();
        self
    }

    /// Lets the unit run an action and gives it a parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.action
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    /// Adds a relation.
    #[must_use]
    pub fn with_relation(mut self, relation: Relation) -> Self {
        self.relations.push(relation);
        self
    }

    /// Adds a secret.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Attaches a storage instance.
    #[must_use]
    pub fn with_storage(mut self, name: &str, number: u32, location: &str) -> Self {
        self.storages
            .insert(StorageId::new(name, number), location.into());
        self
    }

    /// Sets a value of the unit's state.
    #[must_use]
    pub fn with_state(mut self, key: &str, value: &str) -> Self {
        self.state.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets how many units there shall be.
    #[must_use]
    pub fn with_planned_units(mut self, number: u32) -> Self {
        self.planned_units = number;
        self
    }

    /// Sets the unit's status.
    #[must_use]
    pub fn with_status(mut self, status: &str, message: &str) -> Self {
        self.status = ShownStatus {
            status: status.to_owned(),
            message: message.to_owned(),
        };
        self
    }

    /// Returns the relation of this id.
    pub fn relation(&self, id: &RelationId) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.id == *id)
    }

    /// Returns the secret of this label or bare id.
    pub fn secret(&self, label_or_id: &str) -> Option<&Secret> {
        self.secrets
            .iter()
            .find(|secret| secret.id == label_or_id || secret.label == label_or_id)
    }
}

/// A status as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownStatus {
    /// Juju's word.
    pub status: String,
    /// The message; may be empty.
    pub message: String,
}

impl From<&str> for ShownStatus {
    fn from(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            message: String::new(),
        }
    }
}

impl From<crate::Status> for ShownStatus {
    fn from(status: crate::Status) -> Self {
        Self {
            status: status.word().to_owned(),
            message: status.message().to_owned(),
        }
    }
}

/// A relation and its databags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its id.
    pub id: RelationId,
    /// The application at the other end; in a peer relation the own one.
    pub remote_app: String,
    /// The remote application's databag.
    pub remote_app_data: BTreeMap<String, String>,
    /// The remote units' databags; in a peer relation the other units'.
    pub remote_units: BTreeMap<UnitName, BTreeMap<String, String>>,
    /// The own application's databag.
    pub app_data: BTreeMap<String, String>,
    /// The own unit's databag.
    pub unit_data: BTreeMap<String, String>,
}

impl Relation {
    /// Relation `number` of `endpoint` with `remote_app`, so far without units and data.
    pub fn new(endpoint: &str, number: u32, remote_app: &str) -> Self {
        Self {
            id: RelationId::new(endpoint, number),
            remote_app: remote_app.to_owned(),
            remote_app_data: BTreeMap::new(),
            remote_units: BTreeMap::new(),
            app_data: BTreeMap::new(),
            unit_data: BTreeMap::new(),
        }
    }

    /// Sets a value in the remote application's databag.
    #[must_use]
    pub fn with_remote_app(mut self, key: &str, value: &str) -> Self {
        self.remote_app_data
            .insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a remote unit with no data.
    #[must_use]
    pub fn with_remote_unit(mut self, number: u32) -> Self {
        let unit = UnitName::new(self.remote_app.clone(), number);
        self.remote_units.entry(unit).or_default();
        self
    }

    /// Sets a value in a remote unit's databag, adding the unit if need be.
    #[must_use]
    pub fn with_remote_unit_data(mut self, number: u32, key: &str, value: &str) -> Self {
        let unit = UnitName::new(self.remote_app.clone(), number);
        self.remote_units
            .entry(unit)
            .or_default()
            .insert(key.to_owned(), value.to_owned());
        self
    }
}

/// Whose a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This unit's.
    Unit,
    /// This application's.
    Application,
    /// Somebody else's, such as the operator's.
    Other,
}

/// A secret with its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The bare id.
    pub id: String,
    /// The owner's label, or this unit's; may be empty.
    pub label: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether this application may read it, if it is somebody else's.
    pub granted: bool,
    /// The fields, by revision.
    pub revisions: BTreeMap<u64, BTreeMap<String, String>>,
    /// The revision that this unit reads, once it has read one.
    pub tracked: Option<u64>,
}

impl Secret {
    /// A secret of somebody else, granted to this application.
    pub fn granted<const N: usize>(id: &str, fields: [(&str, &str); N]) -> Self {
        Self {
            id: id.to_owned(),
            label: String::new(),
            owner: Owner::Other,
            granted: true,
            revisions: BTreeMap::from([(1, owned(fields))]),
            tracked: None,
        }
    }

    /// A secret of this unit or application.
    pub fn owned<const N: usize>(
        owner: Owner,
        id: &str,
        label: &str,
        fields: [(&str, &str); N],
    ) -> Self {
        Self {
            label: label.to_owned(),
            owner,
            granted: false,
            ..Self::granted(id, fields)
        }
    }

    /// Adds a revision.
    #[must_use]
    pub fn with_revision<const N: usize>(mut self, fields: [(&str, &str); N]) -> Self {
        self.revisions
            .insert(self.latest_revision() + 1, owned(fields));
        self
    }

    /// Takes the grant away.
    #[must_use]
    pub fn not_granted(mut self) -> Self {
        self.granted = false;
        self
    }

    /// Returns the number of the latest revision.
    pub fn latest_revision(&self) -> u64 {
        self.revisions.keys().next_back().copied().unwrap_or(0)
    }

    /// Returns the fields of the latest revision.
    pub fn latest(&self) -> BTreeMap<String, String> {
        self.revisions
            .values()
            .next_back()
            .cloned()
            .unwrap_or_default()
    }
}

fn owned<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
