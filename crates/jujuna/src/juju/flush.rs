//! The end of a dispatch: everything buffered is handed to Juju, once, in one order.

use std::collections::BTreeMap;

use super::{Juju, Writes};
use crate::hook_tools::{HookCommand, document};
use crate::{Error, action, relation, state};

impl Juju {
    /// Hands to Juju what was buffered and differs from what was read: secrets, relation data, state, ports, then action
    /// results and failure.
    ///
    /// Juju keeps it until the charm exits with 0, and may still refuse then. Secrets come first because Juju applies
    /// them first, and one by one.
    ///
    /// # Errors
    ///
    /// Returns the first error; what comes after it was not written and is forgotten. A hook that then exits with 1
    /// leaves nothing behind. An action must exit with 0 to keep its message, by which what was already handed over
    /// stays.
    pub fn flush(&mut self) -> Result<(), Error> {
        let writes = std::mem::take(&mut self.writes);
        // Nothing is handed over if it is known that something cannot be.
        action::check_results(&writes.action_results)?;
        state::check(&writes.state)?;
        for write in &writes.secrets {
            self.write_secret(write)?;
        }
        self.write_databags(&writes)?;
        self.write_state(&writes.state)?;
        self.write_ports(&writes.ports)?;
        self.write_action(&writes)
    }

    fn write_databags(&self, writes: &Writes) -> Result<(), Error> {
        for ((id, side), databag) in &writes.databags {
            let known = self.known_own_databag(id, *side);
            let changes = relation::changes(known.as_ref(), databag);
            if changes.is_empty() {
                continue;
            }
            let command = HookCommand::new("relation-set")
                .arg("-r")
                .arg(id.to_string())
                .args(side.flag())
                .args(["--file", "-"])
                .stdin(document(texts(&changes)).to_vec());
            self.run(&command, &|| {
                format!("write {} data to relation {id}", side.word())
            })?;
            if let Some(member) = self.own_member(*side)
                && let Some(known) = self
                    .cache
                    .borrow_mut()
                    .databags
                    .get_mut(&(id.clone(), member))
            {
                relation::merge(known, &changes);
            }
        }
        Ok(())
    }

    fn write_state(&self, writes: &BTreeMap<String, Option<String>>) -> Result<(), Error> {
        let known = self.cache.borrow().state.clone();
        let differs = |key: &String, value: Option<&String>| match &known {
            Some(known) => known.get(key) != value,
            None => true,
        };
        let changed = || {
            writes
                .iter()
                .filter(|(key, value)| differs(key, value.as_ref()))
        };
        let set: BTreeMap<String, String> = changed()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        if !set.is_empty() {
            let command = HookCommand::new("state-set")
                .args(["--file", "-"])
                .stdin(document(texts(&set)).to_vec());
            self.run(&command, &|| "write the unit's state".to_owned())?;
        }
        for (key, _) in changed().filter(|(_, value)| value.is_none()) {
            let command = HookCommand::new("state-delete").arg("--").arg(key.as_str());
            self.run(&command, &|| {
                format!("delete {key:?} from the unit's state")
            })?;
        }
        if let Some(known) = &mut self.cache.borrow_mut().state {
            for (key, value) in writes {
                match value {
                    Some(value) => known.insert(key.clone(), value.clone()),
                    None => known.remove(key),
                };
            }
        }
        Ok(())
    }
}

fn texts(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}
