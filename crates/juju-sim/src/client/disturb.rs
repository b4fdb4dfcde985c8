//! Verbs that Juju does not have: what tests do to a model.

use super::{Juju, Result, absolute, texts};
use crate::protocol::Request;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

impl Juju {
    /// Fires a hook that needs nothing else to be told (`update-status`, `config-changed`, ...).
    ///
    /// # Errors
    /// An unknown unit or hook.
    pub fn fire(&self, unit: &str, hook: &str) -> Result<()> {
        self.tell(&Request::Fire {
            unit: unit.to_owned(),
            hook: hook.to_owned(),
        })
    }

    /// Changes what a charmless application has written: its databag, or one of its units'. An empty value removes.
    ///
    /// # Errors
    /// An application that runs a charm, or none of that name.
    pub fn set_databag<'a>(
        &self,
        application: &str,
        unit: Option<u32>,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        self.tell(&Request::SetDatabag {
            application: application.to_owned(),
            unit,
            values: texts(values),
        })
    }

    /// Moves leadership.
    ///
    /// # Errors
    /// An unknown or dying unit.
    pub fn set_leader(&self, unit: &str) -> Result<()> {
        self.tell(&Request::SetLeader {
            unit: unit.to_owned(),
        })
    }

    /// Ends an error state: the failed hook runs again, or (`retry` false) counts as done.
    ///
    /// # Errors
    /// A unit that is in no error state.
    pub fn resolved(&self, unit: &str, retry: bool) -> Result<()> {
        self.tell(&Request::Resolved {
            unit: unit.to_owned(),
            retry,
        })
    }

    /// Takes the charm's files anew, from `charm` if given; the units' pods are replaced one after the other, the highest number first.
    ///
    /// # Errors
    /// A folder that is no charm.
    pub fn refresh(&self, application: &str, charm: Option<&Path>) -> Result<()> {
        let source = charm.map(absolute).transpose()?;
        self.tell(&Request::Refresh {
            application: application.to_owned(),
            source,
        })
    }

    /// Replaces a unit's pod: stop, then a fresh root and container with the volumes kept, then upgrade-charm, config-changed, start.
    ///
    /// # Errors
    /// An unknown unit.
    pub fn replace_pod(&self, unit: &str) -> Result<()> {
        self.tell(&Request::ReplacePod {
            unit: unit.to_owned(),
        })
    }

    /// Ends a unit's agent and starts it again, its containers untouched: stop, then start, and everything that Pebble remembers
    /// is told again. With `disk_lost` the charm's files are unpacked anew: stop, upgrade-charm, config-changed, start.
    ///
    /// # Errors
    /// An unknown unit.
    pub fn restart_agent(&self, unit: &str, disk_lost: bool) -> Result<()> {
        self.tell(&Request::RestartAgent {
            unit: unit.to_owned(),
            disk_lost,
        })
    }

    /// Kills the Pebble of a container with all that it runs; it comes back by itself.
    ///
    /// # Errors
    /// An unknown unit or container.
    pub fn kill_container(&self, unit: &str, container: &str) -> Result<()> {
        self.tell(&Request::KillContainer {
            unit: unit.to_owned(),
            container: container.to_owned(),
        })
    }

    /// Ends a container cleanly and starts it again.
    ///
    /// # Errors
    /// An unknown unit or container, or one that does not come up.
    pub fn restart_container(&self, unit: &str, container: &str) -> Result<()> {
        self.tell(&Request::RestartContainer {
            unit: unit.to_owned(),
            container: container.to_owned(),
        })
    }

    /// Kills the charm that runs in a unit now, by SIGKILL.
    ///
    /// # Errors
    /// When none runs.
    pub fn kill_charm(&self, unit: &str) -> Result<()> {
        self.tell(&Request::KillCharm {
            unit: unit.to_owned(),
        })
    }

    /// Begins to detach a unit's storage, by its name or id.
    ///
    /// # Errors
    /// An unknown unit or storage.
    pub fn detach_storage(&self, unit: &str, storage: &str) -> Result<()> {
        self.tell(&Request::DetachStorage {
            unit: unit.to_owned(),
            storage: storage.to_owned(),
        })
    }

    /// Gives a unit back storage that was detached from it, by its id.
    ///
    /// # Errors
    /// Storage that is not detached; a unit that had other storage mounted there.
    pub fn attach_storage(&self, unit: &str, storage: &str) -> Result<()> {
        self.tell(&Request::AttachStorage {
            unit: unit.to_owned(),
            storage: storage.to_owned(),
        })
    }

    /// Lets the time come to rotate a charm's secret, named by URI or label: `secret-rotate`.
    ///
    /// # Errors
    /// An unknown secret, or one that is never rotated.
    pub fn rotate_secret(&self, secret: &str) -> Result<()> {
        self.tell(&Request::SecretDue {
            secret: secret.to_owned(),
            expire: false,
        })
    }

    /// Lets the latest revision of a charm's secret, named by URI or label, expire: `secret-expired`.
    ///
    /// # Errors
    /// An unknown secret.
    pub fn expire_secret(&self, secret: &str) -> Result<()> {
        self.tell(&Request::SecretDue {
            secret: secret.to_owned(),
            expire: true,
        })
    }

    /// The Pebble program of the model's containers.
    ///
    /// # Errors
    /// When none was found as the model was made.
    pub fn pebble_program(&self) -> Result<PathBuf> {
        self.get(&Request::PebbleProgram)
    }

    /// An address on this machine's loopback that leads to a port of a unit.
    ///
    /// # Errors
    /// A unit without a pod.
    pub fn expose(&self, unit: &str, port: u16) -> Result<SocketAddr> {
        self.get(&Request::Expose {
            unit: unit.to_owned(),
            port,
        })
    }

    /// Where a unit's things are on this machine: `{charm, storage: {name: folder}, containers: {name: {pebble-socket, root}}}`.
    ///
    /// # Errors
    /// A unit without a pod.
    pub fn paths(&self, unit: &str) -> Result<Value> {
        self.ask(&Request::Paths {
            unit: unit.to_owned(),
        })
    }

    /// The folder on this machine of a unit's storage.
    ///
    /// # Errors
    /// A unit without a pod or without that storage.
    pub fn storage_folder(&self, unit: &str, storage: &str) -> Result<PathBuf> {
        let paths = self.paths(unit)?;
        paths["storage"][storage]
            .as_str()
            .map(PathBuf::from)
            .ok_or_else(|| {
                super::Error::refused(format!("unit {unit:?} has no storage {storage:?}"))
            })
    }

    /// The socket on this machine of a container's Pebble.
    ///
    /// # Errors
    /// A unit without a pod or without that container.
    pub fn pebble_socket(&self, unit: &str, container: &str) -> Result<PathBuf> {
        let paths = self.paths(unit)?;
        let socket = paths["containers"][container]["pebble-socket"].as_str();
        socket.map(PathBuf::from).ok_or_else(|| {
            super::Error::refused(format!("unit {unit:?} has no container {container:?}"))
        })
    }

    /// A unit's relations with all databags, its state and storage.
    ///
    /// # Errors
    /// An unknown unit.
    pub fn show_unit(&self, unit: &str) -> Result<Value> {
        self.ask(&Request::ShowUnit {
            unit: unit.to_owned(),
        })
    }
}
