//! What is written, and which way it goes.

use std::collections::BTreeMap;
use std::path::Path;

use jujuna::{Error, Juju, Level, Port, Revision, SecretOwner, Status};

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
    juju.secret_remove(uri(), Some(4));
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
    juju.close_port("9000-9010/udp".parse().unwrap());
    juju.flush().unwrap();
    assert_eq!(wire.argv(), ["close-port", "9000-9010/udp"]);
}
