use juju_sim::{AddModel, Deploy, Juju};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// A model, with `tiny/0` if deployed, and a folder for gates.
pub(crate) struct Fixture {
    pub(crate) juju: Juju,
    pub(crate) folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn empty() -> Self {
        Self {
            juju: Juju::add_model(AddModel::default()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn deployed() -> Self {
        let fixture = Self::empty();
        fixture.juju.deploy(&charm()).unwrap();
        fixture
            .juju
            .wait_for_unit("tiny/0", "active", DEADLINE)
            .unwrap();
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a message of `tiny/0`.
    pub(crate) fn wait_for_message(&self, message: &str) {
        self.juju
            .wait_for(DEADLINE, |status| {
                status
                    .unit("tiny/0")
                    .is_some_and(|unit| unit.workload.message == message)
            })
            .unwrap();
    }

    pub(crate) fn state(&self) -> serde_json::Value {
        self.juju.show_unit("tiny/0").unwrap()["state"].clone()
    }

    pub(crate) fn hooks_run(&self) -> Vec<String> {
        let log = self.juju.debug_log().unwrap();
        let ran = log
            .iter()
            .filter(|line| line.starts_with("tiny/0") && line.contains(" ran \""));
        ran.map(|line| line.split('"').nth(1).unwrap().to_owned())
            .collect()
    }
}

pub(crate) fn charm() -> Deploy {
    Deploy::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/charm"))
}
