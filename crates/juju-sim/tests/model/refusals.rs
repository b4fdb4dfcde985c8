use crate::fixture::{Fixture, charm};
use juju_sim::Error;
use serde_json::{Map, json};
use std::fmt::Debug;

fn refused<T: Debug>(outcome: Result<T, Error>, words: &str) {
    let error = outcome.unwrap_err();
    assert!(error.is_refusal(), "{error:?}");
    assert!(error.to_string().contains(words), "{error} lacks {words:?}");
}

#[test]
fn options_of_no_charm_or_of_another_type_are_refused() {
    let juju = Fixture::empty().juju;
    refused(
        juju.deploy(&charm().config("bogus", "1")),
        "unknown option \"bogus\"",
    );
    refused(
        juju.deploy(&charm().config("count", "many")),
        "option \"count\" expected int, got \"many\"",
    );
    juju.deploy(&charm()).unwrap();
    refused(
        juju.config("tiny", [("noisy", "perhaps")]),
        "option \"noisy\" expected boolean, got \"perhaps\"",
    );
    refused(
        juju.config("tiny", [("token", "not a secret")]),
        "option \"token\" expected secret",
    );
    refused(
        juju.config("tiny", [("nope", "1")]),
        "unknown option \"nope\"",
    );
    refused(
        juju.config_reset("tiny", &["nope"]),
        "unknown option \"nope\"",
    );
    refused(
        juju.config("other", [("count", "1")]),
        "application \"other\" not found",
    );
}

#[test]
fn deployments_that_do_not_fit_are_refused() {
    let fixture = Fixture::empty();
    let juju = &fixture.juju;
    std::fs::write(fixture.path("image.yaml"), "users: []\n").unwrap();
    refused(
        juju.deploy(&charm().resource("image", fixture.path("image.yaml"))),
        "unrecognized resource \"image\"",
    );
    refused(
        juju.deploy(&charm().application("Tiny")),
        "invalid application name \"Tiny\"",
    );
    refused(
        juju.deploy(&juju_sim::Deploy::new(fixture.folder.path())),
        "has no metadata.yaml",
    );
    juju.deploy(&charm()).unwrap();
    refused(juju.deploy(&charm()), "application already exists");
}

#[test]
fn relations_that_do_not_fit_are_refused() {
    let juju = Fixture::empty().juju;
    juju.deploy(&charm()).unwrap();
    for name in ["one", "two"] {
        juju.deploy_remote(
            "{name: x, endpoint: database, interface: database}",
            Some(name),
        )
        .unwrap();
    }
    juju.deploy_remote("{name: mail, endpoint: smtp, interface: smtp}", None)
        .unwrap();
    refused(
        juju.integrate("tiny:nope", "one"),
        "application \"tiny\" has no \"nope\" relation",
    );
    refused(juju.integrate("tiny", "mail"), "no relations found");
    refused(
        juju.integrate("tiny", "nobody"),
        "application \"nobody\" not found",
    );
    juju.integrate("tiny:db", "one").unwrap();
    refused(juju.integrate("tiny:db", "one"), "relation already exists");
    refused(
        juju.integrate("tiny:db", "two"),
        "would exceed its maximum relation limit of 1",
    );
    refused(juju.remove_relation("tiny", "two"), "not found");
}

#[test]
fn actions_that_do_not_fit_are_refused() {
    let juju = Fixture::deployed().juju;
    let run = |action: &str, parameters: serde_json::Value| {
        let parameters: Map<_, _> = serde_json::from_value(parameters).unwrap();
        juju.enqueue("tiny/0", action, parameters)
    };
    refused(
        run("nope", json!({})),
        "action \"nope\" not defined on unit \"tiny/0\"",
    );
    refused(
        run("greet", json!({})),
        "\"times\" property is missing and required",
    );
    refused(
        run("greet", json!({"times": "two"})),
        "(root).times : must be of type integer",
    );
    refused(run("greet", json!({"times": 0})), "must be greater than 1");
    refused(
        run("greet", json!({"times": 1, "loud": true})),
        "additional property \"loud\" is not allowed",
    );
    refused(
        juju.enqueue("tiny/7", "greet", Map::new()),
        "unit \"tiny/7\" not found",
    );
}

#[test]
fn secrets_that_do_not_fit_are_refused() {
    let juju = Fixture::empty().juju;
    refused(
        juju.add_secret("s", [("Bad", "x")]),
        "key \"Bad\" not valid",
    );
    refused(
        juju.add_secret("s", [("key", "")]),
        "empty secret value not valid",
    );
    juju.add_secret("s", [("key", "x")]).unwrap();
    refused(juju.add_secret("s", [("key", "x")]), "already exists");
    refused(
        juju.grant_secret("s", "tiny"),
        "application \"tiny\" not found",
    );
    refused(
        juju.update_secret("t", [("key", "x")]),
        "secret \"t\" not found",
    );
}

#[test]
fn charms_that_juju_cannot_read_are_refused_with_what_to_do() {
    let fixture = Fixture::empty();
    let folder = fixture.path("charm");
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write(
        "metadata.yaml",
        "{name: odd, summary: s, description: d, assumes: [juju]}",
    );
    write("dispatch", "#!/bin/sh\n");
    let deploy = || fixture.juju.deploy(&juju_sim::Deploy::new(&folder));
    for name in ["on", "Yes", "n"] {
        write(
            "actions.yaml",
            &format!("act: {{params: {{{name}: {{type: boolean}}}}}}"),
        );
        refused(
            deploy(),
            &format!("map keyed with non-string value: quote \"{name}\""),
        );
        write(
            "actions.yaml",
            &format!("act:\n  params:\n    o:\n      properties:\n        {name}: {{}}\n"),
        );
        refused(deploy(), &format!("quote \"{name}\""));
    }
    write(
        "actions.yaml",
        "act:\n  description: |\n    on: is no name here\n  params:\n    \"on\": {type: boolean}\n    one: {type: boolean}\n",
    );
    deploy().unwrap();
    refused(
        fixture.juju.enqueue("odd/0", "act", Map::new()),
        "has no manifest.yaml: Juju's agent fails at its first action",
    );
}

#[test]
fn state_that_is_too_long_is_refused_at_once() {
    let fixture = Fixture::deployed();
    for (command, words) in [
        (
            "state-set $(printf %0257d 0)=x",
            "ERROR max allowed key length (256) exceeded\n",
        ),
        (
            "printf 'k: a%065536d' 0 | state-set --file -",
            "ERROR max allowed value length (65536) exceeded\n",
        ),
    ] {
        let (code, _, stderr) = fixture
            .juju
            .exec("tiny/0", &["bash", "-c", command])
            .unwrap();
        assert_eq!((code, stderr.as_str()), (1, words));
    }
    let longest = "printf 'k: a%065535d' 0 | state-set --file -";
    assert_eq!(
        fixture
            .juju
            .exec("tiny/0", &["bash", "-c", longest])
            .unwrap()
            .0,
        0
    );
}

#[test]
fn reboot_fails_the_hook_for_want_of_a_machine() {
    let fixture = Fixture::deployed();
    let failed = |times: usize| {
        let log = fixture.juju.debug_log().unwrap();
        let said = log
            .iter()
            .filter(|line| line.contains("failed: unit \"tiny/0\" is not assigned to a machine"));
        said.count() >= times
    };
    fixture.juju.config("tiny", [("reboot", "after")]).unwrap();
    fixture
        .juju
        .wait_for(crate::fixture::DEADLINE, |_| failed(1))
        .unwrap();
    assert_eq!(fixture.state(), json!({"rebooted": "after"}));
    fixture.juju.config("tiny", [("reboot", "now")]).unwrap();
    fixture
        .juju
        .wait_for(crate::fixture::DEADLINE, |_| failed(2))
        .unwrap();
    // What ends the hook at once takes its writes back.
    assert_eq!(fixture.state(), json!({"rebooted": "after"}));
}
