//! `show-backup` and `delete-backup` on a deployed charm and a real S3 server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/s3_server.rs"]
mod s3_server;

use deployment::{BUCKET, Deployment, SERVER_NAME, UNIT, must};
use juju_sim::TaskOutcome;
use serde_json::{Value, json};

const LEGACY: &str = "backup-20250102030405123456";
const STRANGE: &str = "backup-20260131-235959-0a1b";

fn text<'a>(outcome: &'a TaskOutcome, key: &str) -> &'a str {
    let text = outcome.result(key);
    text.unwrap_or_else(|| panic!("no {key}: {outcome:?}"))
}

fn show(deployment: &Deployment, id: &str) -> TaskOutcome {
    deployment.done("show-backup", json!({"backup-id": id}))
}

fn delete(deployment: &Deployment, id: &str) -> TaskOutcome {
    deployment.done("delete-backup", json!({"backup-id": id}))
}

fn put(deployment: &Deployment, key: &str, content: &str) {
    let server = &deployment.server;
    server.put_object(BUCKET, key, content.as_bytes());
}

fn ids(deployment: &Deployment) -> Vec<String> {
    let listed = deployment.listed();
    listed.into_iter().map(|(id, _)| id).collect()
}

fn keys(deployment: &Deployment, folder: &str) -> Vec<String> {
    let objects = deployment.server.objects(BUCKET, folder);
    objects.into_iter().map(|object| object.key).collect()
}

#[test]
fn backup_is_shown_with_who_made_it_what_it_holds_and_how_it_was_verified() {
    let deployment = Deployment::with_backups("ours");
    deployment.done("register-user", json!({"username": "alice"}));
    deployment.write("media_store/local_content/aa/bb/cc", &vec![7; 3_000_000]);
    let id = deployment.create_backup();
    let folder = format!("{id}/");
    for name in ["20261101-000000-ok", "20261102-000000-failed"] {
        let record = json!({
            "format": 1, "id": id, "ok": false, "at": "2026-11-02T00:00:00Z", "duration_seconds": 12,
            "unit": "synapse/0", "cause": "the media archive was cut",
        });
        put(
            &deployment,
            &format!("{id}/verified-{name}.json"),
            &record.to_string(),
        );
    }
    let shown = show(&deployment, "latest");
    assert_eq!(text(&shown, "backup-id"), id);
    assert_eq!(text(&shown, "state"), "finished");
    assert_eq!(text(&shown, "made-by"), UNIT);
    assert_eq!(text(&shown, "server-name"), SERVER_NAME);
    assert_eq!(text(&shown, "engine"), "sqlite");
    let contents = text(&shown, "contents");
    assert!(
        contents.starts_with("database (")
            && contents.ends_with("1 file of media and extra paths (3.0 MB)"),
        "{contents}"
    );
    assert!(!contents.contains("user"), "{contents}");
    let archives = &shown.results["archives"];
    for (kind, object) in [("state", "state.tar.zst.gpg"), ("media", "media.tar.gpg")] {
        let archive = &archives[kind];
        assert_eq!(archive["object"], object, "{archive}");
        assert_eq!(archive["sha256"].as_str().unwrap().len(), 64, "{archive}");
    }
    let objects = deployment.server.objects(BUCKET, &folder).len();
    assert_eq!(text(&shown, "objects"), objects.to_string());
    for key in [
        "started",
        "finished",
        "synapse-version",
        "schema-version",
        "compat-version",
    ] {
        assert!(!text(&shown, key).is_empty(), "{shown:?}");
    }
    assert_eq!(shown.result("problems"), None);
    verifications_are_shown(&deployment, &id, &shown);
    broken_backups_say_what_is_wrong(&deployment, &id);
}

fn verifications_are_shown(deployment: &Deployment, id: &str, shown: &TaskOutcome) {
    assert_eq!(text(shown, "verified"), "failed 2026-11-02T00:00:00Z");
    assert_eq!(
        text(shown, "verifications"),
        "failed 2026-11-02T00:00:00Z\nok 2026-11-01T00:00:00Z"
    );
    assert_eq!(
        text(shown, "verification"),
        "by synapse/0 in 12 s: the media archive was cut"
    );
    // The list tells the same, from the names alone.
    let listed = deployment.done("list-backups", json!({}));
    assert_eq!(
        listed.results["backups"][id]["verified"],
        "failed 2026-11-02T00:00:00Z"
    );
}

fn broken_backups_say_what_is_wrong(deployment: &Deployment, id: &str) {
    let problem = |id: &str, state: &str, words: &str| {
        let shown = show(deployment, id);
        assert_eq!(text(&shown, "state"), state, "{shown:?}");
        let problems = text(&shown, "problems");
        assert!(problems.contains(words), "{words}: {problems}");
    };
    let marker = deployment.object_of(&format!("{id}/"), "manifest-");
    let media = format!("{id}/media.tar.gpg");
    let manifest = deployment.server.object(BUCKET, &marker).unwrap();
    let archive = deployment.server.object(BUCKET, &media).unwrap();
    deployment
        .server
        .put_object(BUCKET, &marker, br#"{"format": 7}"#);
    problem(id, "finished", "unknown format 7; upgrade the charm");
    let name = marker.rsplit_once('/').unwrap().1;
    put(
        deployment,
        &format!("{STRANGE}/{name}"),
        &String::from_utf8(manifest).unwrap(),
    );
    problem(STRANGE, "damaged", "is that of another backup");
    problem(
        STRANGE,
        "damaged",
        "the state archive is missing, the media archive is missing",
    );
    deployment.server.put_object(BUCKET, &media, &archive[1..]);
    problem(id, "damaged", "the media archive has ");

    let failed = "backup-20260131-235959-0a1c";
    let cause = json!({"cause": "no backup was made (tar): no", "next_step": "do it", "at": "2026-11-02T00:00:00Z"});
    put(
        deployment,
        &format!("{failed}/failed.json"),
        &cause.to_string(),
    );
    problem(failed, "failed", "no backup was made (tar): no; do it");

    put(deployment, LEGACY, "gpg");
    put(
        deployment,
        &format!("{LEGACY}.verified-20261101-000000-ok.json"),
        "{}",
    );
    let shown = show(deployment, LEGACY);
    assert_eq!(text(&shown, "made-by"), "the Python charm");
    assert_eq!(text(&shown, "size-bytes"), "3");
    assert_eq!(text(&shown, "verified"), "ok 2026-11-01T00:00:00Z");

    let missing = "backup-20260131-235959-ffff";
    let message = deployment.refused(UNIT, "show-backup", json!({"backup-id": missing}));
    let words = format!("backup-id {missing} does not exist");
    assert!(message.contains(&words), "{message}");
}

#[test]
fn deleted_backup_is_gone_and_the_status_speaks_of_the_one_before() {
    let deployment = Deployment::with_backups("upstream");
    let first = deployment.create_backup();
    let size = show(&deployment, &first);
    let size = text(&size, "size").to_owned();
    deployment.write("media_store/local_content/aa/bb/cc", &vec![7; 5_000_000]);
    let second = deployment.create_backup();
    let count = keys(&deployment, &format!("{second}/")).len();
    put(&deployment, "backup-notes.txt", "mine");
    assert!(!deployment.shown(UNIT).message.ends_with(&size));

    let deleted = delete(&deployment, &second);
    assert_eq!(text(&deleted, "result"), "correct");
    assert_eq!(text(&deleted, "objects"), count.to_string());
    assert_eq!(text(&deleted, "data"), "gone");
    assert_eq!(ids(&deployment), [first.as_str()]);
    assert_eq!(keys(&deployment, &format!("{second}/")), [""; 0]);
    let message = deployment.shown(UNIT).message;
    assert!(
        message.starts_with("last backup ") && message.ends_with(&size),
        "{message}"
    );

    // In the Python charm's words, and no failure.
    let again = delete(&deployment, &second);
    let missing = format!("backup-id {second} does not exist");
    assert_eq!(text(&again, "result"), missing);

    assert_eq!(text(&delete(&deployment, &first), "result"), "correct");
    assert_eq!(deployment.shown(UNIT).message, "no backup yet");
    must(deployment.juju.fire(UNIT, "update-status"));
    deployment.settle();
    assert_eq!(deployment.shown(UNIT).message, "no backup yet");
    assert_eq!(keys(&deployment, ""), ["backup-notes.txt", "owner.json"]);

    only_what_is_a_backup_is_deleted(&deployment);
}

fn only_what_is_a_backup_is_deleted(deployment: &Deployment) {
    put(deployment, LEGACY, "gpg");
    put(
        deployment,
        &format!("{LEGACY}.verified-20261101-000000-ok.json"),
        "{}",
    );
    put(deployment, &format!("{LEGACY}.txt"), "mine");
    let deleted = delete(deployment, LEGACY);
    assert_eq!(text(&deleted, "objects"), "2");
    let left = format!("{LEGACY}.txt");
    assert_eq!(
        keys(deployment, ""),
        [left.as_str(), "backup-notes.txt", "owner.json"]
    );

    put(deployment, &format!("{STRANGE}/heartbeat.json"), "{}");
    let message = deployment.refused(UNIT, "delete-backup", json!({"backup-id": STRANGE}));
    assert!(
        message.contains("is being made") && message.contains("5 minutes"),
        "{message}"
    );
    for id in [
        "",
        "latest",
        "owner.json",
        "../x",
        "backup-notes.txt",
        "backup-20260131-235959-0A1B",
    ] {
        let message = deployment.refused(UNIT, "delete-backup", json!({"backup-id": id}));
        assert!(message.contains("id"), "{id}: {message}");
    }
    assert_eq!(keys(deployment, "").len(), 4);
}

#[test]
fn deletion_that_is_refused_says_by_whom_and_goes_on_when_it_may() {
    let deployment = Deployment::with_backups("ours");
    let id = deployment.create_backup();
    let before = keys(&deployment, "");
    let refused = |words: &[&str]| {
        let message = deployment.refused(UNIT, "delete-backup", json!({"backup-id": id}));
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
    };
    let deny = |denied: &[(&str, &str)]| deployment.server.deny(BUCKET, denied);

    let ours = deployment.server.object(BUCKET, "owner.json").unwrap();
    let owner = json!({
        "format": 1, "model_uuid": "11111111-2222-4333-8444-555555555555", "application": "matrix", "server_name": "b.example",
    });
    put(&deployment, "owner.json", &owner.to_string());
    refused(&[
        "nothing was deleted",
        "belongs to application matrix (server b.example)",
        "take-over=true",
    ]);
    deployment.server.put_object(BUCKET, "owner.json", &ours);
    deny(&[("s3:GetObject", "owner.json")]);
    refused(&["nothing was deleted", "access denied"]);
    deny(&[("s3:DeleteObject", "*/manifest-*")]);
    refused(&[
        "nothing was deleted",
        "access denied",
        "allow this key to delete",
    ]);
    assert_eq!(keys(&deployment, ""), before);
    assert_eq!(deployment.listed(), [(id.clone(), "finished".to_owned())]);
    let message = deployment.shown(UNIT).message;
    assert!(message.starts_with("last backup "), "{message}");

    // The marker goes first: what is left is no backup.
    deny(&[("s3:DeleteObject", "*/state.tar.zst.gpg")]);
    refused(&[
        "only partly deleted",
        "state.tar.zst.gpg, ",
        "run delete-backup again: it goes on",
    ]);
    assert_eq!(deployment.listed(), [(id.clone(), "abandoned".to_owned())]);
    assert_eq!(deployment.shown(UNIT).message, "no backup yet");
    // The next hook asks S3 only after an hour.
    must(deployment.juju.fire(UNIT, "update-status"));
    deployment.settle();
    assert_eq!(deployment.shown(UNIT).message, "no backup yet");
    deny(&[]);
    put(&deployment, "owner.json", &owner.to_string());
    let deleted = deployment.done("delete-backup", json!({"backup-id": id, "take-over": true}));
    assert_eq!(text(&deleted, "result"), "correct");
    assert_eq!(keys(&deployment, ""), ["owner.json"]);
    assert_eq!(
        deployment.server.object(BUCKET, "owner.json").unwrap(),
        ours
    );
}

#[test]
fn deletion_in_a_bucket_that_keeps_versions_says_that_the_data_is_hidden() {
    let deployment = Deployment::with_backups("ours");
    let aws = |words: &[&str]| {
        let output = deployment
            .server
            .aws()
            .arg("s3api")
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    };
    aws(&[
        "put-bucket-versioning",
        "--bucket",
        BUCKET,
        "--versioning-configuration",
        "Status=Enabled",
    ]);
    let id = deployment.create_backup();
    let deleted = delete(&deployment, &id);
    assert_eq!(text(&deleted, "result"), "correct");
    assert!(
        text(&deleted, "data").starts_with("hidden, not gone"),
        "{deleted:?}"
    );
    assert_eq!(ids(&deployment), [""; 0]);
    assert_eq!(deployment.shown(UNIT).message, "no backup yet");
    let versions = aws(&["list-object-versions", "--bucket", BUCKET, "--prefix", &id]);
    let kept = versions["Versions"].as_array().unwrap();
    assert!(
        kept.iter()
            .any(|object| object["Key"].as_str().unwrap().ends_with("media.tar.gpg")),
        "{versions}"
    );
}
