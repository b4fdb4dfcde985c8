//! A pod of Kubernetes on one machine: containers with a real Pebble each and the charm beside them, roots by bubblewrap, one
//! network for all of them.

mod bridge;
mod image;
mod network;
mod nursery;
mod pebble_daemon;
mod pebble_poll;
mod root;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

pub use bridge::{Forward, ForwardTarget};
pub(crate) use image::check_inside;
pub use image::{Bind, Image, User};
pub use nursery::spawn;
pub use pebble_poll::PebbleEvent;

use bridge::Bridge;
use network::{Network, program};
use pebble_daemon::{PebbleDaemon, Recipe};
use root::{Access, Root, make_folder};

/// Whether this process may make namespaces as it likes and have files of any owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// As root: containers have root inside, volumes are root's as on Kubernetes.
    Root,
    /// By user namespaces: containers have only their workload's user, 991, and all files are the caller's.
    Ordinary,
}

impl Privilege {
    /// What this process has.
    pub fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Root
        } else {
            Self::Ordinary
        }
    }
}

/// What a pod is made of.
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// The unit, `synapse/0`. Its host name inside is `synapse-0`.
    pub unit: String,
    /// The unit's folder on the host, absolute and short: sockets below it must stay under 108 bytes.
    pub dir: PathBuf,
    /// The Pebble program.
    pub pebble: PathBuf,
    /// The containers.
    pub containers: Vec<ContainerSpec>,
    /// Storage name -> folder of the host. Made if it is missing, kept when the pod goes.
    pub storages: BTreeMap<String, PathBuf>,
    /// Ports of the unit's loopback that lead to servers of the host.
    pub forwards: Vec<Forward>,
}

/// One workload container.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Its name in the charm's metadata.
    pub name: String,
    /// What is in it.
    pub image: Image,
    /// Storage name and where it is mounted.
    pub mounts: Vec<(String, PathBuf)>,
}

/// What a charm sees beside its root: each a path on the host and the path inside.
#[derive(Debug, Clone)]
pub struct CharmMounts {
    /// The charm directory, writable.
    pub charm: (PathBuf, PathBuf),
    /// The hook commands, read-only.
    pub tools: (PathBuf, PathBuf),
    /// The folder of the agent's socket, writable.
    pub agent: (PathBuf, PathBuf),
    /// More folders, writable, such as storages (`/var/lib/juju/storage/data/0`).
    pub more: Vec<(PathBuf, PathBuf)>,
    /// The working directory, a path inside.
    pub cwd: PathBuf,
}

/// A running pod. Dropping it kills all that it started.
#[derive(Debug)]
pub struct Pod {
    spec: PodSpec,
    privilege: Privilege,
    charm_root: Root,
    containers: BTreeMap<String, PebbleDaemon>,
    bridges: Vec<Bridge>,
    /// Ended when it is replaced or dropped.
    watch: Mutex<JoinSet<()>>,
    // Last: a network must outlive those who use it.
    network: Network,
}

impl Pod {
    /// Starts the network, the forwards and the containers; returns when every Pebble answers.
    ///
    /// # Errors
    /// When bubblewrap, nsenter, Pebble or something an image binds is missing, a path is too long for a socket, or a
    /// container does not come up within 30 s.
    pub async fn start(spec: PodSpec) -> anyhow::Result<Self> {
        Self::start_as(spec, Privilege::of_this_process()).await
    }

    /// As [`Pod::start`]; root may start a pod as an ordinary user would.
    ///
    /// # Errors
    /// As [`Pod::start`].
    pub async fn start_as(spec: PodSpec, privilege: Privilege) -> anyhow::Result<Self> {
        make_folder(&spec.dir, 0o755)?;
        for folder in spec.storages.values() {
            make_folder(folder, 0o755)?;
        }
        let network = Network::start(privilege).await?;
        let mut bridges = Vec::new();
        for forward in &spec.forwards {
            bridges.push(bridge::forward(&network.sockets(), forward.clone()).await?);
        }
        let charm_root = charm_root(&spec, privilege)?;
        let mut pod = Self {
            spec,
            privilege,
            charm_root,
            containers: BTreeMap::new(),
            bridges,
            watch: Mutex::default(),
            network,
        };
        pod.start_containers().await?;
        Ok(pod)
    }

    async fn start_containers(&mut self) -> anyhow::Result<()> {
        let mut starts = JoinSet::new();
        for container in &self.spec.containers {
            let name = container.name.clone();
            let recipe = self.recipe(container)?;
            recipe.forget()?;
            starts.spawn(async move { (name, PebbleDaemon::start(recipe).await) });
        }
        while let Some(started) = starts.join_next().await {
            let (name, daemon) = started?;
            self.containers.insert(name, daemon?);
        }
        Ok(())
    }

    fn recipe(&self, container: &ContainerSpec) -> anyhow::Result<Recipe> {
        let mut volumes = Vec::new();
        for (storage, location) in &container.mounts {
            let folder = self.spec.storages.get(storage).with_context(|| {
                format!(
                    "container {} mounts storage {storage}, which is not there",
                    container.name
                )
            })?;
            volumes.push((folder.clone(), location.clone()));
        }
        Ok(Recipe {
            container: container.clone(),
            folder: container_folder(&self.spec, &container.name),
            pebble: self.spec.pebble.clone(),
            volumes,
            hostname: hostname(&self.spec.unit),
            privilege: self.privilege,
            enter: self.network.enter()?,
        })
    }

    /// The command that runs `argv` as the charm would be run: in a root of its own that has `/charm/containers/<name>/pebble.socket`
    /// of every container, in the unit's network, with the host's process numbers and exactly the environment `env`.
    ///
    /// Start it by [`spawn`], so that it dies with this process and not with a thread of it. The child's pid is
    /// bubblewrap's; killing that kills the charm.
    ///
    /// # Errors
    /// When a mount is not there, or its path inside is not absolute.
    pub fn charm_command(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        mounts: &CharmMounts,
    ) -> anyhow::Result<Command> {
        let mut root = self.charm_root.clone();
        root.bind(&mounts.charm.0, &mounts.charm.1, Access::ReadWrite)?;
        root.bind(&mounts.tools.0, &mounts.tools.1, Access::ReadOnly)?;
        for (from, to) in std::iter::once(&mounts.agent).chain(&mounts.more) {
            root.bind(from, to, Access::ReadWrite)?;
        }
        let mut command = self.in_network(&[program("bwrap")?])?;
        command.args(root.charm_arguments(&hostname(&self.spec.unit), self.privilege));
        command.arg("--chdir").arg(&mounts.cwd);
        // bubblewrap sets PWD, which Juju does not.
        command
            .args(["--", "/usr/bin/env", "-u", "PWD", "--"])
            .args(argv);
        command.env_clear().envs(env).kill_on_drop(true);
        Ok(command)
    }

    /// The command that runs `argv`, a program of the host, in the unit's network.
    ///
    /// # Errors
    /// When nsenter is missing.
    pub fn in_network(&self, argv: &[impl AsRef<OsStr>]) -> anyhow::Result<Command> {
        let enter = self.network.enter()?;
        let (entry, arguments) = enter.split_first().context("no way into the network")?;
        let mut command = Command::new(entry);
        command.args(arguments).args(argv);
        Ok(command)
    }

    /// Leads a free port of the host's loopback, which is returned, to a port of the unit's loopback, until the pod goes.
    ///
    /// # Errors
    /// When the host has no free port.
    pub async fn expose(&mut self, port: u16) -> anyhow::Result<SocketAddr> {
        let (address, bridge) = bridge::expose(&self.network.sockets(), port).await?;
        self.bridges.push(bridge);
        Ok(address)
    }

    /// Where the host finds a container's Pebble.
    pub fn pebble_socket(&self, container: &str) -> PathBuf {
        socket_folder(&self.spec, container).join("pebble.socket")
    }

    /// The folder that is `/` in a container, without what is mounted over it; a fresh one each time the container starts.
    pub fn container_root(&self, container: &str) -> PathBuf {
        container_folder(&self.spec, container).join("root")
    }

    /// What happens in the containers from now on, as Juju's agent sees it: of each whatever its Pebble still remembers,
    /// then [`PebbleEvent::PebbleReady`], then what comes. A second call is what a restart of the agent is: all of it comes again,
    /// and the first receiver gets no more. Dropping the receiver ends the watch.
    pub fn watch_pebble(&self) -> UnboundedReceiver<PebbleEvent> {
        let (sender, receiver) = unbounded_channel();
        let mut watch = JoinSet::new();
        for container in &self.spec.containers {
            let socket = self.pebble_socket(&container.name);
            watch.spawn(pebble_poll::watch(
                container.name.clone(),
                socket,
                sender.clone(),
            ));
        }
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch;
        receiver
    }

    /// Ends every container as Kubernetes does: TERM, services stopped in order, KILL after 30 s. The network stays until
    /// the pod is dropped, for a charm that runs its last hooks.
    pub async fn stop(&mut self) {
        let mut stops = JoinSet::new();
        for daemon in self.containers.values() {
            stops.spawn(daemon.stop());
        }
        while stops.join_next().await.is_some() {}
        self.containers.clear();
    }

    /// Ends one container cleanly and starts it again from its image; only volumes keep what was written. Returns when its Pebble answers.
    ///
    /// # Errors
    /// When there is no such container or it does not come up within 30 s.
    pub async fn restart_container(&mut self, name: &str) -> anyhow::Result<()> {
        self.container(name)?.restart().await
    }

    /// Kills a container's Pebble, and with it all that runs there; returns when it is gone. After a second it comes back by itself, from its image.
    ///
    /// # Errors
    /// When there is no such container.
    pub async fn kill_container(&mut self, name: &str) -> anyhow::Result<()> {
        self.container(name)?.kill().await;
        Ok(())
    }

    /// Ends the pod and starts one of the same name in its place, as an upgrade or an eviction does: the charm's root, all
    /// containers and what their Pebbles remember are fresh, storages, network, forwards and exposed ports stay.
    ///
    /// # Errors
    /// As [`Pod::start`].
    pub async fn replace(&mut self) -> anyhow::Result<()> {
        self.stop().await;
        self.charm_root = charm_root(&self.spec, self.privilege)?;
        self.start_containers().await
    }

    fn container(&self, name: &str) -> anyhow::Result<&PebbleDaemon> {
        (self.containers.get(name))
            .with_context(|| format!("unit {} has no running container {name}", self.spec.unit))
    }
}

fn charm_root(spec: &PodSpec, privilege: Privilege) -> anyhow::Result<Root> {
    let folder = spec.dir.join("charm-root");
    let mut root = Root::fresh(&folder, &Image::default(), &hostname(&spec.unit), privilege)?;
    for container in &spec.containers {
        let sockets = socket_folder(spec, &container.name);
        make_folder(&sockets, 0o755)?;
        let inside = Path::new("/charm/containers").join(&container.name);
        root.bind(&sockets, &inside, Access::ReadWrite)?;
    }
    Ok(root)
}

fn container_folder(spec: &PodSpec, container: &str) -> PathBuf {
    spec.dir.join(container)
}

fn socket_folder(spec: &PodSpec, container: &str) -> PathBuf {
    container_folder(spec, container).join("socket")
}

fn hostname(unit: &str) -> String {
    unit.replace('/', "-")
}
