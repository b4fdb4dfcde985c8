//! The command line as a person or a script meets it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// A model of its own, which ends with this.
struct Cli {
    folder: tempfile::TempDir,
}

impl Cli {
    fn new() -> Self {
        let cli = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        cli.done(&["add-model", "trial"]);
        cli
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_juju-sim"))
            .args(words)
            .env("JUJU_SIM_DATA", self.folder.path())
            .output()
            .unwrap()
    }

    /// What a verb that must succeed prints.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a verb that must fail says.
    fn failed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn with_charm() -> Self {
        let cli = Self::new();
        let charm = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/charm");
        cli.done(&["deploy", charm.to_str().unwrap()]);
        cli.done(&["wait-for", "tiny/0", "active", "--timeout", "40s"]);
        cli
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        self.run(&["destroy-model", "trial"]);
    }
}

#[test]
fn status_shows_tables_and_json() {
    let cli = Cli::with_charm();
    let tables = cli.done(&["status", "--relations"]);
    for part in ["Model  Controller", "tiny/0*  active", "replicas"] {
        assert!(tables.contains(part), "{tables}");
    }
    assert!(!tables.contains('\u{1b}'), "colours are for a terminal");
    let json: Value = serde_json::from_str(&cli.done(&["status", "--format", "json"])).unwrap();
    let unit = &json["applications"]["tiny"]["units"]["tiny/0"];
    assert_eq!(unit["workload-status"]["current"], "active");
}

#[test]
fn run_prints_results_on_one_stream_and_progress_on_the_other() {
    let cli = Cli::with_charm();
    let output = cli.run(&["run", "tiny/0", "greet", "times=2", "who=you"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "said: hello you\ntimes: \"2\"\n"
    );
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(
        progress.contains("Running operation 1 with 1 task\n  - task 2 on unit-tiny-0\n"),
        "{progress}"
    );
    assert!(progress.contains("\ngreeting\n"), "{progress}");
    let failed = cli.run(&["run", "tiny/0", "fail-after-writing"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(failed.stdout).unwrap(),
        "Action id 4 failed: it did not work\n"
    );
}

#[test]
fn run_that_waits_too_short_says_how_to_look_at_the_task() {
    let cli = Cli::with_charm();
    let gate = cli.folder.path().join("gate");
    let parameter = format!("gate={}", gate.display());
    let said = cli.failed(&["run", "tiny/0", "slow", &parameter, "--wait=200ms"]);
    assert!(
        said.contains("show-task 2") && said.contains("--wait=2h"),
        "{said}"
    );
    std::fs::write(gate, "").unwrap();
    let shown = cli.done(&["show-task", "2", "--wait", "40s"]);
    assert!(shown.contains("status: completed"), "{shown}");
}

#[test]
fn refusals_are_one_line_with_jujus_words() {
    let cli = Cli::with_charm();
    for (words, said) in [
        (
            &["config", "tiny", "bogus=1"][..],
            "ERROR unknown option \"bogus\"\n",
        ),
        (
            &["config", "tiny", "count=x"][..],
            "ERROR option \"count\" expected int, got \"x\"\n",
        ),
        (
            &["run", "tiny/0", "nope"][..],
            "ERROR action \"nope\" not defined on unit \"tiny/0\"\n",
        ),
        (
            &["remove-unit", "tiny/9"][..],
            "ERROR unit \"tiny/9\" not found\n",
        ),
    ] {
        assert_eq!(cli.failed(words), said);
    }
}

#[test]
fn secret_is_added_granted_and_read_without_showing_its_value() {
    let cli = Cli::with_charm();
    let uri = cli.done(&["add-secret", "token", "key=hunter22"]);
    cli.done(&["grant-secret", "token", "tiny"]);
    cli.done(&["config", "tiny", &format!("token={}", uri.trim())]);
    cli.done(&["wait-for", "tiny/0", "active", "--timeout", "40s"]);
    let read = cli.done(&[
        "exec",
        "--unit",
        "tiny/0",
        "--",
        "secret-get",
        uri.trim(),
        "key",
    ]);
    assert_eq!(read, "hunter22\n");
    let listed = cli.done(&["secrets", "--format", "json"]);
    assert!(
        listed.contains("token") && !listed.contains("hunter22"),
        "{listed}"
    );
}

#[test]
fn model_that_is_destroyed_leaves_no_folder() {
    let cli = Cli::with_charm();
    assert!(cli.folder.path().join("trial").exists());
    // As an admin writes it.
    cli.done(&[
        "destroy-model",
        "trial",
        "--destroy-storage",
        "--force",
        "--no-prompt",
    ]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while cli.folder.path().join("trial").exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "the model's folder is left"
        );
        std::thread::yield_now();
    }
    let said = cli.failed(&["status"]);
    assert!(said.contains("no model selected"), "{said}");
}

/// What a verb prints where standard output and error are a terminal.
fn on_a_terminal(cli: &Cli, words: &str) -> String {
    let command = format!("{} {words}", env!("CARGO_BIN_EXE_juju-sim"));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("JUJU_SIM_DATA", cli.folder.path())
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn status_is_coloured_on_a_terminal() {
    let cli = Cli::with_charm();
    let shown = on_a_terminal(&cli, "status");
    assert!(shown.contains("\u{1b}[32mactive\u{1b}[0m"), "{shown:?}");
    assert!(shown.contains("\u{1b}[32midle\u{1b}[0m"), "{shown:?}");
}

#[test]
fn action_shows_a_spinner_and_a_bar_on_a_terminal_and_its_results_after() {
    let cli = Cli::with_charm();
    let shown = on_a_terminal(&cli, "run tiny/0 measure");
    // Frames of the spinner, one over the other, with the last line of the action's log; a bar once a line tells a percentage.
    assert!(shown.contains("begun"), "{shown:?}");
    assert!(shown.contains("[===============>"), "{shown:?}");
    assert!(shown.contains("50 % done"), "{shown:?}");
    let end = shown.rsplit("\u{1b}[2K").next().unwrap();
    assert!(
        end.contains("said: measured") && !end.contains("50 %"),
        "{shown:?}"
    );
}

#[test]
fn every_verb_that_shows_something_shows_it_as_json() {
    let cli = Cli::with_charm();
    let json = |words: &[&str]| -> Value {
        let words = [words, &["--format", "json"]].concat();
        serde_json::from_str(&cli.done(&words)).unwrap()
    };
    let ran = json(&["run", "tiny/0", "greet", "times=1"]);
    assert_eq!(ran["tiny/0"]["results"]["said"], "hello world");
    assert_eq!(ran["tiny/0"]["status"], "completed");
    assert_eq!(json(&["show-task", "2"])["results"]["times"], "1");
    assert_eq!(
        json(&["config", "tiny"])["settings"]["greeting"]["value"],
        "hello"
    );
    assert_eq!(json(&["secrets"]), serde_json::json!([]));
    assert_eq!(
        json(&["status"])["storage"]["data/0"]["status"]["current"],
        "attached"
    );
}

#[test]
fn task_that_waits_is_cancelled_without_a_run_and_one_that_runs_is_aborted() {
    let cli = Cli::with_charm();
    let gate = format!("gate={}", cli.folder.path().join("never").display());
    cli.done(&["run", "tiny/0", "slow", &gate, "--background"]);
    cli.done(&["run", "tiny/0", "greet", "times=1", "--background"]);
    cli.done(&["cancel-task", "4"]);
    assert!(cli.done(&["show-task", "4"]).contains("status: cancelled"));
    cli.done(&["cancel-task", "2"]);
    let ended = cli.done(&["show-task", "2", "--wait", "40s"]);
    assert!(
        ended.contains("status: aborted") && ended.contains("message: terminated"),
        "{ended}"
    );
    assert_eq!(
        cli.failed(&["cancel-task", "2"]),
        "ERROR task 2 is Aborted and cannot be cancelled\n"
    );
}
