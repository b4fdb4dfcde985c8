//! A charm with a container, under a model's controller: what happens to its pod becomes the hooks that Juju would run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use juju_sim::{AddModel, Deploy, Juju};

const METADATA: &str = "
name: recorder
summary: does nothing
description: does nothing
containers: {workload: {resource: image, mounts: [{storage: data, location: /data}]}}
resources: {image: {type: oci-image}}
storage: {data: {type: filesystem}}
";

const LIMIT: Duration = Duration::from_mins(1);

struct Fixture {
    juju: Juju,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// A model in which `recorder/0` has run its first hooks.
    fn new() -> Self {
        Self::with_dispatch("")
    }

    /// The same with these lines of shell in its `dispatch`.
    fn with_dispatch(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let charm = folder.path().join("charm");
        std::fs::create_dir(&charm).unwrap();
        std::fs::write(charm.join("metadata.yaml"), METADATA).unwrap();
        let dispatch = format!("#!/bin/sh\nstatus-set active\n{more}\n");
        std::fs::write(charm.join("dispatch"), dispatch).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(charm.join("dispatch"), executable).unwrap();
        let image = folder.path().join("image.yaml");
        std::fs::write(&image, "{}").unwrap();
        let juju = Juju::add_model(AddModel {
            pebble: Some(pebble()),
            ..AddModel::default()
        })
        .unwrap();
        juju.deploy(&Deploy::new(charm).resource("image", image))
            .unwrap();
        let fixture = Self {
            juju,
            _folder: folder,
        };
        fixture.until(
            0,
            &["data-storage-attached", "start", "workload-pebble-ready"],
        );
        fixture
    }

    /// The hooks that ended well, oldest first.
    fn hooks(&self) -> Vec<String> {
        let log = self.juju.debug_log().unwrap();
        let ran = log
            .iter()
            .filter_map(|line| line.split_once("ran \"")?.1.split_once("\" hook"));
        ran.map(|(hook, _)| hook.to_owned()).collect()
    }

    /// Waits until all of `hooks` are among those that ran after the first `seen`, and the unit is idle; returns those.
    fn until(&self, seen: usize, hooks: &[&str]) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let ran = self.hooks().split_off(seen);
            let missing: BTreeSet<_> = hooks
                .iter()
                .filter(|hook| !ran.iter().any(|other| other == *hook))
                .collect();
            if missing.is_empty() {
                self.juju.wait_until_idle(LIMIT).unwrap();
                return self.hooks().split_off(seen);
            }
            assert!(
                Instant::now() < deadline,
                "{missing:?} did not run, only {ran:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds() {
            let log = self.juju.debug_log().unwrap().join("\n");
            assert!(
                Instant::now() < deadline,
                "not in time: {what}; the log:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The unit's charm folder.
    fn charm(&self) -> PathBuf {
        let paths = self.juju.paths("recorder/0").unwrap();
        PathBuf::from(paths["charm"].as_str().unwrap())
    }

    /// Runs Pebble's own client for the unit's container.
    fn pebble(&self, words: &[&str]) {
        let socket = self.juju.pebble_socket("recorder/0", "workload").unwrap();
        let output = Command::new(pebble())
            .args(words)
            .env("PEBBLE_SOCKET", socket)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn pebble() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../.tools/bin/pebble")
        .canonicalize()
        .unwrap()
}

#[test]
fn killed_and_restarted_containers_are_ready_again_and_keep_their_volume() {
    let fixture = Fixture::new();
    fixture.pebble(&["exec", "--", "touch", "/data/kept", "/tmp/lost"]);
    let seen = fixture.hooks().len();
    fixture
        .juju
        .kill_container("recorder/0", "workload")
        .unwrap();
    assert_eq!(
        fixture.until(seen, &["workload-pebble-ready"]),
        ["workload-pebble-ready"]
    );
    fixture
        .juju
        .restart_container("recorder/0", "workload")
        .unwrap();
    assert_eq!(
        fixture.until(seen + 1, &["workload-pebble-ready"]),
        ["workload-pebble-ready"]
    );
    fixture.pebble(&[
        "exec",
        "--",
        "test",
        "-e",
        "/data/kept",
        "-a",
        "!",
        "-e",
        "/tmp/lost",
    ]);
    let volume = fixture.juju.storage_folder("recorder/0", "data").unwrap();
    assert!(volume.join("kept").exists());
}

#[test]
fn replaced_pod_runs_the_hooks_of_a_replacement_and_one_pebble_ready() {
    let fixture = Fixture::new();
    let seen = fixture.hooks().len();
    fixture.juju.replace_pod("recorder/0").unwrap();
    let ran = fixture.until(seen, &["start", "workload-pebble-ready"]);
    let ready = ran
        .iter()
        .filter(|hook| *hook == "workload-pebble-ready")
        .count();
    assert_eq!(ready, 1, "{ran:?}");
    let others: Vec<_> = ran
        .iter()
        .filter(|hook| *hook != "workload-pebble-ready")
        .collect();
    assert_eq!(others, ["stop", "upgrade-charm", "config-changed", "start"]);
    fixture.pebble(&["exec", "--", "true"]);
}

#[test]
fn notices_and_checks_of_the_container_become_hooks() {
    let fixture = Fixture::new();
    let seen = fixture.hooks().len();
    fixture.pebble(&["notify", "example.com/due"]);
    fixture.until(seen, &["workload-pebble-custom-notice"]);
    let layer = tempfile::NamedTempFile::new().unwrap();
    let check = "checks: {up: {override: replace, period: 100ms, timeout: 90ms, threshold: 1, exec: {command: test -e /tmp/up}}}";
    std::fs::write(layer.path(), check).unwrap();
    fixture.pebble(&["add", "test", "--combine", layer.path().to_str().unwrap()]);
    fixture.pebble(&["replan"]);
    fixture.until(seen, &["workload-pebble-check-failed"]);
    fixture.pebble(&["exec", "--", "touch", "/tmp/up"]);
    fixture.until(seen, &["workload-pebble-check-recovered"]);
}

#[test]
fn failing_check_is_told_once_by_name_until_it_recovers_and_again_when_it_fails_anew() {
    let says = "case $JUJU_DISPATCH_PATH in
      *check-failed) status-set blocked \"$JUJU_PEBBLE_CHECK_NAME of $JUJU_WORKLOAD_NAME fails\";;
      *check-recovered) status-set active \"$JUJU_PEBBLE_CHECK_NAME is well again\";;
    esac";
    let fixture = Fixture::with_dispatch(says);
    let seen = fixture.hooks().len();
    let layer = tempfile::NamedTempFile::new().unwrap();
    // The other check never fails, and is never told of.
    let plan = "services: {web: {override: replace, startup: enabled, command: python3 -m http.server --bind 127.0.0.1 8008}}
checks:
  online: {override: replace, period: 100ms, timeout: 90ms, threshold: 3, http: {url: 'http://127.0.0.1:8008/'}}
  other: {override: replace, period: 100ms, timeout: 90ms, exec: {command: 'true'}}";
    std::fs::write(layer.path(), plan).unwrap();
    fixture.pebble(&["add", "test", "--combine", layer.path().to_str().unwrap()]);
    let is = |word, message: &str| {
        let shown = fixture.juju.wait_for(LIMIT, |status| {
            status.unit("recorder/0").is_some_and(|unit| {
                unit.workload.current == word
                    && unit.workload.message == message
                    && unit.agent.current == "idle"
            })
        });
        shown.unwrap();
    };
    // Nobody listens before the service starts.
    fixture.pebble(&["start-checks", "online", "other"]);
    is("blocked", "online of workload fails");
    fixture.pebble(&["replan"]);
    is("active", "online is well again");
    fixture.pebble(&["stop", "web"]);
    is("blocked", "online of workload fails");
    fixture.pebble(&["start", "web"]);
    is("active", "online is well again");
    let (failed, recovered) = (
        "workload-pebble-check-failed",
        "workload-pebble-check-recovered",
    );
    assert_eq!(
        fixture.hooks().split_off(seen),
        [failed, recovered, failed, recovered]
    );
}

#[test]
fn notice_of_a_service_wakes_the_charm_without_update_status_and_again_while_its_hook_runs() {
    let slow = "case $JUJU_DISPATCH_PATH in *notice) touch began; while [ ! -e go ]; do sleep 0.02; done;; esac";
    let fixture = Fixture::with_dispatch(slow);
    let seen = fixture.hooks().len();
    let layer = tempfile::NamedTempFile::new().unwrap();
    let service = "services: {job: {override: replace, startup: enabled, command: 'sh -c \"/charm/bin/pebble notify example.com/job-resume; sleep 1000\"'}}";
    std::fs::write(layer.path(), service).unwrap();
    fixture.pebble(&["add", "test", "--combine", layer.path().to_str().unwrap()]);
    fixture.pebble(&["replan"]);
    let charm = fixture.charm();
    fixture.eventually("the hook began", || charm.join("began").exists());
    fixture.pebble(&["notify", "example.com/job-resume"]);
    fixture.eventually("the second notice is known", || {
        let log = fixture.juju.debug_log().unwrap();
        let known = log
            .iter()
            .filter(|line| line.contains("key \"example.com/job-resume\""));
        known.count() == 2
    });
    std::fs::write(charm.join("go"), "").unwrap();
    fixture.until(seen, &["workload-pebble-custom-notice"]);
    fixture.eventually("it is told again", || {
        fixture.hooks().split_off(seen) == ["workload-pebble-custom-notice"; 2]
    });
}

#[test]
fn notice_that_fails_starts_the_agent_over_until_it_succeeds() {
    let failing =
        "case $JUJU_DISPATCH_PATH in *notice) [ -e ok ] || { touch tried; exit 3; };; esac";
    let fixture = Fixture::with_dispatch(failing);
    let seen = fixture.hooks().len();
    fixture.pebble(&["notify", "example.com/due"]);
    let charm = fixture.charm();
    fixture.eventually("it was tried", || charm.join("tried").exists());
    std::fs::write(charm.join("ok"), "").unwrap();
    let ran = fixture.until(
        seen,
        &["workload-pebble-custom-notice", "workload-pebble-ready"],
    );
    // No error shows; whatever a container remembers is told again by the agent that is new.
    assert_eq!(
        ran,
        [
            "start",
            "workload-pebble-custom-notice",
            "workload-pebble-ready"
        ]
    );
    let status = fixture.juju.status().unwrap();
    assert_eq!(
        status.unit("recorder/0").unwrap().workload.current,
        "active"
    );
}

#[test]
fn restarted_agent_starts_without_its_containers_and_is_told_what_they_remember() {
    let fixture = Fixture::new();
    fixture.pebble(&["notify", "example.com/due"]);
    fixture.until(0, &["workload-pebble-custom-notice"]);
    let seen = fixture.hooks().len();
    fixture.pebble(&["exec", "--", "touch", "/tmp/kept"]);
    fixture.juju.restart_agent("recorder/0", false).unwrap();
    let told = [
        "start",
        "workload-pebble-custom-notice",
        "workload-pebble-ready",
    ];
    assert_eq!(fixture.until(seen, &told)[1..], told);
    let seen = seen + 4;
    fixture.juju.restart_agent("recorder/0", true).unwrap();
    let ran = fixture.until(seen, &told);
    let expected = ["stop", "upgrade-charm", "config-changed", "start"];
    assert_eq!(ran[..4], expected);
    assert_eq!(ran[4..], told[1..]);
    fixture.pebble(&["exec", "--", "test", "-e", "/tmp/kept"]);
}

#[test]
fn storage_of_a_removed_unit_is_kept_and_given_to_a_new_one() {
    let fixture = Fixture::new();
    fixture.pebble(&["exec", "--", "touch", "/data/kept"]);
    fixture.juju.remove_unit("recorder/0").unwrap();
    fixture
        .juju
        .wait_for(LIMIT, |status| status.unit("recorder/0").is_none())
        .unwrap();
    let status = fixture.juju.status().unwrap();
    assert_eq!(status.storage["data/0"]["status"]["current"], "detached");
    let refused = fixture
        .juju
        .add_unit_with_storage("recorder", &["data/7"])
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("no storage \"data/7\" that is detached"),
        "{refused}"
    );
    fixture
        .juju
        .add_unit_with_storage("recorder", &["data/0"])
        .unwrap();
    fixture
        .juju
        .wait_for_unit("recorder/1", "active", LIMIT)
        .unwrap();
    fixture.juju.wait_until_idle(LIMIT).unwrap();
    let volume = fixture.juju.storage_folder("recorder/1", "data").unwrap();
    assert!(volume.join("kept").exists());
    assert_eq!(
        fixture
            .juju
            .exec("recorder/1", &["storage-list"])
            .unwrap()
            .1,
        "data/0\n"
    );
    // Detached and attached again, it is told like new.
    fixture.juju.detach_storage("recorder/1", "data").unwrap();
    fixture.juju.wait_until_idle(LIMIT).unwrap();
    fixture.juju.attach_storage("recorder/1", "data/0").unwrap();
    let told = |line: &String| {
        line.starts_with("recorder/1") && line.contains("ran \"data-storage-attached\"")
    };
    fixture.eventually("it is attached again", || {
        fixture
            .juju
            .debug_log()
            .unwrap()
            .iter()
            .filter(|line| told(line))
            .count()
            == 2
    });
}

#[test]
fn detached_storage_is_told_once_and_not_listed_any_more() {
    let fixture = Fixture::new();
    let list = ["storage-list"];
    assert_eq!(
        fixture.juju.exec("recorder/0", &list).unwrap(),
        (0, "data/0\n".into(), String::new())
    );
    let seen = fixture.hooks().len();
    fixture.juju.detach_storage("recorder/0", "data").unwrap();
    let ran = fixture.until(seen, &["data-storage-detaching"]);
    assert_eq!(ran, ["data-storage-detaching"]);
    assert_eq!(fixture.juju.exec("recorder/0", &list).unwrap().1.trim(), "");
}

#[test]
fn destroyed_model_leaves_no_process() {
    let fixture = Fixture::new();
    let folder = fixture.juju.folder().display().to_string();
    assert!(!processes_naming(&folder).is_empty());
    fixture.juju.destroy_model().unwrap();
    assert_eq!(processes_naming(&folder), Vec::<String>::new());
}

fn processes_naming(text: &str) -> Vec<String> {
    (std::fs::read_dir("/proc").unwrap())
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " "))
        .filter(|arguments| arguments.contains(text))
        .collect()
}
