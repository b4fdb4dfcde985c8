//! Where a unit's charm runs: in its pod's root, or, if it has no containers, on this machine as it is.

use super::UnitRuntime;
use crate::pod::{CharmMounts, Pod};
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::process::Command;

#[derive(Debug)]
pub(crate) enum Host {
    /// No root of its own: the charm sees this machine.
    Bare,
    Pod {
        pod: Box<Pod>,
        storages: Vec<(PathBuf, PathBuf)>,
    },
}

/// Folders as the charm sees them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) charm: PathBuf,
    pub(crate) tools: PathBuf,
    pub(crate) agent: PathBuf,
}

impl Places {
    pub(crate) fn socket(&self) -> PathBuf {
        self.agent.join("agent.socket")
    }
}

impl Host {
    pub(crate) fn shares_root(&self) -> bool {
        matches!(self, Self::Bare)
    }

    pub(crate) fn pod(&mut self) -> Option<&mut Pod> {
        match self {
            Self::Bare => None,
            Self::Pod { pod, .. } => Some(pod),
        }
    }

    pub(crate) fn places(&self, unit: &UnitRuntime, tools: &Path) -> Places {
        match self {
            Self::Bare => Places {
                charm: unit.charm_folder(),
                tools: tools.to_owned(),
                agent: unit.agent_folder(),
            },
            Self::Pod { .. } => {
                let tag = unit.name.tag();
                let agent = Path::new("/var/lib/juju/agents").join(&tag);
                Places {
                    charm: agent.join("charm"),
                    tools: Path::new("/var/lib/juju/tools").join(&tag),
                    agent,
                }
            }
        }
    }

    /// A command that runs `argv` with exactly this environment.
    pub(crate) fn command(
        &self,
        argv: &[String],
        environment: &BTreeMap<String, String>,
        places: &Places,
        unit: &UnitRuntime,
        tools: &Path,
    ) -> Result<Command> {
        match self {
            Self::Bare => {
                let mut command = Command::new(argv.first().map_or("", String::as_str));
                command
                    .args(argv.iter().skip(1))
                    .env_clear()
                    .envs(environment)
                    .current_dir(&places.charm)
                    .kill_on_drop(true);
                Ok(command)
            }
            Self::Pod { pod, storages } => {
                let mounts = CharmMounts {
                    charm: (unit.charm_folder(), places.charm.clone()),
                    tools: (tools.to_owned(), places.tools.clone()),
                    agent: (unit.agent_folder(), places.agent.clone()),
                    more: storages.clone(),
                    cwd: places.charm.clone(),
                };
                pod.charm_command(argv, environment, &mounts)
            }
        }
    }
}
