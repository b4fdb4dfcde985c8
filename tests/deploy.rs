//! The charm from deploy to removal, as an admin meets it: real Pebble, real Synapse.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and one kills the charm after a while"
)]

#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use deployed::{Deployed, MAIN, names_in, until};
use juju_sim::pod::{Forward, ForwardTarget};
use s3_server::S3Server;
use serde_json::{Value, json};

const NAME: (&str, &str) = ("server_name", "matrix.example");

fn log_in(charm: &Deployed, user: &str, password: &str) -> u16 {
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
    });
    charm.ask("POST", "/_matrix/client/v3/login", &body).0
}

#[test]
fn server_is_named_started_used_and_keeps_its_name() {
    let charm = Deployed::new(&[]);
    charm.wait(
        MAIN,
        "blocked",
        "server_name is not set: juju config synapse server_name=",
    );
    assert!(names_in(&charm.volume()).is_empty());

    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(MAIN, "active", "no backups configured");
    assert!(
        !charm.juju.status().unwrap().applications["synapse"]
            .version
            .is_empty()
    );

    let made = charm.run(MAIN, "register-user", &[("username", json!("alice"))]);
    assert_eq!(
        (made.status.as_str(), made.result("register-user")),
        ("completed", Some("true"))
    );
    let password = made.result("user-password").unwrap();
    assert_eq!(log_in(&charm, "alice", password), 200);
    assert_eq!(log_in(&charm, "alice", "wrong"), 403);
    for (username, reason) in [
        ("alice", "taken"),
        ("Alice", "not allowed"),
        ("a:b", "not allowed"),
    ] {
        let refused = charm.run(MAIN, "register-user", &[("username", json!(username))]);
        assert_eq!(refused.status, "failed");
        assert!(refused.message.contains(reason), "{}", refused.message);
    }

    let before = fs::read(charm.volume().join("homeserver.yaml")).unwrap();
    let started = charm.service().unwrap().current_since;
    charm
        .juju
        .config("synapse", [("server_name", "other.example")])
        .unwrap();
    charm.wait(MAIN, "blocked", "set it back to matrix.example");
    assert!(charm.answers());
    assert_eq!(
        fs::read(charm.volume().join("homeserver.yaml")).unwrap(),
        before
    );
    assert!(
        !names_in(&charm.volume())
            .iter()
            .any(|name| name.contains("other.example"))
    );
    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(MAIN, "active", "");
    assert_eq!(charm.service().unwrap().current_since, started);
}

/// Makes and removes files until it is told to stop, or for a while.
fn churn(folder: &Path, goes_on: &AtomicBool) {
    let end = Instant::now() + Duration::from_secs(30);
    while goes_on.load(Ordering::Relaxed) && Instant::now() < end {
        for number in 0..20 {
            fs::write(folder.join(format!("churn-{number}")), "").unwrap();
        }
        for number in 0..20 {
            fs::remove_file(folder.join(format!("churn-{number}"))).unwrap();
        }
    }
}

#[test]
fn synapse_restarts_exactly_when_something_changed() {
    let charm = Deployed::new(&[NAME]);
    charm.wait(MAIN, "active", "");
    let since = || charm.service().unwrap().current_since;
    let started = since();
    let volume = charm.volume();
    let churns = AtomicBool::new(true);
    thread::scope(|scope| {
        // Pebble says "not found" for a folder whose files go away while it lists them.
        scope.spawn(|| churn(&volume, &churns));
        for hook in ["update-status", "config-changed", "start", "upgrade-charm"] {
            charm.fire(hook);
            assert_eq!(since(), started, "{hook} restarted Synapse");
            charm.wait(MAIN, "active", "");
        }
        churns.store(false, Ordering::Relaxed);
    });
    charm
        .juju
        .config("synapse", [("s3_bucket", "half-a-set")])
        .unwrap();
    charm.wait(MAIN, "blocked", "backup: ");
    assert_eq!(
        since(),
        started,
        "an option of the backups restarted Synapse"
    );
    charm.juju.config_reset("synapse", &["s3_bucket"]).unwrap();

    // Killed anywhere, also between the push of a file and the replan, it ends on the new files.
    for (delay_ms, report_stats) in [(30, "true"), (60, "false"), (90, "true"), (130, "false")] {
        charm
            .juju
            .config("synapse", [("report_stats", report_stats)])
            .unwrap();
        thread::sleep(Duration::from_millis(delay_ms));
        // On a fast machine the hook may have ended.
        let _ = charm.juju.kill_charm(MAIN);
        let file = charm.volume().join("homeserver.yaml");
        until("the new file is there and used", || {
            let written = fs::metadata(&file).unwrap().modified().unwrap();
            let started = since().map(std::time::SystemTime::from);
            fs::read_to_string(&file)
                .unwrap()
                .contains(&format!("report_stats: {report_stats}"))
                && started.is_some_and(|started| started >= written)
        });
        charm.wait(MAIN, "active", "");
    }

    charm.juju.kill_container(MAIN, "synapse").unwrap();
    until("Synapse is back after its Pebble was killed", || {
        charm
            .juju
            .debug_log()
            .unwrap()
            .iter()
            .filter(|line| line.contains("synapse-pebble-ready"))
            .count()
            > 1
    });
    charm.wait(MAIN, "active", "");
    assert!(charm.answers());
}

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
    empty(&charm.volume());
    charm.fire("update-status");
    charm.wait(MAIN, "blocked", LOST);

    let next = "start-empty confirm=matrix.example";
    assert!(refusal(&charm, MAIN, "create-backup", &[]).contains(next));
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
fn nothing_happens_before_the_volume_comes_or_after_it_went() {
    let charm = Deployed::with(&[NAME], |mut deploy| {
        deploy.storage_delay = Duration::from_secs(5);
        deploy
    });
    charm.wait(MAIN, "waiting", "storage: waiting for the volume data");
    charm.fire("update-status");
    assert!(charm.service().is_none());
    charm.wait(MAIN, "active", "");
    let volume = charm.volume();

    charm.juju.detach_storage(MAIN, "data").unwrap();
    until("the volume was taken", || {
        charm.has_run("data-storage-detaching")
    });
    let left = names_in(&volume);
    for hook in ["config-changed", "update-status", "start"] {
        charm.fire(hook);
        charm.wait(MAIN, "waiting", "storage: waiting for the volume data");
        assert!(
            !charm.service().is_some_and(|service| service.is_active()),
            "{hook}"
        );
    }
    assert_eq!(names_in(&volume), left);
    let refused = charm.run(MAIN, "create-backup", &[]);
    assert!(
        refused.message.contains("volume data is not attached"),
        "{}",
        refused.message
    );
}

#[test]
fn only_the_main_unit_runs_synapse_whoever_leads() {
    let charm = Deployed::new(&[NAME]);
    charm.wait(MAIN, "active", "");
    charm.juju.add_unit("synapse", 1).unwrap();
    charm.wait(
        "synapse/1",
        "blocked",
        "only synapse/0 runs Synapse; scale to 1",
    );
    charm.juju.set_leader("synapse/1").unwrap();
    charm.fire("update-status");
    charm.wait(MAIN, "active", "");
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

    let confirmed = [("confirm", json!("matrix.example"))];
    assert_eq!(
        charm.run("again/0", "start-empty", &confirmed).status,
        "completed"
    );
    charm.wait("again/0", "active", "last backup");
}
