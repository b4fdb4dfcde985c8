//! What is refused for reasons outside the backup's settings, what a lost volume is answered with, and what the actions
//! that only look or register say to odd parameters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{BUCKET, Deployment, SERVER_NAME, UNIT, must, object, rows, wait_until};
use processes::synapse_since;
use s3_server::S3Server;
use serde_json::{Value, json};

#[test]
fn create_backup_in_an_image_without_aws_gpg_or_tar_names_the_program() {
    let deployment = Deployment::empty(S3Server::start());
    let aws = ["/usr/bin/aws", "/opt/awscli/bin/aws"];
    let cases: [(&str, &[&str]); 3] = [
        ("aws", &aws),
        ("gpg", &["/usr/bin/gpg"]),
        ("tar", &["/usr/bin/tar"]),
    ];
    for (program, hidden) in cases {
        let image = deployment.image_without(program, hidden);
        deployment.deploy(&format!("no-{program}"), &image, &deployment.settings());
    }
    for (program, _) in cases {
        let unit = format!("no-{program}/0");
        deployment.wait_active(&unit);
        let message = deployment.refused(&unit, "create-backup", json!({}));
        let cause = format!("the workload's image cannot run {program}; use an image that has");
        assert!(message.contains(&cause), "{message}");
    }
    assert_eq!(deployment.server.objects(BUCKET, "").len(), 0);
    deployment.settle();
}

#[test]
fn action_on_a_unit_that_cannot_do_it_says_which_or_when() {
    let deployment = Deployment::with_backups("ours");
    let id = deployment.create_backup();

    must(deployment.juju.add_unit("synapse", 1));
    must(
        deployment
            .juju
            .wait_for_unit("synapse/1", "blocked", deployment::DEADLINE),
    );
    let shown = deployment.shown("synapse/1");
    assert!(
        shown
            .message
            .contains("only synapse/0 runs Synapse; scale to 1"),
        "{shown:?}"
    );
    for (action, parameters) in [
        ("create-backup", json!({})),
        ("list-backups", json!({})),
        ("start-empty", json!({"confirm": SERVER_NAME})),
        ("register-user", json!({"username": "alice"})),
    ] {
        let message = deployment.refused("synapse/1", action, parameters);
        assert!(
            message.contains("run this action on synapse/0"),
            "{action}: {message}"
        );
    }

    // No Pebble answers where its socket should be.
    let socket = must(deployment.juju.pebble_socket(UNIT, "synapse"));
    let aside = socket.with_extension("aside");
    fs::rename(&socket, &aside).unwrap();
    for (action, parameters) in [
        ("create-backup", json!({})),
        ("start-empty", json!({"confirm": SERVER_NAME})),
        ("register-user", json!({"username": "alice"})),
    ] {
        let message = deployment.refused(UNIT, action, parameters);
        let words = "the container synapse is not up: wait until juju status shows it";
        assert!(message.contains(words), "{action}: {message}");
    }
    must(deployment.juju.fire(UNIT, "update-status"));
    deployment.settle();
    let shown = deployment.shown(UNIT);
    assert_eq!(shown.workload, "waiting", "{shown:?}");
    // S3 answers without the container.
    assert_eq!(deployment.listed(), [(id, "finished".to_owned())]);
    fs::rename(&aside, &socket).unwrap();
    must(deployment.juju.fire(UNIT, "update-status"));
    deployment.wait_active(UNIT);
    deployment.create_backup();
}

#[test]
fn path_of_another_deployment_is_taken_over_only_when_told() {
    let deployment = Deployment::with_backups("ours");
    let owner = json!({
        "format": 1, "model_uuid": "11111111-2222-4333-8444-555555555555", "application": "matrix", "server_name": "b.example",
    });
    for (content, cause) in [
        (
            owner.to_string(),
            "belongs to application matrix (server b.example)",
        ),
        ("{".to_owned(), "owner.json"),
        (json!({"format": 9}).to_string(), "owner.json"),
    ] {
        deployment
            .server
            .put_object(BUCKET, "owner.json", content.as_bytes());
        let message = deployment.refused(UNIT, "create-backup", json!({}));
        assert!(
            message.contains(cause) && message.contains("take-over=true"),
            "{message}"
        );
        // Whoever looks at the status, and not at the task, sees it too: also after the next hook.
        let failed =
            |message: &str| message.contains("create-backup failed") && message.contains(cause);
        assert!(failed(&deployment.shown(UNIT).message));
        must(deployment.juju.fire(UNIT, "update-status"));
        deployment.settle();
        assert!(failed(&deployment.shown(UNIT).message));
        // Looking is always allowed.
        assert_eq!(deployment.listed(), []);
        assert_eq!(
            deployment.server.object(BUCKET, "owner.json").unwrap(),
            content.as_bytes()
        );

        let outcome = deployment.done("create-backup", json!({"take-over": true}));
        let id = outcome.result("backup-id").unwrap().to_owned();
        assert_eq!(deployment.listed(), [(id.clone(), "finished".to_owned())]);
        let shown = deployment.shown(UNIT);
        assert!(
            shown.message.starts_with("last backup just now"),
            "{shown:?}"
        );
        // From now on it is ours.
        deployment.create_backup();
        deployment.server.remove(BUCKET, "");
        deployment.server.create_bucket(BUCKET);
    }
}

#[test]
fn lost_volume_is_not_backed_up_until_start_empty() {
    let deployment = Deployment::with_backups("upstream");
    deployment.done("register-user", json!({"username": "alice"}));
    deployment.create_backup();
    let message = deployment.refused(UNIT, "start-empty", json!({"confirm": SERVER_NAME}));
    assert!(
        message.contains("the data volume is not empty"),
        "{message}"
    );

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
    let message = deployment.refused(UNIT, "create-backup", json!({}));
    assert!(
        message.contains("is empty but a.example existed"),
        "{message}"
    );
    assert_not_started(&deployment, "create-backup");
    deployment.refused(UNIT, "register-user", json!({"username": "alice"}));
    let message = deployment.refused(UNIT, "start-empty", json!({"confirm": "b.example"}));
    assert!(
        message.contains("run start-empty confirm=a.example"),
        "{message}"
    );
    assert_not_started(&deployment, "start-empty of another name");
    assert_eq!(finished(&deployment), 1);

    deployment.done("start-empty", json!({"confirm": SERVER_NAME}));
    deployment.wait_active(UNIT);
    // The old accounts are gone, as the action says.
    deployment.done("register-user", json!({"username": "alice"}));
    deployment.create_backup();
}

fn finished(deployment: &Deployment) -> usize {
    let listed = deployment.listed();
    listed
        .iter()
        .filter(|(_, state)| state == "finished")
        .count()
}

fn assert_not_started(deployment: &Deployment, after: &str) {
    let shown = deployment.shown(UNIT);
    let words = "the data volume is empty but a.example existed";
    assert!(shown.message.contains(words), "{after}: {shown:?}");
    assert_eq!(shown.workload, "blocked", "{after}: {shown:?}");
    assert_eq!(synapse_since(deployment), None, "{after}");
    let left: Vec<_> = fs::read_dir(deployment.data()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{after} wrote {left:?}");
}

/// Puts 300 backups into the bucket, the second newest truncated and the third failed; returns their ids, newest first.
fn put_backups(deployment: &Deployment) -> Vec<String> {
    let mut ids: Vec<String> = (0..300)
        .map(|index| {
            format!(
                "backup-20260{}{:02}-120000-{index:04x}",
                1 + index / 60,
                1 + index % 28
            )
        })
        .collect();
    ids.sort_by(|one, other| other.cmp(one));
    for (index, id) in ids.iter().enumerate() {
        let put = |name: &str, content: &[u8]| {
            let key = format!("{id}/{name}");
            deployment.server.put_object(BUCKET, &key, content);
        };
        put("state.tar.gpg", b"abc");
        put("media.tar.gpg", if index == 1 { b"d" } else { b"de" });
        match index {
            2 => put("failed.json", b"{}"),
            _ => put("manifest-3-2.json", b"{}"),
        }
    }
    deployment
        .server
        .put_object(BUCKET, "backup-notes.txt", b"x");
    ids
}

/// A run of `list-backups`: the rows of its table, and how many there are, are shown, and whether some are left out.
fn page(deployment: &Deployment, parameters: Value) -> (Vec<(String, String)>, [String; 3]) {
    let outcome = deployment.done("list-backups", parameters);
    let text = |key: &str| outcome.result(key).unwrap().to_owned();
    let whole = flat_bytes(&Value::Object(outcome.results.clone()));
    assert!(whole < 100 * 1024, "{whole}");
    let table = rows(&text("formatted"));
    for (id, state) in &table {
        let entry = &outcome.results["backups"][id];
        assert_eq!(entry["state"], *state, "{id}: {entry}");
    }
    (table, ["count", "shown", "truncated"].map(text))
}

#[test]
fn list_backups_pages_from_the_newest_and_never_grows_over_its_limit() {
    let deployment = Deployment::with_backups("ours");
    let ids = put_backups(&deployment);
    let (table, numbers) = page(&deployment, json!({}));
    assert_eq!(numbers, ["300", "100", "true"]);
    assert!(table.iter().map(|(id, _)| id).eq(&ids[..100]));
    let states: Vec<&str> = table[..4].iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["finished", "damaged", "failed", "finished"]);

    let (table, _) = page(&deployment, json!({"limit": 7, "before": ids[100]}));
    assert!(table.iter().map(|(id, _)| id).eq(&ids[101..108]));
    let (_, numbers) = page(&deployment, json!({"limit": 7, "before": ids[297]}));
    assert_eq!(numbers, ["300", "2", "false"]);
    // As many as a result can hold.
    let (table, numbers) = page(&deployment, json!({"limit": 1000}));
    assert!(
        table.len() > 200 && table.len() < 300 && numbers[2] == "true",
        "{numbers:?}"
    );

    let message = deployment.refused(UNIT, "list-backups", json!({"before": "../x; id"}));
    let next = "is no backup id: take one from list-backups";
    assert!(message.contains(next), "{message}");
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"limit": "x"}),
        json!({"what": 1}),
    ] {
        let refused = (deployment.juju).enqueue(UNIT, "list-backups", object(wrong.clone()));
        assert!(refused.is_err_and(|error| error.is_refusal()), "{wrong}");
    }
}

fn flat_bytes(value: &Value) -> usize {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| key.len() + 2 + flat_bytes(value))
            .sum(),
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    }
}

#[test]
fn register_user_of_odd_names_is_refused_or_done() {
    let deployment = Deployment::with_backups("ours");
    for name in [
        "",
        "Alice",
        "a b",
        "@a:a.example",
        "a:b",
        "\u{e9}",
        "a\n",
        "_bot",
        "12345",
        "$(id)",
        "a'b\"",
        "-\u{202e}x",
    ] {
        let message = deployment.refused(UNIT, "register-user", json!({"username": name}));
        assert!(
            message.contains("username") && message.contains("is not allowed: "),
            "{name:?}: {message}"
        );
    }
    let message = deployment.refused(UNIT, "register-user", json!({"username": "a".repeat(300)}));
    assert!(message.contains("username is too long"), "{message}");
    for name in ["a.b_c=d-e/f+g", "-rf", "0x"] {
        let outcome = deployment.done("register-user", json!({"username": name, "admin": true}));
        assert_eq!(outcome.result("register-user"), Some("true"), "{outcome:?}");
        assert!(outcome.result("user-password").unwrap().len() >= 16);
        let message = deployment.refused(UNIT, "register-user", json!({"username": name}));
        assert!(message.contains("taken"), "{message}");
    }
    for wrong in [
        json!({}),
        json!({"username": 5}),
        json!({"username": "a", "admin": "yes"}),
    ] {
        let refused = deployment
            .juju
            .enqueue(UNIT, "register-user", object(wrong.clone()));
        assert!(refused.is_err_and(|error| error.is_refusal()), "{wrong}");
    }
    wait_until(
        || deployment.shown(UNIT).workload == "active",
        || deployment.log(),
    );
}
