//! A deployed charm for one test: an S3 server, a model, and Synapse in it, as an admin has them.
//!
//! Include it by `#[path = "support/deployment.rs"] mod deployment;`, beside `s3_server`.
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
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use juju_sim::pod::{Forward, ForwardTarget};
use juju_sim::{AddModel, Deploy, Juju, TaskOutcome};
use serde_json::{Map, Value, json};

use crate::s3_server::{Certificate, S3Server};

pub const UNIT: &str = "synapse/0";
pub const SERVER_NAME: &str = "a.example";
pub const BUCKET: &str = "backups";
pub const PASSPHRASE: &str = "geheimes-wort-4711";
/// Where a unit reaches the S3 server.
pub const ENDPOINT: &str = "http://127.0.0.1:8333";
pub const HTTPS_ENDPOINT: &str = "https://127.0.0.1:8334";
/// The user that owns Synapse's data.
pub const UID: u32 = 991;

/// How long anything may take on a machine that does something else besides.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// A model whose units reach an S3 server.
#[derive(Debug)]
pub struct Deployment {
    // First: its units use the server until they end.
    pub juju: Juju,
    pub server: S3Server,
    folder: tempfile::TempDir,
}

/// What `juju status` says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub workload: String,
    pub message: String,
}

impl Deployment {
    /// A model without applications; the server has the bucket.
    pub fn empty(server: S3Server) -> Self {
        server.create_bucket(BUCKET);
        let mut forwards = vec![Forward {
            listen: 8333,
            to: ForwardTarget::Unix(server.socket()),
        }];
        if !server.https_endpoint().is_empty() {
            forwards.push(Forward {
                listen: 8334,
                to: ForwardTarget::Tcp(server.https_address()),
            });
        }
        let juju = Juju::add_model(AddModel {
            pebble: Some(root().join(".tools/bin/pebble")),
            forwards,
            ..AddModel::default()
        });
        Self {
            juju: must(juju),
            server,
            folder: tempfile::Builder::new()
                .prefix("dp-")
                .tempdir_in("/tmp")
                .unwrap(),
        }
    }

    /// An active Synapse whose backups work, on one of the shipped images.
    pub fn with_backups(image: &str) -> Self {
        let deployment = Self::empty(S3Server::start());
        deployment.deploy("synapse", &shipped(image), &deployment.settings());
        deployment.wait_active(UNIT);
        deployment
    }

    /// The same, with an S3 server that speaks HTTPS too and may be unknown to everyone.
    pub fn with_https() -> Self {
        Self::empty(S3Server::start_with_https(Certificate::OwnAuthority))
    }

    /// Options with which backups work.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("s3_endpoint", ENDPOINT.to_owned()),
            ("s3_bucket", BUCKET.to_owned()),
            ("s3_access_key", self.server.access_key().to_owned()),
            ("s3_secret_key", self.server.secret_key().to_owned()),
            ("backup_passphrase", PASSPHRASE.to_owned()),
        ]
    }

    /// Begins to deploy the charm under a name, with `server_name` and these options.
    pub fn deploy(&self, application: &str, image: &Path, options: &[(&str, String)]) {
        let charm = root().join("build/charm");
        assert!(charm.is_dir(), "build/charm is missing: run make charm");
        let mut deploy = Deploy::new(charm)
            .application(application)
            .resource("synapse-image", image)
            .config("server_name", SERVER_NAME);
        for (name, value) in options {
            deploy = deploy.config(name, value);
        }
        must(self.juju.deploy(&deploy));
    }

    /// An image like a shipped one, with more lines; programs in `hidden` cannot be executed.
    pub fn image_without(&self, name: &str, hidden: &[&str]) -> PathBuf {
        let tools = root().join(".tools");
        let text = json!({
            "binds": [
                {"from": tools.join("synapse"), "to": "/opt/synapse"},
                {"from": tools.join("awscli"), "to": "/opt/awscli"},
            ],
            "environment": {"PATH": "/opt/synapse/bin:/opt/awscli/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"},
            "users": [{"name": "synapse", "uid": UID, "gid": UID, "home": "/home/synapse"}],
            "hide": hidden,
        });
        let file = self.folder.path().join(format!("{name}.yaml"));
        fs::write(&file, text.to_string()).unwrap();
        file
    }

    pub fn wait_active(&self, unit: &str) {
        must(self.juju.wait_for_unit(unit, "active", DEADLINE));
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

    /// Runs an action to its end, however it ends.
    pub fn run(&self, unit: &str, action: &str, parameters: Value) -> TaskOutcome {
        must(
            self.juju
                .run(unit, action, object(parameters), 2 * DEADLINE),
        )
    }

    /// Queues an action.
    pub fn begin(&self, action: &str) -> u32 {
        must(self.juju.enqueue(UNIT, action, Map::new()))
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

    /// Makes a backup that must succeed; returns its id.
    pub fn create_backup(&self) -> String {
        let outcome = self.done("create-backup", json!({}));
        assert_eq!(outcome.result("result"), Some("correct"), "{outcome:?}");
        outcome.result("backup-id").unwrap().to_owned()
    }

    /// What `list-backups` says of the state of each: (id, state), newest first.
    pub fn listed(&self) -> Vec<(String, String)> {
        let outcome = self.done("list-backups", json!({}));
        rows(outcome.result("formatted").unwrap())
    }

    /// The volume as the host sees it.
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

    /// Opens an archive with nothing but gpg, zstd and tar; returns where it was extracted.
    pub fn open_archive(&self, passphrase: &[u8], key: &str) -> PathBuf {
        let target = self.fresh_folder();
        let decompress = if key.contains(".zst") {
            "zstd -dc"
        } else {
            "cat"
        };
        let decrypted = self.decrypt(passphrase, key);
        let archive = target.with_extension("tar");
        fs::write(&archive, decrypted).unwrap();
        let script = format!("set -euo pipefail; {decompress} <\"$1\" | tar -x -C \"$2\"");
        command("bash", |bash| {
            bash.args(["-c", &script, "extract"])
                .arg(&archive)
                .arg(&target)
        });
        target
    }

    /// Decrypts an object with nothing but gpg.
    pub fn decrypt(&self, passphrase: &[u8], key: &str) -> Vec<u8> {
        let folder = self.fresh_folder();
        let content = self.server.object(BUCKET, key);
        let content = content.unwrap_or_else(|| panic!("there is no object {key}"));
        fs::write(folder.join("encrypted"), content).unwrap();
        fs::write(folder.join("passphrase"), passphrase).unwrap();
        command("bash", |bash| {
            bash.current_dir(&folder).args([
                "-euc",
                "chmod 700 .; gpg --homedir . --batch --quiet --pinentry-mode loopback --passphrase-file passphrase \
                 --output decrypted --decrypt encrypted; gpgconf --homedir . --kill all",
            ])
        });
        fs::read(folder.join("decrypted")).unwrap()
    }

    /// The name of the only object of a backup that begins so.
    pub fn object_of(&self, folder: &str, name: &str) -> String {
        let objects = self.server.objects(BUCKET, folder);
        let found = objects.iter().find(|object| {
            let (_, last) = object.key.rsplit_once('/').unwrap_or(("", &object.key));
            last.starts_with(name)
        });
        found
            .unwrap_or_else(|| panic!("no {name} among {objects:?}"))
            .key
            .clone()
    }

    fn fresh_folder(&self) -> PathBuf {
        let folder = tempfile::Builder::new().tempdir_in(self.folder.path());
        folder.unwrap().keep()
    }

    pub fn log(&self) -> String {
        must(self.juju.debug_log()).join("\n")
    }

    fn log_end(&self) -> String {
        let log = must(self.juju.debug_log());
        log[log.len().saturating_sub(30)..].join("\n")
    }
}

/// An image of the repository: `ours` or `upstream`.
pub fn shipped(image: &str) -> PathBuf {
    root().join(format!("tests/images/{image}.yaml"))
}

/// (id, state) of the rows of the table that `list-backups` prints.
pub fn rows(formatted: &str) -> Vec<(String, String)> {
    let rows = formatted.lines().skip(2).map(|line| {
        let mut fields = line.split('|').map(str::trim);
        let id = fields.next().unwrap().to_owned();
        (id, fields.next_back().unwrap().to_owned())
    });
    rows.collect()
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no set of parameters"),
    }
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
pub fn wait_until(done: impl Fn() -> bool, why: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_mins(1);
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
