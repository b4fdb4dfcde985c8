//! Backup settings that cannot work: each is refused with its cause and the next step, in the status or the action's
//! failure, no hook fails, and Synapse goes on.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{Deployment, HTTPS_ENDPOINT, UNIT, must, shipped, wait_until};
use processes::synapse_since;
use s3_server::S3Server;
use serde_json::json;

/// Where a fault shows besides the action's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// The status is blocked.
    Blocked,
    /// The status is active and says so: it may pass.
    InPassing,
    /// Only an attempt to write tells.
    InActionOnly,
}
use Shows::{Blocked, InActionOnly, InPassing};

/// Options that are set over working ones (`""` unsets), and words of the cause and of the next step.
type Row<'a> = (&'a [(&'a str, &'a str)], Shows, &'a str, &'a str);

#[rustfmt::skip]
const ROWS: [Row<'static>; 42] = [
    (&[("s3_access_key", "AKIANOBODY")], Blocked, "does not know the access key", "check the access key"),
    (&[("s3_secret_key", "wrong")], Blocked, "refuses the secret key", "check the secret key"),
    (&[("s3_bucket", "no-such-bucket")], Blocked, "the bucket does not exist", "create the bucket or correct its name"),
    (&[("s3_endpoint", "http://127.0.0.1:1")], InPassing, "cannot be reached", "check the endpoint"),
    (&[("s3_endpoint", "http://192.0.2.1:9000")], InPassing, "cannot be reached", "check the endpoint"),
    (&[("s3_endpoint", "http://s3.nowhere.invalid")], InPassing, "cannot be reached", "check the endpoint"),
    // Synapse speaks HTTP, but no S3.
    (&[("s3_endpoint", "http://127.0.0.1:8008")], InPassing, "unexpected answer (HTTP 404)", "look at the S3 server"),
    (&[("s3_endpoint", HTTPS_ENDPOINT)], Blocked, "signed by an unknown authority", "s3_tls_ca_chain"),
    (&[("s3_tls_ca_chain", "no certificate")], Blocked, "s3_tls_ca_chain: neither PEM", "give the authority's certificate as PEM"),
    (&[("backup_passphrase", "")], Blocked, "no passphrase is set", "set backup_passphrase_secret"),
    (&[("backup_passphrase", "two\nlines")], Blocked, "backup_passphrase: ", "line break"),
    (&[("backup_passphrase", "one\n\n")], Blocked, "backup_passphrase: ", "line break"),
    (&[("backup_passphrase", "\n")], Blocked, "backup_passphrase: ", "is empty"),
    (&[("s3_access_key", "")], Blocked, "s3_access_key: ", "is not set"),
    (&[("s3_secret_key", "")], Blocked, "s3_secret_key: ", "is not set"),
    (&[("s3_bucket", "")], Blocked, "s3_bucket: ", "no bucket is set"),
    (&[("s3_endpoint", "")], Blocked, "s3_endpoint: ", "one of region or endpoint must be set"),
    (&[("s3_bucket", "a; rm -rf /data")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_bucket", "$(id)")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_bucket", "../other")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_bucket", "--recursive")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_bucket", "a/b")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_bucket", "two\nlines")], Blocked, "s3_bucket: ", "is no bucket name"),
    (&[("s3_path", "../up")], Blocked, "s3_path: ", ". or .. segment"),
    (&[("s3_path", "a/./b")], Blocked, "s3_path: ", ". or .. segment"),
    (&[("s3_path", "a\nb")], Blocked, "s3_path: ", "control character"),
    (&[("s3_path", "a\u{1b}[2Jb")], Blocked, "s3_path: ", "control character"),
    (&[("s3_endpoint", "127.0.0.1:8333")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "file:///etc/passwd")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://127.0.0.1:8333/backups")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://127.0.0.1:8333?x=y")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://127.0.0.1:99999")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://$(id)")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://--profile")], Blocked, "s3_endpoint: ", "write it as https://host"),
    (&[("s3_endpoint", "http://me:hunter2@127.0.0.1:8333")], Blocked, "s3_endpoint: ", "set the access key and the secret key"),
    (&[("s3_region", "eu west; id")], Blocked, "s3_region: ", "is no region name"),
    (&[("s3_uri_style", "virtual-hosted")], Blocked, "s3_uri_style: ", "neither path nor host"),
    (&[("s3_access_key", "AK\nAY")], Blocked, "s3_access_key: ", "copy it again"),
    (&[("backup_extra_paths", "/etc")], Blocked, "backup_extra_paths", "below /data"),
    (&[("backup_extra_paths", "/data/../etc")], Blocked, "backup_extra_paths", "below /data"),
    (&[("backup_extra_paths", "/data/no-such-folder")], InActionOnly, "backup_extra_paths", "correct the option"),
    (&[("backup_max_duration", "soon")], Blocked, "backup_max_duration is", "give a number and a unit"),
];

/// Options that the rows set and working settings have not.
const OTHERS: [&str; 6] = [
    "s3_path",
    "s3_region",
    "s3_uri_style",
    "s3_tls_ca_chain",
    "backup_extra_paths",
    "backup_max_duration",
];

fn options<'a>(
    working: &'a [(&'static str, String)],
    change: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let working = working.iter().map(|(name, value)| (*name, value.as_str()));
    let others = OTHERS.iter().map(|name| (*name, ""));
    working.chain(others).chain(change.iter().copied())
}

fn assert_says(said: &str, words: &[&str], what: &dyn std::fmt::Debug) {
    for word in words {
        assert!(said.contains(word), "{what:?}: {said}");
    }
    assert!(!said.contains("hunter2"), "{what:?}: {said}");
    assert!(
        !said.contains(|letter: char| letter.is_control()),
        "{what:?}: {said:?}"
    );
}

#[test]
fn create_backup_with_settings_that_cannot_work_names_cause_and_next_step() {
    let deployment = Deployment::with_https();
    let mut working = deployment.settings();
    deployment.deploy("synapse", &shipped("ours"), &working);
    deployment.wait_active(UNIT);
    let since = synapse_since(&deployment);

    for row in ROWS {
        let (change, place, cause, next) = row;
        let shown = deployment.configure(options(&working, change));
        match place {
            Blocked => {
                assert_eq!(shown.workload, "blocked", "{row:?}: {shown:?}");
                assert_says(&shown.message, &["backup: ", cause, next], &row);
            }
            InPassing => {
                assert_eq!(shown.workload, "active", "{row:?}: {shown:?}");
                assert_says(&shown.message, &["backup: ", cause, next], &row);
            }
            InActionOnly => assert_eq!(shown.workload, "active", "{row:?}: {shown:?}"),
        }
        let message = deployment.refused(UNIT, "create-backup", json!({}));
        assert_says(&message, &[cause, next], &row);
    }
    // Not even a refused attempt that had begun to write leaves an archive.
    let objects = deployment.server.objects("backups", "");
    assert!(
        !objects
            .iter()
            .any(|object| object.key.ends_with(".tar.gpg")),
        "{objects:?}"
    );

    // A key that may only read.
    let keys = [
        ("s3_access_key", deployment.server.reader_access_key()),
        ("s3_secret_key", deployment.server.reader_secret_key()),
    ];
    deployment.configure(options(&working, &keys));
    let message = deployment.refused(UNIT, "create-backup", json!({}));
    assert_says(
        &message,
        &["access denied", "allow this key"],
        &"a reader's key",
    );

    // The last fault goes away with the settings.
    working.push(("s3_tls_ca_chain", deployment.server.ca_pem()));
    let change = [
        ("s3_endpoint", HTTPS_ENDPOINT),
        ("s3_tls_ca_chain", &working[5].1),
    ];
    let shown = deployment.configure(options(&working, &change));
    assert_eq!(shown.workload, "active", "{shown:?}");
    deployment.create_backup();
    assert_eq!(synapse_since(&deployment), since);
}

#[test]
fn secret_that_cannot_be_used_names_the_command_to_run() {
    let deployment = Deployment::with_backups("upstream");
    let juju = &deployment.juju;
    let keys = [
        ("access-key", deployment.server.access_key()),
        ("secret-key", deployment.server.secret_key()),
    ];
    let credentials = juju.add_secret("s3", keys).unwrap();

    let shown = deployment.configure([("s3_credentials", credentials.as_str())]);
    let both =
        "both s3_credentials and s3_access_key and s3_secret_key are set: reset one or the other";
    assert_eq!(shown.workload, "blocked", "{shown:?}");
    assert_says(&shown.message, &[both], &"both sources of keys");
    assert_says(
        &deployment.refused(UNIT, "create-backup", json!({})),
        &[both],
        &"both sources of keys",
    );

    let shown = deployment.configure([("s3_access_key", ""), ("s3_secret_key", "")]);
    let grant = format!("juju grant-secret {credentials} synapse");
    assert_eq!(shown.workload, "blocked", "{shown:?}");
    assert_says(&shown.message, &[&grant], &"a secret that is not granted");
    assert_says(
        &deployment.refused(UNIT, "create-backup", json!({})),
        &[&grant],
        &"a secret that is not granted",
    );

    // No hook tells that it was granted; the action sees it.
    juju.grant_secret("s3", "synapse").unwrap();
    deployment.create_backup();

    juju.update_secret("s3", [("access-key", "AK")]).unwrap();
    deployment.settle();
    let message = deployment.refused(UNIT, "create-backup", json!({}));
    assert_says(
        &message,
        &["has no field secret-key", "juju update-secret"],
        &"half a secret",
    );
    juju.update_secret("s3", keys).unwrap();
    deployment.settle();
    assert_passphrase_secrets_are_checked(&deployment);
}

fn assert_passphrase_secrets_are_checked(deployment: &Deployment) {
    let juju = &deployment.juju;
    let words = must(juju.add_secret("words", [("passphrase", "two\nlines")]));
    must(juju.grant_secret("words", "synapse"));
    let shown = deployment.configure([("backup_passphrase_secret", words.as_str())]);
    let both = "both backup_passphrase and backup_passphrase_secret are set";
    assert_says(
        &shown.message,
        &[both, "reset one"],
        &"both sources of the passphrase",
    );
    assert_says(
        &deployment.refused(UNIT, "create-backup", json!({})),
        &[both],
        &"both sources of the passphrase",
    );
    let shown = deployment.configure([("backup_passphrase", "")]);
    assert_says(
        &shown.message,
        &["backup_passphrase_secret: ", "line break"],
        &"two lines in a secret",
    );

    must(juju.update_secret("words", [("words", "x")]));
    deployment.settle();
    let message = deployment.refused(UNIT, "create-backup", json!({}));
    assert_says(
        &message,
        &["has no field passphrase", "juju update-secret"],
        &"no passphrase in the secret",
    );

    let gone = "secret:d0000000000000000000";
    let shown = deployment.configure([("backup_passphrase_secret", gone)]);
    assert_says(
        &shown.message,
        &["does not exist", "juju add-secret"],
        &"a secret that is not there",
    );
}

#[test]
fn synapse_starts_and_takes_other_options_while_backup_settings_are_wrong() {
    let deployment = Deployment::empty(S3Server::start());
    let mut options = deployment.settings();
    options.push(("s3_path", "../up".to_owned()));
    options.push(("backup_max_duration", "soon".to_owned()));
    deployment.deploy("synapse", &shipped("ours"), &options);
    must(
        deployment
            .juju
            .wait_for_unit(UNIT, "blocked", deployment::DEADLINE),
    );
    deployment.settle();
    wait_until(|| synapse_since(&deployment).is_some(), || deployment.log());
    let since = synapse_since(&deployment);
    deployment.done("register-user", json!({"username": "alice"}));

    let url = "https://matrix.a.example/";
    let shown = deployment.configure([("public_baseurl", url)]);
    assert_eq!(shown.workload, "blocked", "{shown:?}");
    assert_says(
        &shown.message,
        &["s3_path", "backup_max_duration"],
        &"two faults at once",
    );
    assert_ne!(synapse_since(&deployment), since, "it was not restarted");
    assert!(synapse_since(&deployment).is_some());
    let yaml = fs::read_to_string(deployment.data().join("homeserver.yaml")).unwrap();
    assert!(yaml.contains(url));

    let shown = deployment.configure([("s3_path", ""), ("backup_max_duration", "1h")]);
    assert_eq!(shown.workload, "active", "{shown:?}");
    deployment.create_backup();
}
