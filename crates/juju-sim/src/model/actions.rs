//! Actions: what was asked, checked against the charm's schema.

use super::Model;
use super::charm::ActionSchema;
use super::name::UnitName;
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
    /// Fills in defaults and refuses what does not fit, in Juju's words.
    pub(crate) fn check(&self, mut given: Map<String, Value>) -> Result<Map<String, Value>> {
        for (name, schema) in &self.params {
            if let Some(default) = schema.get("default").filter(|_| !given.contains_key(name)) {
                given.insert(name.clone(), default.clone());
            }
        }
        let mut faults = Vec::new();
        for name in self
            .required
            .iter()
            .filter(|name| !given.contains_key(*name))
        {
            faults.push(format!(
                "(root) : {name:?} property is missing and required, given {}",
                Value::Object(given.clone())
            ));
        }
        for (name, value) in &given {
            match self.params.get(name) {
                Some(schema) => faults.extend(fault(name, schema, value)),
                None if !self.additional => faults.push(format!(
                    "(root) : additional property {name:?} is not allowed, given {}",
                    Value::Object(given.clone())
                )),
                None => {}
            }
        }
        match faults.first() {
            Some(fault) => bail!("validation failed: {fault}"),
            None => Ok(given),
        }
    }
}

fn fault(name: &str, schema: &Value, value: &Value) -> Option<String> {
    let path = format!("(root).{name}");
    let wanted = schema.get("type").and_then(Value::as_str);
    let fits = match wanted {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        return Some(format!(
            "{path} : must be of type {}, given {value}",
            wanted.unwrap_or_default()
        ));
    }
    if let Some(choices) = schema
        .get("enum")
        .and_then(Value::as_array)
        .filter(|choices| !choices.contains(value))
    {
        return Some(format!(
            "{path} : must match one of the enum values {}, given {value}",
            Value::Array(choices.clone())
        ));
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let number = value.as_f64()?;
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        return Some(format!(
            "{path} : must be greater than or equal to {least}, given {value}"
        ));
    }
    bound("maximum")
        .filter(|most| number > *most)
        .map(|most| format!("{path} : must be less than or equal to {most}, given {value}"))
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
