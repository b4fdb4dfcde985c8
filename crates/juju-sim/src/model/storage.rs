//! Storage: made with a unit, kept when the unit goes, given to another.

use super::Model;
use super::charm::Storage;
use super::name::UnitName;
use super::unit::StorageInstance;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::time::Instant;

/// Storage that no unit has.
#[derive(Debug, Clone)]
pub(crate) struct Detached {
    pub(crate) instance: StorageInstance,
    /// Who had it last.
    pub(crate) unit: UnitName,
}

impl Model {
    /// The storage that a new unit gets: what it is to have of old, else new.
    pub(super) fn storage_of_new_unit(
        &mut self,
        wanted: &BTreeMap<String, Storage>,
        attach: &[String],
        ready_at: Instant,
    ) -> Result<BTreeMap<String, StorageInstance>> {
        let mut old = BTreeMap::new();
        for id in attach {
            let found = self.detached.get(id);
            let instance = &found.with_context(|| not_detached(id))?.instance;
            if !wanted.contains_key(&instance.name) {
                bail!("charm storage {:?} not found", instance.name);
            }
            if old.insert(instance.name.clone(), id.clone()).is_some() {
                bail!(
                    "charm storage {:?}: at most 1 instances supported, 2 specified",
                    instance.name
                );
            }
        }
        let mut all = BTreeMap::new();
        for (name, metadata) in wanted {
            let kept = old.get(name).and_then(|id| self.detached.remove(id));
            let id = kept.map_or_else(|| self.next_storage_id(name), |kept| kept.instance.id);
            let location = if metadata.location.is_empty() {
                format!("/var/lib/juju/storage/{id}")
            } else {
                metadata.location.clone()
            };
            let instance = StorageInstance {
                id: id.clone(),
                name: name.clone(),
                kind: metadata.kind.clone(),
                location,
                ready_at,
                detaching: false,
            };
            all.insert(id, instance);
        }
        Ok(all)
    }

    /// Numbers are the model's: no two storages share one, whatever their names.
    fn next_storage_id(&mut self, storage: &str) -> String {
        let id = format!("{storage}/{}", self.next_storage);
        self.next_storage += 1;
        id
    }

    /// Notes that a unit no longer has its storage.
    pub(crate) fn detach(&mut self, unit: &UnitName, mut instance: StorageInstance) {
        instance.detaching = false;
        let unit = unit.clone();
        self.detached
            .insert(instance.id.clone(), Detached { instance, unit });
    }

    /// Gives a unit back what was detached from it: a pod's mounts stay what they were.
    pub(crate) fn attach_storage(&mut self, name: &UnitName, id: &str) -> Result<()> {
        self.unit(name)?;
        let found = self.detached.get(id).with_context(|| not_detached(id))?;
        if found.unit != *name {
            bail!(
                "storage {id:?} was not of unit {:?}: a new unit can have it, by add-unit --attach-storage {id}",
                name.to_string()
            );
        }
        if let Some(Detached { mut instance, .. }) = self.detached.remove(id) {
            instance.ready_at = Instant::now();
            self.unit_mut(name)?
                .storage
                .insert(instance.id.clone(), instance);
        }
        Ok(())
    }
}

fn not_detached(id: &str) -> String {
    format!("no storage {id:?} that is detached")
}
