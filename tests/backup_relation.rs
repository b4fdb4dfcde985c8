//! S3 settings from the relation `backup`, as real providers write them and as nobody should.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/s3_server.rs"]
mod s3_server;

use deployment::{Deployment, ENDPOINT, PASSPHRASE, Shown, UNIT, must, shipped};
use s3_server::S3Server;
use serde_json::{Value, json};

/// What a provider of the first generation (s3-integrator 1/*) wrote, seen on 2026-11-22; bucket, endpoint and keys are
/// set by each test.
const FIRST_GENERATION: [(&str, &str); 5] = [
    ("data", r#"{"bucket": "relation-0"}"#),
    ("region", "us-east-1"),
    ("attributes", r#"["x-amz-a=1", "x-b=2"]"#),
    ("path", "/a//b/"),
    ("s3-uri-style", "path"),
];

/// The same of the second generation (2/*).
const SECOND_GENERATION: [(&str, &str); 5] = [
    ("lib-version", "1.0"),
    ("region", "us-east-1"),
    ("attributes", "x-amz-a=1,x-b=2"),
    ("path", "/a//b/"),
    ("s3-uri-style", "path"),
];

/// A databag's change (`""` removes), and words of the cause and of the next step.
type Row = (
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const ROWS: [Row; 17] = [
    (&[("bucket", "a b'; rm -rf /")], "bucket from s3", "is no bucket name"),
    (&[("bucket", "")], "bucket from s3", "no bucket is set"),
    (&[("path", "a/../../b")], "path from s3", ". or .. segment"),
    (&[("path", "a\nb")], "path from s3", "control character"),
    (&[("endpoint", "ftp://x")], "endpoint from s3", "write it as https://host"),
    (&[("endpoint", ""), ("region", "")], "endpoint from s3", "one of region or endpoint must be set"),
    (&[("region", "$(id)")], "region from s3", "is no region name"),
    (&[("s3-uri-style", "[1, 2]")], "s3-uri-style from s3", "neither path nor host"),
    (&[("tls-ca-chain", "{}")], "tls-ca-chain from s3", "neither PEM nor base64"),
    (&[("tls-ca-chain", "[1, 2]")], "tls-ca-chain from s3", "not a JSON list of strings"),
    (&[("tls-ca-chain", DAMAGED_CHAIN)], "tls-ca-chain from s3", "copy it again"),
    (&[("access-key", "")], "access-key from s3", "is not set"),
    (&[("secret-key", "")], "secret-key from s3", "is not set"),
    (&[("secret-key", "a\tb")], "secret-key from s3", "copy it again"),
    (&[("s3-api-version", "2")], "version 2 of the S3 API", "set its s3-api-version to 4"),
    (&[("bucket", "nobody-made-it")], "the bucket does not exist", "create the bucket or correct its name"),
    (&[("access-key", ""), ("secret-key", ""), ("secret-extra", "secret:c0000000000000000001")], "keys as a Juju secret", "use juju config"),
];

/// As a real provider wrapped one.
const DAMAGED_CHAIN: &str = r#"["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]"#;

/// Values that are not known or make no sense, and do not matter.
const HARMLESS: [(&str, &str); 6] = [
    ("data", "not json {"),
    ("attributes", "{]"),
    ("delete-older-than-days", "-1"),
    ("storage-class", "$(id)"),
    ("tls-ca-chain", r#""""#),
    ("x-unknown-\u{e9}", "\u{1b}[31m two\nlines"),
];

fn relate(deployment: &Deployment, name: &str, first: &[(&str, &str)]) -> Shown {
    let data: serde_json::Map<String, Value> = first
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let data = Value::from(data);
    let text = format!(
        "{{name: {name}, endpoint: s3-credentials, interface: s3, application-data: {data}, units: {{0: {{}}}}}}"
    );
    must(deployment.juju.deploy_remote(&text, None));
    must(deployment.juju.integrate("synapse:backup", name));
    deployment.settle();
    deployment.shown(UNIT)
}

fn provide<'a>(
    deployment: &'a Deployment,
    name: &str,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Shown {
    must(deployment.juju.set_databag(name, None, values));
    deployment.settle();
    deployment.shown(UNIT)
}

/// What keys and place a provider adds once it was asked.
fn answer(deployment: &Deployment) -> [(&str, &str); 4] {
    [
        ("access-key", deployment.server.access_key()),
        ("secret-key", deployment.server.secret_key()),
        ("bucket", "backups"),
        ("endpoint", ENDPOINT),
    ]
}

/// What the charm wrote into the relation.
fn written(deployment: &Deployment) -> String {
    must(deployment.juju.show_unit(UNIT)).to_string()
}

fn deployed() -> Deployment {
    let deployment = Deployment::empty(S3Server::start());
    let passphrase = [("backup_passphrase", PASSPHRASE.to_owned())];
    deployment.deploy("synapse", &shipped("ours"), &passphrase);
    deployment.wait_active(UNIT);
    deployment
}

#[test]
fn both_generations_of_providers_are_answered_and_backed_up_to() {
    let deployment = deployed();
    for (name, first, whole, asked) in [
        (
            "s3-one",
            ("data", "{}"),
            FIRST_GENERATION,
            r#""bucket":"relation-"#,
        ),
        (
            "s3-two",
            SECOND_GENERATION[0],
            SECOND_GENERATION,
            r#""lib-version":"1.0""#,
        ),
    ] {
        let shown = relate(&deployment, name, &[]);
        assert_eq!(shown.workload, "waiting", "{name}: {shown:?}");
        assert!(
            !written(&deployment).contains(asked),
            "{name}: it was asked before it spoke"
        );
        let message = deployment.refused(UNIT, "create-backup", json!({}));
        assert!(
            message.contains(&format!("waiting for {name} to send S3 credentials")),
            "{message}"
        );

        provide(&deployment, name, [first]);
        assert!(
            written(&deployment).contains(asked),
            "{name}: {}",
            written(&deployment)
        );
        let shown = provide(
            &deployment,
            name,
            whole.into_iter().chain(answer(&deployment)),
        );
        assert_eq!(shown.workload, "active", "{name}: {shown:?}");
        let id = deployment.create_backup();
        deployment.decrypt(PASSPHRASE.as_bytes(), &format!("a/b/{id}/canary.gpg"));

        must(deployment.juju.remove_relation("synapse", name));
        deployment.settle();
        let shown = deployment.shown(UNIT);
        assert_eq!(shown.message, "no backups configured", "{name}: {shown:?}");
    }
}

#[test]
fn databag_values_that_cannot_work_are_refused_by_name() {
    let deployment = deployed();
    relate(&deployment, "s3", &FIRST_GENERATION);
    let working: Vec<_> = FIRST_GENERATION
        .into_iter()
        .chain(answer(&deployment))
        .collect();
    provide(&deployment, "s3", working.clone());
    for row in ROWS {
        let (change, cause, next) = row;
        let shown = provide(&deployment, "s3", change.iter().copied());
        assert_eq!(shown.workload, "blocked", "{row:?}: {shown:?}");
        assert!(
            shown.message.contains(cause) && shown.message.contains(next),
            "{row:?}: {shown:?}"
        );
        let message = deployment.refused(UNIT, "create-backup", json!({}));
        assert!(
            message.contains(cause) && message.contains(next),
            "{row:?}: {message}"
        );
        let undo = change.iter().map(|(key, _)| (*key, ""));
        provide(&deployment, "s3", undo.chain(working.clone()));
    }
    let shown = provide(&deployment, "s3", HARMLESS);
    assert_eq!(shown.workload, "active", "{shown:?}");
    deployment.create_backup();

    let shown = deployment.configure([("s3_bucket", "mine"), ("s3_region", "eu")]);
    let both = "S3 is set both by the relation with s3 and by s3_bucket, s3_region";
    assert_eq!(shown.workload, "blocked", "{shown:?}");
    assert!(shown.message.contains(both), "{shown:?}");
    let message = deployment.refused(UNIT, "create-backup", json!({}));
    assert!(
        message.contains(both)
            && message.contains("juju config synapse --reset s3_bucket,s3_region"),
        "{message}"
    );
    let shown = deployment.configure([("s3_bucket", ""), ("s3_region", "")]);
    assert_eq!(shown.workload, "active", "{shown:?}");
}
