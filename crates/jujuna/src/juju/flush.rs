//! The end of a dispatch: everything buffered is handed to Juju, once, in one order.

use std::collections::BTreeMap;

use super::Juju;
use crate::hook_tools::{HookCommand, document};
use crate::relation::{Databag, Side};
use crate::{Error, RelationId, action, relation, state};

impl Juju {
    /// Hands to Juju what was buffered and differs from what was read: secrets, relation data, state, ports, storage, then
    /// action results and failure, then the wish to reboot.
    ///
    /// What is known to be refused is refused before the first write: keys and sizes of results, sizes of state, keys of
    /// secrets. Juju keeps what it got until the charm exits with 0, and some things it refuses only then, failing the hook
    /// although each command exited with 0: a secret label that another secret has, a change of a secret that is not owned,
    /// state over 2 MiB in all, an unknown storage name, leadership lost meanwhile. Secrets come first because Juju applies
    /// them first, and one by one.
    ///
    /// # Errors
    ///
    /// Returns the first error; what comes after it was not written and is forgotten. A hook that then exits with 1
    /// leaves nothing behind. In an action, and in what Pebble triggers, which exit with 0 whatever happens, what this flush
    /// had handed over is put back as it was; for that, values that are about to be changed are read first.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Port, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.open_port(Port::tcp(8008));
    /// juju.state_set("port", "8008");
    /// juju.flush()?;
    /// assert_eq!(fake.call_names(), ["state-set", "open-port"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn flush(&mut self) -> Result<(), Error> {
        let writes = std::mem::take(&mut self.writes);
        // Nothing is handed over if it is known that something cannot be.
        action::check_results(&writes.action_results)?;
        state::check(&writes.state)?;
        self.all_or_nothing(|juju| {
            for write in &writes.secrets {
                juju.write_secret(write)?;
            }
            for ((id, side), databag) in &writes.databags {
                juju.write_databag(id, *side, databag)?;
            }
            juju.write_state(&writes.state)?;
            juju.write_ports(&writes.ports)?;
            juju.write_storage(&writes.storage)?;
            juju.write_action(&writes)?;
            juju.write_reboot(writes.reboot)
        })
    }

    fn write_databag(&self, id: &RelationId, side: Side, databag: &Databag) -> Result<(), Error> {
        let mut known = self.known_own_databag(id, side);
        if known.is_none()
            && self.must_undo()
            && let Some(member) = self.own_member(side)
        {
            known = Some(self.relation_get(id, &member)?);
        }
        let changes = relation::changes(known.as_ref(), databag);
        if changes.is_empty() {
            return Ok(());
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
        if let Some(member) = self.own_member(side)
            && let Some(known) = self
                .cache
                .borrow_mut()
                .databags
                .get_mut(&(id.clone(), member))
        {
            relation::merge(known, &changes);
        }
        if let Some(known) = known {
            let before = changes.into_keys().map(|key| {
                let value = known.get(&key).cloned().unwrap_or_default();
                (key, value)
            });
            let (id, before) = (id.clone(), before.collect::<Databag>());
            self.undo_later(move |juju| juju.write_databag(&id, side, &before));
        }
        Ok(())
    }

    fn write_state(&self, writes: &BTreeMap<String, Option<String>>) -> Result<(), Error> {
        if writes.is_empty() {
            return Ok(());
        }
        let writes = self.without_emptying_state(writes)?;
        if self.must_undo() {
            self.known_state()?;
        }
        let known = self.cache.borrow().state.clone();
        let differs = |key: &String, value: Option<&String>| match &known {
            Some(known) => known.get(key) != value,
            None => true,
        };
        let changed: BTreeMap<String, Option<String>> = writes
            .into_iter()
            .filter(|(key, value)| differs(key, value.as_ref()))
            .collect();
        let set: BTreeMap<String, String> = changed
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        if !set.is_empty() {
            let command = HookCommand::new("state-set")
                .args(["--file", "-"])
                .stdin(document(texts(&set)).to_vec());
            self.run(&command, &|| "write the unit's state".to_owned())?;
            self.state_was_written(
                &set.into_iter().map(|(k, v)| (k, Some(v))).collect(),
                known.as_ref(),
            );
        }
        for (key, _) in changed.iter().filter(|(_, value)| value.is_none()) {
            let command = HookCommand::new("state-delete").arg("--").arg(key.as_str());
            self.run(&command, &|| {
                format!("delete {key:?} from the unit's state")
            })?;
            self.state_was_written(&BTreeMap::from([(key.clone(), None)]), known.as_ref());
        }
        Ok(())
    }

    /// Notes what the state now is, and how to put back what it was.
    fn state_was_written(
        &self,
        changes: &BTreeMap<String, Option<String>>,
        before: Option<&BTreeMap<String, String>>,
    ) {
        if let Some(known) = &mut self.cache.borrow_mut().state {
            for (key, value) in changes {
                match value {
                    Some(value) => known.insert(key.clone(), value.clone()),
                    None => known.remove(key),
                };
            }
        }
        if let Some(before) = before {
            let before: BTreeMap<String, Option<String>> = changes
                .keys()
                .map(|key| (key.clone(), before.get(key).cloned()))
                .collect();
            self.undo_later(move |juju| juju.write_state(&before));
        }
    }
}

fn texts(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}
