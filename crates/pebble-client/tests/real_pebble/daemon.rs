//! A Pebble daemon of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pebble_client::{Client, LayerMode};
use tempfile::TempDir;

const START_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until it is dropped.
pub(crate) struct Daemon {
    child: Child,
    /// What a daemon that was killed had started.
    orphans: Vec<u32>,
    pebble_dir: PathBuf,
    settings: Settings,
    /// For the test's own files.
    pub(crate) dir: TempDir,
    pub(crate) client: Client,
}

/// How a daemon is run.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Keeps its state over a restart.
    pub(crate) persist: bool,
    /// Arguments behind `pebble run --hold`.
    pub(crate) arguments: Vec<String>,
}

impl Daemon {
    /// Starts a daemon and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// As [`start`](Self::start), with a first layer.
    pub(crate) async fn with_layer(layer_yaml: &str) -> Self {
        let daemon = Self::start().await;
        let added = daemon.client.add_layer("test", layer_yaml, LayerMode::New);
        added.await.unwrap();
        daemon
    }

    /// Starts a daemon that also answers on TCP, and returns its address.
    pub(crate) async fn with_tcp() -> (Self, String) {
        // Somebody else may take the port before Pebble does: then Pebble ends, and another one is tried.
        for _ in 0..5 {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            drop(listener);
            let mut daemon = Self::spawn(Settings {
                arguments: vec![String::from("--http"), address.clone()],
                ..Settings::default()
            });
            let deadline = Instant::now() + START_DEADLINE;
            while Instant::now() < deadline && daemon.child.try_wait().unwrap().is_none() {
                if daemon.client.system_info().await.is_ok() {
                    return (daemon, address);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("Pebble finds no port")
    }

    /// As [`start`](Self::start), not as usual.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        let daemon = Self::spawn(settings);
        daemon.wait_until_up().await;
        daemon
    }

    fn spawn(settings: Settings) -> Self {
        let dir = tempfile::Builder::new().prefix("pebble").tempdir().unwrap();
        let pebble_dir = dir.path().join("pebble");
        std::fs::create_dir(&pebble_dir).unwrap();
        let client = Client::new(pebble_dir.join(".pebble.socket"));
        let child = run(&pebble_dir, &settings);
        Self {
            child,
            orphans: Vec::new(),
            pebble_dir,
            settings,
            dir,
            client,
        }
    }

    async fn wait_until_up(&self) {
        let deadline = Instant::now() + START_DEADLINE;
        while let Err(error) = self.client.system_info().await {
            assert!(
                Instant::now() < deadline,
                "Pebble does not come up: {error:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the daemon as the kernel would, without a chance to say anything.
    pub(crate) fn kill(&mut self) {
        self.orphans.extend(descendants(self.child.id()));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the daemon again after [`kill`](Self::kill).
    pub(crate) async fn start_again(&mut self) {
        self.child = run(&self.pebble_dir, &self.settings);
        self.wait_until_up().await;
    }

    /// Sends SIGTERM, as a container's runtime does first.
    pub(crate) fn ask_to_stop(&self) {
        send_signal("TERM", &self.child.id().to_string());
    }

    /// Makes the daemon stand still with all its connections open.
    pub(crate) fn freeze(&self) {
        send_signal("STOP", &self.child.id().to_string());
    }

    /// Returns the path of a file in the test's own directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.orphans.extend(descendants(self.child.id()));
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process_id in &self.orphans {
            send_signal("KILL", &process_id.to_string());
        }
    }
}

fn descendants(process_id: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{process_id}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
        {
            found.extend(descendants(child));
            found.push(child);
        }
    }
    found
}

/// Sends a signal to one process; that it is gone already is no error.
#[expect(clippy::disallowed_methods, reason = "a test's own process")]
pub(crate) fn send_signal(name: &str, process_id: &str) {
    assert!(
        process_id.parse::<u32>().is_ok_and(|id| id > 1),
        "{process_id:?} is no process"
    );
    let _ = Command::new("kill")
        .args(["-s", name, "--", process_id])
        .stderr(Stdio::null())
        .status();
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test")]
fn run(pebble_dir: &Path, settings: &Settings) -> Child {
    let pebble = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/pebble");
    assert!(
        pebble.exists(),
        "there is no {}: run scripts/set-up",
        pebble.display()
    );
    // The daemon ends with the test, also when the test is killed.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(&pebble)
        .args(["run", "--hold"])
        .args(&settings.arguments)
        .env("PEBBLE", pebble_dir)
        .env(
            "PEBBLE_PERSIST",
            if settings.persist { "" } else { "never" },
        )
        .env_remove("PEBBLE_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until `done` says so, at most ten seconds.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
