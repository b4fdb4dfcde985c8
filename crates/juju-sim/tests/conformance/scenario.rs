use crate::recording::{self, Recording};
use juju_sim::{AddModel, Deploy, Juju};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_mins(1);
const UNITS: [&str; 2] = ["probe/0", "probe/1"];
const REMOTE: &str = "
name: remote
endpoint: db
interface: probe_db
application-data: {appkey: appval}
units:
  0: {k: v, multi: \"a\\nb\"}
  1: {k: w}
";
/// Runs of the recording that saw another unit half-way, which Juju leaves open: each waits until another unit has begun a run, or
/// has ended one whose name ends with this many `done`.
const HELD: [(&str, &str, Until); 2] = [
    (
        "probe/1",
        "hooks/replicas-relation-created 1",
        Until::Begun("probe/0", "hooks/replicas-relation-changed 3"),
    ),
    (
        "probe/0",
        "hooks/replicas-relation-changed 3",
        Until::Ended("probe/1", "replicas-relation-created"),
    ),
];

#[derive(Clone, Copy)]
enum Until {
    Begun(&'static str, &'static str),
    Ended(&'static str, &'static str),
}

/// A check that fails while a file of the volume is missing.
const LAYER: &str = "checks: {broken: {override: replace, level: ready, threshold: 1, period: 300ms, exec: {command: test -e /data/mark}}}\n";

/// The steps of the recording, taken.
pub(crate) struct Scenario {
    juju: Juju,
    folder: tempfile::TempDir,
    pub(crate) answers: Vec<Value>,
}

impl Scenario {
    pub(crate) fn play(recording: &Recording) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let juju = Juju::add_model(AddModel {
            name: "realunit".into(),
            pebble: Some(pebble()),
            ..AddModel::default()
        })
        .unwrap();
        let mut scenario = Self {
            juju,
            folder,
            answers: Vec::new(),
        };
        scenario.units_and_secrets(recording);
        scenario.relation();
        scenario.actions(recording);
        scenario.pebble_events();
        scenario.churn();
        scenario.removal();
        scenario
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settle(&self) {
        self.juju.wait_until_idle(DEADLINE).unwrap();
    }

    fn units_and_secrets(&self, recording: &Recording) {
        let charm = self.path("charm");
        std::fs::create_dir(&charm).unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/probe");
        for file in ["metadata.yaml", "config.yaml", "actions.yaml", "dispatch"] {
            std::fs::copy(own.join(file), charm.join(file)).unwrap();
        }
        std::fs::write(charm.join("recording.json"), recording.by_run().to_string()).unwrap();
        let held = HELD.map(|(unit, run, _)| format!("{unit} {run}").replace('/', "_"));
        std::fs::write(charm.join("held.json"), json!(held).to_string()).unwrap();
        self.juju
            .deploy(&Deploy {
                allow_missing_images: true,
                ..Deploy::new(&charm)
            })
            .unwrap();
        self.juju
            .wait_for(DEADLINE, |status| status.unit("probe/0").is_some())
            .unwrap();
        self.settle();
        self.juju.add_unit("probe", 1).unwrap();
        for (unit, run, until) in HELD {
            self.eventually(until);
            self.mark(unit, &format!("go-{unit} {run}"));
        }
        self.settle();
        let uri = self.juju.add_secret("token", [("key", "v1")]).unwrap();
        self.juju
            .config("probe", [("token", uri.as_str())])
            .unwrap();
        self.settle();
        self.juju.grant_secret("token", "probe").unwrap();
        self.juju.config("probe", [("count", "5")]).unwrap();
        self.settle();
        self.juju.update_secret("token", [("key", "v2")]).unwrap();
        self.settle();
    }

    /// Where the unit's charm sees its own folder, once there is a pod.
    fn charm(&self, unit: &str) -> Option<PathBuf> {
        let paths = self.juju.paths(unit).ok()?;
        Some(PathBuf::from(paths["charm"].as_str()?))
    }

    fn mark(&self, unit: &str, name: &str) {
        let file = self.charm(unit).unwrap().join(name.replace('/', "_"));
        std::fs::write(file, "").unwrap();
    }

    fn eventually(&self, until: Until) {
        let holds = || match until {
            Until::Begun(unit, run) => self.charm(unit).is_some_and(|charm| {
                let name = format!("{unit} {run}").replace('/', "_");
                charm.join("begun").join(name).exists()
            }),
            Until::Ended(unit, hook) => self.has_run(unit, hook) > 0,
        };
        self.juju.wait_for(DEADLINE, |_| holds()).unwrap();
    }

    fn has_run(&self, unit: &str, hook: &str) -> usize {
        let (module, ran) = (format!("{unit}: "), format!("ran {hook:?} hook"));
        let log = self.juju.debug_log().unwrap();
        let lines = log
            .iter()
            .filter(|line| line.starts_with(&module) && line.contains(&ran));
        lines.count()
    }

    fn relation(&self) {
        self.juju.deploy_remote(REMOTE, None).unwrap();
        self.juju.integrate("probe:db", "remote").unwrap();
        self.settle();
        self.juju
            .set_databag("remote", Some(0), [("k", "v2")])
            .unwrap();
        self.settle();
        self.juju
            .set_databag("remote", None, [("appkey", "appval2")])
            .unwrap();
        self.settle();
        self.juju.remove_unit("remote/1").unwrap();
        self.settle();
        self.juju.fire("probe/0", "update-status").unwrap();
        self.juju
            .wait_for(DEADLINE, |status| {
                status.unit("probe/0").unwrap().workload.current == "error"
            })
            .unwrap();
        self.juju
            .wait_for_unit("probe/0", "active", DEADLINE)
            .unwrap();
        self.juju.fire("probe/1", "update-status").unwrap();
        self.settle();
    }

    fn act(&mut self, step: &str, unit: &str, action: &str, parameters: Value) {
        let parameters: Map<String, Value> = serde_json::from_value(parameters).unwrap();
        let task = self.juju.run(unit, action, parameters, DEADLINE).unwrap();
        self.answers.push(recording::of_task(step, &task));
        self.settle();
    }

    fn actions(&mut self, recording: &Recording) {
        for answer in recording.answers() {
            let step = answer["step"].as_str().unwrap();
            let words: Vec<_> = step.split(' ').collect();
            let parameters = if step.contains("who=alice") {
                json!({"who": "alice", "times": 2, "on": false, "nested": {"a": 1, "b": {"c": "d"}}, "list": [1, "two"]})
            } else {
                json!({})
            };
            self.act(step, words[1], words[2], parameters);
        }
    }

    fn pebble_cli(&self, words: &[&str]) {
        let socket = self.juju.pebble_socket("probe/0", "work").unwrap();
        let done = Command::new(pebble())
            .args(words)
            .env("PEBBLE_SOCKET", socket)
            .env("HOME", self.folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn wait_for_hook(&self, hook: &str, times: usize) {
        self.juju
            .wait_for(DEADLINE, |_| self.has_run("probe/0", hook) >= times)
            .unwrap();
        self.settle();
    }

    fn pebble_events(&self) {
        let volume = self.juju.storage_folder("probe/0", "data").unwrap();
        let mark = volume.join("mark");
        std::fs::write(&mark, "").unwrap();
        let layer = self.path("layer.yaml");
        std::fs::write(&layer, LAYER).unwrap();
        self.pebble_cli(&["add", "checks", layer.to_str().unwrap()]);
        self.pebble_cli(&["notify", "example.com/key", "one=1"]);
        self.wait_for_hook("work-pebble-custom-notice", 1);
        std::fs::remove_file(&mark).unwrap();
        self.wait_for_hook("work-pebble-check-failed", 1);
        std::fs::write(&mark, "").unwrap();
        self.wait_for_hook("work-pebble-check-recovered", 1);
        self.juju.restart_container("probe/0", "work").unwrap();
        self.wait_for_hook("work-pebble-ready", 2);
    }

    fn churn(&self) {
        self.juju.set_leader("probe/1").unwrap();
        self.settle();
        self.juju.set_leader("probe/0").unwrap();
        self.settle();
        // The recording's Pebbles stand outside of its pods: what was replaced there is the agent and its disk alone.
        self.juju.restart_agent("probe/0", true).unwrap();
        self.wait_for_hook("work-pebble-ready", 3);
        for unit in UNITS.iter().rev() {
            self.juju.restart_agent(unit, true).unwrap();
            self.settle();
        }
        self.wait_for_hook("work-pebble-ready", 4);
    }

    fn removal(&self) {
        self.juju.remove_relation("probe:db", "remote").unwrap();
        self.settle();
        for unit in UNITS.iter().rev() {
            self.juju.remove_unit(unit).unwrap();
            self.juju
                .wait_for(DEADLINE, |status| status.unit(unit).is_none())
                .unwrap();
            self.settle();
        }
    }

    /// What the probe charm logged of each run, oldest first.
    pub(crate) fn reports(&self) -> Vec<Value> {
        let mut begun: Map<String, Value> = Map::new();
        let mut reports = Vec::new();
        for line in self.juju.debug_log().unwrap() {
            let Some((head, piece)) = line.split_once("REPEATED ") else {
                continue;
            };
            let unit = head.split(": ").next().unwrap().to_owned();
            let (word, text) = piece.split_once(' ').unwrap();
            let whole = begun.entry(unit).or_insert_with(|| json!(""));
            *whole = json!(format!("{}{text}", whole.as_str().unwrap()));
            if word == "end" {
                reports.push(serde_json::from_str(whole.as_str().unwrap()).unwrap());
                *whole = json!("");
            }
        }
        reports
    }
}

fn pebble() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/pebble")
}
