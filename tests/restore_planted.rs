//! What a compromised Synapse can plant on its own volume before a restore: nothing outside the volume may be touched, and
//! nothing of it may be lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use deployment::{Deployment, UNIT, names_in, own};
use homeserver::{Fingerprint, Homeserver};
use serde_json::json;

fn deployed() -> (Deployment, Homeserver, String) {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    let id = deployment.create_backup();
    (deployment, homeserver, id)
}

/// A folder of the workload, not of the volume, that only root may write to.
fn roots_own(deployment: &Deployment) -> PathBuf {
    let folder = deployment.container_root(UNIT).join("tmp/roots-own");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn restore_with_links_planted_on_the_volume_touches_nothing_outside() {
    let (deployment, homeserver, id) = deployed();
    let outside = roots_own(&deployment);
    let job_folder = deployment.data().join(".synapse-charm");
    symlink("/tmp/roots-own", &job_folder).unwrap();
    let before = Fingerprint::of(&deployment);
    let said = deployment.refused(UNIT, "restore-backup", json!({"backup-id": id}));
    assert!(said.contains("/data/.synapse-charm"), "{said}");
    assert_eq!(names_in(&outside), [""; 0], "{said}");
    Fingerprint::of(&deployment).assert_is(&before, "a refused restore");
    fs::remove_file(&job_folder).unwrap();

    // What looks like the folder of a verification.
    let folder = deployment.data().join(format!(".verify-{id}"));
    symlink("/data/media_store", &folder).unwrap();
    deployment.run(UNIT, "verify-backup", json!({"backup-id": id}));
    homeserver.assert_told_by(&deployment);
    Fingerprint::of(&deployment).assert_is(&before, "a verification");
    let _ = fs::remove_file(&folder);
    deployment.done("verify-backup", json!({"backup-id": id}));

    deployment.done("restore-backup", json!({"backup-id": id}));
    deployment.wait_active(UNIT);
    homeserver.assert_told_by(&deployment);
}

/// A journal of a job that nobody began, which would move a key of the server into a place where root's programs look.
#[test]
fn forged_journal_moves_nothing_and_says_what_is_wrong() {
    let (deployment, homeserver, _) = deployed();
    let before = Fingerprint::of(&deployment);
    let journal = |live: &str| {
        json!({
            "format": 1, "kind": "restore", "restore": "restore-20260101-000000-00ff",
            "backup": "backup-20260101-000000-00ff", "components": "all", "server_name": "a.example",
            "step": "swap", "attempts": {"swap": 1}, "users": 1, "old_bytes": 1, "exits": 0,
            "renames": [{"live": live, "staged": true, "had_live": false}],
        })
    };
    let texts = [
        journal("/data/../etc/passwd").to_string(),
        journal("/etc/passwd").to_string(),
        journal("/data/.synapse-charm/journal.json").to_string(),
        "{\"format\":1,".repeat(1000),
        "x".repeat(2_000_000),
        "{\"format\":7}".to_owned(),
    ];
    for text in texts {
        deployment.write(".synapse-charm/journal.json", text.as_bytes());
        deployment.fire("update-status");
        deployment.settle();
        let begin = &text[..text.len().min(200)];
        let shown = deployment.shown(UNIT);
        assert_eq!(shown.workload, "blocked", "{begin}: {shown:?}");
        assert!(shown.message.contains("journal"), "{begin}: {shown:?}");
        Fingerprint::of(&deployment).assert_is(&before, begin);
    }
    fs::remove_dir_all(deployment.data().join(".synapse-charm")).unwrap();
    deployment.fire("update-status");
    deployment.wait_active(UNIT);
    homeserver.assert_told_by(&deployment);
}

#[test]
fn media_that_is_no_file_is_named_when_the_backup_is_made() {
    let (deployment, homeserver, _) = deployed();
    let link = deployment.data().join("media_store/local_content/planted");
    symlink("/etc/passwd", &link).unwrap();
    own(&link);
    let said = deployment.refused(UNIT, "create-backup", json!({}));
    assert!(said.contains("local_content/planted"), "{said}");
    fs::remove_file(link).unwrap();
    deployment.create_backup();
    homeserver.assert_told_by(&deployment);
}
