//! `is-leader`: who may write for the whole application.

use std::time::Duration;

use crate::{Error, HookCommand, Juju};

/// How long an answer counts: Juju vouches for leadership for 30 s from the moment it is asked.
const VALID_FOR: Duration = Duration::from_secs(25);

/// The right to write for the whole application, which only the leader has.
///
/// Only [`Juju::leader`] gives it out; what needs it does not compile without:
///
/// ```compile_fail
/// # use jujuna::{Juju, RelationId, testing::{FakeJuju, State}};
/// # let mut juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0"))));
/// juju.relation_set_app(&RelationId::new("db", 1), [("k".to_owned(), "v".to_owned())].into());
/// ```
#[derive(Debug)]
pub struct Leader {
    _private: (),
}

impl Juju {
    /// Returns the right to write for the application, if this unit is the leader now.
    ///
    /// Juju is asked again when the last answer is older than 25 s. Leadership may still be lost before the end of the
    /// dispatch: then Juju refuses the writes.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0"))));
    /// assert!(juju.leader()?.is_none());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn leader(&self) -> Result<Option<Leader>, Error> {
        let asked = self.tools.instant();
        let known = self
            .cache
            .borrow()
            .leader
            .filter(|(_, before)| asked.duration_since(*before) < VALID_FOR);
        let is_leader = if let Some((is_leader, _)) = known {
            is_leader
        } else {
            let purpose = || "ask whether this unit is the leader".to_owned();
            let is_leader = self.read(&HookCommand::json("is-leader"), &purpose)?;
            self.cache.borrow_mut().leader = Some((is_leader, asked));
            is_leader
        };
        Ok(is_leader.then_some(Leader { _private: () }))
    }
}
