//! What `status`, `show-unit`, `show-task`, `config` and `debug-log` tell, as JSON with Juju's names.

use crate::agent::resolver::{Next, next};
use crate::hook_commands::application_status;
use crate::model::application::Application;
use crate::model::charm::Role;
use crate::model::name::UnitName;
use crate::model::status::Status;
use crate::model::storage::Detached;
use crate::model::unit::{StorageInstance, Unit};
use crate::model::{JUJU_VERSION, Model};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

fn shown(status: &Status) -> Value {
    let mut shown = json!({"current": status.name, "since": status.since.strftime("%d %b %Y %H:%M:%SZ").to_string()});
    if !status.message.is_empty() {
        shown["message"] = json!(status.message);
    }
    shown
}

impl Model {
    pub(super) fn status(&self) -> Value {
        let applications: Map<String, Value> = self
            .applications
            .values()
            .map(|application| {
                (
                    application.name.clone(),
                    self.application_shown(application),
                )
            })
            .collect();
        json!({
            "model": {"name": self.name, "type": "caas", "controller": "juju-sim", "cloud": "one-machine", "version": JUJU_VERSION, "model-uuid": self.uuid,
                "model-status": {"current": "available"}},
            "machines": {},
            "applications": applications,
            "storage": self.storage_shown(),
        })
    }

    fn storage_shown(&self) -> Value {
        let all = self
            .units
            .values()
            .flat_map(|unit| unit.storage.values().map(move |instance| (unit, instance)));
        let detached = self.detached.values().map(|Detached { instance, .. }| {
            let StorageInstance {
                id, kind, location, ..
            } = instance.clone();
            (
                id,
                json!({"kind": kind, "status": {"current": "detached"}, "location": location}),
            )
        });
        let shown: Map<String, Value> = all
            .map(|(unit, instance)| {
                let state = if !instance.is_provisioned() { "pending" } else if instance.detaching || unit.dying { "detaching" } else { "attached" };
                (instance.id.clone(), json!({"kind": instance.kind, "status": {"current": state}, "unit": unit.name.to_string(), "location": instance.location}))
            })
            .chain(detached)
            .collect();
        Value::Object(shown)
    }

    fn application_shown(&self, application: &Application) -> Value {
        let units: Map<String, Value> = self
            .units_of(&application.name)
            .map(|unit| (unit.name.to_string(), self.unit_shown(unit)))
            .collect();
        let mut relations: Map<String, Value> = Map::new();
        for relation in self.relations.values() {
            if let Some(endpoint) = relation.endpoint_of(&application.name) {
                let other = json!({"related-application": relation.counterpart(&application.name), "interface": relation.interface, "scope": "global"});
                if let Value::Array(all) = relations
                    .entry(endpoint.name.clone())
                    .or_insert_with(|| json!([]))
                {
                    all.push(other);
                }
            }
        }
        let charm = application
            .charm
            .as_ref()
            .map_or("(charmless)", |charm| charm.name.as_str());
        let status = if application.remote.is_some() {
            Status::new("active", "charmless")
        } else {
            application_status(self, &application.name)
        };
        let mut shown_application = json!({
            "charm": format!("local:{charm}-{}", application.charm_version - 1), "charm-name": charm, "charm-origin": "local", "charm-rev": application.charm_version - 1,
            "exposed": false, "application-status": shown(&status), "relations": relations, "units": units,
            "endpoint-bindings": application.endpoints.iter().filter(|(_, end)| end.role != Role::Peer).map(|(name, _)| name.clone()).collect::<Vec<_>>(),
        });
        if !application.version.is_empty() {
            shown_application["version"] = json!(application.version);
        }
        if application.dying {
            shown_application["life"] = json!("dying");
        }
        shown_application
    }

    fn unit_shown(&self, unit: &Unit) -> Value {
        let mut shown_unit = json!({
            "workload-status": shown(&unit.shown_status()), "juju-status": shown(&self.agent_shown(unit)), "address": unit.address(),
            "leader": self.is_leader(&unit.name),
            "open-ports": unit.ports.iter().map(|port| format!("{}/{}", port.port, port.protocol)).collect::<Vec<_>>(),
        });
        if unit.dying {
            shown_unit["life"] = json!("dying");
        }
        shown_unit
    }

    /// An agent that has not seen yet what it is to do is not idle.
    fn agent_shown(&self, unit: &Unit) -> Status {
        let busy = !matches!(next(self, &unit.name), Next::Wait(_));
        if busy && unit.agent_status.name == "idle" {
            return Status::new("executing", "");
        }
        unit.agent_status.clone()
    }

    pub(super) fn show_unit(&self, name: &UnitName) -> Result<Value> {
        let unit = self.unit(name)?;
        let relations: Vec<Value> = self
            .relations
            .values()
            .filter(|relation| unit.agent.relations.contains_key(&relation.id))
            .map(|relation| {
                let other = relation.counterpart(&name.application);
                let bag = |application: &str| relation.application_data.get(application).map(|bag| bag.values.clone()).unwrap_or_default();
                let units: Map<String, Value> = relation.unit_data.iter().map(|(unit, bag)| (unit.to_string(), json!(bag.values))).collect();
                json!({"relation-id": relation.id, "endpoint": relation.endpoint_of(&name.application).map(|endpoint| endpoint.name.clone()), "related-application": other,
                    "application-data": bag(other), "own-application-data": bag(&name.application), "units": units})
            })
            .collect();
        Ok(
            json!({"leader": self.is_leader(name), "address": unit.address(), "relation-info": relations, "state": unit.charm_state, "storage": unit.storage.keys().collect::<Vec<_>>()}),
        )
    }

    pub(super) fn show_task(&self, number: u32, log_after: usize) -> Result<Value> {
        let task = self
            .tasks
            .get(&number)
            .with_context(|| format!("task \"{number}\" not found"))?;
        let time = |time: Option<jiff::Timestamp>| {
            time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
        };
        let log: Vec<Value> = task
            .log
            .iter()
            .skip(log_after)
            .map(|line| json!({"time": time(Some(line.time)), "message": line.message}))
            .collect();
        Ok(json!({
            "id": number.to_string(), "operation": task.operation.to_string(), "unit": task.unit.to_string(), "action": task.action,
            "status": task.status, "message": task.message, "results": task.results, "log": log, "finished": task.status.is_final(),
            "timing": {"enqueued": time(Some(task.enqueued)), "started": time(task.started), "completed": time(task.completed)},
        }))
    }

    pub(super) fn log_after(&self, after: u64) -> Value {
        let lines: Vec<Value> = self.log.lines.iter().filter(|line| line.number > after).map(|line| json!({"number": line.number, "unit": line.unit, "level": line.level, "text": line.text()})).collect();
        Value::Array(lines)
    }
}

impl Application {
    /// As `juju config <application>` shows them.
    pub(super) fn settings(&self) -> Value {
        let options = self
            .charm
            .as_ref()
            .map(|charm| charm.options.clone())
            .unwrap_or_default();
        let settings: Map<String, Value> = options
            .iter()
            .map(|(name, option)| {
                let set = self.config.get(name);
                let source = match (set, &option.default) {
                    (Some(_), _) => "user",
                    (None, Some(_)) => "default",
                    (None, None) => "unset",
                };
                (name.clone(), json!({"type": option.kind, "value": set.or(option.default.as_ref()), "default": option.default, "source": source}))
            })
            .collect();
        json!({"application": self.name, "charm": self.charm.as_ref().map(|charm| charm.name.clone()), "settings": settings})
    }
}
