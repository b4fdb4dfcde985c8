//! Pebble as process 1 of a container, kept running as kubelet keeps a container running.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::network::{child_pid, program};
use super::root::{Access, Root, make_folder, remove_folder};
use super::{ContainerSpec, Privilege, nursery, pebble_poll};

/// What Kubernetes gives a pod between TERM and KILL.
const GRACE: Duration = Duration::from_secs(30);
/// How long kubelet takes to bring back a container that ended.
const RESTART_DELAY: Duration = Duration::from_secs(1);
const START_DEADLINE: Duration = Duration::from_secs(30);
/// The kernel's limit of a unix socket's path, without the zero at its end.
const SOCKET_PATH_MAX_BYTES: usize = 107;
/// Where Juju puts the folder of the socket in a workload's container.
const SOCKET_FOLDER_INSIDE: &str = "/charm/container";
const PEBBLE_INSIDE: &str = "/charm/bin/pebble";
/// Where an image may bring layers of its own. Pebble takes them over once, into its state.
const LAYERS_INSIDE: &str = "/var/lib/pebble/default";
/// Where Juju has Pebble keep its state: beside the socket, on a volume that lives as long as the pod.
const STATE: &str = "pebble";

/// All that is needed to start a container again and again.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) container: ContainerSpec,
    /// The container's folder on the host: root, socket, log.
    pub(super) folder: PathBuf,
    pub(super) pebble: PathBuf,
    /// Storage folders of the host and where they are inside.
    pub(super) volumes: Vec<(PathBuf, PathBuf)>,
    pub(super) hostname: String,
    pub(super) privilege: Privilege,
    /// The command line that enters the unit's network.
    pub(super) enter: Vec<OsString>,
}

/// A container that is kept running until it is told to stop.
#[derive(Debug)]
pub(super) struct PebbleDaemon {
    orders: mpsc::Sender<(Order, oneshot::Sender<()>)>,
    keeper: JoinHandle<()>,
    socket: PathBuf,
    log: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// TERM, wait, KILL; stay down.
    Stop,
    /// TERM, wait, KILL; come back at once.
    Restart,
    /// KILL; come back as after any other death.
    Kill,
}

impl Drop for PebbleDaemon {
    fn drop(&mut self) {
        // With the task goes the child, which is killed.
        self.keeper.abort();
    }
}

impl Recipe {
    pub(super) fn socket_folder(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_folder().join("pebble.socket")
    }

    /// What Pebble remembers when its container starts anew, and a new pod does not have.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        remove_folder(&self.socket_folder().join(STATE))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("pebble.log")
    }

    async fn start(&self) -> anyhow::Result<Running> {
        let name = &self.container.name;
        let command = self
            .command()
            .with_context(|| format!("cannot prepare container {name}"))?;
        let (info, info_writer) = std::io::pipe().context("cannot make a pipe")?;
        let mut command = Command::from(command);
        // A pipe as standard input carries bubblewrap's information out; Pebble itself gets /dev/null.
        command.stdin(info_writer).kill_on_drop(true);
        let child = nursery::spawn(command).await?;
        let pid = child_pid(info).await.with_context(|| {
            format!("cannot start container {name}: {}", last_lines(&self.log()))
        })?;
        Ok(Running {
            child,
            pid: Pid::from_raw(pid).context("bubblewrap named no process")?,
        })
    }

    fn command(&self) -> anyhow::Result<std::process::Command> {
        let socket = self.socket_folder();
        // The folder itself stays: a charm that runs has it mounted.
        make_folder(&socket, 0o755)?;
        if self.socket().exists() {
            fs::remove_file(self.socket())?;
        }
        let Self {
            hostname,
            privilege,
            container,
            ..
        } = self;
        let mut root = Root::fresh(
            &self.folder.join("root"),
            &container.image,
            hostname,
            *privilege,
        )?;
        root.bind(&self.pebble, Path::new(PEBBLE_INSIDE), Access::ReadOnly)?;
        root.bind(&socket, Path::new(SOCKET_FOLDER_INSIDE), Access::ReadWrite)?;
        make_folder(&root.on_host(Path::new(LAYERS_INSIDE)), 0o755)?;
        for (from, to) in &self.volumes {
            make_folder(from, 0o755)?;
            root.bind(from, to, Access::ReadWrite)?;
        }
        let (entry, enter) = self
            .enter
            .split_first()
            .context("no way into the network")?;
        let mut command = std::process::Command::new(entry);
        command.args(enter).arg(program("bwrap")?);
        command.args(root.container_arguments(hostname, *privilege));
        command.args([
            "--info-fd",
            "0",
            "--as-pid-1",
            "--chdir",
            "/",
            "--",
            PEBBLE_INSIDE,
        ]);
        command.args(["run", "--create-dirs", "--hold", "--verbose"]);
        command.env_clear().envs(self.environment());
        let log = File::options().create(true).append(true).open(self.log())?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.container.image.environment.clone();
        (environment.entry("PATH".into())).or_insert_with(|| {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()
        });
        for (name, value) in [
            ("JUJU_CONTAINER_NAME", self.container.name.clone()),
            (
                "PEBBLE_SOCKET",
                format!("{SOCKET_FOLDER_INSIDE}/pebble.socket"),
            ),
            ("PEBBLE", format!("{SOCKET_FOLDER_INSIDE}/{STATE}")),
            ("PEBBLE_COPY_ONCE", LAYERS_INSIDE.into()),
        ] {
            environment.insert(name.into(), value);
        }
        environment
    }
}

struct Running {
    child: Child,
    /// Pebble, as seen from here; the child itself is bubblewrap.
    pid: Pid,
}

impl Running {
    async fn end(&mut self, signal: Signal) {
        // Once the child was seen to have ended, the number may be another process's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid, signal);
        }
        if timeout(GRACE, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // While bubblewrap sets up, the death of its outer process does not yet end the inner one.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl PebbleDaemon {
    /// Starts the container and returns when its Pebble answers.
    pub(super) async fn start(recipe: Recipe) -> anyhow::Result<Self> {
        let socket = recipe.socket();
        let length = socket.as_os_str().len();
        if length > SOCKET_PATH_MAX_BYTES {
            bail!(
                "the path of a unix socket may have {SOCKET_PATH_MAX_BYTES} bytes, {} has {length}: give the model a shorter data folder",
                socket.display()
            );
        }
        make_folder(&recipe.folder, 0o755)?;
        let log = recipe.log();
        let mut running = recipe.start().await?;
        tokio::select! {
            answers = wait_until_answers(&socket, &log) => answers?,
            _ = running.child.wait() => {
                bail!("container {} ended: {}", recipe.container.name, last_lines(&log))
            }
        }
        let (orders, inbox) = mpsc::channel(4);
        let keeper = tokio::spawn(keep(recipe, running, inbox));
        Ok(Self {
            orders,
            keeper,
            socket,
            log,
        })
    }

    /// Ends the container as Kubernetes does, services first, and keeps it down.
    pub(super) fn stop(&self) -> impl Future<Output = ()> + Send + use<> {
        self.order(Order::Stop)
    }

    /// Ends the container as Kubernetes does and starts a fresh one; returns when its Pebble answers.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        self.order(Order::Restart).await;
        wait_until_answers(&self.socket, &self.log).await
    }

    /// Kills Pebble and all it started; returns when it is gone. A fresh container comes by itself.
    pub(super) async fn kill(&self) {
        self.order(Order::Kill).await;
    }

    fn order(&self, order: Order) -> impl Future<Output = ()> + Send + use<> {
        let orders = self.orders.clone();
        async move {
            let (done, carried_out) = oneshot::channel();
            // A keeper that has ended has stopped its container: every order is carried out.
            if orders.send((order, done)).await.is_ok() {
                drop(carried_out.await);
            }
        }
    }
}

async fn wait_until_answers(socket: &Path, log: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        let Err(error) = pebble_poll::boot_id(socket).await else {
            return Ok(());
        };
        if Instant::now() > deadline {
            let problem = format!("Pebble does not answer: {}", last_lines(log));
            return Err(error.context(problem));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn keep(
    recipe: Recipe,
    mut running: Running,
    mut orders: mpsc::Receiver<(Order, oneshot::Sender<()>)>,
) {
    loop {
        let mut pause = RESTART_DELAY;
        let order = tokio::select! {
            _ = running.child.wait() => None,
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
        };
        if let Some((order, done)) = order {
            let signal = if order == Order::Kill {
                Signal::KILL
            } else {
                Signal::TERM
            };
            running.end(signal).await;
            if order == Order::Restart {
                pause = Duration::ZERO;
            }
            let _ = done.send(());
            if order == Order::Stop {
                return;
            }
        }
        running = loop {
            tokio::select! {
                () = sleep(pause) => {}
                order = orders.recv() => match order {
                    // There is nothing to end: only whether to stay down matters.
                    Some((Order::Stop, done)) => { let _ = done.send(()); return; }
                    Some((_, done)) => { let _ = done.send(()); }
                    None => return,
                },
            }
            match recipe.start().await {
                Ok(running) => break running,
                Err(error) => {
                    note(&recipe.log(), &format!("{error:#}"));
                    pause = RESTART_DELAY;
                }
            }
        };
    }
}

/// A restart that fails is tried again; why it failed is to be read beside Pebble's own words.
fn note(log: &Path, text: &str) {
    use std::io::Write as _;
    if let Ok(mut log) = File::options().append(true).open(log) {
        drop(writeln!(log, "{text}"));
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let shown = lines.len().saturating_sub(5);
    if lines.is_empty() {
        "it said nothing".into()
    } else {
        lines[shown..].join("; ")
    }
}
