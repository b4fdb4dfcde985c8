//! Downloads that cannot go on: the S3 server is lost, or the volume runs full. It is said why and what to do, nothing live is
//! touched, nothing is left, and the backup is not blamed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_gate.rs"]
mod s3_gate;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deployment::{BUCKET, DEADLINE, Deployment, UNIT, command, names_in, shipped, wait_until};
use homeserver::{Fingerprint, Homeserver};
use processes::{Processes, synapse_since};
use s3_gate::S3Gate;
use s3_server::S3Server;
use serde_json::json;

const MEDIA: &str = "media_store/local_content/zz/zz/big";
const ARCHIVE: &str = "/media.tar.gpg";
const VOLUME_BYTES: u64 = 160_000_000;
/// The program that writes looks at the free space as soon as it goes on after a second.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1500);

/// A server with data and a backup, reached by a gate.
struct Site {
    deployment: Deployment,
    gate: S3Gate,
    processes: Processes,
    homeserver: Homeserver,
    backup_id: String,
    before: Before,
}

/// What no action that fails may change.
struct Before {
    fingerprint: Fingerprint,
    names: Vec<String>,
    synapse_since: Option<String>,
}

impl Site {
    fn new(folder: Option<PathBuf>) -> Self {
        let server = S3Server::start();
        let gate = S3Gate::before(server.address());
        let deployment = Deployment::behind(server, gate.address(), folder);
        deployment.deploy("synapse", &shipped("ours"), &deployment.settings());
        deployment.wait_active(UNIT);
        let homeserver = Homeserver::fill(&deployment);
        // Aws asks for larger objects in two parts at once.
        deployment.write(MEDIA, &vec![7; 5_000_000]);
        let backup_id = deployment.create_backup();
        let before = Before {
            fingerprint: Fingerprint::of(&deployment),
            names: names_on(&deployment),
            synapse_since: synapse_since(&deployment),
        };
        assert!(before.synapse_since.is_some());
        Self {
            processes: Processes::of_unit(&deployment),
            deployment,
            gate,
            homeserver,
            backup_id,
            before,
        }
    }

    /// Runs an action whose download is held midway, until `disturb` has been; returns what it says when it fails.
    fn disturbed(&self, action: &str, disturb: impl FnOnce()) -> String {
        self.gate.hold_after(ARCHIVE, 2_000_000);
        let task = self
            .deployment
            .begin_with(action, json!({"backup-id": self.backup_id}));
        self.gate.wait_until_held(DEADLINE);
        disturb();
        let outcome = self.deployment.end(task);
        self.gate.open();
        assert_eq!(outcome.status, "failed", "{action}: {outcome:?}");
        outcome.message
    }

    fn assert_untouched(&self, after: &str) {
        let deployment = &self.deployment;
        self.processes.wait_until_none_is_ours(after);
        Fingerprint::of(deployment).assert_is(&self.before.fingerprint, after);
        assert_eq!(names_on(deployment), self.before.names, "{after}");
        let tmp = names_in(&deployment.container_root(UNIT).join("tmp"));
        let left = tmp.iter().any(|name| name.starts_with("synapse-charm-"));
        assert!(!left, "{after} left {tmp:?}");
        assert_eq!(
            synapse_since(deployment),
            self.before.synapse_since,
            "{after}"
        );
        self.homeserver.assert_told_by(deployment);
        let records = deployment.server.objects(BUCKET, "").into_iter();
        let records = records.filter(|object| object.key.contains("/verified-"));
        assert_eq!(records.count(), 0, "{after} is recorded");
    }

    fn assert_good(&self) {
        let this = json!({"backup-id": self.backup_id});
        self.deployment.done("verify-backup", this);
    }
}

/// What lies on the volume, but for the database's logs, which come and go.
fn names_on(deployment: &Deployment) -> Vec<String> {
    let mut names = names_in(&deployment.data());
    names.retain(|name| !name.starts_with("homeserver.db-"));
    names
}

#[test]
fn s3_server_that_is_lost_midway_is_named_and_nothing_is_touched() {
    let site = Site::new(None);
    for action in ["restore-backup", "verify-backup"] {
        let said = site.disturbed(action, || site.gate.close());
        for words in [
            " archive failed with exit code 1: download failed: s3://backups/",
            "check that the S3 server can be reached from the workload container",
            &format!("run {action} again"),
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(
            !said.contains("gpg:") && !said.contains("is bad"),
            "{action}: {said}"
        );
        site.assert_untouched(action);
    }
    site.assert_good();
}

/// A filesystem of its own for the storages of a model.
struct SmallVolume(tempfile::TempDir);

impl SmallVolume {
    fn new(size_bytes: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("sv-").tempdir_in("/tmp");
        let volume = Self(folder.unwrap());
        let storage = volume.storage();
        fs::create_dir(&storage).unwrap();
        command("mount", |mount| {
            let size = format!("size={size_bytes},mode=755");
            mount
                .args(["-t", "tmpfs", "-o", &size, "none"])
                .arg(&storage)
        });
        volume
    }

    fn storage(&self) -> PathBuf {
        self.0.path().join("storage")
    }

    /// Writes a file beside the volume's folder that leaves this much free.
    fn fill_but(&self, left_bytes: u64) -> PathBuf {
        let free = command("stat", |stat| {
            stat.args(["-f", "-c", "%a %S"]).arg(self.storage())
        });
        let (blocks, size) = free.trim().split_once(' ').unwrap();
        let free_bytes: u64 = blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap();
        let path = self.storage().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        let zeros = io::repeat(0).take(free_bytes.saturating_sub(left_bytes));
        // Synapse may write meanwhile, so that there is less.
        if let Err(error) = io::copy(&mut { zeros }, &mut file) {
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        path
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        command("umount", |umount| umount.arg("-l").arg(self.storage()));
    }
}

/// Whether the database was brought, and some of the media, so that there is nothing more to write but media.
fn is_midway(site: &Site) -> bool {
    let data = site.deployment.data();
    let restores = names_in(&data).into_iter();
    let mut restores = restores.filter(|name| name.starts_with(".restore-"));
    let is_staged = restores.next().is_some_and(|name| {
        let staged = data.join(name).join("new/data");
        let mut files = ["homeserver.db", MEDIA]
            .iter()
            .map(|file| staged.join(file));
        files.all(|file| fs::metadata(file).is_ok_and(|facts| facts.len() > 0))
    });
    let processes = || site.processes.ours();
    is_staged
        && !processes()
            .iter()
            .any(|process| process.is_of_archive("state"))
}

#[test]
fn volume_that_another_writer_fills_is_named_and_nothing_is_touched() {
    if !deployment::is_root() {
        // Nobody else may mount.
        return;
    }
    let volume = SmallVolume::new(VOLUME_BYTES);
    let site = Site::new(Some(volume.0.path().to_owned()));
    let rows = [
        // Less than the reserve of 5 %, and less than is still to come.
        (
            VOLUME_BYTES / 100,
            ["free space on the data volume fell under"; 2],
        ),
        // The end of the room is met by whoever writes next.
        (
            0,
            [
                "free space on the data volume fell under",
                "No space left on device",
            ],
        ),
    ];
    for (left_bytes, words) in rows {
        let mut filler = PathBuf::new();
        let said = site.disturbed("restore-backup", || {
            wait_until(|| is_midway(&site), || "it does not get midway".to_owned());
            filler = volume.fill_but(left_bytes);
            let since = Instant::now();
            wait_until(
                || since.elapsed() > BETWEEN_LOOKS,
                || "time stands still".to_owned(),
            );
            site.gate.open();
        });
        fs::remove_file(filler).unwrap();
        assert!(words.iter().any(|words| said.contains(words)), "{said}");
        let next =
            "make the volume larger or remove what is not needed, then run restore-backup again";
        assert!(said.contains(next), "{said}");
        site.assert_untouched(words[0]);
    }
    let this = json!({"backup-id": site.backup_id});
    site.deployment.done("restore-backup", this);
    site.deployment.wait_active(UNIT);
    site.homeserver.assert_told_by(&site.deployment);
}
