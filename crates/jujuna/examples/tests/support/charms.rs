//! The example charms as Juju would unpack them, and a model to deploy them in.
//!
//! Include it by `#[path = "support/charms.rs"] mod charms;`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "no test uses all of it"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use juju_sim::{AddModel, Deploy, Juju, TaskOutcome};
use serde_json::{Map, Value};

/// For whatever ends by itself, on a machine that builds something besides.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A model, and a folder for charms.
pub struct Model {
    pub juju: Juju,
    folder: tempfile::TempDir,
}

impl Model {
    pub fn new() -> Self {
        let pebble = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.tools/bin/pebble");
        let juju = Juju::add_model(AddModel {
            pebble: Some(pebble),
            ..AddModel::default()
        });
        Self {
            juju: juju.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Deploys an example, whose program is `program`.
    pub fn deploy(&self, name: &str, program: &str, change: impl FnOnce(Deploy) -> Deploy) {
        let deploy = Deploy::new(self.charm(name, program));
        self.juju.deploy(&change(deploy)).unwrap();
    }

    /// Lays out what Juju reads, `dispatch`, and the program in `bin/`.
    fn charm(&self, name: &str, program: &str) -> PathBuf {
        let charm = self.folder.path().join(name);
        fs::create_dir_all(charm.join("bin")).unwrap();
        fs::copy(program, charm.join("bin").join(name)).unwrap();
        // What charmcraft adds as it packs; Juju's agent runs no action of a charm with `assumes` without it.
        let bases = "bases: [{name: ubuntu, channel: 24.04/stable, architectures: [amd64]}]\n";
        fs::write(charm.join("manifest.yaml"), bases).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        for entry in fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), charm.join(entry.file_name())).unwrap();
            }
        }
        charm
    }

    /// A file that describes an image with nothing but what this machine has.
    pub fn image(&self) -> PathBuf {
        let file = self.folder.path().join("image.yaml");
        fs::write(
            &file,
            "users: [{name: web, uid: 991, gid: 991, home: /home/web}]\n",
        )
        .unwrap();
        file
    }

    /// Waits until a unit says this, and rests.
    pub fn wait(&self, unit: &str, word: &str, message: &str) {
        let shown = self.juju.wait_for(DEADLINE, |status| {
            status.unit(unit).is_some_and(|unit| {
                unit.workload.current == word
                    && unit.workload.message == message
                    && unit.agent.current == "idle"
            })
        });
        shown.unwrap();
    }

    /// Waits until a hook of some unit ended well.
    pub fn wait_hook(&self, hook: &str) {
        let ran = format!("ran \"{hook}\" hook");
        let told = self.juju.wait_for(DEADLINE, |_| {
            let log = self.juju.debug_log().unwrap();
            log.iter().any(|line| line.contains(&ran))
        });
        told.unwrap();
    }

    pub fn run(&self, unit: &str, action: &str, parameters: &[(&str, Value)]) -> TaskOutcome {
        let parameters: Map<String, Value> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        self.juju.run(unit, action, parameters, DEADLINE).unwrap()
    }
}
