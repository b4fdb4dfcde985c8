//! The Pebble layer that runs Synapse, and whether Pebble's plan already says so.

use serde_json::{Map, Value, json};

use super::homeserver_yaml::to_yaml;
use super::names;

/// The variable of the service's environment that carries the digest of the rendered files.
pub const DIGEST_VARIABLE: &str = "SYNAPSE_CHARM_CONFIG";

/// A job that nobody works at is taken up again after this.
const WAKE_EVERY_SECONDS: u32 = 15;

/// As whom Pebble starts Synapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// As [`names::UID`]: Pebble runs as root and can change to it.
    Synapse,
    /// As whoever Pebble runs as, because it cannot change to anyone else.
    Unchanged,
}

/// A layer, and what it says in a form that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer(Value);

impl Layer {
    /// Returns the layer that runs Synapse on the files whose digest is `digest`.
    pub fn new(digest: &str, run_as: RunAs) -> Self {
        let mut synapse = synapse(names::HOMESERVER_YAML, digest, run_as);
        synapse["startup"] = "enabled".into();
        Self(json!({
            "summary": "Synapse, as the charm runs it",
            "services": {names::SERVICE: synapse, names::WAKER: waker("disabled")},
            "checks": {names::CHECK: check("enabled")},
        }))
    }

    /// Returns the layer for the time in which a job is open: Synapse runs only when it is told to, for a trial, and
    /// nobody but the job looks after it.
    pub fn of_job(run_as: RunAs) -> Self {
        let mut synapse = synapse(names::TRIAL_YAML, "trial", run_as);
        synapse["startup"] = "disabled".into();
        synapse["on-success"] = "ignore".into();
        synapse["on-failure"] = "ignore".into();
        Self(json!({
            "summary": "Synapse, while a job of the charm is open",
            "services": {names::SERVICE: synapse, names::WAKER: waker("enabled")},
            "checks": {names::CHECK: check("disabled")},
        }))
    }

    /// Returns the text that Pebble takes.
    ///
    /// # Errors
    ///
    /// Fails when a value cannot be written as YAML, which is a bug.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        to_yaml(&self.0)
    }
}

fn synapse(config_path: &str, digest: &str, run_as: RunAs) -> Value {
    let mut service = json!({
        "override": "replace",
        "summary": "Matrix homeserver",
        "command": format!("python3 -m synapse.app.homeserver --config-path {config_path}"),
        // The image's own home may not be there for this user.
        "environment": {"HOME": names::DATA_DIR, DIGEST_VARIABLE: digest},
        // SQLite's and the media's last writes; Pebble would give it 5 s.
        "kill-delay": "20s",
    });
    if run_as == RunAs::Synapse {
        service["user-id"] = names::UID.into();
        service["group-id"] = names::GID.into();
    }
    service
}

/// Wakes the charm while a job is open: an action that was killed is not run again. It runs as Pebble does, because Juju hears
/// only notices of Pebble's own user.
fn waker(startup: &str) -> Value {
    let command = format!(
        "sh -c 'while sleep {WAKE_EVERY_SECONDS}; do /charm/bin/pebble notify {}; done'",
        names::WAKER_NOTICE
    );
    json!({
        "override": "replace",
        "summary": "Wakes the charm while a job is open",
        "command": command,
        "startup": startup,
    })
}

/// Level ready only and no restart on failure: with an alive check kubelet would kill the container in the middle of a long
/// schema migration.
fn check(startup: &str) -> Value {
    json!({
        "override": "replace",
        "level": "ready",
        "startup": startup,
        "period": "10s",
        "timeout": "5s",
        "threshold": 3,
        "http": {"url": format!("http://127.0.0.1:{}/health", names::PORT)},
    })
}

/// Pebble's plan, as far as it concerns the charm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CurrentPlan(Map<String, Value>);

impl CurrentPlan {
    /// Returns the plan that `yaml` (Pebble's answer) describes.
    ///
    /// # Errors
    ///
    /// Fails when it is no YAML mapping.
    pub fn parse(yaml: &str) -> Result<Self, serde_saphyr::Error> {
        let plan: Option<Map<String, Value>> = serde_saphyr::from_str(yaml)?;
        Ok(Self(plan.unwrap_or_default()))
    }

    /// Whether Pebble would run Synapse just as `layer` says.
    pub fn says(&self, layer: &Layer) -> bool {
        let has = |section: &str, name: &str| {
            let ours = &layer.0[section][name];
            self.entry(section, name)
                .is_some_and(|theirs| contains(theirs, ours))
        };
        has("services", names::SERVICE)
            && has("services", names::WAKER)
            && has("checks", names::CHECK)
    }

    /// Returns as whom Synapse is run by this plan, where the charm has planned it.
    ///
    /// An image may bring a service of the same name; it does not carry the digest.
    pub fn run_as(&self) -> Option<RunAs> {
        let service = self.entry("services", names::SERVICE)?;
        service.get("environment")?.get(DIGEST_VARIABLE)?;
        Some(if service.get("user-id").is_some() {
            RunAs::Synapse
        } else {
            RunAs::Unchanged
        })
    }

    fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.0.get(section)?.get(name)
    }
}

/// Whether `theirs` has every field of `ours`, with the same value. Pebble leaves defaults
/// out and adds some.
fn contains(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => ours
            .iter()
            .all(|(key, value)| theirs.get(key).is_some_and(|other| contains(other, value))),
        _ => theirs == ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(layer: &Layer) -> CurrentPlan {
        CurrentPlan::parse(&layer.to_yaml().unwrap()).unwrap()
    }

    #[test]
    fn plan_that_holds_the_layer_says_it() {
        let layer = Layer::new("abc", RunAs::Synapse);
        assert!(plan_of(&layer).says(&layer));
        assert_eq!(plan_of(&layer).run_as(), Some(RunAs::Synapse));
        assert_eq!(
            plan_of(&Layer::new("abc", RunAs::Unchanged)).run_as(),
            Some(RunAs::Unchanged)
        );
    }

    #[test]
    fn plan_with_another_digest_or_user_does_not_say_it() {
        let layer = Layer::new("abc", RunAs::Synapse);
        assert!(!plan_of(&Layer::new("abd", RunAs::Synapse)).says(&layer));
        assert!(!plan_of(&Layer::new("abc", RunAs::Unchanged)).says(&layer));
    }

    #[test]
    fn open_job_leaves_nothing_to_pebble_but_the_waking() {
        let layer = Layer::of_job(RunAs::Synapse);
        assert_eq!(layer.0["services"]["synapse"]["startup"], "disabled");
        assert_eq!(layer.0["checks"]["synapse-ready"]["startup"], "disabled");
        assert_eq!(layer.0["services"]["job-waker"]["startup"], "enabled");
        assert!(!plan_of(&layer).says(&Layer::new("trial", RunAs::Synapse)));
        assert_eq!(plan_of(&layer).run_as(), Some(RunAs::Synapse));
    }

    #[test]
    fn empty_plan_says_nothing() {
        for text in ["{}\n", "", "services: {}\n"] {
            let plan = CurrentPlan::parse(text).unwrap();
            assert!(!plan.says(&Layer::new("abc", RunAs::Synapse)), "{text}");
            assert_eq!(plan.run_as(), None);
        }
    }

    #[test]
    fn service_of_the_image_is_not_taken_for_the_charms() {
        let plan =
            CurrentPlan::parse("services:\n  synapse:\n    command: x\n    user-id: 5\n").unwrap();
        assert_eq!(plan.run_as(), None);
    }

    #[test]
    fn checks_are_of_level_ready_and_restart_nothing() {
        let Layer(layer) = Layer::new("abc", RunAs::Synapse);
        for check in layer["checks"].as_object().unwrap().values() {
            assert_eq!(check["level"], "ready");
        }
        assert!(
            layer["services"]["synapse"]
                .get("on-check-failure")
                .is_none()
        );
    }
}
