//! The charm in a model of its own, on real Pebble and real Synapse.
//!
//! Include it by `#[path = "support/deployed.rs"] mod deployed;`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits between two looks"
)]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "no test uses all of it"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use juju_sim::pod::Forward;
use juju_sim::{AddModel, Deploy, Juju, TaskOutcome};
use serde_json::{Map, Value};

/// For whatever ends by itself, on a machine that builds something besides.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// The main unit.
pub const MAIN: &str = "synapse/0";

/// A model with the charm in it.
#[derive(Debug)]
pub struct Deployed {
    pub juju: Juju,
}

impl Deployed {
    /// Deploys the charm with these options.
    pub fn new(options: &[(&str, &str)]) -> Self {
        Self::with(options, |deploy| deploy)
    }

    /// Deploys the charm with these options, and with what `change` makes of the deployment.
    pub fn with(options: &[(&str, &str)], change: impl FnOnce(Deploy) -> Deploy) -> Self {
        let charm = Self::model(Vec::new());
        charm.deploy(options, change);
        charm
    }

    /// Makes an empty model whose units reach servers of this machine.
    pub fn model(forwards: Vec<Forward>) -> Self {
        let pebble = Some(root().join(".tools/bin/pebble"));
        let juju = Juju::add_model(AddModel {
            pebble,
            forwards,
            ..AddModel::default()
        });
        Self {
            juju: juju.unwrap(),
        }
    }

    /// Deploys the charm, once more or the first time.
    pub fn deploy(&self, options: &[(&str, &str)], change: impl FnOnce(Deploy) -> Deploy) {
        let mut deploy = Deploy::new(root().join("build/charm"))
            .resource("synapse-image", root().join("tests/images/ours.yaml"));
        for (name, value) in options {
            deploy = deploy.config(name, value);
        }
        self.juju.deploy(&change(deploy)).unwrap();
    }

    /// Waits until the unit says `word` with a message that holds `text`, and rests.
    pub fn wait(&self, unit: &str, word: &str, text: &str) {
        let shown = self.juju.wait_for(DEADLINE, |status| {
            status.unit(unit).is_some_and(|unit| {
                unit.workload.current == word
                    && unit.workload.message.contains(text)
                    && unit.agent.current == "idle"
            })
        });
        if let Err(error) = shown {
            panic!("{unit} did not say {word} {text:?}: {error}");
        }
    }

    /// Fires a hook on the main unit and waits until it has run.
    pub fn fire(&self, hook: &str) {
        let ran = |juju: &Juju| {
            let wanted = format!("ran \"{hook}\" hook");
            juju.debug_log()
                .unwrap()
                .iter()
                .filter(|line| line.contains(&wanted))
                .count()
        };
        let before = ran(&self.juju);
        self.juju.fire(MAIN, hook).unwrap();
        until(&format!("{hook} runs"), || ran(&self.juju) > before);
    }

    /// Whether the main unit has run a hook.
    pub fn has_run(&self, hook: &str) -> bool {
        let wanted = format!("ran \"{hook}\" hook");
        self.juju
            .debug_log()
            .unwrap()
            .iter()
            .any(|line| line.contains(&wanted))
    }

    /// Runs an action on a unit.
    pub fn run(&self, unit: &str, action: &str, parameters: &[(&str, Value)]) -> TaskOutcome {
        let parameters: Map<String, Value> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        self.juju.run(unit, action, parameters, DEADLINE).unwrap()
    }

    /// The volume of the main unit on this machine.
    pub fn volume(&self) -> PathBuf {
        self.juju.storage_folder(MAIN, "data").unwrap()
    }

    /// Asks the main unit's Synapse; returns the status and the answer.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let address = self.juju.expose(MAIN, 8008).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // The way through the pod may end a connection that is done without a word.
        let _ = stream.read_to_string(&mut answer);
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        let json = answer
            .find('{')
            .zip(answer.rfind('}'))
            .map(|(from, to)| &answer[from..=to]);
        (
            status,
            json.and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
        )
    }

    /// Whether the main unit's Synapse answers.
    pub fn answers(&self) -> bool {
        let Ok(address) = self.juju.expose(MAIN, 8008) else {
            return false;
        };
        TcpStream::connect(address).is_ok()
            && self.ask("GET", "/_matrix/client/versions", &Value::Null).0 == 200
    }

    /// Runs `ask` on the Pebble of the main unit.
    pub fn pebble<T, F>(&self, ask: impl FnOnce(pebble_client::Client) -> F) -> T
    where
        F: Future<Output = Result<T, pebble_client::Error>>,
    {
        let client = pebble_client::Client::new(self.juju.pebble_socket(MAIN, "synapse").unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(ask(client)).unwrap()
    }

    /// The service that runs Synapse; none when it is not in Pebble's plan.
    pub fn service(&self) -> Option<pebble_client::ServiceInfo> {
        let services = self.pebble(async |client| client.services(&[]).await);
        services
            .into_iter()
            .find(|service| service.name == "synapse")
    }
}

/// Waits until `done`, and fails with `what` when it takes too long.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of what is in a folder, sorted; none if there is no such folder.
pub fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
