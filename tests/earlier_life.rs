//! Volumes, models and leaders that go: a server that lived is not started as a new one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use deployment::{Deployment, Model, UNIT, names_in, wait_until};
use s3_server::S3Server;
use serde_json::{Value, json};

const NAME: (&str, &str) = ("server_name", "matrix.example");

const LOST: &str = "the data volume is empty but matrix.example existed";

fn empty(folder: &Path) {
    for name in names_in(folder) {
        let path = folder.join(name);
        let removed = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.unwrap();
    }
}

#[test]
fn server_whose_volume_is_lost_is_not_started_by_any_hook() {
    let charm = Model::with_charm(&[NAME]);
    charm.wait(UNIT, "active", "");
    empty(&charm.data());
    for hook in [
        "update-status",
        "config-changed",
        "start",
        "upgrade-charm",
        "leader-elected",
        "leader-settings-changed",
    ] {
        charm.fire(hook);
        charm.wait(UNIT, "blocked", LOST);
        let keys = names_in(&charm.data())
            .into_iter()
            .any(|name| name.starts_with("matrix.example."));
        let runs = charm.service().is_some_and(|service| service.is_active());
        assert!(!keys && !runs, "{hook}");
    }
    charm.juju.replace_pod(UNIT).unwrap();
    wait_until(
        || charm.runs_of("stop") > 0,
        || "the pod was not replaced".to_owned(),
    );
    charm.wait(UNIT, "blocked", LOST);
    assert!(!charm.data().join("homeserver.db").exists());
}

#[test]
fn server_whose_volume_is_lost_starts_empty_when_it_is_confirmed() {
    let charm = Model::with_charm(&[NAME]);
    charm.wait(UNIT, "active", "");
    let key = charm.data().join("matrix.example.signing.key");
    let old_key = fs::read(&key).unwrap();
    // Synapse runs on: no hook has seen it.
    empty(&charm.data());

    let next = "start-empty confirm=matrix.example";
    assert!(
        charm
            .refused(UNIT, "create-backup", json!({}))
            .contains(next)
    );
    charm.wait(UNIT, "blocked", LOST);
    let other = json!({"confirm": "other.example"});
    assert!(charm.refused(UNIT, "start-empty", other).contains(next));

    let ours = json!({"confirm": "matrix.example"});
    let started = charm.run(UNIT, "start-empty", ours.clone());
    assert_eq!(
        (started.status.as_str(), started.message.as_str()),
        ("completed", "")
    );
    charm.wait(UNIT, "active", "");
    assert!(charm.answers());
    assert_eq!(fs::read(&key).unwrap(), old_key);
    assert!(
        charm
            .refused(UNIT, "start-empty", ours)
            .contains("not empty")
    );
}

#[test]
fn only_the_main_unit_runs_synapse_whoever_leads() {
    let charm = Model::with_charm(&[]);
    charm.wait(UNIT, "blocked", "server_name is not set");
    charm.juju.add_unit("synapse", 1).unwrap();
    charm.wait(
        "synapse/1",
        "blocked",
        "only synapse/0 runs Synapse; scale to 1",
    );
    charm.juju.set_leader("synapse/1").unwrap();
    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(
        UNIT,
        "active",
        "identity copy waits for synapse/0 to lead; no backups configured",
    );
    charm.wait(
        "synapse/1",
        "blocked",
        "only synapse/0 runs Synapse; scale to 1",
    );
    let other = charm.juju.storage_folder("synapse/1", "data").unwrap();
    assert!(names_in(&other).is_empty());
    for (action, parameters) in [
        ("create-backup", json!({})),
        ("list-backups", json!({})),
        ("register-user", json!({"username": "alice"})),
        ("start-empty", json!({"confirm": "matrix.example"})),
    ] {
        let refused = charm.run("synapse/1", action, parameters);
        assert!(
            refused.message.contains("run this action on synapse/0"),
            "{}",
            refused.message
        );
    }
    let value: Value = charm.ask("GET", "/_matrix/client/versions", &Value::Null).1;
    assert!(value["versions"].is_array());

    // There is no copy of the identity; the unit remembers all the same.
    empty(&charm.data());
    charm.fire("update-status");
    charm.wait(UNIT, "blocked", LOST);
    assert!(names_in(&charm.data()).is_empty());
}

#[test]
fn new_deployment_on_the_backups_of_its_server_is_not_started_as_a_new_one() {
    let charm = Deployment::empty(S3Server::start());
    let server = &charm.server;
    let options = [
        NAME,
        ("s3_endpoint", "http://127.0.0.1:8333"),
        ("s3_bucket", "backups"),
        ("s3_path", "matrix"),
        ("s3_access_key", server.access_key()),
        ("s3_secret_key", server.secret_key()),
        ("backup_passphrase", "correct horse"),
    ];
    charm.deploy_with(&options, |deploy| deploy);
    charm.wait(UNIT, "active", "no backup yet");
    let made = charm.run(UNIT, "create-backup", json!({}));
    assert_eq!(
        (made.status.as_str(), made.message.as_str()),
        ("completed", "")
    );
    charm.wait(UNIT, "active", "last backup just now, ");

    charm.deploy_with(&options, |deploy| deploy.application("again"));
    charm.wait("again/0", "blocked", LOST);
    let volume = charm.juju.storage_folder("again/0", "data").unwrap();
    assert!(names_in(&volume).is_empty());
    let listed = charm.run("again/0", "list-backups", json!({}));
    assert_eq!(
        (listed.result("count"), listed.result("truncated")),
        (Some("1"), Some("false"))
    );
    let id = made.result("backup-id").unwrap();
    assert!(listed.result("formatted").unwrap().contains(id));
    assert!(
        charm
            .refused("again/0", "create-backup", json!({}))
            .contains("start-empty")
    );

    charm.wait("again/0", "blocked", LOST);

    // What was seen in S3 once is not forgotten when S3 has nothing to say any more.
    let wrong = [("s3_secret_key", "wrong")];
    charm.juju.config("again", wrong).unwrap();
    charm.wait("again/0", "blocked", "refuses the secret key");
    charm.wait("again/0", "blocked", LOST);
    let all: Vec<&str> = options[1..].iter().map(|(name, _)| *name).collect();
    charm.juju.config_reset("again", &all).unwrap();
    wait_until(
        || !charm.shown("again/0").message.contains("secret key"),
        || "the options are not gone".to_owned(),
    );
    charm.wait("again/0", "blocked", LOST);
    assert!(names_in(&volume).is_empty());
    charm.juju.config("again", options).unwrap();
    charm.wait("again/0", "blocked", LOST);

    let confirmed = json!({"confirm": "matrix.example"});
    assert_eq!(
        charm.run("again/0", "start-empty", confirmed).status,
        "completed"
    );
    charm.wait("again/0", "active", "last backup");
}

#[test]
fn new_deployment_waits_for_an_s3_that_does_not_answer() {
    let charm = Deployment::empty(S3Server::start());
    let server = &charm.server;
    let options = [
        NAME,
        ("s3_endpoint", "http://127.0.0.1:1"),
        ("s3_bucket", "backups"),
        ("s3_access_key", server.access_key()),
        ("s3_secret_key", server.secret_key()),
        ("backup_passphrase", "correct horse"),
    ];
    charm.deploy_with(&options, |deploy| deploy);
    let why = "cannot tell whether matrix.example existed before: ";
    charm.wait(UNIT, "waiting", why);
    assert!(
        charm
            .shown(UNIT)
            .message
            .contains("start-empty confirm=matrix.example")
    );
    assert!(names_in(&charm.data()).is_empty() && charm.service().is_none());
    assert!(
        charm
            .refused(UNIT, "create-backup", json!({}))
            .contains(why)
    );
    let here = [("s3_endpoint", "http://127.0.0.1:8333")];
    charm.juju.config("synapse", here).unwrap();
    charm.wait(UNIT, "active", "no backup yet");

    // A backup of a Synapse that someone stopped is none of a healthy unit.
    charm.pebble(async |client| {
        let change = client.stop(&["synapse"]).await?;
        client.wait_change(&change, Duration::from_mins(1)).await
    });
    let made = charm.run(UNIT, "create-backup", json!({}));
    assert_eq!(
        (made.status.as_str(), made.message.as_str()),
        ("completed", "")
    );
    charm.wait(UNIT, "waiting", "synapse: stopped; the next hook starts it");
    charm.fire("update-status");
    charm.wait(UNIT, "active", "last backup just now, ");
    // Once it ran, S3 has no say in whether it runs.
    charm
        .juju
        .config("synapse", [("s3_endpoint", "http://127.0.0.1:1")])
        .unwrap();
    charm.wait(UNIT, "active", "cannot be reached");

    charm.deploy_with(&options, |deploy| deploy.application("anyway"));
    charm.wait("anyway/0", "waiting", why);
    let confirmed = json!({"confirm": "matrix.example"});
    assert_eq!(
        charm.run("anyway/0", "start-empty", confirmed).status,
        "completed"
    );
    charm.wait("anyway/0", "active", "cannot be reached");
}
