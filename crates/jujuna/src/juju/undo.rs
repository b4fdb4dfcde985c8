//! Taking back what was handed over, where the exit code cannot.
//!
//! A hook that exits with 1 leaves nothing behind. But an action keeps its message only by exiting with 0, and so does
//! what Pebble triggers, to keep Juju from running it without pause: then Juju takes over whatever it was handed. So for
//! these each write notes how to take it back.

use super::Juju;
use crate::Error;

pub(super) type Undo = Box<dyn FnOnce(&Juju) -> Result<(), Error>>;

impl Juju {
    /// Takes back everything that this dispatch has handed over, as far as the exit code will not, and forgets what was
    /// buffered.
    ///
    /// Of an action and of what Pebble triggers, the writes are put back as they were, latest first. Of any other hook nothing
    /// is done, because exiting with 1 does it. What Juju shows at once stays: status, version, logs, action results.
    ///
    /// # Errors
    ///
    /// Returns the first error; the rest is taken back nevertheless.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{FakeJuju, State};
    /// # use jujuna::{Context, Juju};
    /// # let variables = [("JUJU_UNIT_NAME", "hello/0"), ("JUJU_MODEL_NAME", "m"), ("JUJU_MODEL_UUID", "u"),
    /// #     ("JUJU_VERSION", "3.6.11"), ("JUJU_CHARM_DIR", "/charm"),
    /// #     ("JUJU_DISPATCH_PATH", "actions/count"), ("JUJU_ACTION_UUID", "2")];
    /// # let context = Context::from_vars(variables)?;
    /// let fake = FakeJuju::new(State::new("hello/0").with_action().with_state("count", "1"));
    /// let mut juju = Juju::for_context(Box::new(fake.clone()), &context);
    /// juju.state_set("count", "2");
    /// juju.flush()?;
    /// juju.roll_back()?;
    /// juju.action_fail("could not count");
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().state["count"], "1");
    /// assert_eq!(fake.action_failure().as_deref(), Some("could not count"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn roll_back(&mut self) -> Result<(), Error> {
        self.discard();
        self.undo_to(0)
    }

    /// Whether Juju will take over what was handed to it even if the charm fails.
    pub(crate) fn must_undo(&self) -> bool {
        let event = self.event.as_ref();
        event.is_some_and(|event| !event.is_retried_by_juju())
    }

    pub(crate) fn undo_later(&self, undo: impl FnOnce(&Juju) -> Result<(), Error> + 'static) {
        if self.must_undo() {
            self.undo.borrow_mut().push(Box::new(undo));
        }
    }

    /// Writes, and if that fails, takes back what of it was written.
    pub(crate) fn all_or_nothing(
        &self,
        write: impl FnOnce(&Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = self.undo.borrow().len();
        let written = write(self);
        if written.is_err()
            && let Err(error) = self.undo_to(before)
        {
            tracing::error!(error = &error as &dyn std::error::Error, "half-written");
        }
        written
    }

    fn undo_to(&self, length: usize) -> Result<(), Error> {
        // What is put back is not to be undone in turn.
        let undo = self.undo.borrow_mut().split_off(length);
        let mut result = Ok(());
        for undo in undo.into_iter().rev() {
            let undone = undo(self);
            result = result.and(undone);
        }
        self.undo.borrow_mut().truncate(length);
        result
    }
}
