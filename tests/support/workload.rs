//! A workload for tests of the backup: a container with a real Pebble and the image's real tools, its volume, an S3 server
//! that the container reaches at the same address as the test does, and a made-up Synapse volume.
//!
//! Include it by `#[path = "support/workload.rs"] mod workload;`, beside `s3_server`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "no test uses all of it, it looks at processes, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use juju_sim::pod::{ContainerSpec, Forward, ForwardTarget, Image, Pod, PodSpec};
use pebble_client::Client;
use synapse_charm::backup::catalog::{self, Catalog};
use synapse_charm::backup::create::CreateJob;
use synapse_charm::backup::workload_tools::{WorkloadTools, probe};
use synapse_charm::backup::{
    BackupError, BackupId, Passphrase, Progress, RawS3Parameters, Receipt, S3Client, S3Parameters,
    create_backup,
};

use crate::s3_server::S3Server;

pub const UID: u32 = 991;
pub const SERVER_NAME: &str = "a.example";
const DEADLINE: Duration = Duration::from_mins(1);

/// Which of the shipped images.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// aws v2 at /aws/dist/aws, no zstd.
    Upstream,
    /// aws v1 and zstd on PATH.
    Ours,
}

/// Lines of progress.
#[derive(Debug, Default)]
pub struct Lines(pub Vec<String>);

impl Progress for Lines {
    fn log(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

#[derive(Debug)]
pub struct Workload {
    pub pod: Pod,
    pub server: S3Server,
    pub container: Client,
    pub tools: WorkloadTools,
    folder: tempfile::TempDir,
    pub jobs: Jobs,
}

/// The backups that were begun, and their processes.
#[derive(Debug, Clone, Default)]
pub struct Jobs(Arc<Mutex<Vec<BackupId>>>);

impl Workload {
    /// Starts all of it; bucket `backups` exists.
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(S3Server::start(), kind, |_| {}).await
    }

    /// With an image that is changed.
    pub async fn start_with(server: S3Server, kind: Kind, change: impl FnOnce(&mut Image)) -> Self {
        let forwards = vec![forward(server.address())];
        Self::start_reaching(server, forwards, kind, change).await
    }

    /// With a server that speaks HTTPS too.
    pub async fn start_https(server: S3Server, kind: Kind) -> Self {
        let forwards = vec![forward(server.address()), forward(server.https_address())];
        Self::start_reaching(server, forwards, kind, |_| {}).await
    }

    async fn start_reaching(
        server: S3Server,
        forwards: Vec<Forward>,
        kind: Kind,
        change: impl FnOnce(&mut Image),
    ) -> Self {
        server.create_bucket("backups");
        let folder = tempfile::Builder::new()
            .prefix("bk-")
            .tempdir_in("/tmp")
            .unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = match kind {
            Kind::Upstream => "tests/images/upstream.yaml",
            Kind::Ours => "tests/images/ours.yaml",
        };
        let mut image = Image::load(&root.join(file)).unwrap();
        change(&mut image);
        let volume = folder.path().join("volume");
        let pod = Pod::start(PodSpec {
            unit: "synapse/0".to_owned(),
            dir: folder.path().join("unit"),
            pebble: root.join(".tools/bin/pebble"),
            containers: vec![ContainerSpec {
                name: "synapse".to_owned(),
                image,
                mounts: vec![("data".to_owned(), PathBuf::from("/data"))],
            }],
            storages: BTreeMap::from([("data".to_owned(), volume.clone())]),
            forwards,
        })
        .await
        .unwrap();
        let container = Client::new(pod.pebble_socket("synapse"));
        let tools = probe(&container).await.unwrap();
        let workload = Self {
            pod,
            server,
            container,
            tools,
            folder,
            jobs: Jobs::default(),
        };
        Self::own(&volume);
        workload
    }

    /// The volume as the host sees it.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// All that the container has and Pebble keeps, without the volume.
    pub fn unit_folder(&self) -> PathBuf {
        self.folder.path().join("unit")
    }

    /// Writes a file of the volume, owned by Synapse's user.
    pub fn write(&self, path: impl AsRef<OsStr>, content: &[u8]) {
        let file = self.data().join(Path::new(path.as_ref()));
        let missing: Vec<_> = (file.ancestors().skip(1))
            .take_while(|folder| !folder.exists())
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        for folder in &missing {
            Self::own(folder);
        }
        Self::own(&file);
    }

    /// A volume as Synapse makes it: database in WAL mode with rows of `database_bytes` in all, keys, settings.
    pub fn fill(&self, database_bytes: usize) {
        let program = "
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute('PRAGMA journal_mode=WAL')
database.execute('CREATE TABLE users (name TEXT PRIMARY KEY)')
database.executemany('INSERT INTO users VALUES (?)', [('@a:a.example',), ('@b:a.example',), ('@c:a.example',)])
database.execute('CREATE TABLE schema_version (version INTEGER)')
database.execute('INSERT INTO schema_version VALUES (92)')
database.execute('CREATE TABLE schema_compat_version (compat_version INTEGER)')
database.execute('INSERT INTO schema_compat_version VALUES (90)')
database.execute('CREATE TABLE events (json BLOB)')
for index in range(int(sys.argv[2]) // 100_000):
    database.execute('INSERT INTO events VALUES (?)', (os.urandom(50_000) + b'a' * 50_000,))
database.commit()
";
        let database = self.data().join("homeserver.db");
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(&database);
        run(command.arg(database_bytes.to_string()));
        Self::own(&database);
        for name in [
            "a.example.signing.key",
            "a.example.macaroon.key",
            "homeserver.yaml",
            "log.config",
        ] {
            self.write(name, format!("content of {name}\n").as_bytes());
        }
    }

    fn own(path: &Path) {
        if we_are_root() {
            std::os::unix::fs::lchown(path, Some(UID), Some(UID)).unwrap();
        }
    }

    /// S3 settings that work.
    pub fn raw(&self) -> RawS3Parameters {
        RawS3Parameters {
            access_key: Some(self.server.access_key().into()),
            secret_key: Some(self.server.secret_key().into()),
            bucket: Some("backups".to_owned()),
            endpoint: Some(self.server.endpoint().to_owned()),
            ..RawS3Parameters::default()
        }
    }

    pub fn parameters(&self) -> S3Parameters {
        S3Parameters::new(self.raw()).unwrap()
    }

    pub fn job(&self) -> CreateJob {
        CreateJob {
            server_name: SERVER_NAME.to_owned(),
            model_uuid: "11111111-2222-4333-8444-555555555555".to_owned(),
            application: "synapse".to_owned(),
            unit: "synapse/0".to_owned(),
            database_path: "/data/homeserver.db".to_owned(),
            media_store_path: "/data/media_store".to_owned(),
            extra_paths: Vec::new(),
            take_over: false,
            max_duration: Duration::from_mins(10),
            tools: self.tools.clone(),
        }
    }

    pub async fn create(&self, passphrase: &str) -> Result<Receipt, BackupError> {
        self.create_with(&self.parameters(), passphrase, &self.job())
            .await
    }

    /// A backup that can be made while the workload is meddled with.
    pub fn create_with(
        &self,
        parameters: &S3Parameters,
        passphrase: &str,
        job: &CreateJob,
    ) -> impl Future<Output = Result<Receipt, BackupError>> + use<> {
        let id = BackupId::generate();
        self.jobs.0.lock().unwrap().push(id.clone());
        let passphrase = Passphrase::new(&passphrase.into()).unwrap();
        let (container, parameters, job) =
            (self.container.clone(), parameters.clone(), job.clone());
        async move {
            let mut lines = Lines::default();
            create_backup(&container, &parameters, &id, &passphrase, &job, &mut lines).await
        }
    }

    pub async fn catalog(&self, parameters: &S3Parameters) -> Catalog {
        catalog::list(&S3Client::new(parameters).unwrap())
            .await
            .unwrap()
    }

    /// Decrypts one archive of the default path with nothing but aws, gpg, zstd and tar; returns where it was extracted.
    pub fn manual_recovery(&self, passphrase: &str, key: &str) -> PathBuf {
        let target = tempfile::Builder::new()
            .tempdir_in(self.folder.path())
            .unwrap()
            .keep();
        let decompress = if key.ends_with(".zst.gpg") {
            "zstd -dc"
        } else {
            "cat"
        };
        let script = format!(
            "set -euo pipefail; cd \"$1\"; mkdir -m 700 gnupg
             aws --endpoint-url \"$S3\" s3 cp --only-show-errors \"$2\" - \
             | gpg --homedir gnupg --batch --quiet --pinentry-mode loopback --passphrase-file passphrase --decrypt \
             | {decompress} | tar -x
             gpgconf --homedir gnupg --kill all"
        );
        fs::write(target.join("passphrase"), passphrase).unwrap();
        let aws = self.server.aws();
        let mut command = Command::new("bash");
        command
            .args(["-c", &script, "recover"])
            .arg(&target)
            .arg(format!("s3://backups/{key}"));
        command.envs(
            aws.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/awscli/bin");
        command
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .env("S3", self.server.endpoint());
        run(&mut command);
        target
    }

    /// Decrypts one object that is no archive.
    pub fn manual_recovery_of_file(&self, passphrase: &str, key: &str) -> Vec<u8> {
        let folder = tempfile::Builder::new()
            .prefix("g")
            .tempdir_in("/tmp")
            .unwrap();
        let encrypted = folder.path().join("encrypted");
        fs::write(&encrypted, self.server.object("backups", key).unwrap()).unwrap();
        let words = folder.path().join("passphrase");
        fs::write(&words, passphrase).unwrap();
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(folder.path()).args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        let output = command
            .arg("--passphrase-file")
            .arg(&words)
            .arg("--decrypt")
            .arg(&encrypted)
            .output()
            .unwrap();
        run(Command::new("gpgconf")
            .arg("--homedir")
            .arg(folder.path())
            .args(["--kill", "all"]));
        output.stdout
    }

    /// Nothing of a job is left: no process, no folder.
    pub fn assert_clean(&self, what: &str) {
        let clean = || {
            let tmp = self.pod.container_root("synapse").join("tmp");
            let mut left: Vec<PathBuf> = Vec::new();
            for (folder, prefix) in [(self.data(), ".backup-"), (tmp, "synapse-charm-")] {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                left.extend(
                    entries
                        .map(|entry| entry.path())
                        .filter(|path| name_begins(path, prefix)),
                );
            }
            left.extend(
                self.jobs
                    .processes()
                    .into_iter()
                    .map(|process| process.folder),
            );
            left
        };
        wait_until(
            || clean().is_empty(),
            || format!("{what} left {:?}", clean()),
        );
    }
}

impl Jobs {
    /// Processes of these jobs.
    pub fn processes(&self) -> Vec<Process> {
        let ids = self.0.lock().unwrap().clone();
        processes(|process| {
            let environ = process.environ();
            ids.iter()
                .any(|id| environ.contains(&format!("JOB_DIR=/tmp/synapse-charm-{id}")))
        })
    }

    /// A running program of the media archive, once it is there.
    pub fn process(&self, program: &str) -> Process {
        let mut found = None;
        wait_until(
            || {
                let all = self.processes();
                found = all.into_iter().find(|process| {
                    process.is(program) && process.environ().contains("ARCHIVE=media")
                });
                found.is_some()
            },
            || format!("there is no {program} among {:?}", self.processes()),
        );
        found.unwrap()
    }
}

fn we_are_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|facts| std::os::unix::fs::MetadataExt::uid(&facts) == 0)
}

fn name_begins(path: &Path, prefix: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_bytes().starts_with(prefix.as_bytes()))
}

fn forward(to: SocketAddr) -> Forward {
    Forward {
        listen: to.port(),
        to: ForwardTarget::Tcp(to),
    }
}

/// A process as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub folder: PathBuf,
    pub command: String,
}

impl Process {
    fn environ(&self) -> String {
        let environ = fs::read(self.folder.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).into_owned()
    }

    pub fn is(&self, program: &str) -> bool {
        let mut words = self.command.split('\0');
        let first = words.next().unwrap_or_default();
        match program {
            "aws" => self.command.contains("\0s3\0cp\0"),
            "relay" => self.command.contains("Stands between gpg and aws"),
            "snapshot" => self.command.contains("Copies the running server"),
            name => first.rsplit('/').next() == Some(name),
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self
            .folder
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let _ = Command::new("kill").args(["-s", name, &pid]).status();
    }

    pub fn owner(&self) -> Option<u32> {
        fs::metadata(&self.folder)
            .ok()
            .map(|facts| std::os::unix::fs::MetadataExt::uid(&facts))
    }
}

/// Running processes that fit; zombies do not count.
pub fn processes(fits: impl Fn(&Process) -> bool) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let folder = entry.path();
            let command = fs::read(folder.join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).into_owned();
            (!command.is_empty()).then_some(Process { folder, command })
        })
        .filter(fits)
        .collect()
}

#[track_caller]
pub fn wait_until(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() <= deadline, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

pub fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(content);
    let digits: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
