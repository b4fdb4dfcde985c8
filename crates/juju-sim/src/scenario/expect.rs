//! What a scenario expects of a model.

use crate::client::{Juju, Status};
use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A text as it is to be, or a part of it, or (null) none.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Matcher {
    Absent(()),
    Contains { contains: String },
    Exact(Value),
}

impl Matcher {
    pub(super) fn fits(&self, found: Option<&str>) -> bool {
        match (self, found) {
            (Self::Absent(()), found) => found.is_none_or(str::is_empty),
            (Self::Contains { contains }, Some(found)) => found.contains(contains),
            (Self::Exact(value), Some(found)) => text(value) == found,
            (_, None) => false,
        }
    }
}

/// A value as a databag or a result has it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(()) => formatter.write_str("nothing"),
            Self::Contains { contains } => write!(formatter, "something with {contains:?}"),
            Self::Exact(value) => write!(formatter, "{:?}", text(value)),
        }
    }
}

/// All of it must hold at one moment before the time is up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Expect {
    pub(super) within: Option<String>,
    /// Of units (`web/0`) and applications (`web`).
    status: BTreeMap<String, Matcher>,
    message: BTreeMap<String, Matcher>,
    /// Application -> what `application-version-set` said.
    version: BTreeMap<String, Matcher>,
    /// Application -> how many units.
    units: BTreeMap<String, usize>,
    /// Application -> the unit that leads.
    leader: BTreeMap<String, String>,
    /// Units and applications that are not there (any more).
    gone: Vec<String>,
    /// Unit -> `8008/tcp` and the like, all of them.
    ports: BTreeMap<String, Vec<String>>,
    /// Unit -> hooks that ran well in this order, perhaps with others between.
    hooks: BTreeMap<String, Vec<String>>,
    /// Texts of which each is in some line of the log.
    log: Vec<String>,
    databag: Vec<Bag>,
    /// Unit -> what `state-set` keeps.
    state: BTreeMap<String, BTreeMap<String, Matcher>>,
    /// No agent has anything left to do.
    idle: bool,
}

/// Data of a relation as `unit` sees them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bag {
    unit: String,
    endpoint: String,
    /// An application or a unit: whose data.
    of: String,
    has: BTreeMap<String, Matcher>,
}

impl Expect {
    /// What does not hold now.
    pub(super) fn unmet(&self, juju: &Juju) -> Result<Vec<String>> {
        let status = juju.status()?;
        let mut unmet = self.of_status(&status);
        unmet.extend(self.of_log(juju)?);
        for bag in &self.databag {
            unmet.extend(bag.unmet(juju)?);
        }
        for (unit, wanted) in &self.state {
            let shown = juju.show_unit(unit)?;
            for (key, wanted) in wanted {
                let found = shown["state"][key].as_str();
                unmet.extend(difference(
                    &format!("{key} of the state of {unit}"),
                    wanted,
                    found,
                ));
            }
        }
        Ok(unmet)
    }

    fn of_status(&self, status: &Status) -> Vec<String> {
        let mut unmet = Vec::new();
        let info = |name: &str| {
            let application = || status.applications.get(name).map(|found| &found.status);
            status
                .unit(name)
                .map(|unit| &unit.workload)
                .or_else(application)
        };
        for (name, wanted) in &self.status {
            let found = info(name).map(|info| info.current.as_str());
            unmet.extend(difference(&format!("the status of {name}"), wanted, found));
        }
        for (name, wanted) in &self.message {
            let found = info(name).map(|info| info.message.as_str());
            unmet.extend(difference(&format!("the message of {name}"), wanted, found));
        }
        for (name, wanted) in &self.version {
            let found = status
                .applications
                .get(name)
                .map(|found| found.version.as_str());
            unmet.extend(difference(&format!("the version of {name}"), wanted, found));
        }
        for (name, wanted) in &self.units {
            let found = status
                .applications
                .get(name)
                .map_or(0, |found| found.units.len());
            if found != *wanted {
                unmet.push(format!("{name} has {found} units, not {wanted}"));
            }
        }
        for (name, wanted) in &self.leader {
            if !status.unit(wanted).is_some_and(|unit| unit.leader) {
                unmet.push(format!("{wanted} does not lead {name}"));
            }
        }
        for (name, wanted) in &self.ports {
            let found = status.unit(name).map(|unit| unit.open_ports.clone());
            if found.as_ref() != Some(wanted) {
                unmet.push(format!(
                    "the open ports of {name} are {:?}",
                    found.unwrap_or_default()
                ));
            }
        }
        let there = self.gone.iter().filter(|name| info(name).is_some());
        unmet.extend(there.map(|name| format!("{name} is still there")));
        let busy = status
            .units()
            .filter(|(_, unit)| self.idle && unit.agent.current != "idle");
        unmet.extend(busy.map(|(name, unit)| format!("{name} is {}", unit.agent.current)));
        unmet
    }

    fn of_log(&self, juju: &Juju) -> Result<Vec<String>> {
        if self.hooks.is_empty() && self.log.is_empty() {
            return Ok(Vec::new());
        }
        let log = juju.debug_log()?;
        let missing = self
            .log
            .iter()
            .filter(|text| !log.iter().any(|line| line.contains(*text)));
        let mut unmet: Vec<_> = missing
            .map(|text| format!("no line of the log has {text:?}"))
            .collect();
        for (unit, wanted) in &self.hooks {
            let begin = format!("{unit}: ");
            let ran = log
                .iter()
                .filter(|line| line.starts_with(&begin))
                .filter_map(|line| Some(line.split_once(" ran \"")?.1.split_once("\" hook")?.0));
            let ran: Vec<_> = ran.collect();
            let mut left = ran.iter();
            if let Some(missing) = wanted.iter().find(|hook| !left.any(|other| other == hook)) {
                unmet.push(format!(
                    "{unit} did not run {missing} in that order, but: {}",
                    ran.join(", ")
                ));
            }
        }
        Ok(unmet)
    }
}

impl Bag {
    fn unmet(&self, juju: &Juju) -> Result<Vec<String>> {
        let Self {
            unit,
            endpoint,
            of,
            has,
        } = self;
        let shown = juju.show_unit(unit)?;
        let relations = shown["relation-info"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let own = unit.split('/').next() == Some(of);
        let mut unmet = Vec::new();
        let mut any = false;
        for relation in relations
            .iter()
            .filter(|relation| relation["endpoint"] == **endpoint)
        {
            let data = match (of.contains('/'), own) {
                (true, _) => &relation["units"][of],
                (false, true) => &relation["own-application-data"],
                (false, false) if relation["related-application"] == **of => {
                    &relation["application-data"]
                }
                (false, false) => continue,
            };
            any = true;
            for (key, wanted) in has {
                let what = format!("{key} of the data of {of} in {endpoint} of {unit}");
                unmet.extend(difference(&what, wanted, data[key].as_str()));
            }
        }
        if !any {
            unmet.push(format!("{unit} has no relation with {of} by {endpoint}"));
        }
        Ok(unmet)
    }
}

/// That `what` is not as wanted, in words.
pub(super) fn difference(what: &str, wanted: &Matcher, found: Option<&str>) -> Option<String> {
    let is = found.map_or_else(
        || "is not there".to_owned(),
        |found| format!("is {found:?}"),
    );
    (!wanted.fits(found)).then(|| format!("{what} {is}, not {wanted}"))
}
