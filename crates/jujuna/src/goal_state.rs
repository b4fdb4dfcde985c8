//! `goal-state`: the units and relations that the model shall have.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, HookCommand, Juju, UnitName};

/// The units and relations that the model shall have, with what they are at.
///
/// [`Juju::goal_state`](crate::Juju::goal_state) has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct GoalState {
    /// This application's units, this one among them.
    pub units: BTreeMap<UnitName, Goal>,
    /// By endpoint: the remote applications and units, by name. Peer relations are not among them.
    #[serde(default)]
    pub relations: BTreeMap<String, BTreeMap<String, Goal>>,
}

/// What a unit or relation is at.
///
/// [`Juju::goal_state`](crate::Juju::goal_state) has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Goal {
    /// Juju's word, such as `active`, `joined` or `dying`.
    pub status: String,
    /// Since when, as RFC 3339.
    #[serde(default)]
    pub since: String,
}

impl GoalState {
    /// Returns how many units the application shall have: those that are not dying.
    ///
    /// [`Juju::goal_state`](crate::Juju::goal_state) has an example.
    pub fn planned_units(&self) -> usize {
        self.units
            .values()
            .filter(|goal| goal.status != "dying")
            .count()
    }
}

impl Juju {
    /// Returns the units and relations that the model shall have.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_planned_units(3))));
    /// assert_eq!(juju.goal_state()?.planned_units(), 3);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn goal_state(&self) -> Result<GoalState, Error> {
        if let Some(state) = &self.cache.borrow().goal_state {
            return Ok(state.clone());
        }
        let state: GoalState = self.read(&HookCommand::json("goal-state"), &|| {
            "read the goal state".to_owned()
        })?;
        self.cache.borrow_mut().goal_state = Some(state.clone());
        Ok(state)
    }
}
