//! A Juju model in memory: what Juju's controller would hold in its database.

pub(crate) mod actions;
pub(crate) mod application;
pub(crate) mod charm;
pub(crate) mod config;
pub(crate) mod id;
pub(crate) mod log;
pub(crate) mod name;
pub(crate) mod relation;
pub(crate) mod remote;
mod schema;
pub(crate) mod secret;
pub(crate) mod secret_time;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod task;
pub(crate) mod unit;

use anyhow::{Context as _, Result, bail};
use application::Application;
use log::DebugLog;
use name::UnitName;
use relation::Relation;
use secret::Secret;
use std::collections::BTreeMap;
use task::{Task, TaskStatus};
use unit::Unit;

/// The version of Juju that charms are told.
pub(crate) const JUJU_VERSION: &str = "3.6.11";
/// What every unit says its service's address is; containers of a unit share one network in which this is loopback.
pub(crate) const SERVICE_ADDRESS: &str = "127.0.1.254";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) applications: BTreeMap<String, Application>,
    pub(crate) units: BTreeMap<UnitName, Unit>,
    pub(crate) relations: BTreeMap<u32, Relation>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) tasks: BTreeMap<u32, Task>,
    /// Storage that no unit has, by its id.
    pub(crate) detached: BTreeMap<String, storage::Detached>,
    pub(crate) log: DebugLog,
    next_relation: u32,
    next_task: u32,
    next_storage: u32,
}

impl Model {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            uuid: id::uuid(),
            applications: BTreeMap::new(),
            units: BTreeMap::new(),
            relations: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tasks: BTreeMap::new(),
            detached: BTreeMap::new(),
            log: DebugLog::default(),
            next_relation: 0,
            next_task: 1,
            next_storage: 0,
        }
    }

    pub(crate) fn application(&self, name: &str) -> Result<&Application> {
        self.applications
            .get(name)
            .with_context(|| format!("application {name:?} not found"))
    }

    pub(crate) fn application_mut(&mut self, name: &str) -> Result<&mut Application> {
        self.applications
            .get_mut(name)
            .with_context(|| format!("application {name:?} not found"))
    }

    pub(crate) fn unit(&self, name: &UnitName) -> Result<&Unit> {
        self.units
            .get(name)
            .with_context(|| format!("unit {:?} not found", name.to_string()))
    }

    pub(crate) fn unit_mut(&mut self, name: &UnitName) -> Result<&mut Unit> {
        self.units
            .get_mut(name)
            .with_context(|| format!("unit {:?} not found", name.to_string()))
    }

    /// The units of an application that runs a charm, in order.
    pub(crate) fn units_of<'a>(
        &'a self,
        application: &'a str,
    ) -> impl Iterator<Item = &'a Unit> + 'a {
        self.units
            .values()
            .filter(move |unit| unit.name.application == application)
    }

    pub(crate) fn is_leader(&self, unit: &UnitName) -> bool {
        self.applications
            .get(&unit.application)
            .is_some_and(|application| application.leader.as_ref() == Some(unit))
    }

    /// Makes a unit the leader of its application.
    pub(crate) fn set_leader(&mut self, unit: &UnitName) -> Result<()> {
        if self.unit(unit)?.dying {
            bail!("unit {:?} is dying", unit.to_string());
        }
        let before = self
            .application_mut(&unit.application)?
            .leader
            .replace(unit.clone());
        if let Some(former) = before.filter(|former| former != unit)
            && let Some(former) = self.units.get_mut(&former)
        {
            former.agent.led = false;
        }
        Ok(())
    }

    pub(crate) fn next_task_number(&mut self) -> u32 {
        let number = self.next_task;
        self.next_task += 1;
        number
    }

    /// Takes a unit out of the model after its `remove` hook; a new leader is chosen, an application without units that is dying goes too.
    pub(crate) fn forget_unit(&mut self, name: &UnitName) {
        if let Some(mut unit) = self.units.remove(name) {
            for (_, instance) in std::mem::take(&mut unit.storage) {
                self.detach(name, instance);
            }
        }
        for task in self.tasks.values_mut() {
            if task.unit == *name && !task.status.is_final() {
                let why = format!("unit {name} was removed");
                task.finish(TaskStatus::Cancelled, why, serde_json::Map::new());
            }
        }
        for relation in self.relations.values_mut() {
            relation.forget_unit(name);
        }
        for secret in self.secrets.values_mut() {
            secret.consumers.remove(name);
        }
        self.secrets
            .retain(|_, secret| secret.owner != secret::Owner::Unit(name.clone()));
        let heir = self
            .units_of(&name.application)
            .find(|unit| !unit.dying)
            .map(|unit| unit.name.clone());
        let last = self.units_of(&name.application).next().is_none();
        let Some(application) = self.applications.get_mut(&name.application) else {
            return;
        };
        if application.leader.as_ref() == Some(name) {
            application.leader = heir;
        }
        if application.dying && last {
            self.forget_application(&name.application);
        }
        self.drop_finished_relations();
    }

    pub(crate) fn forget_application(&mut self, name: &str) {
        self.applications.remove(name);
        self.relations.retain(|_, relation| {
            relation
                .endpoints
                .iter()
                .any(|endpoint| endpoint.application != name)
        });
        self.secrets
            .retain(|_, secret| secret.owner != secret::Owner::Application(name.to_owned()));
    }

    /// A relation that is being removed is gone once no unit holds it any more.
    pub(crate) fn drop_finished_relations(&mut self) {
        let units = &self.units;
        let applications = &self.applications;
        let held = |id: &u32| {
            units
                .values()
                .any(|unit| unit.agent.relations.contains_key(id))
        };
        self.relations.retain(|id, relation| {
            let orphaned = relation
                .endpoints
                .iter()
                .any(|endpoint| !applications.contains_key(&endpoint.application));
            (!relation.dying && !orphaned) || held(id)
        });
        let relations = &self.relations;
        for secret in self.secrets.values_mut() {
            secret
                .grants
                .retain(|_, relation| relation.is_none_or(|id| relations.contains_key(&id)));
        }
    }
}
