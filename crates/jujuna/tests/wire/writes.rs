//! What is written, and which way it goes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jujuna::{Error, Juju, Level, Port, Revision, Rotate, SecretOwner, SecretSpec, Status};

use crate::folder::Wire;
use crate::{map, relation, uri};

#[test]
fn free_text_that_begins_with_a_dash_is_no_option() {
    let check = |argv: &[&str], write: &dyn Fn(&mut Juju) -> Result<(), Error>| {
        let wire = Wire::new().answering("{\"status\":\"unknown\"}\n");
        write(&mut wire.juju()).unwrap();
        assert_eq!(wire.argv(), argv);
    };
    let text = "--x y\n'z\" $HOME";
    check(
        &["juju-log", "--log-level", "WARNING", "--", text],
        &|juju| juju.juju_log(Level::Warning, text),
    );
    check(&["action-log", "--", text], &|juju| juju.action_log(text));
    check(&["application-version-set", "--", text], &|juju| {
        juju.application_version_set(text)
    });
    check(&["status-set", "--", "blocked", text], &|juju| {
        juju.status_set(&Status::Blocked(text.to_owned()))
    });
    check(&["status-set", "--", "active"], &|juju| {
        juju.status_set(&Status::Active(String::new()))
    });
    check(&["action-fail", "--", text], &|juju| {
        juju.action_fail(text);
        juju.flush()
    });
    check(&["state-delete", "--", "-k"], &|juju| {
        juju.state_delete("-k");
        juju.flush()
    });
    check(&["action-set", "a.b=-x\u{fffd}", "c=\n"], &|juju| {
        juju.action_set(map([("a.b", "-x\0"), ("c", "\n")]));
        juju.flush()
    });
}

#[test]
fn databags_and_state_go_by_stdin() {
    let wire = Wire::new();
    let mut juju = wire.juju();
    juju.relation_set_unit(&relation(), map([("gone", ""), ("k", "a \"b\"\né")]));
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["relation-set", "-r", "db:3", "--file", "-"]);
    assert_eq!(
        wire.note("stdin"),
        r#"{"gone": "", "k": "a \"b\"\n\u00e9"}"#
    );

    juju.state_set("k", "x".repeat(65_536));
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["state-set", "--file", "-"]);
    assert_eq!(wire.note("stdin").len(), 65_536 + r#"{"k": ""}"#.len());
}

#[test]
fn application_databag_is_written_with_the_leaders_right() {
    let wire = Wire::new().answering("true\n");
    let mut juju = wire.juju();
    let leader = juju.leader().unwrap().unwrap();
    juju.relation_set_app(&leader, &relation(), map([("k", "v")]));
    juju.flush().unwrap();
    assert_eq!(
        wire.argv(),
        ["relation-set", "-r", "db:3", "--app", "--file", "-"]
    );
}

#[test]
fn new_secret_goes_by_a_file_that_only_the_call_keeps() {
    let wire = Wire::new().refusing(1, "ERROR consumer label \"identity\" not found\n");
    let mut juju = wire.juju();
    // Only the question whether there is one is refused.
    assert!(
        juju.secret_get_by_label("identity", Revision::Peek)
            .unwrap_err()
            .is_not_found()
    );
    std::fs::remove_file(wire.notes().join("exit-code")).unwrap();
    let wire =
        wire.answering("secret://5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad/9m4e2mr0ui3e8a215n4g\n");

    let content = BTreeMap::from([("signing-key".to_owned(), "ed25519 \u{85}\n: #".into())]);
    juju.secret_ensure(SecretOwner::Unit, "identity", content);
    juju.flush().unwrap();
    let argv = wire.argv();
    assert_eq!(
        argv[..6],
        [
            "secret-add",
            "--label",
            "identity",
            "--owner",
            "unit",
            "--file"
        ]
    );
    assert!(argv[6].starts_with("/proc/") && argv.len() == 7, "{argv:?}");
    assert_eq!(
        wire.note("file"),
        r#"{"signing-key": "ed25519 \u0085\n: #"}"#
    );
    assert!(!Path::new(&argv[6]).exists());
    assert_eq!(wire.note("names"), "secret-get\nsecret-add\n");
}

#[test]
fn revision_to_remove_is_named() {
    let wire = Wire::new();
    let mut juju = wire.juju();
    juju.secret_remove(SecretOwner::Unit, uri(), Some(4));
    juju.flush().unwrap();
    assert_eq!(
        wire.argv(),
        [
            "secret-remove",
            "secret:9m4e2mr0ui3e8a215n4g",
            "--revision",
            "4"
        ]
    );
}

#[test]
fn ports_are_named_as_juju_names_them() {
    let wire = Wire::new();
    let mut juju = wire.juju();
    juju.open_port(Port::tcp(8008));
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["open-port", "8008/tcp"]);
    juju.close_port("9000-9010/udp".parse::<Port>().unwrap());
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["close-port", "9000-9010/udp"]);
    juju.open_port(Port::tcp(9000).on(["metrics", "web"]));
    juju.flush().unwrap();
    assert_eq!(
        wire.argv(),
        ["open-port", "--endpoints", "metrics,web", "9000/tcp"]
    );
}

#[test]
fn declared_secret_says_all_that_juju_takes() {
    let answer = "secret://5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad/9m4e2mr0ui3e8a215n4g\n";
    let wire = Wire::new().refusing(1, "ERROR consumer label \"login\" not found\n");
    let mut juju = wire.juju();
    let peeked = juju.secret_get_by_label("login", Revision::Peek);
    assert!(peeked.unwrap_err().is_not_found());
    std::fs::remove_file(wire.notes().join("exit-code")).unwrap();
    let wire = wire.answering(answer);
    let spec = SecretSpec::new("login", [("password", "hunter22")])
        .description("for the web")
        .rotate(Rotate::Monthly)
        .expire_after(Duration::from_hours(2));
    juju.secret_declare(SecretOwner::Unit, spec);
    // Which model this is has not been told here.
    assert_eq!(juju.secret_uri("login").unwrap(), uri());
    let argv = wire.argv();
    let expected = [
        "secret-add",
        "--label",
        "login",
        "--owner",
        "unit",
        "--description",
        "for the web",
        "--rotate",
        "monthly",
        "--expire",
        "7200s",
        "--file",
    ];
    assert_eq!(argv[..12], expected);

    juju.secret_revoke(SecretOwner::Unit, "login", &relation());
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["secret-revoke", answer.trim(), "-r", "db:3"]);
}

#[test]
fn storage_and_reboot_are_asked_for_once_at_the_end() {
    let wire = Wire::new();
    let mut juju = wire.juju();
    juju.juju_reboot();
    juju.storage_add("cache", 2);
    juju.storage_add("cache", 1);
    juju.flush().unwrap();
    assert_eq!(wire.note("names"), "storage-add\njuju-reboot\n");
    juju.storage_add("data", 1);
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["storage-add", "data=1"]);
    juju.juju_reboot_now().unwrap();
    assert_eq!(wire.argv(), ["juju-reboot", "--now"]);
}
