//! Backups in the charm's format that no charm made: a genuine one with one thing wrong, as somebody makes it who can write
//! to the bucket, or who even has the passphrase. What can be wrong is in `tests/support/forge/`.
//!
//! Include it by `#[path = "support/forgery.rs"] mod forgery;`, beside `deployment` and `homeserver`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "no test uses all of it, it starts programs, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::json;

use crate::deployment::{BUCKET, Deployment, PASSPHRASE, UNIT, command, root};
use crate::homeserver::{Fingerprint, Homeserver};

/// A deployment with data in it, and forged backups beside a genuine one.
#[derive(Debug)]
pub struct Forgeries {
    pub deployment: Deployment,
    pub homeserver: Homeserver,
    /// The id of the backup with this wrong.
    pub ids: BTreeMap<String, String>,
    /// The genuine one.
    pub genuine: String,
    before: Untouched,
}

/// What no refused restore may change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Untouched {
    fingerprint: Fingerprint,
    files: BTreeMap<String, String>,
    synapse_since: Option<String>,
}

impl Forgeries {
    /// Makes a backup of a deployment with data, and one forged from it for each of these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let deployment = Deployment::with_backups("ours");
        let homeserver = Homeserver::fill(&deployment);
        let genuine = deployment.create_backup();
        let folder = tempfile::tempdir().unwrap();
        let (pieces, out) = (folder.path().join("genuine"), folder.path().join("out"));
        fs::create_dir(&pieces).unwrap();
        take_apart(&deployment, &genuine, &pieces);
        let printed = command("python3", |python| {
            let program = root().join("tests/support/forge");
            python.arg("-B").arg(program).arg(&pieces).arg(&out);
            python.args(names)
        });
        upload(&deployment, &out);
        let before = Untouched::now(&deployment);
        Self {
            deployment,
            homeserver,
            ids: serde_json::from_str(&printed).unwrap(),
            genuine,
            before,
        }
    }

    /// What is wrong with how an action refuses this backup; none where it names `words`.
    pub fn fault_of(&self, action: &str, name: &str, words: &str) -> Option<String> {
        let outcome = self
            .deployment
            .run(UNIT, action, json!({"backup-id": self.ids[name]}));
        let said = &outcome.message;
        let fault = if outcome.status != "failed" {
            format!("it is {}, not refused", outcome.status)
        } else if !said.to_lowercase().contains(&words.to_lowercase()) {
            format!("it does not say {words:?}")
        } else if !said.contains([';', ':']) {
            "it does not say what to do".to_owned()
        } else {
            return None;
        };
        Some(format!("{action}, {name}: {fault}. It said: {said}"))
    }

    /// What the refusal of this backup changed, or left behind.
    pub fn changes(&self, name: &str) -> Option<String> {
        let now = Untouched::now(&self.deployment);
        let mut found = self.before.fingerprint.differences(&now.fingerprint);
        for path in self.before.files.keys().chain(now.files.keys()) {
            let (before, after) = (self.before.files.get(path), now.files.get(path));
            if before != after {
                found.push(format!("{path} was {before:?} and is {after:?}"));
            }
        }
        if now.synapse_since != self.before.synapse_since {
            found.push(format!("Synapse runs since {:?}", now.synapse_since));
        }
        let tmp = self.deployment.container_root(UNIT).join("tmp");
        for entry in fs::read_dir(tmp).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("synapse-charm-") {
                found.push(format!("/tmp/{name} was left"));
            }
        }
        found.sort();
        found.dedup();
        (!found.is_empty()).then(|| format!("{name} changed {}", found.join("; ")))
    }
}

impl Untouched {
    fn now(deployment: &Deployment) -> Self {
        let mut files = BTreeMap::new();
        read_tree(&deployment.data(), &deployment.data(), &mut files);
        Self {
            fingerprint: Fingerprint::of(deployment),
            files,
            synapse_since: deployment.service().and_then(|service| {
                let since = service.current_since?;
                Some(since.to_string())
            }),
        }
    }
}

/// Everything on the volume: owner, mode, inode, time and content, but of the running database only the inode.
fn read_tree(folder: &Path, top: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path
            .strip_prefix(top)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mut told = format!("{} {:o} {}", facts.uid(), facts.mode(), facts.ino());
        if facts.is_dir() {
            read_tree(&path, top, files);
        } else if facts.is_file() && !name.starts_with("homeserver.db") {
            let content = fs::read(&path).unwrap_or_default();
            told = format!("{told} {} {}", facts.mtime(), digest(&content));
        }
        // They come and go with each connection to the database.
        if !matches!(name.as_str(), "homeserver.db-wal" | "homeserver.db-shm") {
            files.insert(name, told);
        }
    }
}

fn digest(content: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

fn take_apart(deployment: &Deployment, id: &str, folder: &Path) {
    let server = &deployment.server;
    let manifest = deployment.object_of(&format!("{id}/"), "manifest-");
    let manifest = server.object(BUCKET, &manifest).unwrap();
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    fs::write(folder.join("passphrase"), PASSPHRASE).unwrap();
    let media = deployment.decrypt(PASSPHRASE.as_bytes(), &format!("{id}/media.tar.gpg"));
    fs::write(folder.join("media.tar"), media).unwrap();
    let state = deployment.decrypt(PASSPHRASE.as_bytes(), &format!("{id}/state.tar.zst.gpg"));
    fs::write(folder.join("state.tar.zst"), state).unwrap();
    command("zstd", |zstd| {
        zstd.args(["-q", "-d", "state.tar.zst"]).current_dir(folder)
    });
}

/// By the client that the charm uses, with keys that may write.
fn upload(deployment: &Deployment, folder: &Path) {
    let mut aws = deployment.server.aws();
    aws.args(["s3", "cp", "--recursive", "--only-show-errors"]);
    aws.arg(folder).arg(format!("s3://{BUCKET}/"));
    let output = aws.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
