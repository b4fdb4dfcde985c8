//! Scenario files, as they are documented and as they go wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const GUIDE: &str = include_str!("../../../../docs/reference/juju-sim-scenarios.md");
const CHARM: &str = "
steps:
  - deploy:
      files:
        metadata.yaml: '{name: tiny, summary: s, description: d}'
        actions.yaml: 'fail: {}'
        dispatch: |
          #!/bin/sh
          case $JUJU_DISPATCH_PATH in
            hooks/start) status-set blocked 'it is stuck' ;;
            actions/fail) action-fail 'not today' ;;
          esac
";

fn run(text: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issue.yaml");
    std::fs::write(&file, text).unwrap();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin");
    Command::new(env!("CARGO_BIN_EXE_juju-sim"))
        .args(["scenario", "run"])
        .arg(&file)
        .args(more)
        .env(
            "PATH",
            format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()),
        )
        .env("JUJU_SIM_DATA", folder.path())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The example after a heading of the guide.
fn example(heading: &str) -> &'static str {
    let section = GUIDE.split_once(heading).unwrap().1;
    let (_, rest) = section.split_once("```yaml\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn documented_scenario_with_a_charm_of_its_own_passes() {
    let output = run(example("## A charm in the scenario"), &[]);
    assert!(output.status.success(), "{output:?}");
    let said = stdout(&output);
    assert!(said.lines().all(|line| line.starts_with("ok ")), "{said}");
    assert!(!said.contains("hunter22"), "{said}");
}

#[test]
fn documented_scenario_with_a_container_passes() {
    let output = run(example("## A charm with a container"), &[]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn expectation_that_does_not_come_ends_the_scenario_with_what_is_instead() {
    let text = format!(
        "{CHARM}  - expect: {{status: {{tiny/0: active}}, message: {{tiny/0: {{contains: stuck}}}}, within: 2s}}\n  - remove-unit: tiny/0\n"
    );
    let output = run(&text, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = stdout(&output);
    assert!(
        said.contains("not within 2s: the status of tiny/0 is \"blocked\", not \"active\"\n"),
        "{said}"
    );
    assert!(!said.contains("the message"), "{said}");
    assert!(!said.contains("remove-unit"), "{said}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("tiny/0: blocked \"it is stuck\"") && log.contains("ran \"start\" hook"),
        "{log}"
    );
}

#[test]
fn report_as_json_tells_every_step() {
    let text = format!(
        "{CHARM}  - expect: {{idle: true, status: {{tiny/0: blocked}}}}\n  - run: {{unit: tiny/0, action: fail, results: {{x: y}}}}\n"
    );
    let output = run(&text, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["passed"], false);
    assert_eq!(report["steps"].as_array().unwrap().len(), 3);
    assert!(report["steps"][1].get("problem").is_none());
    assert_eq!(
        report["steps"][2]["problem"],
        "the action is failed, not completed: not today"
    );
}

#[test]
fn what_is_no_scenario_is_refused_by_step_and_field() {
    for (text, said) in [
        (
            "steps: [{deplov: {}}]",
            "step 1 (deplov ): unknown variant `deplov`",
        ),
        (
            "steps: [{replace-pod: a/0}, {deploy: {charms: x}}]",
            "step 2 (deploy charms: x): unknown field `charms`",
        ),
        ("steps: []\nwithin: soon", "invalid duration \"soon\""),
    ] {
        let output = run(text, &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let refused = String::from_utf8(output.stderr).unwrap();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn kept_model_can_be_looked_at_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issue.yaml");
    std::fs::write(
        &file,
        format!("model: looked-at{CHARM}  - expect: {{idle: true}}\n"),
    )
    .unwrap();
    let juju_sim = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_juju-sim"))
            .args(words)
            .env("JUJU_SIM_DATA", folder.path())
            .output()
            .unwrap()
    };
    let ran = juju_sim(&["scenario", "run", "--keep", file.to_str().unwrap()]);
    assert!(ran.status.success(), "{ran:?}");
    let status = juju_sim(&["status"]);
    let ended = juju_sim(&["destroy-model", "looked-at"]);
    assert!(stdout(&status).contains("it is stuck"), "{status:?}");
    assert!(ended.status.success(), "{ended:?}");
}
