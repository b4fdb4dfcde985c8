//! What Juju cannot bring about, and a test should not either.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Charm, map};
use crate::testing::{Owner, Relation, Secret, State};
use crate::{Event, RelationEventKind, SecretEventKind, StorageId};

impl Charm {
    /// Returns what Juju could not bring about: a model that does not fit the charm's files, or an event that does not fit
    /// the model. [`Harness`](crate::testing::Harness) refuses to run such.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Relation, State};
    /// # use jujuna::Event;
    /// let charm = Charm::parse("{name: hello}", "{options: {port: {type: int}}}", "");
    /// let state = charm.state("hello/0").with_option("port", "http").with_relation(Relation::new("db", 1, "pg"));
    /// assert_eq!(charm.inconsistencies(&Event::action("greet", "1"), &state), [
    ///     "option port: \"http\" is no int",
    ///     "relation db:1: metadata.yaml has no endpoint db",
    ///     "actions.yaml has no action greet",
    /// ]);
    /// ```
    pub fn inconsistencies(&self, event: &Event, state: &State) -> Vec<String> {
        let mut found = Vec::new();
        self.options(state, &mut found);
        self.relations(state, &mut found);
        secrets(&state.secrets, &mut found);
        self.names(state, &mut found);
        self.event(event, state, &mut found);
        found
    }

    fn options(&self, state: &State, found: &mut Vec<String>) {
        for (name, value) in &state.config {
            let Some(option) = self.options.get(name) else {
                found.push(format!("config.yaml has no option {name}"));
                continue;
            };
            let word = option["type"].as_str().unwrap_or_default();
            let fits = match word {
                "string" => value.is_string(),
                "secret" => value.as_str().is_some_and(is_secret),
                "int" => value.is_i64() || value.is_u64(),
                "float" => value.is_number(),
                "boolean" => value.is_boolean(),
                _ => false,
            };
            if !fits {
                found.push(format!("option {name}: {value} is no {word}"));
            }
        }
        for (name, option) in &self.options {
            if option.get("default").is_some() && !state.config.contains_key(name) {
                found.push(format!("option {name} has a default, so it has a value"));
            }
        }
    }

    fn relations(&self, state: &State, found: &mut Vec<String>) {
        let mut numbers = BTreeSet::new();
        for relation in &state.relations {
            let (id, endpoint) = (&relation.id, relation.id.endpoint());
            if !numbers.insert(id.number()) {
                found.push(format!("relation {id}: another one has the same number"));
            }
            let is_peers = self.section("peers").contains_key(endpoint);
            let is_declared = is_peers
                || ["requires", "provides"]
                    .iter()
                    .any(|section| self.section(section).contains_key(endpoint));
            if !is_declared {
                found.push(format!(
                    "relation {id}: metadata.yaml has no endpoint {endpoint}"
                ));
            } else if is_peers != (relation.remote_app == state.unit.app()) {
                let should = if is_peers {
                    "the application itself"
                } else {
                    "another application"
                };
                found.push(format!("relation {id}: at its other end must be {should}"));
            }
            self.relation(relation, state, found);
        }
    }

    fn relation(&self, relation: &Relation, state: &State, found: &mut Vec<String>) {
        let id = &relation.id;
        for unit in relation.remote_units.keys() {
            if *unit == state.unit {
                found.push(format!(
                    "relation {id}: {unit} is no other unit than itself"
                ));
            } else if unit.app() != relation.remote_app {
                found.push(format!(
                    "relation {id}: {unit} is no unit of {}",
                    relation.remote_app
                ));
            }
        }
        let own = [
            &relation.app_data,
            &relation.unit_data,
            &relation.remote_app_data,
        ];
        let bags = own.into_iter().chain(relation.remote_units.values());
        for (key, _) in bags.flatten().filter(|(_, value)| value.is_empty()) {
            found.push(format!("relation {id}: an empty value removes {key}"));
        }
        let limit = ["requires", "provides"]
            .iter()
            .find_map(|section| self.section(section).get(id.endpoint())?["limit"].as_u64());
        let same = |other: &&Relation| other.id.endpoint() == id.endpoint();
        let number = state.relations.iter().filter(same).count() as u64;
        if limit.is_some_and(|limit| number > limit) {
            found.push(format!("relation {id}: there are more than its limit"));
        }
    }

    fn names(&self, state: &State, found: &mut Vec<String>) {
        for (section, what, used) in [
            (
                "storage",
                "storage",
                state
                    .storages
                    .keys()
                    .map(StorageId::name)
                    .collect::<Vec<_>>(),
            ),
            (
                "resources",
                "resource",
                state.resources.keys().map(String::as_str).collect(),
            ),
        ] {
            let declared = self.section(section);
            let unknown = used
                .into_iter()
                .filter(|name| !declared.contains_key(*name));
            found.extend(unknown.map(|name| format!("metadata.yaml has no {what} {name}")));
        }
        let bindings = ["requires", "provides", "peers", "extra-bindings"];
        for name in state.networks.keys().filter(|name| *name != "juju-info") {
            if !bindings
                .iter()
                .any(|section| self.section(section).contains_key(name))
            {
                found.push(format!("metadata.yaml has no binding {name}"));
            }
        }
    }

    fn event(&self, event: &Event, state: &State, found: &mut Vec<String>) {
        let is_action = matches!(event, Event::Action(_));
        if !is_action && state.action.is_some() {
            found.push(format!("{event} is no action, but there are parameters"));
        }
        match event {
            Event::Relation(event) => {
                let Some(relation) = state.relation(&event.id) else {
                    return found.push(format!("there is no relation {}", event.id));
                };
                let has_unit = event.remote_unit.is_some();
                let needs_unit = matches!(
                    event.kind,
                    RelationEventKind::Joined | RelationEventKind::Departed
                );
                let may_have_unit = needs_unit || event.kind == RelationEventKind::Changed;
                if (needs_unit && !has_unit) || (has_unit && !may_have_unit) {
                    found.push(format!("relation {}: wrong remote unit", event.id));
                }
                let gone = event.kind == RelationEventKind::Departed;
                let unknown = |unit| !gone && !relation.remote_units.contains_key(unit);
                if let Some(unit) = event.remote_unit.as_ref().filter(|unit| unknown(unit)) {
                    found.push(format!("relation {} has no unit {unit}", event.id));
                }
            }
            Event::Storage(event) if !state.storages.contains_key(&event.id) => {
                found.push(format!("there is no storage {}", event.id));
            }
            Event::Secret(event) => {
                let Some(secret) = state.secret(event.id.id()) else {
                    // Juju fires secret-remove for what is gone as well.
                    if event.kind != SecretEventKind::Remove {
                        found.push(format!("there is no secret {}", event.id));
                    }
                    return;
                };
                let is_own = secret.owner != Owner::Other;
                if is_own == (event.kind == SecretEventKind::Changed) {
                    found.push(format!("secret {}: that is not told its owner", event.id));
                }
            }
            Event::Pebble(event) if !self.section("containers").contains_key(&event.container) => {
                found.push(format!(
                    "metadata.yaml has no container {}",
                    event.container
                ));
            }
            Event::Action(event) => self.action(&event.name, state, found),
            _ => {}
        }
    }

    fn action(&self, name: &str, state: &State, found: &mut Vec<String>) {
        let Some(schema) = self.actions.get(name) else {
            return found.push(format!("actions.yaml has no action {name}"));
        };
        let params = map(schema["params"].clone());
        let open = schema["additionalProperties"] != false;
        for (param, value) in state.action.iter().flat_map(Map::iter) {
            match params.get(param) {
                None if open => {}
                None => found.push(format!("action {name} has no parameter {param}")),
                Some(schema) if !fits(&schema["type"], value) => {
                    found.push(format!(
                        "parameter {param}: {value} is no {}",
                        schema["type"]
                    ));
                }
                Some(_) => {}
            }
        }
    }
}

fn fits(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    }
}

fn is_secret(text: &str) -> bool {
    text.starts_with("secret:") && text.parse::<crate::SecretUri>().is_ok()
}

fn secrets(secrets: &[Secret], found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for secret in secrets {
        let own_label = (secret.owner != Owner::Other).then_some(&secret.label);
        let label = own_label.filter(|label| !label.is_empty());
        for name in [Some(&secret.id), label].into_iter().flatten() {
            if !seen.insert(name) {
                found.push(format!("there are two secrets {name}"));
            }
        }
        if secret.id.parse::<crate::SecretUri>().is_err() {
            found.push(format!("secret {:?}: that is no id", secret.id));
        }
        if secret.revisions.is_empty() {
            found.push(format!("secret {}: it has no revision", secret.id));
        }
    }
}
