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
        let image = self.path("image.yaml");
        std::fs::write(&image, "users: []\n").unwrap();
        self.juju
            .deploy(&Deploy::new(&charm).resource("work-image", image))
            .unwrap();
        self.juju
            .wait_for(DEADLINE, |status| status.unit("probe/0").is_some())
            .unwrap();
        self.settle();
        self.juju.add_unit("probe", 1).unwrap();
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

    fn wait_for_hook(&self, unit: &str, hook: &str) {
        let module = format!("{unit}: ");
        let ran = format!("ran {hook:?} hook");
        self.juju
            .wait_for(DEADLINE, |_| {
                let log = self.juju.debug_log().unwrap();
                log.iter()
                    .any(|line| line.starts_with(&module) && line.contains(&ran))
            })
            .unwrap();
        self.settle();
    }

    fn pebble_events(&self) {
        let mark = self
            .juju
            .storage_folder("probe/0", "data")
            .unwrap()
            .join("mark");
        std::fs::write(&mark, "").unwrap();
        let layer = self.path("layer.yaml");
        std::fs::write(&layer, LAYER.replace("/data/mark", mark.to_str().unwrap())).unwrap();
        self.pebble_cli(&["notify", "example.com/key", "one=1"]);
        self.wait_for_hook("probe/0", "work-pebble-custom-notice");
        self.pebble_cli(&["add", "checks", layer.to_str().unwrap()]);
        self.pebble_cli(&["replan"]);
        // The container does not see the volume, so the check fails; a check that always succeeds takes its place.
        self.wait_for_hook("probe/0", "work-pebble-check-failed");
        let healthy = LAYER.replace("test -e /data/mark", "true");
        std::fs::write(&layer, healthy).unwrap();
        self.pebble_cli(&["add", "--combine", "checks", layer.to_str().unwrap()]);
        self.pebble_cli(&["replan"]);
        self.settle();
        self.juju.kill_container("probe/0", "work").unwrap();
        self.juju
            .wait_for(DEADLINE, |_| {
                let log = self.juju.debug_log().unwrap();
                let ready = |line: &&String| {
                    line.starts_with("probe/0: ") && line.contains("ran \"work-pebble-ready\" hook")
                };
                log.iter().filter(ready).count() >= 2
            })
            .unwrap();
        self.settle();
    }

    fn churn(&self) {
        self.juju.set_leader("probe/1").unwrap();
        self.settle();
        self.juju.set_leader("probe/0").unwrap();
        self.settle();
        self.juju.replace_pod("probe/0").unwrap();
        self.settle();
        self.juju.refresh("probe", None).unwrap();
        self.settle();
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
