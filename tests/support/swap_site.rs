//! A folder in the place of a data volume, and the programs that move data there, run by the host's Python.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "no test uses all of it, it runs programs of the host, and a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The restore's folder below the volume.
pub const FOLDER: &str = ".restore-restore-20261123-070501-00ff";
const RESTORE: &str = "restore-20261123-070501-00ff";
const MOVES: &str = include_str!("../../src/backup/scripts/moves.py");
const SWAP: &str = include_str!("../../src/backup/scripts/swap.py");
const SURVEY: &str = include_str!("../../src/backup/scripts/survey.py");
const SETTLE: &str = include_str!("../../src/backup/scripts/settle.py");

/// What is renamed: the live path below the volume, whether there is a new one, whether there is a live one.
const RENAMES: [(&str, bool, bool); 7] = [
    ("homeserver.db", true, true),
    ("homeserver.db-wal", false, true),
    ("homeserver.db-shm", false, false),
    ("a.example.signing.key", true, true),
    ("fresh.key", true, false),
    ("media_store/local_content", true, true),
    ("media_store/local_thumbnails", false, true),
];

/// A volume on which a backup is staged.
#[derive(Debug)]
pub struct Site {
    /// The folder in which the volume lies as `data`, so that it has the last name of the real one.
    folder: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (path, content) in [
            ("homeserver.db", "old database"),
            ("homeserver.db-wal", "old wal"),
            ("homeserver.yaml", "settings"),
            ("a.example.signing.key", "old key"),
            ("media_store/local_content/aa/bb/one", "old media"),
            ("media_store/local_thumbnails/aa/bb/one", "old thumbnail"),
            ("media_store/remote_content/cc", "remote"),
            (".synapse-charm/journal.json", "{}"),
        ] {
            site.write(path, content);
        }
        let new = format!("{FOLDER}/new{}", site.data());
        for (path, content) in [
            ("homeserver.db", "new database"),
            ("a.example.signing.key", "new key"),
            ("fresh.key", "fresh key"),
            ("media_store/local_content/aa/bb/two", "new media"),
        ] {
            site.write(&format!("{new}/{path}"), content);
        }
        site
    }

    pub fn data(&self) -> String {
        self.folder.path().join("data").to_str().unwrap().to_owned()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        Path::new(&self.data()).join(path)
    }

    pub fn write(&self, path: &str, content: &str) {
        // The live paths are full ones below the folders of a restore.
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Where a live path is put aside.
    pub fn in_old(&self, path: &str) -> String {
        format!("{FOLDER}/old{}/{path}", self.data())
    }

    pub fn order(&self, verb: &str) -> Value {
        let data = self.data();
        let folder = format!("{data}/{FOLDER}");
        let renames = RENAMES.map(|(live, staged, had_live)| {
            json!({"live": format!("{data}/{live}"), "staged": staged, "had_live": had_live})
        });
        json!({
            "verb": verb,
            "journal": format!("{data}/.synapse-charm/journal.json"),
            "folder": folder,
            "new": format!("{folder}/new"),
            "old": format!("{folder}/old"),
            "renames": renames,
        })
    }

    pub fn done(&self, verb: &str) {
        let output = self.run(SWAP, &self.order(verb), &[]);
        assert!(output.status.success(), "{}", words(&output));
    }

    /// Runs it and kills it before its rename of this number; lets it end where it has fewer.
    pub fn run_killed(&self, verb: &str, rename: usize) {
        let kill = format!("--inject=rename:signal=KILL:when={rename}");
        self.run(SWAP, &self.order(verb), &["-e", "trace=rename", &kill]);
    }

    pub fn refused(&self, _verb: &str, order: &Value) -> String {
        let output = self.run(SWAP, order, &[]);
        assert!(!output.status.success(), "{order}");
        let said = words(&output);
        assert!(said.starts_with("synapse-charm: "), "{said}");
        said
    }

    pub fn settle(&self, verb: &str) {
        let output = self.run(SETTLE, &self.settle_order(verb), &[]);
        assert!(output.status.success(), "{}", words(&output));
    }

    pub fn settle_refused(&self, verb: &str) -> String {
        let output = self.run(SETTLE, &self.settle_order(verb), &[]);
        assert!(!output.status.success());
        words(&output)
    }

    /// What is seen of the volume, and of these paths.
    pub fn survey(&self, media_store: &str, paths: &[&str]) -> Value {
        let output = self.run(SURVEY, &survey_order(media_store, paths), &[]);
        assert!(output.status.success(), "{}", words(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn survey_refused(&self, media_store: &str) -> String {
        let output = self.run(SURVEY, &survey_order(media_store, &[]), &[]);
        assert!(!output.status.success());
        words(&output)
    }

    /// Which schema the Synapse of an image's Python knows.
    pub fn schema_version(&self, python: &str) -> Value {
        let order = json!({
            "paths": [], "counted": [], "media_store": "/nowhere", "media": false, "versions": true,
        });
        let output = self.run_by(&[python], SURVEY, &order);
        assert!(output.status.success(), "{}", words(&output));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["survey"]["schema_version"].clone()
    }

    /// The record of what is put aside.
    pub fn record() -> Value {
        json!({"restore": RESTORE, "renames": [{"live": "/data/für", "staged": true, "had_live": true}]})
    }

    fn settle_order(&self, verb: &str) -> Value {
        let folder = format!("{}/{FOLDER}", self.data());
        json!({"verb": verb, "folder": folder, "record": Self::record()})
    }

    /// Runs it to its end and returns what it asked of the kernel.
    pub fn calls(&self, verb: &str) -> Calls {
        let log = self.folder.path().join("strace.log");
        let arguments = [
            "-y",
            "-e",
            "trace=rename,fsync,fdatasync",
            "-o",
            log.to_str().unwrap(),
        ];
        let output = self.run(SWAP, &self.order(verb), &arguments);
        assert!(output.status.success(), "{}", words(&output));
        Calls::parse(&fs::read_to_string(log).unwrap())
    }

    /// Whether something is at a path, or was before it was renamed: folders that are made for a rename are no sources.
    pub fn was_there(&self, path: &str) -> bool {
        path.starts_with(&self.data())
    }

    fn run(&self, program: &str, order: &Value, strace: &[&str]) -> Output {
        let strace = if strace.is_empty() {
            Vec::new()
        } else {
            [&["strace", "-qq", "-f"], strace].concat()
        };
        self.run_by(&[&strace[..], &["python3"]].concat(), program, order)
    }

    fn run_by(&self, python: &[&str], program: &str, order: &Value) -> Output {
        let child = Command::new(python[0])
            .args(&python[1..])
            .args(["-I", "-S", "-c", &format!("{MOVES}{program}"), &self.data()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(order.to_string().as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// Every file below the volume, by its path there, with its content.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let data = PathBuf::from(self.data());
        let mut files = BTreeMap::new();
        let mut waiting = vec![data.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(entry.path());
                } else {
                    let path = entry.path();
                    let name = path.strip_prefix(&data).unwrap().to_str().unwrap();
                    // Below a restore's folder lies the whole live path.
                    let name = name.replace(data.to_str().unwrap(), "/data");
                    let name = name.replace(&data.to_str().unwrap()[1..], "data");
                    files.insert(name, fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        files
    }
}

fn survey_order(media_store: &str, paths: &[&str]) -> Value {
    json!({
        "paths": paths, "counted": [], "media_store": media_store, "media": true, "versions": false, "database": null,
    })
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One thing that was asked of the kernel, and done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Sync(String),
    Rename(String, String),
}

/// What was asked of the kernel, in order.
#[derive(Debug)]
pub struct Calls(Vec<Call>);

impl Calls {
    fn parse(log: &str) -> Self {
        let calls = log
            .lines()
            .filter(|line| line.ends_with("= 0"))
            .filter_map(|line| {
                let quoted: Vec<&str> = line.split('"').collect();
                if line.contains("rename(") {
                    Some(Call::Rename(quoted[1].to_owned(), quoted[3].to_owned()))
                } else if line.contains("sync(") {
                    let path = line.split(['<', '>']).nth(1).unwrap();
                    Some(Call::Sync(path.to_owned()))
                } else {
                    None
                }
            });
        Self(calls.collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn renames(&self) -> Vec<(String, String)> {
        let pairs = self.0.iter().filter_map(|call| match call {
            Call::Rename(from, to) => Some((from.clone(), to.clone())),
            Call::Sync(_) => None,
        });
        pairs.collect()
    }

    pub fn sources(&self) -> Vec<String> {
        self.renames().into_iter().map(|(from, _)| from).collect()
    }

    pub fn first_rename(&self) -> usize {
        self.phases().0.start
    }

    /// The two runs of renames.
    pub fn phases(&self) -> (Range<usize>, Range<usize>) {
        let is_rename = |call: &Call| matches!(call, Call::Rename(..));
        let next = |from: usize, wanted: bool| {
            let found = self.0[from..]
                .iter()
                .position(|call| is_rename(call) == wanted);
            found.map_or(self.0.len(), |index| from + index)
        };
        let first = next(0, true);
        let first_end = next(first, false);
        let second = next(first_end, true);
        let second_end = next(second, false);
        assert_eq!(
            next(second_end, true),
            self.0.len(),
            "three runs: {self:#?}"
        );
        (first..first_end, second..second_end)
    }

    /// The folders whose names a run of renames changed.
    pub fn parents(&self, run: Range<usize>) -> BTreeSet<String> {
        let folder = |path: &str| path.rsplit_once('/').unwrap().0.to_owned();
        let renames = self.0[run].iter().filter_map(|call| match call {
            Call::Rename(from, to) => Some([folder(from), folder(to)]),
            Call::Sync(_) => None,
        });
        renames.flatten().collect()
    }

    pub fn synced_before(&self, path: &str, index: usize) -> bool {
        self.synced_between(path, 0, index)
    }

    pub fn synced_between(&self, path: &str, from: usize, to: usize) -> bool {
        self.0[from..to].contains(&Call::Sync(path.to_owned()))
    }
}

/// A Python in whose packages there is a Synapse of which this is the schema's source, and which cannot be imported unless
/// `whole`.
pub fn image_with_schema(folder: &Path, source: &str, whole: bool) -> String {
    let made = Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(folder)
        .status();
    assert!(made.unwrap().success());
    let found = fs::read_dir(folder.join("lib")).unwrap().next();
    let package = found.unwrap().unwrap().path().join("site-packages/synapse");
    let schema = package.join("storage/schema");
    fs::create_dir_all(&schema).unwrap();
    let init = if whole { "" } else { "raise ImportError\n" };
    fs::write(package.join("__init__.py"), init).unwrap();
    fs::write(schema.join("__init__.py"), source).unwrap();
    let python = folder.join("bin/python3");
    python.to_str().unwrap().to_owned()
}

/// What a program of this Python says.
pub fn said(python: &str, program: &str) -> String {
    let output = Command::new(python).args(["-c", program]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Lets a Pebble write a file; returns what it asked of the kernel.
pub fn pebble_that_writes(folder: &Path, path: &str) -> String {
    let log = folder.join("strace.log");
    let pebble = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin/pebble");
    let daemon = Command::new("strace")
        .args([
            "-qq",
            "-f",
            "-y",
            "-e",
            "trace=/^rename,fsync,fdatasync",
            "-o",
        ])
        .arg(&log)
        .arg(pebble)
        .args(["run", "--hold", "--create-dirs"])
        .env("PEBBLE", folder.join("pebble"))
        .stderr(Stdio::null())
        .spawn();
    let daemon = Traced(daemon.unwrap());
    let client = pebble_client::Client::new(folder.join("pebble/.pebble.socket"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while let Err(error) =
        runtime.block_on(client.write_file(pebble_client::WriteFile::new(path), b"{}"))
    {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(daemon);
    fs::read_to_string(log).unwrap()
}

/// Ends what strace runs, and so strace, which minds no signal of its own.
struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-s", "KILL", child]).status();
        }
        let _ = self.0.wait();
    }
}
