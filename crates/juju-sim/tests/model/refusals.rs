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
    refused(
        run("greet", json!({"times": 0})),
        "must be greater than or equal to 1",
    );
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
