//! Where two models differ.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::State;

impl State {
    /// Returns where another model differs from this one, a line each: `- ` and what was, `+ ` and what is.
    ///
    /// # Example
    ///
    /// ```
    /// use jujuna::testing::State;
    ///
    /// let before = State::new("hello/0").with_state("seen", "1");
    /// let after = before.clone().with_state("seen", "2").with_status("active", "");
    /// assert_eq!(before.diff(&after), [
    ///     "- state seen: 1",
    ///     "+ state seen: 2",
    ///     "- status: unknown",
    ///     "+ status: active",
    /// ]);
    /// ```
    pub fn diff(&self, other: &Self) -> Vec<String> {
        let (before, after) = (self.lines(), other.lines());
        let names: std::collections::BTreeSet<&String> =
            before.keys().chain(after.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let (was, is) = (before.get(name), after.get(name));
            if was != is {
                found.extend(was.map(|was| format!("- {name}: {was}")));
                found.extend(is.map(|is| format!("+ {name}: {is}")));
            }
        }
        found
    }

    /// Everything that is not as in an empty model, by a name.
    fn lines(&self) -> BTreeMap<String, String> {
        let mut lines = BTreeMap::new();
        let mut add = |name: String, text: String| {
            lines.insert(name, text);
        };
        add("unit".into(), self.unit.to_string());
        add("leader".into(), self.leader.to_string());
        add("planned units".into(), self.planned_units.to_string());
        add("reboot".into(), self.reboot.to_string());
        add("workload version".into(), self.workload_version.clone());
        for (name, status) in [
            ("status", &self.status),
            ("application status", &self.application_status),
        ] {
            let text = format!("{} {}", status.status, status.message);
            add(name.into(), text.trim_end().to_owned());
        }
        each("option", &self.config, &mut add);
        if let Some(action) = &self.action {
            add("action".into(), "running".into());
            each("parameter", action, &mut add);
        }
        for (key, value) in &self.state {
            add(format!("state {key}"), value.clone());
        }
        for port in &self.opened_ports {
            add(format!("port {port}"), "open".into());
        }
        each_debug("storage", &self.storages, &mut add);
        each_debug("requested storage", &self.requested_storage, &mut add);
        each_debug("resource", &self.resources, &mut add);
        each_debug("network", &self.networks, &mut add);
        add("cloud".into(), format!("{:?}", self.cloud));
        let addresses = (&self.private_address, &self.public_address);
        add("addresses".into(), format!("{addresses:?}"));
        self.relation_lines(&mut add);
        self.secret_lines(&mut add);
        lines
    }

    fn relation_lines(&self, add: &mut impl FnMut(String, String)) {
        for relation in &self.relations {
            let name = format!("relation {}", relation.id);
            add(name.clone(), relation.remote_app.clone());
            let own = [
                ("own application".to_owned(), &relation.app_data),
                ("own unit".to_owned(), &relation.unit_data),
                ("remote application".to_owned(), &relation.remote_app_data),
            ];
            let units = relation.remote_units.iter();
            let units = units.map(|(unit, databag)| (unit.to_string(), databag));
            for (owner, databag) in own.into_iter().chain(units) {
                for (key, value) in databag {
                    add(format!("{name} {owner} {key}"), value.clone());
                }
            }
        }
    }

    fn secret_lines(&self, add: &mut impl FnMut(String, String)) {
        for secret in &self.secrets {
            let label = match secret.label.as_str() {
                "" => &secret.id,
                label => label,
            };
            let name = format!("secret {label}");
            add(name.clone(), format!("{:?}", secret.owner));
            add(format!("{name} granted"), secret.granted.to_string());
            for (revision, fields) in &secret.revisions {
                for (key, value) in fields {
                    add(format!("{name} {revision} {key}"), value.clone());
                }
            }
            for grant in &secret.grants {
                add(format!("{name} grant {grant}"), "view".into());
            }
            let about = [&secret.description, &secret.rotation, &secret.expire];
            add(format!("{name} about"), format!("{about:?}"));
        }
    }
}

fn each(
    what: &str,
    map: &serde_json::Map<String, serde_json::Value>,
    add: &mut impl FnMut(String, String),
) {
    for (name, value) in map {
        add(format!("{what} {name}"), value.to_string());
    }
}

fn each_debug<K: std::fmt::Display, V: Debug>(
    what: &str,
    map: &BTreeMap<K, V>,
    add: &mut impl FnMut(String, String),
) {
    for (name, value) in map {
        add(format!("{what} {name}"), format!("{value:?}"));
    }
}
