use crate::fixture::{DEADLINE, Fixture, charm};
use juju_sim::{AddModel, Juju};
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

const DATABASE: &str = "
name: postgres
endpoint: database
interface: database
application-data:
  url: \"here:5432\"
  credentials: {secret: login}
secrets:
  login: {password: hunter22}
";

#[test]
fn first_hooks_come_in_order() {
    let fixture = Fixture::deployed();
    let expected = [
        "install",
        "replicas-relation-created",
        "leader-elected",
        "data-storage-attached",
        "config-changed",
        "start",
    ];
    assert_eq!(fixture.hooks_run(), expected);
}

#[test]
fn storage_that_comes_late_is_attached_after_start() {
    let fixture = Fixture::empty();
    let mut deploy = charm();
    deploy.storage_delay = Duration::from_secs(2);
    fixture.juju.deploy(&deploy).unwrap();
    fixture
        .juju
        .wait_for(DEADLINE, |_| {
            fixture
                .hooks_run()
                .contains(&"data-storage-attached".to_owned())
        })
        .unwrap();
    let hooks = fixture.hooks_run();
    assert_eq!(hooks.last().unwrap(), "data-storage-attached");
    assert!(hooks.contains(&"start".to_owned()), "{hooks:?}");
}

#[test]
fn option_that_changes_while_config_changed_runs_is_told_by_another_one() {
    let fixture = Fixture::deployed();
    let gate = fixture.path("gate");
    let options = [("hold-config", gate.to_str().unwrap()), ("greeting", "one")];
    fixture.juju.config("tiny", options).unwrap();
    let begun = gate.with_extension("begun");
    fixture.juju.wait_for(DEADLINE, |_| begun.exists()).unwrap();
    fixture.juju.config("tiny", [("greeting", "two")]).unwrap();
    std::fs::write(&gate, "").unwrap();
    fixture.wait_for_message("greeting: two");
}

#[test]
fn hook_that_fails_takes_its_writes_back_and_runs_again() {
    let fixture = Fixture::deployed();
    fixture
        .juju
        .config("tiny", [("fail-hook", "update-status")])
        .unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture.juju.fire("tiny/0", "update-status").unwrap();
    fixture.wait_for_message("hook failed: \"update-status\"");
    let status = fixture.juju.status().unwrap();
    assert_eq!(status.unit("tiny/0").unwrap().workload.current, "error");
    assert_eq!(fixture.state(), json!({}));
    // The retry sees the new option, though config-changed waits for it.
    fixture.juju.config_reset("tiny", &["fail-hook"]).unwrap();
    fixture.wait_for_message("about to fail");
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let hooks = fixture.hooks_run();
    assert_eq!(
        hooks[hooks.len() - 2..],
        ["update-status", "config-changed"]
    );
}

#[test]
fn charm_that_is_killed_runs_its_hook_again_at_once() {
    let fixture = Fixture::deployed();
    let gate = fixture.path("gate");
    fixture
        .juju
        .config("tiny", [("wait-for", gate.to_str().unwrap())])
        .unwrap();
    fixture.juju.fire("tiny/0", "update-status").unwrap();
    let begun = |times: usize| {
        fixture
            .juju
            .wait_for(DEADLINE, |_| {
                std::fs::read_to_string(fixture.path("gate.begun"))
                    .unwrap_or_default()
                    .lines()
                    .count()
                    >= times
            })
            .unwrap()
    };
    begun(1);
    fixture.juju.kill_charm("tiny/0").unwrap();
    let status = begun(2);
    assert_eq!(status.unit("tiny/0").unwrap().workload.current, "active");
    std::fs::write(&gate, "").unwrap();
    fixture.wait_for_message("gate passed");
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    // One run's writes only: the killed one's are gone.
    assert_eq!(fixture.state().as_object().unwrap().len(), 1);
}

#[test]
fn charmless_application_gives_databag_and_secret_to_the_charm() {
    let fixture = Fixture::deployed();
    fixture.juju.deploy_remote(DATABASE, None).unwrap();
    fixture.juju.integrate("tiny", "postgres").unwrap();
    fixture.wait_for_message("db here:5432 hunter22");
    fixture
        .juju
        .set_databag("postgres", None, [("url", "there:1")])
        .unwrap();
    fixture.wait_for_message("db there:1 hunter22");
    fixture.juju.remove_relation("tiny", "postgres").unwrap();
    fixture.wait_for_message("db gone");
    fixture.juju.integrate("tiny", "postgres").unwrap();
    fixture.wait_for_message("db there:1 hunter22");
}

#[test]
fn user_secret_is_read_only_once_granted_and_told_of_when_it_changes() {
    let fixture = Fixture::deployed();
    let uri = fixture.juju.add_secret("token", [("key", "one")]).unwrap();
    fixture.juju.config("tiny", [("token", &*uri)]).unwrap();
    fixture.wait_for_message("token: ERROR permission denied");
    fixture.juju.grant_secret("token", "tiny").unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture.wait_for_message("token: ERROR permission denied");
    fixture.juju.config("tiny", [("count", "1")]).unwrap();
    fixture.wait_for_message("token: one");
    fixture
        .juju
        .update_secret("token", [("key", "two")])
        .unwrap();
    fixture.wait_for_message("told of: key: two");
}

#[test]
fn leader_that_goes_is_followed_by_another_unit() {
    let fixture = Fixture::deployed();
    fixture.juju.add_unit("tiny", 1).unwrap();
    fixture
        .juju
        .wait_for_unit("tiny/1", "active", DEADLINE)
        .unwrap();
    fixture.juju.remove_unit("tiny/0").unwrap();
    fixture
        .juju
        .wait_for(DEADLINE, |status| {
            status.unit("tiny/0").is_none() && status.unit("tiny/1").is_some_and(|unit| unit.leader)
        })
        .unwrap();
    let hooks = fixture.hooks_run();
    let expected = [
        "data-storage-detaching",
        "replicas-relation-departed",
        "stop",
        "remove",
    ];
    assert_eq!(hooks[hooks.len() - 4..], expected);
}

#[test]
fn command_beside_the_charm_has_hook_commands() {
    let fixture = Fixture::deployed();
    let (code, stdout, _) = fixture
        .juju
        .exec("tiny/0", &["config-get", "greeting"])
        .unwrap();
    assert_eq!((code, stdout.as_str()), (0, "hello\n"));
    let (code, _, stderr) = fixture.juju.exec("tiny/0", &["pod-spec-set"]).unwrap();
    assert_eq!(
        (code, stderr.as_str()),
        (1, "ERROR juju-sim does not implement pod-spec-set\n")
    );
}

#[test]
fn model_that_goes_leaves_no_process_and_no_file() {
    let fixture = Fixture::deployed();
    let gate = fixture.path("never");
    let parameters = serde_json::Map::from_iter([("gate".to_owned(), json!(gate))]);
    let number = fixture.juju.enqueue("tiny/0", "slow", parameters).unwrap();
    while fixture.juju.show_task(number).unwrap().log.is_empty() {
        std::thread::yield_now();
    }
    let folder = fixture.juju.folder().to_owned();
    drop(fixture.juju);
    assert!(!folder.exists());
    let deadline = Instant::now() + DEADLINE;
    while processes_that_name(folder.to_str().unwrap()) > 0 {
        assert!(Instant::now() < deadline, "a process of the model lives on");
        std::thread::yield_now();
    }
}

#[test]
fn second_model_in_a_folder_that_is_taken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let add = || {
        Juju::add_model(AddModel {
            folder: Some(folder.path().to_owned()),
            ..AddModel::default()
        })
    };
    let first = add().unwrap();
    assert!(
        add()
            .unwrap_err()
            .to_string()
            .contains("a model already lives in")
    );
    first.destroy_model().unwrap();
    add().unwrap();
}

fn processes_that_name(text: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
    })
    .count()
}

#[test]
fn model_whose_owner_is_killed_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let script = "\"$0\" controller --data \"$1\" --model owned --die-with-parent & wait";
    let mut owner = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_juju-sim")])
        .arg(folder.path())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + DEADLINE;
    let juju = loop {
        match Juju::connect(folder.path()) {
            Ok(juju) => break juju,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    juju.deploy(&charm()).unwrap();
    juju.wait_for_unit("tiny/0", "active", DEADLINE).unwrap();
    let gate = folder.path().join("never");
    let parameters = serde_json::Map::from_iter([("gate".to_owned(), json!(gate))]);
    let number = juju.enqueue("tiny/0", "slow", parameters).unwrap();
    while juju.show_task(number).unwrap().log.is_empty() {
        std::thread::yield_now();
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    while processes_that_name(folder.path().to_str().unwrap()) > 0 {
        assert!(Instant::now() < deadline, "a process of the model lives on");
        std::thread::yield_now();
    }
}
