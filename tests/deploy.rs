//! The charm from deploy to removal, as an admin meets it: real Pebble, real Synapse.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and one kills the charm after a while"
)]

#[path = "support/model.rs"]
mod model;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use model::{Model, UNIT, names_in, wait_until};
use pebble_client::LayerMode;
use serde_json::json;

const NAME: (&str, &str) = ("server_name", "matrix.example");

fn log_in(charm: &Model, user: &str, password: &str) -> u16 {
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
    });
    charm.ask("POST", "/_matrix/client/v3/login", &body).0
}

/// Pebble reads as root what Synapse's user put there.
fn link_in_place_of_a_key(charm: &Model) {
    let key = charm.data().join("matrix.example.form.key");
    fs::rename(&key, key.with_extension("aside")).unwrap();
    symlink("/etc/passwd", &key).unwrap();
    charm.fire("update-status");
    charm.wait(
        UNIT,
        "blocked",
        "/data/matrix.example.form.key is not a regular file",
    );
    let yaml = fs::read_to_string(charm.data().join("homeserver.yaml")).unwrap();
    assert!(!yaml.contains("root:"));
    fs::rename(key.with_extension("aside"), &key).unwrap();
    charm.fire("update-status");
    charm.wait(UNIT, "active", "");
}

#[test]
fn server_is_named_started_used_and_keeps_its_name() {
    let charm = Model::with_charm(&[]);
    charm.wait(
        UNIT,
        "blocked",
        "server_name is not set: juju config synapse server_name=",
    );
    assert!(names_in(&charm.data()).is_empty());

    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(UNIT, "active", "no backups configured");
    assert!(
        !charm.juju.status().unwrap().applications["synapse"]
            .version
            .is_empty()
    );

    let made = charm.run(UNIT, "register-user", json!({"username": "alice"}));
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
        let refused = charm.run(UNIT, "register-user", json!({"username": username}));
        assert_eq!(refused.status, "failed");
        assert!(refused.message.contains(reason), "{}", refused.message);
    }

    let before = fs::read(charm.data().join("homeserver.yaml")).unwrap();
    let started = charm.service().unwrap().current_since;
    charm
        .juju
        .config("synapse", [("server_name", "other.example")])
        .unwrap();
    charm.wait(UNIT, "blocked", "set it back to matrix.example");
    assert!(charm.answers());
    assert_eq!(
        fs::read(charm.data().join("homeserver.yaml")).unwrap(),
        before
    );
    assert!(
        !names_in(&charm.data())
            .iter()
            .any(|name| name.contains("other.example"))
    );
    charm.juju.config("synapse", [NAME]).unwrap();
    charm.wait(UNIT, "active", "");
    assert_eq!(charm.service().unwrap().current_since, started);
    link_in_place_of_a_key(&charm);
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

/// How long a Synapse takes to end that is slower than the next hook.
const SLOW_STOP: Duration = Duration::from_secs(2);

/// Leaves a layer and what runs as a charm does that dies between adding the one and replanning:
/// Pebble's plan is new, what runs is not.
fn layer_without_replan(charm: &Model) {
    let since = || charm.service().unwrap().current_since;
    let plan = charm.pebble(async |client| client.plan().await);
    let digest = plan
        .split_once("SYNAPSE_CHARM_CONFIG: ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let old = plan.replace(digest.unwrap(), "old");
    let run_old_with_new_plan = || {
        charm.pebble(async |client| {
            let label = "synapse-charm";
            client.add_layer(label, &old, LayerMode::Combine).await?;
            let change = client.replan().await?;
            client.wait_change(&change, Duration::from_mins(1)).await?;
            client.add_layer(label, &plan, LayerMode::Combine).await
        });
        charm
            .juju
            .exec(UNIT, &["state-set", "replanned=old"])
            .unwrap();
    };
    run_old_with_new_plan();
    let old = since();
    charm.fire("update-status");
    charm.wait(UNIT, "active", "");
    let started = since();
    assert_ne!(started, old, "Synapse runs with the old configuration");
    charm
        .juju
        .exec(UNIT, &["state-delete", "replanned"])
        .unwrap();
    charm.fire("update-status");
    assert_eq!(since(), started, "it was restarted though it was right");

    // As a killed hook leaves it: Pebble still stops the old process when the next hook comes.
    run_old_with_new_plan();
    charm.pebble(async |client| {
        client.signal("SIGSTOP", &["synapse"]).await?;
        client.replan().await
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SLOW_STOP);
            charm.pebble(async |client| {
                let go_on = ["pkill", "-CONT", "-f", "synapse.app.homeserver"];
                client.exec(go_on).output().await
            });
        });
        charm.fire("update-status");
    });
    charm.wait(UNIT, "active", "");
}

#[test]
fn synapse_restarts_exactly_when_something_changed() {
    let charm = Model::with_charm(&[NAME]);
    charm.wait(UNIT, "active", "");
    let since = || charm.service().unwrap().current_since;
    let started = since();
    let volume = charm.data();
    let churns = AtomicBool::new(true);
    thread::scope(|scope| {
        // Pebble says "not found" for a folder whose files go away while it lists them.
        scope.spawn(|| churn(&volume, &churns));
        for hook in ["update-status", "config-changed", "start", "upgrade-charm"] {
            charm.fire(hook);
            assert_eq!(since(), started, "{hook} restarted Synapse");
            charm.wait(UNIT, "active", "");
        }
        churns.store(false, Ordering::Relaxed);
    });
    charm
        .juju
        .config("synapse", [("s3_bucket", "half-a-set")])
        .unwrap();
    charm.wait(UNIT, "blocked", "backup: ");
    assert_eq!(
        since(),
        started,
        "an option of the backups restarted Synapse"
    );
    charm.juju.config_reset("synapse", &["s3_bucket"]).unwrap();
    charm.wait(UNIT, "active", "no backups configured");

    layer_without_replan(&charm);
    // Killed anywhere, also between the push of a file and the replan, it ends on the new files.
    for (delay_ms, report_stats) in [(30, "true"), (60, "false"), (90, "true"), (130, "false")] {
        charm
            .juju
            .config("synapse", [("report_stats", report_stats)])
            .unwrap();
        thread::sleep(Duration::from_millis(delay_ms));
        // On a fast machine the hook may have ended.
        let _ = charm.juju.kill_charm(UNIT);
        let file = charm.data().join("homeserver.yaml");
        let used = || {
            let written = fs::metadata(&file).unwrap().modified().unwrap();
            let started = since().map(std::time::SystemTime::from);
            fs::read_to_string(&file)
                .unwrap()
                .contains(&format!("report_stats: {report_stats}"))
                && started.is_some_and(|started| started >= written)
        };
        wait_until(used, || "the new file is not there and used".to_owned());
        charm.wait(UNIT, "active", "");
    }

    charm.juju.kill_container(UNIT, "synapse").unwrap();
    wait_until(
        || charm.runs_of("synapse-pebble-ready") > 1,
        || "Synapse's Pebble is not back".to_owned(),
    );
    charm.wait(UNIT, "active", "");
    assert!(charm.answers());
}

#[test]
fn nothing_happens_before_the_volume_comes_or_after_it_went() {
    let charm = Model::empty(Vec::new());
    charm.deploy_with(&[NAME], |mut deploy| {
        deploy.storage_delay = Duration::from_secs(5);
        deploy
    });
    charm.wait(UNIT, "waiting", "storage: waiting for the volume data");
    charm.fire("update-status");
    assert!(charm.service().is_none());
    charm.wait(UNIT, "active", "");
    let volume = charm.data();

    charm.juju.detach_storage(UNIT, "data").unwrap();
    wait_until(
        || charm.runs_of("data-storage-detaching") > 0,
        || "the volume was not taken".to_owned(),
    );
    let left = names_in(&volume);
    for hook in ["config-changed", "update-status", "start"] {
        charm.fire(hook);
        charm.wait(UNIT, "waiting", "storage: waiting for the volume data");
        assert!(
            !charm.service().is_some_and(|service| service.is_active()),
            "{hook}"
        );
    }
    assert_eq!(names_in(&volume), left);
    let refused = charm.run(UNIT, "create-backup", json!({}));
    assert!(
        refused.message.contains("volume data is not attached"),
        "{}",
        refused.message
    );
}
