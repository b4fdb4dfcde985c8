use crate::fixture::{DEADLINE, Fixture};
use juju_sim::TaskOutcome;
use serde_json::{Map, Value, json};
use std::time::Duration;

fn run(fixture: &Fixture, action: &str, parameters: Value) -> TaskOutcome {
    let parameters: Map<_, _> = serde_json::from_value(parameters).unwrap();
    fixture
        .juju
        .run("tiny/0", action, parameters, DEADLINE)
        .unwrap()
}

#[test]
fn action_with_defaults_completes_with_results_and_log() {
    let fixture = Fixture::deployed();
    let outcome = run(&fixture, "greet", json!({"times": 3}));
    assert_eq!(outcome.status, "completed");
    assert_eq!(outcome.result("said"), Some("hello world"));
    assert_eq!(outcome.result("times"), Some("3"));
    assert_eq!(outcome.results["return-code"], 0);
    assert_eq!(outcome.log[0].message, "greeting");
}

#[test]
fn action_that_says_it_failed_keeps_message_and_writes() {
    let fixture = Fixture::deployed();
    let outcome = run(&fixture, "fail-after-writing", json!({}));
    assert_eq!(
        (outcome.status.as_str(), outcome.message.as_str()),
        ("failed", "it did not work")
    );
    assert_eq!(fixture.state(), json!({"kept": "yes"}));
}

#[test]
fn action_that_exits_not_0_loses_message_and_writes_but_keeps_results() {
    let fixture = Fixture::deployed();
    let outcome = run(&fixture, "crash-after-writing", json!({}));
    assert_eq!(
        (outcome.status.as_str(), outcome.message.as_str()),
        ("failed", "exit status 3")
    );
    assert_eq!(outcome.result("before"), Some("1"));
    assert_eq!(outcome.results["return-code"], 3);
    assert_eq!(fixture.state(), json!({}));
    let status = fixture.juju.status().unwrap();
    assert_eq!(status.unit("tiny/0").unwrap().workload.current, "active");
}

#[test]
fn action_cancelled_while_it_runs_is_aborted() {
    let fixture = Fixture::deployed();
    let gate = fixture.path("never");
    let parameters = Map::from_iter([("gate".to_owned(), json!(gate))]);
    let number = fixture.juju.enqueue("tiny/0", "slow", parameters).unwrap();
    let short = fixture
        .juju
        .wait_task(number, Duration::ZERO, |_| ())
        .unwrap_err();
    assert!(short.is_timeout());
    while fixture.juju.show_task(number).unwrap().log.is_empty() {
        std::thread::yield_now();
    }
    fixture.juju.cancel_task(number).unwrap();
    let outcome = fixture.juju.wait_task(number, DEADLINE, |_| ()).unwrap();
    assert_eq!(
        (outcome.status.as_str(), outcome.message.as_str()),
        ("aborted", "terminated")
    );
    assert_eq!(outcome.results["return-code"], -1);
    std::fs::write(gate, "").unwrap();
}

#[test]
fn action_waiting_behind_another_runs_after_it() {
    let fixture = Fixture::deployed();
    let gate = fixture.path("gate");
    let parameters = Map::from_iter([("gate".to_owned(), json!(gate))]);
    let slow = fixture.juju.enqueue("tiny/0", "slow", parameters).unwrap();
    let parameters = Map::from_iter([("times".to_owned(), json!(1))]);
    let next = fixture.juju.enqueue("tiny/0", "greet", parameters).unwrap();
    while fixture.juju.show_task(slow).unwrap().log.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(fixture.juju.show_task(next).unwrap().status, "pending");
    std::fs::write(gate, "").unwrap();
    let outcome = fixture.juju.wait_task(next, DEADLINE, |_| ()).unwrap();
    assert_eq!(outcome.status, "completed");
}
