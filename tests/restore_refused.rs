//! What cannot be restored is refused before anything is stopped or written, with its reason and what to do; a dry run tells
//! all reasons at once.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use deployment::{BUCKET, Deployment, PASSPHRASE, UNIT, must, names_in, own};
use processes::synapse_since;
use s3_server::S3Server;
use serde_json::{Value, json};

type Change = fn(&mut Value);

/// A server, a good backup of it, and what must not change.
struct Ground {
    deployment: Deployment,
    backup: String,
    since: Option<String>,
    files: BTreeMap<String, u64>,
}

impl Ground {
    fn new() -> Self {
        let deployment = Deployment::with_backups("ours");
        deployment.write("media_store/local_content/aa/bb/cc", b"media");
        let backup = deployment.create_backup();
        deployment.settle();
        Self {
            since: synapse_since(&deployment),
            files: files(&deployment),
            backup,
            deployment,
        }
    }

    /// Refused, whole, and nothing is another.
    #[track_caller]
    fn refused(&self, parameters: Value) -> String {
        let said = self.deployment.refused(UNIT, "restore-backup", parameters);
        self.assert_unchanged(&said);
        said
    }

    #[track_caller]
    fn assert_unchanged(&self, after: &str) {
        assert_eq!(synapse_since(&self.deployment), self.since, "{after}");
        assert_eq!(files(&self.deployment), self.files, "{after}");
    }

    /// A backup like the good one, whose manifest is changed.
    fn with_manifest(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let server = &self.deployment.server;
        for object in server.objects(BUCKET, &format!("{}/", self.backup)) {
            let content = server.object(BUCKET, &object.key).unwrap_or_default();
            server.put_object(BUCKET, &object.key.replace(&self.backup, id), &content);
        }
        let key = self.deployment.object_of(&format!("{id}/"), "manifest-");
        let content = server.object(BUCKET, &key).unwrap_or_default();
        let mut manifest: Value = must(serde_json::from_slice(&content));
        manifest["id"] = id.into();
        change(&mut manifest);
        server.put_object(BUCKET, &key, manifest.to_string().as_bytes());
    }
}

/// The volume's files that belong to the charm or to a job, and the numbers of what is live.
fn files(deployment: &Deployment) -> BTreeMap<String, u64> {
    let names = names_in(&deployment.data());
    let kept = names
        .into_iter()
        .filter(|name| !name.starts_with("homeserver.db-"));
    kept.map(|name| {
        let number = must(std::fs::symlink_metadata(deployment.data().join(&name))).ino();
        (name, number)
    })
    .collect()
}

#[test]
fn backup_that_does_not_fit_is_refused_with_its_reason_and_nothing_is_stopped() {
    let ground = Ground::new();
    let id = |number: u32| format!("backup-20250101-000000-{number:04x}");
    let changes: [(&str, Change); 6] = [
        ("server_name=b.example", |it| {
            it["server_name"] = "b.example".into();
        }),
        ("psycopg2", |it| it["engine"] = "psycopg2".into()),
        ("knows schema 9999", |it| it["compat_version"] = 9999.into()),
        ("unknown format 2", |it| it["format"] = 2.into()),
        ("make the volume larger", |it| {
            it["media"]["file_bytes"] = 1_000_000_000_000_000_u64.into();
        }),
        ("another backup", |it| {
            it["id"] = "backup-20250101-000000-ffff".into();
        }),
    ];
    for (number, (reason, change)) in (0..).zip(changes) {
        ground.with_manifest(&id(number), change);
        let said = ground.refused(json!({"backup-id": id(number)}));
        assert!(said.contains(reason), "{reason}: {said}");
    }

    let all = id(99);
    ground.with_manifest(&all, |it| {
        for (_, change) in &changes[..3] {
            change(it);
        }
    });
    let dry = json!({"backup-id": all, "dry-run": true});
    let outcome = ground.deployment.done("restore-backup", dry);
    ground.assert_unchanged("a dry run");
    assert_eq!(
        outcome.result("would-be-refused"),
        Some("true"),
        "{outcome:?}"
    );
    let because = outcome.result("refused-because").unwrap_or_default();
    for (reason, _) in &changes[..3] {
        assert!(because.contains(reason), "{reason}: {outcome:?}");
    }
}

#[test]
fn backup_that_is_not_finished_or_not_there_is_refused_and_nothing_is_stopped() {
    let ground = Ground::new();
    let id = "backup-20250101-000000-0001";
    let server = &ground.deployment.server;
    for (name, state) in [
        ("failed.json", "is failed"),
        ("started.json", "is abandoned"),
        ("heartbeat.json", "is in progress"),
        ("manifest-5-5.json", "is damaged"),
    ] {
        server.put_object(BUCKET, &format!("{id}/{name}"), b"{}");
        let said = ground.refused(json!({"backup-id": id}));
        assert!(
            said.contains(state) && said.contains("list-backups"),
            "{said}"
        );
        server.remove(BUCKET, &format!("{id}/"));
    }
    let said = ground.refused(json!({"backup-id": id}));
    assert!(said.contains("does not exist"), "{said}");
    let said = ground.refused(json!({"backup-id": "../x"}));
    assert!(said.contains("is no backup id"), "{said}");
}

#[test]
fn settings_that_do_not_hold_are_refused_with_their_reason_and_nothing_is_stopped() {
    let ground = Ground::new();
    let deployment = &ground.deployment;
    let right = deployment.settings();
    let right = |name: &str| {
        let found = right.iter().find(|(option, _)| *option == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    for (option, value, reason) in [
        ("backup_passphrase", "", "no passphrase is set"),
        ("backup_passphrase", "another one", "passphrase"),
        ("s3_secret_key", "wrong", "secret key"),
        ("s3_bucket", "nowhere", "nowhere"),
        ("s3_endpoint", "", "s3_"),
        ("backup_max_duration", "soon", "backup_max_duration"),
    ] {
        deployment.configure([(option, value)]);
        let said = ground.refused(json!({"backup-id": ground.backup}));
        assert!(said.contains(reason), "{option}={value}: {said}");
        let right = if option == "backup_max_duration" {
            "12h".to_owned()
        } else {
            right(option)
        };
        deployment.configure([(option, right.as_str())]);
    }

    // What another job, or what is left of one, holds.
    let lock = "mkdir -p -m 700 /tmp/.synapse-charm.lock; exec flock -x /tmp/.synapse-charm.lock sleep 600";
    let change = deployment.pebble(async |pebble| {
        let held = pebble.exec(["bash", "-c", lock]).spawn().await?;
        held.detach().await
    });
    deployment::wait_until(
        || {
            let said = deployment.run(
                UNIT,
                "restore-backup",
                json!({"backup-id": ground.backup, "dry-run": true}),
            );
            said.result("refused-because")
                .is_some_and(|why| why.contains("another job"))
        },
        || "nobody minds the lock".to_owned(),
    );
    let said = ground.refused(json!({"backup-id": ground.backup}));
    assert!(said.contains("another job"), "{said}");
    deployment.pebble(async |pebble| pebble.abort_change(&change).await);
}

#[test]
fn application_of_more_units_is_refused_and_other_units_name_the_right_one() {
    let ground = Ground::new();
    must(ground.deployment.juju.add_unit("synapse", 1));
    ground.deployment.settle();
    let said = ground.refused(json!({"backup-id": ground.backup}));
    assert!(said.contains("scale to 1"), "{said}");
    for (action, parameters) in [
        ("restore-backup", json!({"backup-id": "latest"})),
        ("undo-restore", json!({})),
        ("discard-old-data", json!({})),
    ] {
        let said = ground.deployment.refused("synapse/1", action, parameters);
        assert!(said.contains("run this action on synapse/0"), "{said}");
    }
}

#[test]
fn dry_run_tells_what_would_change_and_changes_nothing() {
    let ground = Ground::new();
    let parameters = json!({"backup-id": "latest", "dry-run": true});
    let outcome = ground.deployment.done("restore-backup", parameters);
    ground.assert_unchanged("a dry run");
    let said = |key: &str| outcome.result(key).unwrap_or_default().to_owned();
    assert_eq!(said("would-be-refused"), "false", "{outcome:?}");
    assert_eq!(said("backup-id"), ground.backup);
    for path in [
        "/data/homeserver.db",
        "/data/a.example.signing.key",
        "/data/media_store/local_content",
    ] {
        assert!(said("would-replace").contains(path), "{outcome:?}");
    }
    for key in ["file-bytes", "disk-needed-bytes", "disk-free-bytes"] {
        assert!(
            said(key).parse::<u64>().is_ok_and(|bytes| bytes > 0),
            "{key}: {outcome:?}"
        );
    }
    assert!(said("warning").contains("old server"), "{outcome:?}");
    ground
        .deployment
        .configure([("backup_passphrase", "another one")]);
    let parameters = json!({"backup-id": "latest", "dry-run": true});
    let wrong = ground.deployment.done("restore-backup", parameters);
    let because = wrong.result("refused-because").unwrap_or_default();
    assert!(because.contains("passphrase is not the one"), "{wrong:?}");
    assert_eq!(wrong.result("would-be-refused"), Some("true"), "{wrong:?}");
    ground
        .deployment
        .configure([("backup_passphrase", PASSPHRASE)]);
    let left = names_in(&ground.deployment.container_root(UNIT).join("tmp"));
    assert!(
        !left.iter().any(|name| name.starts_with("synapse-charm")),
        "{left:?}"
    );
    let hidden = names_in(&ground.deployment.data());
    assert!(
        !hidden.iter().any(|name| name.starts_with(".restore")),
        "{hidden:?}"
    );

    let only = json!({"backup-id": "latest", "dry-run": true, "components": "keys"});
    let keys = ground.deployment.done("restore-backup", only);
    let would = keys.result("would-replace").unwrap_or_default();
    assert!(
        would.contains("signing.key") && !would.contains("homeserver.db"),
        "{keys:?}"
    );
}

/// A compromised Synapse can make them. The journal of a restore would be longer than what the next hook reads of it.
#[test]
fn more_media_folders_than_a_journal_can_list_are_refused_and_nothing_is_stopped() {
    let mut ground = Ground::new();
    let store = ground.deployment.data().join("media_store");
    let folder = |kind: &str, number: u32| store.join(format!("local_{kind}{number}"));
    let plant = |kind: &str, count: u32| {
        for number in 0..count {
            must(std::fs::create_dir(folder(kind, number)));
            own(&folder(kind, number));
        }
    };
    plant("a", 3200);
    ground.backup = ground.deployment.create_backup();

    // Together with those of the backup they are too many: it is seen while Synapse runs.
    for number in 0..3200 {
        must(std::fs::rename(folder("a", number), folder("b", number)));
    }
    plant("c", 7800);
    let parameters = json!({"backup-id": ground.backup, "dry-run": true});
    let dry = ground.deployment.done("restore-backup", parameters.clone());
    assert_eq!(dry.result("would-be-refused"), Some("false"), "{dry:?}");
    let would = dry.result("would-replace").unwrap_or_default();
    assert!(
        would.contains("local_b1,") && would.contains(" more ("),
        "{dry:?}"
    );
    let wish = json!({"backup-id": ground.backup});
    let said = ground.deployment.refused(UNIT, "restore-backup", wish);
    assert!(
        said.contains("more than a restore can keep track of"),
        "{said}"
    );
    assert!(said.contains("local_thumbnails"), "{said}");
    assert_eq!(synapse_since(&ground.deployment), ground.since, "{said}");
    // The charm wrote its own files anew, as in every hook after a job.
    ground.files = files(&ground.deployment);

    // They alone are too many: nothing is downloaded.
    plant("a", 3200);
    let dry = ground.deployment.done("restore-backup", parameters);
    let because = dry.result("refused-because").unwrap_or_default();
    assert!(
        because.contains("more than a restore can keep track of"),
        "{dry:?}"
    );
    let said = ground.refused(json!({"backup-id": ground.backup}));
    assert!(!said.contains("not done"), "{said}");
}

/// Without the waker, a charm that dies after the stop leaves the server down until somebody looks.
#[test]
fn restore_whose_waker_does_not_stay_up_goes_back_before_anything_is_renamed() {
    let deployment = Deployment::empty(S3Server::start());
    let image = deployment.image_without("restless", &["/usr/bin/sleep"]);
    deployment.deploy("synapse", &image, &deployment.settings());
    deployment.wait_active(UNIT);
    let backup = deployment.create_backup();
    let database = |deployment: &Deployment| files(deployment)["homeserver.db"];
    let before = database(&deployment);
    let said = deployment.refused(UNIT, "restore-backup", json!({"backup-id": backup}));
    assert!(
        said.contains("all is as it was before") && said.contains("job-waker"),
        "{said}"
    );
    deployment.wait_active(UNIT);
    assert_eq!(database(&deployment), before);
}

#[test]
fn journal_that_cannot_be_followed_stops_everything_and_loses_nothing() {
    let ground = Ground::new();
    let journal = ground
        .deployment
        .write(".synapse-charm/journal.json", br#"{"format": 2}"#);
    ground.deployment.fire("update-status");
    let shown = ground.deployment.shown(UNIT);
    assert_eq!(shown.workload, "blocked", "{shown:?}");
    assert!(shown.message.contains("its format is 2"), "{shown:?}");
    for (action, parameters) in [
        ("restore-backup", json!({"backup-id": "latest"})),
        ("undo-restore", json!({})),
        ("create-backup", json!({})),
    ] {
        let said = ground.deployment.refused(UNIT, action, parameters);
        assert!(said.contains("its format is 2"), "{action}: {said}");
    }
    assert_eq!(ground.deployment.listed().len(), 1);
    assert!(journal.is_file());
    must(std::fs::remove_dir_all(
        ground.deployment.data().join(".synapse-charm"),
    ));
    ground.deployment.fire("update-status");
    assert_eq!(ground.deployment.shown(UNIT).workload, "active");
    ground.assert_unchanged("a journal that cannot be followed");
}
