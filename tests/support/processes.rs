//! The processes of a unit, as the host's /proc shows them, and its workload's Pebble.
//!
//! Include it by `#[path = "support/processes.rs"] mod processes;`, beside `deployment`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "no test uses all of it, it starts programs, and a test fails by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pebble_client::{Client, ServiceStatus};

use crate::deployment::{Deployment, UNIT, must, wait_until};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The words of its command, each ended by a NUL.
    pub command: String,
}

impl Process {
    pub fn is(&self, program: &str) -> bool {
        let first = self.command.split('\0').next().unwrap_or_default();
        match program {
            "aws" => self.command.contains("\0s3\0cp\0"),
            name => first.rsplit('/').next() == Some(name),
        }
    }

    /// Whether it belongs to a backup: not to Synapse, Pebble, their sandbox or the charm.
    pub fn is_ours(&self) -> bool {
        let environ = fs::read(self.folder().join("environ")).unwrap_or_default();
        let job = String::from_utf8_lossy(&environ).contains("JOB_DIR=/tmp/synapse-charm-");
        job || ["bash", "tar", "gpg", "aws", "zstd", "sleep"]
            .iter()
            .any(|name| self.is(name))
    }

    pub fn is_of_archive(&self, archive: &str) -> bool {
        let environ = fs::read(self.folder().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).contains(&format!("ARCHIVE={archive}\0"))
    }

    /// Returns whether it was still there.
    pub fn kill(&self) -> bool {
        let pid = self.pid.to_string();
        let killed = Command::new("kill").args(["-s", "KILL", &pid]).output();
        killed.is_ok_and(|output| output.status.success())
    }

    pub fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.pid))
    }
}

/// What runs in the network of one unit.
#[derive(Debug)]
pub struct Processes {
    network: PathBuf,
}

impl Processes {
    /// The network does not change for as long as the unit's pod lives.
    pub fn of_unit(deployment: &Deployment) -> Self {
        let words = ["readlink", "/proc/self/ns/net"];
        let (code, said, error) = must(deployment.juju.exec(UNIT, &words));
        assert_eq!(code, 0, "{error}");
        Self {
            network: said.trim().into(),
        }
    }

    /// All of them; zombies do not count.
    pub fn all(&self) -> Vec<Process> {
        every_process()
            .filter(|process| {
                fs::read_link(process.folder().join("ns/net"))
                    .is_ok_and(|network| network == self.network)
            })
            .collect()
    }

    /// Those of backups.
    pub fn ours(&self) -> Vec<Process> {
        let mut all = self.all();
        all.retain(Process::is_ours);
        all
    }

    /// A program of the media archive's pipeline, once it runs.
    pub fn wait_for(&self, program: &str) -> Process {
        let find = || {
            let mut all = self.ours().into_iter();
            all.find(|process| process.is(program) && process.is_of_archive("media"))
        };
        wait_until(
            || find().is_some(),
            || format!("no {program} among {:?}", self.all()),
        );
        find().unwrap()
    }

    /// Waits until nothing of a backup runs.
    pub fn wait_until_none_is_ours(&self, after: &str) {
        wait_until(
            || self.ours().is_empty(),
            || format!("a minute after {after} there still runs {:?}", self.ours()),
        );
    }
}

/// Every process of this machine; zombies do not count.
pub fn every_process() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).into_owned();
        (!command.is_empty()).then_some(Process { pid, command })
    })
}

/// Since when Synapse runs, as Pebble says; none where it does not run or Pebble is not up.
pub fn synapse_since(deployment: &Deployment) -> Option<String> {
    let client = Client::new(must(deployment.juju.pebble_socket(UNIT, "synapse")));
    let services = block_on(client.services(&["synapse"])).ok()?;
    let service = services.first()?;
    (service.current == ServiceStatus::Active).then(|| format!("{:?}", service.current_since))
}

/// Pebble's plan.
pub fn plan(deployment: &Deployment) -> String {
    let client = Client::new(must(deployment.juju.pebble_socket(UNIT, "synapse")));
    must(block_on(client.plan()))
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}
