//! One run of a charm: what woke it, and the changes it asks for, which are made only when it ends well.

pub(crate) mod flush;

use crate::agent::hook::{Hook, RelationHook};
use crate::model::id;
use crate::model::name::UnitName;
use crate::model::secret::{Attributes, Content, Secret};
use crate::model::status::Status;
use crate::model::unit::OpenPort;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a charm is run for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Hook(Hook),
    Action {
        number: u32,
        name: String,
    },
    /// An operator's command (`exec`).
    Command,
}

#[derive(Debug)]
pub(crate) struct HookContext {
    pub(crate) id: String,
    pub(crate) unit: UnitName,
    pub(crate) purpose: Purpose,
    pub(crate) changes: Changes,
    pub(crate) action: ActionOutcome,
    pub(crate) status_was_set: bool,
    /// `juju-reboot` was asked for, which Kubernetes has no machine for.
    pub(crate) reboot: bool,
    /// The charm's process.
    pub(crate) process: Option<u32>,
    /// Data of applications, and of units that are no members, by relation and name: Juju does not look again within a run.
    pub(crate) read: BTreeMap<(u32, String), BTreeMap<String, String>>,
    /// The unit's status as it was first read: Juju does not look again within a run.
    pub(crate) status_read: Option<Status>,
}

/// What an action said of itself; kept whether or not its changes are made.
#[derive(Debug, Default)]
pub(crate) struct ActionOutcome {
    pub(crate) results: Map<String, Value>,
    pub(crate) failure: Option<String>,
}

/// Asked for, not yet made.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// By relation and, for the unit's own databag, `Some`.
    pub(crate) unit_data: BTreeMap<u32, BTreeMap<String, String>>,
    pub(crate) application_data: BTreeMap<u32, BTreeMap<String, String>>,
    /// `None` deletes.
    pub(crate) state: BTreeMap<String, Option<String>>,
    pub(crate) ports: BTreeMap<OpenPort, bool>,
    pub(crate) storage: Vec<(String, u32)>,
    pub(crate) secrets: SecretChanges,
}

#[derive(Debug, Default)]
pub(crate) struct SecretChanges {
    pub(crate) created: BTreeMap<String, Secret>,
    pub(crate) updated: BTreeMap<String, Update>,
    pub(crate) granted: Vec<Grant>,
    pub(crate) revoked: Vec<Grant>,
    pub(crate) removed: BTreeSet<(String, Option<u32>)>,
}

#[derive(Clone, Default)]
pub(crate) struct Update {
    pub(crate) attributes: Attributes,
    pub(crate) content: Option<Content>,
}

impl std::fmt::Debug for Update {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Update")
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// A secret and who may read it: an application or a unit, by name.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) secret: String,
    pub(crate) reader: String,
    pub(crate) relation: Option<u32>,
}

impl HookContext {
    pub(crate) fn new(unit: &UnitName, purpose: Purpose) -> Self {
        let word = match &purpose {
            Purpose::Hook(hook) => hook.name(),
            Purpose::Action { name, .. } => name.clone(),
            Purpose::Command => "run-commands".to_owned(),
        };
        Self {
            id: format!("{unit}-{word}-{}", id::hex::<16>()),
            unit: unit.clone(),
            purpose,
            changes: Changes::default(),
            action: ActionOutcome::default(),
            status_was_set: false,
            reboot: false,
            process: None,
            read: BTreeMap::new(),
            status_read: None,
        }
    }

    pub(crate) fn relation(&self) -> Option<&RelationHook> {
        match &self.purpose {
            Purpose::Hook(Hook::Relation(hook)) => Some(hook),
            _ => None,
        }
    }

    pub(crate) fn storage(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Hook(Hook::StorageAttached { id, .. } | Hook::StorageDetaching { id, .. }) => {
                Some(id)
            }
            _ => None,
        }
    }

    /// The number of the action that runs.
    pub(crate) fn task(&self) -> Option<u32> {
        match self.purpose {
            Purpose::Action { number, .. } => Some(number),
            _ => None,
        }
    }
}
