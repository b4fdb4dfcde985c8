//! The S3 secret key and the passphrase: nowhere but where they must be.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deployment::{BUCKET, Deployment, UID, UNIT, must};
use pebble_client::{Client, Stdin};
use processes::{Processes, block_on, every_process, plan};
use serde_json::{Value, json};

/// Shell, percent and backslash would show in whatever splices it into text.
const PASSPHRASE: &str = "Unverkennbar-4711 $x %s \\n 'q'";

/// A part of each secret that survives quoting and escaping.
fn needles(deployment: &Deployment) -> [String; 2] {
    let key = deployment.server.secret_key();
    [
        key[key.len() / 2..].to_owned(),
        "Unverkennbar-4711".to_owned(),
    ]
}

fn assert_without(text: &str, needles: &[String], what: &str) {
    for (needle, name) in needles.iter().zip(["S3 secret key", "passphrase"]) {
        assert!(!text.contains(needle.as_str()), "the {name} is in {what}");
    }
}

/// Commands of any process of this machine that hold a secret, until told to stop; and how often it looked.
fn sample_commands(needles: &[String], stop: &AtomicBool) -> (BTreeSet<String>, u32) {
    let (mut found, mut rounds) = (BTreeSet::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        rounds += 1;
        for process in every_process() {
            if needles
                .iter()
                .any(|needle| process.command.contains(needle.as_str()))
            {
                found.insert(process.command);
            }
        }
    }
    (found, rounds)
}

fn with_secrets_set(image: &str) -> Deployment {
    let deployment = Deployment::with_backups(image);
    deployment.configure([("backup_passphrase", PASSPHRASE)]);
    deployment
}

#[test]
fn secrets_are_in_no_command_log_status_result_plan_or_file() {
    let deployment = with_secrets_set("ours");
    deployment.write("media_store/local_content/big", &vec![7; 30_000_000]);
    let needles = needles(&deployment);
    let stop = AtomicBool::new(false);
    let (found, outcomes) = std::thread::scope(|scope| {
        let sampling = scope.spawn(|| sample_commands(&needles, &stop));
        let mut outcomes = vec![deployment.done("create-backup", json!({}))];
        outcomes.push(deployment.done("list-backups", json!({})));
        // What fails says more.
        deployment.configure([("s3_access_key", "AKIANOBODY")]);
        outcomes.push(deployment.run(UNIT, "create-backup", json!({})));
        deployment.configure([("s3_access_key", deployment.server.reader_access_key())]);
        outcomes.push(deployment.run(UNIT, "create-backup", json!({})));
        deployment.configure([("s3_access_key", deployment.server.access_key())]);
        stop.store(true, Ordering::Relaxed);
        let (found, rounds) = sampling
            .join()
            .unwrap_or_else(|_| panic!("sampling failed"));
        assert!(rounds > 10, "{rounds} samples");
        (found, outcomes)
    });
    assert_eq!(found, BTreeSet::new());

    assert_without(&format!("{outcomes:?}"), &needles, "an action's result");
    assert_without(&deployment.log(), &needles, "the log");
    let status = must(deployment.juju.status());
    assert_without(&format!("{status:?}"), &needles, "the status");
    assert_without(&plan(&deployment), &needles, "Pebble's plan");
    let unit = must(deployment.juju.show_unit(UNIT)).to_string();
    assert_without(&unit, &needles, "the unit's state");
    for folder in [
        deployment.data(),
        deployment.container_root(UNIT),
        deployment
            .container_root(UNIT)
            .join("..")
            .canonicalize()
            .unwrap(),
        charm_folder(&deployment),
    ] {
        assert_in_no_file(&folder, &needles);
    }
    for object in deployment.server.objects(BUCKET, "") {
        let content = deployment.server.object(BUCKET, &object.key).unwrap();
        assert_without(&String::from_utf8_lossy(&content), &needles, &object.key);
    }
}

fn charm_folder(deployment: &Deployment) -> std::path::PathBuf {
    must(deployment.juju.paths(UNIT))["charm"]
        .as_str()
        .unwrap()
        .into()
}

fn assert_in_no_file(folder: &Path, needles: &[String]) {
    for entry in fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
    {
        let kind = entry.file_type().unwrap();
        let path = entry.path();
        if kind.is_dir() {
            assert_in_no_file(&path, needles);
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap_or_default();
            for needle in needles {
                let found = content
                    .windows(needle.len())
                    .any(|part| part == needle.as_bytes());
                assert!(!found, "a secret is in {}", path.display());
            }
        }
    }
}

#[test]
fn synapses_user_can_read_no_secret_of_any_process_during_a_backup() {
    let deployment = with_secrets_set("upstream");
    deployment.write("media_store/local_content/big", &vec![7; 100_000_000]);
    let client = Client::new(must(deployment.juju.pebble_socket(UNIT, "synapse")));
    let stop_file = deployment.container_root(UNIT).join("tmp/stop-looking");
    let mut wanted: Vec<Vec<u8>> = needles(&deployment).map(String::into_bytes).into();
    // Something that can be found, as a proof that the search finds.
    wanted.push(b"synapse.app.homeserver".to_vec());

    let processes = Processes::of_unit(&deployment);
    let report = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(&client, &wanted));
        let task = deployment.begin("create-backup");
        processes.wait_for("aws");
        let outcome = deployment.end(task);
        fs::write(&stop_file, "").unwrap();
        assert_eq!(outcome.status, "completed", "{outcome:?}");
        looking.join().unwrap_or_else(|_| panic!("looking failed"))
    });
    let names = |key: &str| -> BTreeSet<String> {
        let all = report[key].as_array().unwrap().iter();
        all.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    assert!(report["rounds"].as_u64().unwrap() > 2, "{report}");
    assert!(
        names("seen").is_superset(&["gpg", "aws", "tar"].map(str::to_owned).into()),
        "{report}"
    );
    assert!(!names("looked-into").is_empty(), "{report}");
    let proof = report["found"]["2"].as_array().unwrap();
    assert!(proof.contains(&json!("mem of python3")), "{report}");
    // Where all is of one user, environments cannot be kept from it.
    if deployment::is_root() {
        assert_eq!(
            (&report["found"]["0"], &report["found"]["1"]),
            (&Value::Null, &Value::Null),
            "{report}"
        );
    }
}

/// Looks into every process of the workload as Synapse's user until it is told to stop.
fn look(client: &Client, wanted: &[Vec<u8>]) -> Value {
    let program = fs::read_to_string(deployment::root().join("tests/support/look_for_secrets.py"));
    let lines: Vec<u8> = wanted
        .iter()
        .flat_map(|secret| reversed_hex(secret))
        .collect();
    let exec = client
        .exec([
            "python3",
            "-I",
            "-S",
            "-c",
            &program.unwrap(),
            "/tmp/stop-looking",
        ])
        .user_id(UID)
        .group_id(UID)
        .working_dir("/")
        .timeout(Duration::from_mins(3))
        .stdin(Stdin::Bytes(lines));
    let output = must(block_on(exec.output()));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn reversed_hex(secret: &[u8]) -> Vec<u8> {
    let digits = secret.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    digits.rev().chain([b'\n']).collect()
}
