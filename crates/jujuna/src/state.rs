//! `state-get`, `state-set`, `state-delete`: a small store that Juju keeps for the unit.

use std::collections::BTreeMap;

use crate::{Error, ErrorKind, HookCommand, Juju};

/// The size in bytes of the largest value that Juju takes; said by state-set itself.
const MAX_VALUE_BYTES: usize = 65_536;

impl Juju {
    /// Returns the unit's state. What this dispatch has buffered is included.
    ///
    /// It outlives pods, and holds 2 MiB in all.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    pub fn state_get(&self) -> Result<BTreeMap<String, String>, Error> {
        let known = self.cache.borrow().state.clone();
        let mut state = if let Some(state) = known {
            state
        } else {
            // Juju prints null when there is none.
            let state: Option<BTreeMap<String, String>> = self
                .read(&HookCommand::json("state-get"), &|| {
                    "read the unit's state".to_owned()
                })?;
            let state = state.unwrap_or_default();
            self.cache.borrow_mut().state = Some(state.clone());
            state
        };
        for (key, value) in &self.writes.state {
            match value {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
        Ok(state)
    }

    /// Buffers a value of the unit's state, of 64 KiB at most; an empty one is kept as such.
    pub fn state_set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.writes.state.insert(key.into(), Some(value.into()));
    }

    /// Buffers that a key is removed from the unit's state.
    pub fn state_delete(&mut self, key: impl Into<String>) {
        self.writes.state.insert(key.into(), None);
    }
}

/// Refuses what Juju would refuse, before anything is written.
pub(crate) fn check(writes: &BTreeMap<String, Option<String>>) -> Result<(), Error> {
    let large = |value: &Option<String>| {
        value
            .as_ref()
            .is_some_and(|value| value.len() > MAX_VALUE_BYTES)
    };
    match writes.iter().find(|(_, value)| large(value)) {
        Some((key, _)) => {
            let text = format!("cannot write {key:?} to the unit's state: it has more than 64 KiB");
            Err(Error::new(ErrorKind::Usage, text))
        }
        None => Ok(()),
    }
}
