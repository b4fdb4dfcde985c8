//! Actions: what was asked, checked against the charm's schema.

use super::Model;
use super::charm::ActionSchema;
use super::name::UnitName;
use super::schema;
use super::task::{Task, TaskStatus};
use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Model {
    /// Queues an action on a unit; returns the operation's number and the task's.
    pub(crate) fn enqueue(
        &mut self,
        unit: &UnitName,
        action: &str,
        parameters: Map<String, Value>,
    ) -> Result<(u32, u32)> {
        self.unit(unit)?;
        let application = self.application(&unit.application)?;
        let schema = application
            .charm
            .as_ref()
            .and_then(|charm| charm.actions.get(action));
        if let Some(charm) = application.charm.as_ref().filter(|charm| charm.lacks_bases) {
            bail!(
                "charm {:?} says what it assumes and has no manifest.yaml: Juju's agent fails at its first action, again and again (\"assumes in metadata v1 not valid\")",
                charm.name
            );
        }
        let Some(schema) = schema else {
            bail!(
                "action {action:?} not defined on unit {:?}",
                unit.to_string()
            )
        };
        let parameters = schema.check(parameters)?;
        let (operation, number) = (self.next_task_number(), self.next_task_number());
        let task = Task {
            number,
            operation,
            unit: unit.clone(),
            action: action.to_owned(),
            parameters,
            status: TaskStatus::Pending,
            message: String::new(),
            results: Map::new(),
            log: Vec::new(),
            enqueued: Timestamp::now(),
            started: None,
            completed: None,
        };
        self.tasks.insert(number, task);
        Ok((operation, number))
    }

    /// Cancels a task: at once while it waits; says whether a charm must be ended.
    pub(crate) fn cancel(&mut self, number: u32) -> Result<Option<UnitName>> {
        let Some(task) = self.tasks.get_mut(&number) else {
            bail!("task {number} not found")
        };
        match task.status {
            TaskStatus::Pending => {
                task.finish(
                    TaskStatus::Cancelled,
                    "action cancelled via the API".to_owned(),
                    Map::new(),
                );
                Ok(None)
            }
            TaskStatus::Running => {
                task.status = TaskStatus::Aborting;
                Ok(Some(task.unit.clone()))
            }
            _ => bail!("task {number} is {:?} and cannot be cancelled", task.status),
        }
    }
}

impl ActionSchema {
    /// Refuses what does not fit, in Juju's words, and fills in defaults.
    pub(crate) fn check(&self, mut given: Map<String, Value>) -> Result<Map<String, Value>> {
        if let Some(faults) = schema::faults(&self.schema, &given) {
            bail!("validation failed: {faults}");
        }
        schema::fill_in(&self.schema, &mut given).map_err(anyhow::Error::msg)?;
        Ok(given)
    }
}

/// `key=value` words of an operator as parameters: values are YAML, dots nest.
pub(crate) fn parameters(words: &[(String, String)]) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    for (path, text) in words {
        let value: Value = serde_norway::from_str(text).unwrap_or_else(|_| json!(text));
        let mut keys: Vec<_> = path.split('.').collect();
        let Some(last) = keys.pop() else { continue };
        let mut inner = &mut all;
        for key in keys {
            let next = inner
                .entry(key)
                .or_insert_with(|| Value::Object(Map::new()));
            match next {
                Value::Object(map) => inner = map,
                _ => bail!("argument {path:?} sets a key below one that has a value"),
            }
        }
        inner.insert(last.to_owned(), value);
    }
    Ok(all)
}
