//! A volume, archives made by hand, and the program that extracts them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub(crate) const ID: &str = "backup-20261123-070501-00ff";
const EXTRACT: &str = concat!(
    include_str!("../../src/backup/scripts/inner.py"),
    include_str!("../../src/backup/scripts/tar_reader.py"),
    include_str!("../../src/backup/scripts/extract.py"),
    r#"
if json.loads(os.environ["PLAN"]).get("tell_memory"):
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    say(peak_bytes=int(peak.split()[1]) * 1024)
"#
);
pub(crate) const MEDIA: &str = "data/media_store/local_content";

/// A member of an archive made by hand.
pub(crate) fn member(name: impl AsRef<[u8]>, kind: u8, mode: u32, content: &[u8]) -> Vec<u8> {
    header(name.as_ref(), kind, mode, content.len(), b"/etc/passwd")
        .into_iter()
        .chain(content.iter().copied())
        .chain(vec![0; content.len().wrapping_neg() % 512])
        .collect()
}

pub(crate) fn header(name: &[u8], kind: u8, mode: u32, size: usize, link: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
    put(0, name);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"14000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    if b"12".contains(&kind) {
        put(157, link);
    }
    put(257, b"ustar  \0");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

pub(crate) fn folder(name: &str) -> Vec<u8> {
    member(name, b'5', 0o755, b"")
}

pub(crate) fn file(name: impl AsRef<[u8]>, content: &[u8]) -> Vec<u8> {
    member(name, b'0', 0o644, content)
}

/// Folders of a test: `data` is the volume, `data/new` the staging, all else must stay as it is.
pub(crate) struct Volume(tempfile::TempDir);

impl Volume {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/new")).unwrap();
        fs::write(folder.path().join("data/homeserver.db"), b"live").unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The path below `/` of something in this volume, as archives have it.
    pub(crate) fn inside(&self, path: &str) -> String {
        let path = self.path(path).into_os_string().into_string().unwrap();
        path.trim_start_matches('/').to_owned()
    }

    pub(crate) fn staged(&self, path: &str) -> PathBuf {
        self.path("data/new").join(self.inside(path))
    }

    pub(crate) fn manifest(&self, change: &Value) -> Value {
        let mut manifest = json!({
            "format": 1, "id": ID, "archive": "media", "server_name": "a.example", "engine": "sqlite",
            "entries": 10, "bytes": 1000, "media_paths": [self.path("data/templates"), self.path(MEDIA)],
        });
        let fields = change.as_object().unwrap().clone();
        manifest.as_object_mut().unwrap().extend(fields);
        manifest
    }

    /// A media archive of ours around some members.
    pub(crate) fn archive(&self, change: &Value, members: &[Vec<u8>]) -> Vec<u8> {
        let manifest = self.manifest(change);
        let end = json!({"format": 1, "id": ID, "archive": manifest["archive"], "end": true});
        let mut archive = file(
            ".synapse-backup/manifest.json",
            manifest.to_string().as_bytes(),
        );
        archive.extend(members.concat());
        archive.extend(file(".synapse-backup/end.json", end.to_string().as_bytes()));
        archive.extend([0; 1024]);
        archive
    }

    pub(crate) fn extract(&self, archive: &[u8], change: &Value) -> Output {
        self.extract_by(Command::new("python3"), archive, change)
    }

    /// Extracts to an empty volume of this size, which is gone afterwards.
    pub(crate) fn extract_to_small(&self, bytes: u64, archive: &[u8], change: &Value) -> Output {
        let mut bwrap = Command::new("bwrap");
        bwrap.args(["--dev-bind", "/", "/", "--die-with-parent", "--size"]);
        bwrap.arg(bytes.to_string());
        bwrap.arg("--tmpfs").arg(self.path("data"));
        bwrap.arg("--dir").arg(self.path("data/new")).arg("python3");
        self.extract_by(bwrap, archive, change)
    }

    fn extract_by(&self, mut command: Command, archive: &[u8], change: &Value) -> Output {
        let mut plan = json!({
            "staging": self.path("data/new"), "folder": self.path("data"), "reserve_bytes": 0, "archive": "media",
            "write": ["database", "key", "media", "extra"], "database": self.path("data/homeserver.db"),
            "media_store": self.path("data/media_store"), "format": 1, "id": ID, "server_name": "a.example",
            "engine": "sqlite",
        });
        let fields = change.as_object().unwrap().clone();
        plan.as_object_mut().unwrap().extend(fields);
        command
            .args(["-I", "-S", "-c", EXTRACT])
            .env("PLAN", plan.to_string());
        let mut running = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that refuses does not read on.
        let _ = running.stdin.take().unwrap().write_all(archive);
        running.wait_with_output().unwrap()
    }

    /// Everything but the staging: type, mode, content.
    pub(crate) fn around(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut pending = vec![self.0.path().to_owned()];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let facts = fs::symlink_metadata(&path).unwrap();
                if facts.is_dir() && path != self.path("data/new") {
                    pending.push(path.clone());
                }
                let content = facts.is_file().then(|| fs::read(&path).unwrap());
                found.insert(path, format!("{:o} {content:?}", facts.mode()));
            }
        }
        found
    }

    #[track_caller]
    pub(crate) fn assert_refused(&self, archive: &[u8], plan: &Value, words: &str) {
        self.assert_ends_with(65, archive, plan, words);
    }

    /// It ends with the status, says the words, and has left nothing.
    #[track_caller]
    pub(crate) fn assert_ends_with(&self, status: i32, archive: &[u8], plan: &Value, words: &str) {
        let before = self.around();
        let output = self.extract(archive, plan);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words}: {said}");
        assert!(said.contains(words), "{words}: {said}");
        assert_eq!(self.around(), before, "{words}");
    }
}

#[track_caller]
pub(crate) fn assert_good(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
