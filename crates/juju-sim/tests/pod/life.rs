use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use juju_sim::pod::{Pod, spawn};

use crate::fixture::{Fixture, answers, charm_environment, eventually, exec, replan};

#[tokio::test]
async fn started_pod_charm_sees_its_own_root_and_every_pebble() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let script =
        "id -u; hostname; pwd; ls /charm/containers/*; touch made /var/lib/juju/storage/data/0/x";
    let seen = fixture.charm(&pod, &["sh", "-c", script]).await;
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        [
            "0",
            "synapse-0",
            "/var/lib/juju/agents/unit-synapse-0/charm",
            "pebble",
            "pebble.socket",
        ]
    );
    assert!(fixture.path("charm/made").exists());
    assert!(fixture.path("volume/x").exists());
}

#[tokio::test]
async fn charm_environment_is_exactly_what_was_given() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let seen = fixture.charm(&pod, &["/usr/bin/env"]).await;
    assert_eq!(seen, "JUJU_UNIT_NAME=synapse/0\nPATH=/usr/bin:/bin\n");
}

#[tokio::test]
async fn stopped_pod_pebble_is_gone_and_volume_is_kept() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    exec(&pod, &["sh", "-c", "echo kept > /data/kept"]);
    pod.stop().await;
    assert!(!answers(&pod));
    assert_eq!(
        std::fs::read_to_string(fixture.path("volume/kept")).unwrap(),
        "kept\n"
    );
}

/// Whatever on this machine names the fixture's folder in its arguments, or is a child of such.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Ok(arguments) = std::fs::read(entry.unwrap().path().join("cmdline")) else {
            continue;
        };
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains(folder) {
            found.push(arguments);
        }
    }
    found
}

async fn gone(folder: &Path) {
    eventually("nothing is left", || processes_of(folder).is_empty()).await;
}

/// A service with a child that left its session, both of which name the fixture's folder.
fn stubborn_service(fixture: &Fixture) -> String {
    let folder = fixture.path("");
    let folder = folder.display();
    format!(
        "services: {{s: {{override: replace, startup: enabled, command: 'bash -c \"trap : TERM HUP; setsid bash -c \\\"trap : TERM HUP; while :; do sleep 1; done\\\" {folder} & while :; do sleep 1; done\" {folder}'}}}}"
    )
}

#[tokio::test]
async fn dropped_pod_leaves_no_process() {
    for fixture in [Fixture::new(), Fixture::new().ordinary()] {
        let pod = fixture.pod().await;
        replan(&pod, &stubborn_service(&fixture));
        let folder = fixture.path("").display().to_string();
        let command = [
            "python3",
            "-c",
            "import time; open('up', 'w'); time.sleep(1000)",
            &folder,
        ]
        .map(String::from);
        let charm = pod
            .charm_command(&command, &charm_environment(), &fixture.mounts())
            .unwrap();
        let charm = spawn(charm).await.unwrap();
        eventually("all run", || {
            processes_of(&fixture.path("")).len() >= 5 && fixture.path("charm/up").exists()
        })
        .await;
        drop((pod, charm));
        gone(&fixture.path("")).await;
    }
}

#[tokio::test]
async fn killed_controller_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut controller = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "life::pod_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(controller.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.contains("pod is up"))
    );
    assert!(processes_of(folder.path()).len() >= 3);
    controller.kill().unwrap();
    controller.wait().unwrap();
    gone(folder.path()).await;
}

#[tokio::test]
#[ignore = "runs only inside killed_controller_leaves_no_process"]
async fn pod_until_killed() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    replan(&pod, &stubborn_service(&fixture));
    writeln!(std::io::stdout(), "pod is up").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn folder_too_deep_for_a_socket_is_refused_with_its_path() {
    let mut fixture = Fixture::new();
    fixture.spec.dir = fixture.path(&"d".repeat(100));
    let error = Pod::start(fixture.spec.clone()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("dddd/synapse/socket/pebble.socket has "),
        "{error:#}"
    );
}

#[tokio::test]
async fn pebble_that_ends_at_once_is_an_error_at_once() {
    let mut fixture = Fixture::new();
    fixture.spec.pebble = "/usr/bin/false".into();
    let error = Pod::start(fixture.spec.clone()).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("container synapse ended"),
        "{error:#}"
    );
}
