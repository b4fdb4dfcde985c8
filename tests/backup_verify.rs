//! `verify-backup` on a deployed charm: what it finds, what it records beside the backup, and what it leaves alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/legacy.rs"]
mod legacy;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{BUCKET, Deployment, PASSPHRASE, UNIT, must};
use juju_sim::TaskOutcome;
use processes::synapse_since;
use serde_json::{Value, json};

const LEGACY: &str = "backup-20250102030405123456";

fn text<'a>(outcome: &'a TaskOutcome, key: &str) -> &'a str {
    let text = outcome.result(key);
    text.unwrap_or_else(|| panic!("no {key}: {outcome:?}"))
}

fn verify(deployment: &Deployment, id: &str) -> TaskOutcome {
    let verified = deployment.done("verify-backup", json!({"backup-id": id}));
    assert_eq!(text(&verified, "result"), "correct");
    verified
}

fn refused(deployment: &Deployment, id: &str, words: &[&str]) {
    let message = deployment.refused(UNIT, "verify-backup", json!({"backup-id": id}));
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_nothing_left(deployment);
}

/// The records beside a backup, by name.
fn records(deployment: &Deployment, id: &str) -> Vec<String> {
    let objects = deployment.server.objects(BUCKET, "");
    let keys = objects.into_iter().map(|object| object.key);
    keys.filter(|key| key.starts_with(id) && key.contains("verified-"))
        .collect()
}

/// What `list-backups` says of the last verification.
fn verified(deployment: &Deployment, id: &str) -> String {
    let listed = deployment.done("list-backups", json!({}));
    let verified = &listed.results["backups"][id]["verified"];
    verified.as_str().unwrap_or("no").to_owned()
}

fn assert_nothing_left(deployment: &Deployment) {
    let names = fs::read_dir(deployment.data()).unwrap().flatten();
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    let left = names
        .iter()
        .filter(|name| name.to_string_lossy().starts_with(".verify-"));
    assert_eq!(left.count(), 0, "{names:?}");
}

#[test]
fn verified_backup_is_recorded_once_and_synapse_does_not_notice() {
    let deployment = Deployment::with_backups("ours");
    deployment.done("register-user", json!({"username": "alice"}));
    deployment.write("media_store/local_content/aa/bb/cc", &vec![7; 3_000_000]);
    let id = deployment.create_backup();
    assert_eq!(verified(&deployment, &id), "no");
    let since = synapse_since(&deployment);

    let found = verify(&deployment, "latest");
    assert_eq!(text(&found, "backup-id"), id);
    assert_eq!(text(&found, "users"), "1");
    let bytes: u64 = text(&found, "file-bytes").parse().unwrap();
    assert!(bytes > 3_000_000, "{found:?}");
    for key in [
        "entries",
        "size-bytes",
        "synapse-version",
        "schema-version",
        "compat-version",
        "duration-seconds",
    ] {
        assert!(!text(&found, key).is_empty(), "{found:?}");
    }
    assert_eq!(text(&found, "can-be-restored"), "yes");
    assert_eq!(found.result("warnings"), None);
    let first = records(&deployment, &id);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].ends_with("-ok.json"), "{first:?}");
    assert!(verified(&deployment, &id).starts_with("ok 20"));
    let record = deployment.server.object(BUCKET, &first[0]).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(
        (
            &record["format"],
            &record["id"],
            &record["ok"],
            &record["unit"]
        ),
        (&json!(1), &json!(id), &json!(true), &json!(UNIT))
    );
    let shown = deployment.done("show-backup", json!({"backup-id": id}));
    assert!(
        text(&shown, "verification").starts_with("by synapse/0 in "),
        "{shown:?}"
    );
    assert_nothing_left(&deployment);
    assert_eq!(synapse_since(&deployment), since);
    assert!(deployment.shown(UNIT).message.starts_with("last backup "));
    last_record_is_kept_where_it_may_be(&deployment, &id, &first);
}

fn last_record_is_kept_where_it_may_be(deployment: &Deployment, id: &str, first: &[String]) {
    verify(deployment, id);
    let second = records(deployment, id);
    assert_eq!(second.len(), 1, "{second:?}");
    assert_ne!(second, first);
    deployment
        .server
        .deny(BUCKET, &[("s3:DeleteObject", "*/verified-*")]);
    let told = verify(deployment, id);
    assert!(
        text(&told, "warnings").contains("older records stay"),
        "{told:?}"
    );
    assert_eq!(records(deployment, id).len(), 2);
    deployment
        .server
        .deny(BUCKET, &[("s3:PutObject", "*/verified-*")]);
    let told = verify(deployment, id);
    assert!(
        text(&told, "warnings").contains("it is not recorded"),
        "{told:?}"
    );
    assert_eq!(records(deployment, id).len(), 2);
}

#[test]
fn bad_backup_fails_and_is_recorded_so_but_not_for_what_is_not_its_fault() {
    let deployment = Deployment::with_backups("upstream");
    deployment.write("media_store/local_content/aa/bb/cc", &vec![7; 1_000_000]);
    let id = deployment.create_backup();
    let media = format!("{id}/media.tar.gpg");
    let whole = deployment.server.object(BUCKET, &media).unwrap();

    deployment.configure([("backup_passphrase", "another one")]);
    refused(&deployment, &id, &["passphrase"]);
    deployment.configure([("backup_passphrase", PASSPHRASE)]);
    deployment
        .server
        .deny(BUCKET, &[("s3:GetObject", "*/media.tar.gpg")]);
    refused(&deployment, &id, &[]);
    deployment.server.deny(BUCKET, &[]);
    assert_eq!(records(&deployment, &id), [""; 0]);

    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    deployment.server.put_object(BUCKET, &media, &flipped);
    refused(
        &deployment,
        &id,
        &[&format!("{id} is bad"), "media archive"],
    );
    assert!(verified(&deployment, &id).starts_with("failed 20"));
    let shown = deployment.done("show-backup", json!({"backup-id": id}));
    assert!(
        text(&shown, "verification").contains("media archive"),
        "{shown:?}"
    );
    assert!(deployment.shown(UNIT).message.starts_with("last backup "));

    deployment.server.put_object(BUCKET, &media, &whole[1..]);
    refused(
        &deployment,
        &id,
        &["is bad", "the media archive has ", "and should have"],
    );
    deployment.server.put_object(BUCKET, &media, &whole);
    verify(&deployment, &id);
    assert!(verified(&deployment, &id).starts_with("ok 20"));
    assert_eq!(records(&deployment, &id).len(), 1);

    let begun = "backup-20260131-235959-0a1b";
    let started = format!("{begun}/started.json");
    deployment.server.put_object(BUCKET, &started, b"{}");
    refused(&deployment, begun, &["is not finished but abandoned"]);
    refused(
        &deployment,
        "backup-20260131-235959-ffff",
        &["does not exist"],
    );
    refused(&deployment, "prod/db", &["is no backup id"]);
    assert_eq!(records(&deployment, begun), [""; 0]);
}

#[test]
fn legacy_backup_and_one_of_a_lost_server_are_verified() {
    let deployment = Deployment::with_backups("upstream");
    deployment.done("register-user", json!({"username": "alice"}));
    deployment.write("media_store/local_content/aa/bb/cc", &vec![7; 1_000_000]);
    let id = deployment.create_backup();
    let archive = legacy::archive_of(&deployment);
    deployment.server.put_object(BUCKET, LEGACY, &archive);
    let found = verify(&deployment, LEGACY);
    assert_eq!(text(&found, "users"), "1");
    verify(&deployment, LEGACY);
    let kept = records(&deployment, LEGACY);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(
        kept[0].starts_with(&format!("{LEGACY}.verified-")),
        "{kept:?}"
    );
    assert!(verified(&deployment, LEGACY).starts_with("ok 20"));
    let states = deployment.listed();
    assert!(
        states.contains(&(LEGACY.to_owned(), "legacy".to_owned())),
        "{states:?}"
    );

    // With the volume lost there is no server to disturb, and the more reason to look.
    for entry in fs::read_dir(deployment.data()).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    must(deployment.juju.kill_container(UNIT, "synapse"));
    must(
        deployment
            .juju
            .wait_for_unit(UNIT, "blocked", deployment::DEADLINE),
    );
    let found = verify(&deployment, "latest");
    assert_eq!(text(&found, "backup-id"), id);
    assert_eq!(text(&found, "users"), "1");
    assert_nothing_left(&deployment);
    let shown = deployment.shown(UNIT);
    assert_eq!(shown.workload, "blocked", "{shown:?}");
}
