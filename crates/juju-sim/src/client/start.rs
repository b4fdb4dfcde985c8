//! Starts and ends a model's controller.

use super::{Error, Juju, Result, absolute};
use crate::model::id;
use crate::pod::{Forward, ForwardTarget};
use crate::protocol::Request;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

const START_DEADLINE: Duration = Duration::from_secs(20);
/// A pod's containers have 30 s to end.
const END_DEADLINE: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(20);

/// What a new model is made with.
#[derive(Debug, Clone, Default)]
pub struct AddModel {
    /// The model's name; `test` if empty.
    pub name: String,
    /// Where it lives, made if missing; without it a short folder in the system's temporary one. Sockets below it need short paths.
    pub folder: Option<PathBuf>,
    /// The Pebble program; without it the one on PATH.
    pub pebble: Option<PathBuf>,
    /// Ports of every unit's loopback that lead to servers of this machine.
    pub forwards: Vec<Forward>,
    /// How often update-status fires by itself; without it only when asked.
    pub update_status: Option<Duration>,
    /// Let the model outlive this process and this value.
    pub detached: bool,
}

#[derive(Debug)]
pub(super) struct Owned {
    child: Child,
    remove_folder: bool,
}

impl Juju {
    /// Starts a controller with an empty model. Unless `detached`, it ends with the returned value, and with this process however that ends.
    ///
    /// # Errors
    /// When the programs `juju-sim` and `juju-sim-hook` are not beside this program (or its folder's parent), or the folder cannot be used.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write the value in place"
    )]
    pub fn add_model(add: AddModel) -> Result<Self> {
        let remove_folder = add.folder.is_none();
        let folder = new_folder(add.folder.clone())?;
        let log_file = folder.join("controller.log");
        let log = File::create(&log_file)
            .map_err(|error| Error::io(format!("cannot write {}", log_file.display()), error))?;
        let mut command = controller_command(&add, &folder)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        let child = spawn(command)
            .map_err(|error| Error::io("cannot start the controller".to_owned(), error))?;
        let mut owned = Owned {
            child,
            remove_folder,
        };
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Ok(mut juju) = Self::connect(&folder) {
                juju.controller = (!add.detached).then_some(owned);
                return Ok(juju);
            }
            let ended = owned.child.try_wait().ok().flatten().is_some();
            if ended || Instant::now() >= deadline {
                let _ = owned.child.kill();
                let _ = owned.child.wait();
                let log = std::fs::read_to_string(&log_file).unwrap_or_default();
                return Err(Error::refused(format!(
                    "the controller did not start: {}",
                    log.trim()
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends the model and everything it started.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn destroy_model(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let asked = self.tell(&Request::Destroy);
        let deadline = Instant::now() + END_DEADLINE;
        let Some(mut owned) = self.controller.take() else {
            while self.folder.join("controller.sock").exists() && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
            return asked;
        };
        while owned.child.try_wait().ok().flatten().is_none() {
            if Instant::now() >= deadline {
                let _ = owned.child.kill();
                let _ = owned.child.wait();
            }
            std::thread::sleep(LOOK);
        }
        if owned.remove_folder {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        asked
    }
}

impl Drop for Juju {
    fn drop(&mut self) {
        if self.controller.is_some() {
            let _ = self.end();
        }
    }
}

/// Makes the model's folder, or clears what a killed controller left in it.
fn new_folder(given: Option<PathBuf>) -> Result<PathBuf> {
    let folder =
        given.unwrap_or_else(|| std::env::temp_dir().join(format!("jsim-{}", id::hex::<4>())));
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&folder)
        .map_err(|error| Error::io(format!("cannot make {}", folder.display()), error))?;
    let folder = absolute(&folder)?;
    let socket = folder.join("controller.sock");
    if Juju::connect(&folder).is_ok() {
        return Err(Error::refused(format!(
            "a model already lives in {}",
            folder.display()
        )));
    }
    let _ = std::fs::remove_file(&socket);
    for left in ["tools", "u", "storage"] {
        let _ = std::fs::remove_dir_all(folder.join(left));
    }
    Ok(folder)
}

fn controller_command(add: &AddModel, folder: &Path) -> Result<Command> {
    let mut command = Command::new(program()?);
    let name = if add.name.is_empty() {
        "test"
    } else {
        &add.name
    };
    command
        .arg("controller")
        .arg("--data")
        .arg(folder)
        .arg("--model")
        .arg(name);
    if let Some(pebble) = add.pebble.clone().or_else(|| on_path("pebble")) {
        command.arg("--pebble").arg(absolute(&pebble)?);
    }
    for forward in &add.forwards {
        command.arg("--forward").arg(forward_text(forward));
    }
    if let Some(interval) = add.update_status {
        command
            .arg("--update-status")
            .arg(format!("{}ms", interval.as_millis()));
    }
    if !add.detached {
        command.arg("--die-with-parent");
    }
    Ok(command)
}

fn forward_text(forward: &Forward) -> String {
    match &forward.to {
        ForwardTarget::Tcp(address) => format!("{}={address}", forward.listen),
        ForwardTarget::Unix(path) => format!("{}={}", forward.listen, path.display()),
    }
}

/// `juju-sim`, which is built beside what uses it (tests are one folder further down).
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()
        .map_err(|error| Error::io("cannot find this program".to_owned(), error))?;
    let beside = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("juju-sim"));
    let found = beside
        .filter(|program| program.is_file())
        .find(|program| program.with_file_name("juju-sim-hook").is_file());
    found.ok_or_else(|| {
        Error::refused(format!(
            "juju-sim and juju-sim-hook are not beside {}: run cargo build -p juju-sim",
            own.display()
        ))
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

type Birth = (Command, mpsc::Sender<std::io::Result<Child>>);

/// A process that dies with its parent dies with the parent's thread: one thread that lives as long as this process starts them all.
fn spawn(command: Command) -> std::io::Result<Child> {
    static NURSERY: OnceLock<mpsc::Sender<Birth>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, births) = mpsc::channel::<Birth>();
        std::thread::spawn(move || {
            for (mut command, reply) in births {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let gone = || std::io::Error::other("the thread that starts processes has ended");
    let (reply, child) = mpsc::channel();
    nursery.send((command, reply)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
