//! Reads that are begun before their answer is wanted, and run beside the charm's own work.

use std::collections::BTreeMap;

use super::Juju;
use crate::hook_tools::{BegunHookCommand, HookCommand};

/// By name and arguments.
pub(super) type Begun = BTreeMap<(&'static str, Vec<String>), Box<dyn BegunHookCommand>>;

impl Juju {
    /// Begins a read that is sure to be wanted; [`run`](Juju::run) then only waits for it.
    pub(crate) fn begin(&self, command: &HookCommand) {
        let mut begun = self.begun.borrow_mut();
        let key = key(command);
        if !begun.contains_key(&key)
            && let Some(running) = self.tools.begin(command)
        {
            begun.insert(key, running);
        }
    }

    /// Takes what was begun of this, if it was.
    pub(super) fn begun(&self, command: &HookCommand) -> Option<Box<dyn BegunHookCommand>> {
        self.begun.borrow_mut().remove(&key(command))
    }

    /// Ends what was begun, since its answer would be of before a write.
    pub(crate) fn forget_begun(&self, command: &HookCommand) {
        drop(self.begun(command));
    }
}

fn key(command: &HookCommand) -> (&'static str, Vec<String>) {
    (command.name(), command.arguments().to_vec())
}
