//! The unit agent: decides what runs next, runs the charm, serves its hook commands.

mod environment;
pub(crate) mod hook;
pub(crate) mod host;
mod process;
pub(crate) mod record;
pub(crate) mod resolver;
mod run;
mod server;

pub(crate) use run::{command, live};

use crate::context::HookContext;
use crate::model::name::UnitName;
use host::Host;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What runs for a unit on this machine.
#[derive(Debug)]
pub(crate) struct UnitRuntime {
    pub(crate) name: UnitName,
    /// The unit's folder.
    pub(crate) folder: PathBuf,
    pub(crate) host: tokio::sync::Mutex<Host>,
    /// One hook or action at a time; an operator's command waits too.
    turn: tokio::sync::Mutex<()>,
    running: Arc<Mutex<Option<HookContext>>>,
    charm_process: Mutex<Option<u32>>,
}

impl UnitRuntime {
    pub(crate) fn new(name: UnitName, folder: PathBuf, host: Host) -> Self {
        Self {
            name,
            folder,
            host: tokio::sync::Mutex::new(host),
            turn: tokio::sync::Mutex::new(()),
            running: Arc::new(Mutex::new(None)),
            charm_process: Mutex::new(None),
        }
    }

    /// The folder that is the agent's own inside the charm's root.
    pub(crate) fn agent_folder(&self) -> PathBuf {
        self.folder.join("agent")
    }

    pub(crate) fn charm_folder(&self) -> PathBuf {
        self.agent_folder().join("charm")
    }
}
