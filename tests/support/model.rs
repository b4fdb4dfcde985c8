//! A charm in a model of its own, on real Pebble and real Synapse.
//!
//! Include it by `#[path = "support/model.rs"] mod model;`. A test that needs an S3 server takes
//! `deployment` in its place, which has all of this too.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no test uses all of it, it starts programs, and a test fails by panicking"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use juju_sim::pod::Forward;
use juju_sim::{AddModel, Deploy, Juju, TaskOutcome};
use serde_json::{Map, Value};

/// The main unit.
pub const UNIT: &str = "synapse/0";
pub const SERVER_NAME: &str = "a.example";
/// The user that owns Synapse's data.
pub const UID: u32 = 991;

/// How long anything may take on a machine that does something else besides.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// A model with the charm in it.
#[derive(Debug)]
pub struct Model {
    pub juju: Juju,
}

/// What `juju status` says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub workload: String,
    pub message: String,
}

/// What Synapse answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 0 where there was none.
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, where it is JSON; else null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Model {
    /// A model without applications, whose units reach servers of this machine.
    pub fn empty(forwards: Vec<Forward>) -> Self {
        Self::empty_in(None, forwards)
    }

    /// The same in this folder, if any, whose path is short.
    pub fn empty_in(folder: Option<PathBuf>, forwards: Vec<Forward>) -> Self {
        let juju = Juju::add_model(AddModel {
            folder,
            pebble: Some(root().join(".tools/bin/pebble")),
            forwards,
            ..AddModel::default()
        });
        Self { juju: must(juju) }
    }

    /// One that has the charm with these options and no others.
    pub fn with_charm(options: &[(&str, &str)]) -> Self {
        let model = Self::empty(Vec::new());
        model.deploy_with(options, |deploy| deploy);
        model
    }

    /// Begins to deploy the charm with these options, and with what `change` makes of the deployment.
    pub fn deploy_with(
        &self,
        options: &[(impl AsRef<str>, impl AsRef<str>)],
        change: impl FnOnce(Deploy) -> Deploy,
    ) {
        let charm = root().join("build/charm");
        assert!(charm.is_dir(), "build/charm is missing: run make charm");
        let mut deploy = Deploy::new(charm).resource("synapse-image", shipped("ours"));
        for (name, value) in options {
            deploy = deploy.config(name.as_ref(), value.as_ref());
        }
        must(self.juju.deploy(&change(deploy)));
    }

    /// Begins to deploy the charm under a name, with `server_name` and these options.
    pub fn deploy(&self, application: &str, image: &Path, options: &[(&str, String)]) {
        self.deploy_with(options, |deploy| {
            let deploy = deploy.application(application);
            deploy
                .resource("synapse-image", image)
                .config("server_name", SERVER_NAME)
        });
    }

    pub fn wait_active(&self, unit: &str) {
        must(self.juju.wait_for_unit(unit, "active", DEADLINE));
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

    /// Waits until nothing is left to do; no unit may have a hook in error.
    pub fn settle(&self) {
        let status = must(self.juju.wait_until_idle(DEADLINE));
        for (name, unit) in status.units() {
            assert_ne!(
                unit.workload.current,
                "error",
                "{name}: {}\n{}",
                unit.workload.message,
                self.log_end()
            );
        }
    }

    /// Sets options and waits until the charm has seen them. An empty value unsets.
    pub fn configure<'a>(&self, options: impl IntoIterator<Item = (&'a str, &'a str)>) -> Shown {
        must(self.juju.config("synapse", options));
        self.settle();
        self.shown(UNIT)
    }

    pub fn shown(&self, unit: &str) -> Shown {
        let status = must(self.juju.status());
        let unit = status.unit(unit).unwrap();
        Shown {
            workload: unit.workload.current.clone(),
            message: unit.workload.message.clone(),
        }
    }

    /// Fires a hook on the main unit and waits until it has run.
    pub fn fire(&self, hook: &str) {
        let before = self.runs_of(hook);
        must(self.juju.fire(UNIT, hook));
        wait_until(|| self.runs_of(hook) > before, || format!("no {hook} runs"));
    }

    /// How often the units have run a hook.
    pub fn runs_of(&self, hook: &str) -> usize {
        let wanted = format!("ran \"{hook}\" hook");
        let log = must(self.juju.debug_log());
        log.iter().filter(|line| line.contains(&wanted)).count()
    }

    /// Runs an action to its end, however it ends.
    pub fn run(&self, unit: &str, action: &str, parameters: Value) -> TaskOutcome {
        must(
            self.juju
                .run(unit, action, object(parameters), 2 * DEADLINE),
        )
    }

    /// Queues an action on the main unit.
    pub fn begin(&self, action: &str) -> u32 {
        self.begin_with(action, Value::Object(Map::new()))
    }

    /// Queues an action on the main unit.
    pub fn begin_with(&self, action: &str, parameters: Value) -> u32 {
        must(self.juju.enqueue(UNIT, action, object(parameters)))
    }

    /// Waits for the end of a queued action.
    pub fn end(&self, task: u32) -> TaskOutcome {
        must(self.juju.wait_task(task, 2 * DEADLINE, |_| ()))
    }

    /// Runs an action that must succeed.
    pub fn done(&self, action: &str, parameters: Value) -> TaskOutcome {
        let outcome = self.run(UNIT, action, parameters);
        assert_eq!(
            outcome.status,
            "completed",
            "{action}: {}\n{}",
            outcome.message,
            self.log_end()
        );
        outcome
    }

    /// Runs an action that must be refused by the charm itself, and returns what it says.
    pub fn refused(&self, unit: &str, action: &str, parameters: Value) -> String {
        let outcome = self.run(unit, action, parameters);
        assert_eq!(outcome.status, "failed", "{action}: {outcome:?}");
        // As Juju words it when the charm did not exit with 0.
        assert!(!outcome.message.contains("exit status"), "{outcome:?}");
        assert_eq!(outcome.result("result"), None, "{outcome:?}");
        outcome.message
    }

    /// The volume of the main unit as the host sees it.
    pub fn data(&self) -> PathBuf {
        must(self.juju.storage_folder(UNIT, "data"))
    }

    /// The root of the workload container as the host sees it, without what is mounted there.
    pub fn container_root(&self, unit: &str) -> PathBuf {
        let paths = must(self.juju.paths(unit));
        paths["containers"]["synapse"]["root"]
            .as_str()
            .unwrap()
            .into()
    }

    /// Writes a file of the volume, owned by Synapse's user.
    pub fn write(&self, path: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let file = self.data().join(path);
        let missing: Vec<_> = (file.ancestors().skip(1))
            .take_while(|folder| !folder.exists())
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        missing.iter().chain([&file]).for_each(|path| own(path));
        file
    }

    /// Media that takes long enough for a backup to be met on its way, and no room.
    pub fn add_endless_media(&self) {
        let file = self.write("media_store/local_content/endless", b"");
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_len(20_000_000_000).unwrap();
    }

    pub fn remove_endless_media(&self) {
        fs::remove_file(self.data().join("media_store/local_content/endless")).unwrap();
    }

    /// Asks the main unit's Synapse, as the user of an access token, if there is one.
    pub fn http(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Answer {
        let asked = || -> std::io::Result<Answer> {
            let Ok(address) = self.juju.expose(UNIT, 8008) else {
                return Err(std::io::ErrorKind::NotConnected.into());
            };
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            let length = body.len();
            let authorization =
                token.map_or_else(String::new, |it| format!("Authorization: Bearer {it}\r\n"));
            // HTTP/1.0, so that the answer ends where the connection does, in one piece.
            let head = format!(
                "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{authorization}Content-Type: \
                 application/json\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)?;
            let mut answer = Vec::new();
            // The way through the pod may end a connection that is done without a word.
            let _ = stream.read_to_end(&mut answer);
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
            let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let head = String::from_utf8_lossy(&answer[..end]);
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            Ok(Answer {
                status: status.unwrap_or(0),
                body: answer.split_off(end + 4),
            })
        };
        asked().unwrap_or(Answer {
            status: 0,
            body: Vec::new(),
        })
    }

    /// Asks the main unit's Synapse; returns the status and the answer.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.http(method, path, None, body.as_bytes());
        (answer.status, answer.json())
    }

    /// Whether the main unit's Synapse answers.
    pub fn answers(&self) -> bool {
        self.ask("GET", "/_matrix/client/versions", &Value::Null).0 == 200
    }

    /// Runs `ask` on the Pebble of the main unit.
    pub fn pebble<T, F>(&self, ask: impl FnOnce(pebble_client::Client) -> F) -> T
    where
        F: Future<Output = Result<T, pebble_client::Error>>,
    {
        let socket = must(self.juju.pebble_socket(UNIT, "synapse"));
        let client = pebble_client::Client::new(socket);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        must(runtime.block_on(ask(client)))
    }

    /// The service that runs Synapse; none when it is not in Pebble's plan.
    pub fn service(&self) -> Option<pebble_client::ServiceInfo> {
        let services = self.pebble(async |client| client.services(&[]).await);
        services
            .into_iter()
            .find(|service| service.name == "synapse")
    }

    pub fn log(&self) -> String {
        must(self.juju.debug_log()).join("\n")
    }

    /// The last lines of the log.
    pub fn log_end(&self) -> String {
        let log = must(self.juju.debug_log());
        log[log.len().saturating_sub(30)..].join("\n")
    }
}

/// An image of the repository: `ours` or `upstream`.
pub fn shipped(image: &str) -> PathBuf {
    root().join(format!("tests/images/{image}.yaml"))
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no set of parameters"),
    }
}

/// The names of what is in a folder, sorted; none if there is no such folder.
pub fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Gives a file to Synapse's user, where files can have any owner.
pub fn own(path: &Path) {
    if is_root() {
        std::os::unix::fs::lchown(path, Some(UID), Some(UID)).unwrap();
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0)
}

/// Looks again and again until it is so.
#[track_caller]
pub fn wait_until(mut done: impl FnMut() -> bool, why: impl Fn() -> String) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{}", why());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program that must succeed; returns what it prints.
pub fn command(program: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> String {
    let mut command = Command::new(program);
    let output = change(&mut command).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}, {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
pub fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
