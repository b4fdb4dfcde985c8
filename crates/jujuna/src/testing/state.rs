//! What a model holds, as far as one unit can see or change it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Relation, Secret};
use crate::{OpenedPort, RelationId, StorageId, UnitName};

/// What a model holds, as far as one unit can see or change it.
///
/// The `with_` methods make one for a test; afterwards [`FakeJuju::state`](super::FakeJuju::state) gives one back, to be compared.
///
/// # Example
///
/// ```
/// use jujuna::testing::{Relation, Secret, State};
/// use jujuna::RelationId;
///
/// let state = State::new("web/0")
///     .with_leader(true)
///     .with_planned_units(3)
///     .with_option("port", 8008)
///     .with_relation(Relation::new("db", 3, "pg"))
///     .with_secret(Secret::granted("9m4e2mr0ui3e8a215n4g", [("password", "x")]))
///     .with_storage("data", 0, "/data")
///     .with_state("seen", "1")
///     .with_status("active", "");
/// assert_eq!(state.relation(&RelationId::new("db", 3)).unwrap().remote_app, "pg");
/// assert!(state.secret("9m4e2mr0ui3e8a215n4g").is_some());
/// assert_eq!(state.status, "active".into());
/// let running = state.with_action().with_param("who", "Ann");
/// assert_eq!(running.action.unwrap()["who"], "Ann");
/// ```
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
    /// What is open.
    pub opened_ports: BTreeSet<OpenedPort>,
    /// How many instances of a storage were asked for.
    pub requested_storage: BTreeMap<String, u32>,
    /// Whether the machine is to be rebooted.
    pub reboot: bool,
    /// What unit-get tells; there is no private one on Kubernetes.
    pub private_address: Option<String>,
    /// What unit-get tells.
    pub public_address: Option<String>,
    /// What credential-get answers; `None` without trust.
    pub cloud: Option<Value>,
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
    ///
    /// [`State`] has an example.
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
            requested_storage: BTreeMap::new(),
            reboot: false,
            private_address: None,
            public_address: None,
            cloud: None,
            resources: BTreeMap::new(),
            networks: BTreeMap::new(),
        }
    }

    /// Makes the unit the leader, or not.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_leader(mut self, leader: bool) -> Self {
        self.leader = leader;
        self
    }

    /// Sets an option.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.config.insert(name.to_owned(), value.into());
        self
    }

    /// Lets the unit run an action, so far without parameters.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_action(mut self) -> Self {
        self.action.get_or_insert_default();
        self
    }

    /// Lets the unit run an action and gives it a parameter.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.action
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    /// Adds a relation.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_relation(mut self, relation: Relation) -> Self {
        self.relations.push(relation);
        self
    }

    /// Adds a secret.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Attaches a storage instance.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_storage(mut self, name: &str, number: u32, location: &str) -> Self {
        self.storages
            .insert(StorageId::new(name, number), location.into());
        self
    }

    /// Sets a value of the unit's state.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_state(mut self, key: &str, value: &str) -> Self {
        self.state.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets how many units there shall be.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_planned_units(mut self, number: u32) -> Self {
        self.planned_units = number;
        self
    }

    /// Sets the unit's status.
    ///
    /// [`State`] has an example.
    #[must_use]
    pub fn with_status(mut self, status: &str, message: &str) -> Self {
        self.status = ShownStatus {
            status: status.to_owned(),
            message: message.to_owned(),
        };
        self
    }

    /// Returns the relation of this id.
    ///
    /// [`State`] has an example.
    pub fn relation(&self, id: &RelationId) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.id == *id)
    }

    /// Returns the secret of this label or bare id.
    ///
    /// [`State`] has an example.
    pub fn secret(&self, label_or_id: &str) -> Option<&Secret> {
        self.secrets
            .iter()
            .find(|secret| secret.id == label_or_id || secret.label == label_or_id)
    }
}

/// A status as an operator sees it.
///
/// [`State`] has an example.
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
