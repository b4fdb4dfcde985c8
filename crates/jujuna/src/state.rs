//! `state-get`, `state-set`, `state-delete`: a small store that Juju keeps for the unit.

use std::collections::BTreeMap;

use crate::{Error, ErrorKind, HookCommand, Juju};

/// The size in bytes of the largest value that Juju takes; said by state-set itself.
const MAX_VALUE_BYTES: usize = 65_536;

/// A key that keeps the state from being empty, where Juju cannot stand that. The charm does not see it.
const KEEPER: &str = "jujuna-keeper";

impl Juju {
    /// Returns the unit's state. What this dispatch has buffered is included.
    ///
    /// It outlives pods, and holds 2 MiB in all.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_state("greeted", "1"));
    /// let mut juju = Juju::new(Box::new(fake));
    /// juju.state_set("greeted", "2");
    /// assert_eq!(juju.state_get()?["greeted"], "2");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn state_get(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut state = self.known_state()?;
        state.remove(KEEPER);
        for (key, value) in &self.writes.state {
            match value {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
        Ok(state)
    }

    /// Returns the state as Juju has it, asking once.
    pub(crate) fn known_state(&self) -> Result<BTreeMap<String, String>, Error> {
        if let Some(state) = &self.cache.borrow().state {
            return Ok(state.clone());
        }
        // Juju prints null when there is none.
        let state: Option<BTreeMap<String, String>> = self
            .read(&HookCommand::json("state-get"), &|| {
                "read the unit's state".to_owned()
            })?;
        let state = state.unwrap_or_default();
        self.cache.borrow_mut().state = Some(state.clone());
        Ok(state)
    }

    /// Returns the writes with one more, where without it nothing would be left in the state after a deletion: the agent of
    /// Juju 4.0 then drops all that the hook wrote (juju/juju#22523).
    pub(crate) fn without_emptying_state(
        &self,
        writes: &BTreeMap<String, Option<String>>,
    ) -> Result<BTreeMap<String, Option<String>>, Error> {
        let mut writes = writes.clone();
        let version = self.version.as_ref();
        let has_fault =
            version.is_some_and(|version| version.is_at_least(4, 0) && !version.is_at_least(4, 1));
        if has_fault && writes.values().any(Option::is_none) {
            let mut left = self.known_state()?;
            for (key, value) in &writes {
                match value {
                    Some(value) => left.insert(key.clone(), value.clone()),
                    None => left.remove(key),
                };
            }
            if left.is_empty() {
                writes.insert(KEEPER.to_owned(), Some("1".to_owned()));
            }
        }
        Ok(writes)
    }

    /// Buffers a value of the unit's state, of 64 KiB at most; an empty one is kept as such.
    ///
    /// [`state_get`](Juju::state_get) has an example.
    pub fn state_set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.writes.state.insert(key.into(), Some(value.into()));
    }

    /// Buffers that a key is removed from the unit's state.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_state("greeted", "1"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.state_delete("greeted");
    /// juju.flush()?;
    /// fake.end(0);
    /// assert!(fake.state().state.is_empty());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
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
