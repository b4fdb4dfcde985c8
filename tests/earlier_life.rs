//! Volumes, models and leaders that go: a server that lived is not started as a new one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use deployed::{Deployed, MAIN, names_in, until};
use juju_sim::pod::{Forward, ForwardTarget};
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

/// Runs an action that must fail, and returns why.
fn refusal(charm: &Deployed, unit: &str, action: &str, parameters: &[(&str, Value)]) -> String {
    let refused = charm.run(unit, action, parameters);
    assert_eq!(refused.status, "failed", "{action}");
    refused.message
}

#[test]
fn server_whose_volume_is_lost_is_not_started_by_any_hook() {
    let charm = Deployed::new(&[NAME]);
    charm.wait(MAIN, "active", "");
    empty(&charm.volume());
    for hook in [
        "update-status",
        "config-changed",
        "start",
        "upgrade-charm",
        "leader-elected",
        "leader-settings-changed",
    ] {
        charm.fire(hook);
        charm.wait(MAIN, "blocked", LOST);
        let keys = names_in(&charm.volume())
            .into_iter()
            .any(|name| name.starts_with("matrix.example."));
        let runs = charm.service().is_some_and(|service| service.is_active());
        assert!(!keys && !runs, "{hook}");
    }
    charm.juju.replace_pod(MAIN).unwrap();
    until("the pod was replaced", || charm.has_run("stop"));
    charm.wait(MAIN, "blocked", LOST);
    assert!(!charm.volume().join("homeserver.db").exists());
}

#[test]
fn server_whose_volume_is_lost_starts_empty_when_it_is_confirmed() {
    let charm = Deployed::new(&[NAME]);
    charm.wait(MAIN, "active", "");
    let key = charm.volume().join("matrix.example.signing.key");
    let old_key = fs::read(&key).unwrap();
    // Synapse runs on: no hook has seen it.
    empty(&charm.volume());

    let next = "start-empty confirm=matrix.example";
    assert!(refusal(&charm, MAIN, "create-backup", &[]).contains(next));
    charm.wait(MAIN, "blocked", LOST);
    let other = [("confirm", json!("other.example"))];
    assert!(refusal(&charm, MAIN, "start-empty", &other).contains(next));

    let ours = [("confirm", json!("matrix.example"))];
    let started = charm.run(MAIN, "start-empty", &ours);
    assert_eq!(
        (started.status.as_str(), started.message.as_str()),
        ("completed", "")
    );
    charm.wait(MAIN, "active", "");
    assert!(charm.answers());
    assert_eq!(fs::read(&key).unwrap(), old_key);
    assert!(refusal(&charm, MAIN, "start-empty", &ours).contains("not empty"));
}

#[test]
fn only_the_main_unit_runs_synapse_whoever_leads() {
    let charm = Deployed::new(&[]);
    charm.wait(MAIN, "blocked", "server_name is not set");
    charm.juju.add_unit("synapse", 1).unwrap();
    charm.wait(
        "synapse/1",
        "blocked",
        "only synapse/0 runs Synapse; scale to 1",
    );
    charm.juju.set_leader("synapse/1").unwrap();
    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(
        MAIN,
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
        ("create-backup", vec![]),
        ("list-backups", vec![]),
        ("register-user", vec![("username", json!("alice"))]),
        ("start-empty", vec![("confirm", json!("matrix.example"))]),
    ] {
        let refused = charm.run("synapse/1", action, &parameters);
        assert!(
            refused.message.contains("run this action on synapse/0"),
            "{}",
            refused.message
        );
    }
    let value: Value = charm.ask("GET", "/_matrix/client/versions", &Value::Null).1;
    assert!(value["versions"].is_array());

    // There is no copy of the identity; the unit remembers all the same.
    empty(&charm.volume());
    charm.fire("update-status");
    charm.wait(MAIN, "blocked", LOST);
    assert!(names_in(&charm.volume()).is_empty());
}

#[test]
fn new_deployment_on_the_backups_of_its_server_is_not_started_as_a_new_one() {
    let server = S3Server::start();
    server.create_bucket("backups");
    let charm = Deployed::model(vec![Forward {
        listen: 8333,
        to: ForwardTarget::Unix(server.socket()),
    }]);
    let options = [
        NAME,
        ("s3_endpoint", "http://127.0.0.1:8333"),
        ("s3_bucket", "backups"),
        ("s3_path", "matrix"),
        ("s3_access_key", server.access_key()),
        ("s3_secret_key", server.secret_key()),
        ("backup_passphrase", "correct horse"),
    ];
    charm.deploy(&options, |deploy| deploy);
    charm.wait(MAIN, "active", "no backup yet");
    let made = charm.run(MAIN, "create-backup", &[]);
    assert_eq!(
        (made.status.as_str(), made.message.as_str()),
        ("completed", "")
    );
    charm.wait(MAIN, "active", "last backup just now, ");

    charm.deploy(&options, |deploy| deploy.application("again"));
    charm.wait("again/0", "blocked", LOST);
    let volume = charm.juju.storage_folder("again/0", "data").unwrap();
    assert!(names_in(&volume).is_empty());
    let listed = charm.run("again/0", "list-backups", &[]);
    assert_eq!(
        (listed.result("count"), listed.result("truncated")),
        (Some("1"), Some("false"))
    );
    let id = made.result("backup-id").unwrap();
    assert!(listed.result("formatted").unwrap().contains(id));
    assert!(refusal(&charm, "again/0", "create-backup", &[]).contains("start-empty"));

    charm.wait("again/0", "blocked", LOST);

    // What was seen in S3 once is not forgotten when S3 has nothing to say any more.
    let wrong = [("s3_secret_key", "wrong")];
    charm.juju.config("again", wrong).unwrap();
    charm.wait("again/0", "blocked", "refuses the secret key");
    charm.wait("again/0", "blocked", LOST);
    let all: Vec<&str> = options[1..].iter().map(|(name, _)| *name).collect();
    charm.juju.config_reset("again", &all).unwrap();
    until("the options are gone", || {
        !shown(&charm, "again/0").contains("secret key")
    });
    charm.wait("again/0", "blocked", LOST);
    assert!(names_in(&volume).is_empty());
    charm.juju.config("again", options).unwrap();
    charm.wait("again/0", "blocked", LOST);

    let confirmed = [("confirm", json!("matrix.example"))];
    assert_eq!(
        charm.run("again/0", "start-empty", &confirmed).status,
        "completed"
    );
    charm.wait("again/0", "active", "last backup");
}

fn shown(charm: &Deployed, unit: &str) -> String {
    let status = charm.juju.status().unwrap();
    status.unit(unit).unwrap().workload.message.clone()
}

#[test]
fn new_deployment_waits_for_an_s3_that_does_not_answer() {
    let server = S3Server::start();
    server.create_bucket("backups");
    let charm = Deployed::model(vec![Forward {
        listen: 8333,
        to: ForwardTarget::Unix(server.socket()),
    }]);
    let options = [
        NAME,
        ("s3_endpoint", "http://127.0.0.1:1"),
        ("s3_bucket", "backups"),
        ("s3_access_key", server.access_key()),
        ("s3_secret_key", server.secret_key()),
        ("backup_passphrase", "correct horse"),
    ];
    charm.deploy(&options, |deploy| deploy);
    let why = "cannot tell whether matrix.example existed before: ";
    charm.wait(MAIN, "waiting", why);
    assert!(shown(&charm, MAIN).contains("start-empty confirm=matrix.example"));
    assert!(names_in(&charm.volume()).is_empty() && charm.service().is_none());
    assert!(refusal(&charm, MAIN, "create-backup", &[]).contains(why));
    let here = [("s3_endpoint", "http://127.0.0.1:8333")];
    charm.juju.config("synapse", here).unwrap();
    charm.wait(MAIN, "active", "no backup yet");

    // A backup of a Synapse that someone stopped is none of a healthy unit.
    charm.pebble(async |client| {
        let change = client.stop(&["synapse"]).await?;
        client.wait_change(&change, Duration::from_mins(1)).await
    });
    let made = charm.run(MAIN, "create-backup", &[]);
    assert_eq!(
        (made.status.as_str(), made.message.as_str()),
        ("completed", "")
    );
    charm.wait(MAIN, "waiting", "synapse: stopped; the next hook starts it");
    charm.fire("update-status");
    charm.wait(MAIN, "active", "last backup just now, ");
    // Once it ran, S3 has no say in whether it runs.
    charm
        .juju
        .config("synapse", [("s3_endpoint", "http://127.0.0.1:1")])
        .unwrap();
    charm.wait(MAIN, "active", "cannot be reached");

    charm.deploy(&options, |deploy| deploy.application("anyway"));
    charm.wait("anyway/0", "waiting", why);
    let confirmed = [("confirm", json!("matrix.example"))];
    assert_eq!(
        charm.run("anyway/0", "start-empty", &confirmed).status,
        "completed"
    );
    charm.wait("anyway/0", "active", "cannot be reached");
}
