//! A folder of scripts that stand for hook commands.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jujuna::{Juju, ProcessHookTools};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hook-command.sh");

const COMMANDS: [&str; 38] = [
    "action-fail",
    "action-get",
    "action-log",
    "action-set",
    "application-version-set",
    "close-port",
    "config-get",
    "credential-get",
    "goal-state",
    "is-leader",
    "juju-log",
    "juju-reboot",
    "network-get",
    "open-port",
    "opened-ports",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-model-get",
    "relation-set",
    "resource-get",
    "secret-add",
    "secret-get",
    "secret-grant",
    "secret-ids",
    "secret-info-get",
    "secret-remove",
    "secret-revoke",
    "secret-set",
    "state-delete",
    "state-get",
    "state-set",
    "status-get",
    "status-set",
    "storage-add",
    "storage-get",
    "storage-list",
    "unit-get",
];

/// A folder of hook commands, and of notes on what they were given.
pub(crate) struct Wire {
    pub(crate) folder: TempDir,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in COMMANDS {
            symlink(SCRIPT, folder.path().join(name)).unwrap();
        }
        std::fs::create_dir(folder.path().join("notes")).unwrap();
        Self { folder }
    }

    pub(crate) fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    pub(crate) fn answering(self, stdout: &str) -> Self {
        std::fs::write(self.notes().join("stdout"), stdout).unwrap();
        self
    }

    pub(crate) fn refusing(self, exit_code: i32, stderr: &str) -> Self {
        std::fs::write(self.notes().join("exit-code"), exit_code.to_string()).unwrap();
        std::fs::write(self.notes().join("stderr"), stderr).unwrap();
        self
    }

    pub(crate) fn tools(&self) -> ProcessHookTools {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        ProcessHookTools::new()
            .with_variable("PATH", path)
            .with_variable("NOTES", self.notes().display().to_string())
            .with_variable("JUJU_CONTEXT_ID", "hello/0-start-17")
    }

    pub(crate) fn juju(&self) -> Juju {
        Juju::new(Box::new(self.tools()))
    }

    pub(crate) fn note(&self, name: &str) -> String {
        read(&self.notes().join(name))
    }

    /// Returns name and arguments of the last call.
    pub(crate) fn argv(&self) -> Vec<String> {
        let text = self.note("argv");
        text.split_terminator('\0').map(str::to_owned).collect()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
