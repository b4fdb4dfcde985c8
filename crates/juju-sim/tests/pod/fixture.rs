use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use juju_sim::pod::{
    CharmMounts, ContainerSpec, Forward, Image, Pod, PodSpec, Privilege, User, spawn,
};

const CHARM_DIR: &str = "/var/lib/juju/agents/unit-synapse-0/charm";

/// The folder of a unit and what its pod is made of: one container, `synapse`, with storage `data` at /data.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    pub(crate) spec: PodSpec,
    pub(crate) privilege: Privilege,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["charm", "tools", "agent"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let spec = PodSpec {
            unit: "synapse/0".into(),
            dir: folder.path().join("unit"),
            pebble: pebble_program(),
            containers: vec![ContainerSpec {
                name: "synapse".into(),
                image: Image {
                    users: vec![user()],
                    ..Image::default()
                },
                mounts: vec![("data".into(), "/data".into())],
            }],
            storages: BTreeMap::from([("data".into(), folder.path().join("volume"))]),
            forwards: Vec::new(),
        };
        Self {
            folder,
            spec,
            privilege: Privilege::of_this_process(),
        }
    }

    /// As an ordinary user would run it.
    pub(crate) fn ordinary(mut self) -> Self {
        self.privilege = Privilege::Ordinary;
        self
    }

    pub(crate) fn with_image(mut self, text: &str) -> Self {
        let file = self.path("image.yaml");
        std::fs::write(&file, text).unwrap();
        self.spec.containers[0].image = Image::load(&file).unwrap();
        self
    }

    /// With one of the images that come with the project.
    pub(crate) fn with_shipped_image(mut self, name: &str) -> Self {
        let file = format!(
            "{}/../../tests/images/{name}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        self.spec.containers[0].image = Image::load(Path::new(&file)).unwrap();
        self
    }

    pub(crate) fn with_forward(mut self, forward: Forward) -> Self {
        self.spec.forwards.push(forward);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn pod(&self) -> Pod {
        Pod::start_as(self.spec.clone(), self.privilege)
            .await
            .unwrap()
    }

    /// Runs a command as the charm.
    pub(crate) async fn charm(&self, pod: &Pod, argv: &[&str]) -> String {
        let mut command = pod
            .charm_command(&owned(argv), &charm_environment(), &self.mounts())
            .unwrap();
        command.stdout(std::process::Stdio::piped());
        let child = spawn(command).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn mounts(&self) -> CharmMounts {
        CharmMounts {
            charm: (self.path("charm"), CHARM_DIR.into()),
            tools: (
                self.path("tools"),
                "/var/lib/juju/tools/unit-synapse-0".into(),
            ),
            agent: (
                self.path("agent"),
                "/var/lib/juju/agents/unit-synapse-0/agent".into(),
            ),
            more: vec![(self.path("volume"), "/var/lib/juju/storage/data/0".into())],
            cwd: CHARM_DIR.into(),
        }
    }
}

/// Writes a layer and has Pebble take it and start what is enabled in it.
pub(crate) fn replan(pod: &Pod, layer: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(layer.as_bytes()).unwrap();
    succeed(pebble(
        pod,
        &["add", "test", "--combine", file.path().to_str().unwrap()],
    ));
    succeed(pebble(pod, &["replan"]));
}

/// Runs a command in the container, which must succeed.
pub(crate) fn exec(pod: &Pod, argv: &[&str]) -> String {
    let mut words = vec!["exec", "--"];
    words.extend(argv);
    succeed(pebble(pod, &words))
}

/// Whether a Pebble listens.
pub(crate) fn answers(pod: &Pod) -> bool {
    UnixStream::connect(pod.pebble_socket("synapse")).is_ok()
}

/// Runs Pebble's own client from the host.
pub(crate) fn pebble(pod: &Pod, argv: &[&str]) -> Output {
    Command::new(pebble_program())
        .args(argv)
        .env("PEBBLE_SOCKET", pod.pebble_socket("synapse"))
        .output()
        .unwrap()
}

pub(crate) fn user() -> User {
    User {
        name: "synapse".into(),
        uid: 991,
        gid: 991,
        home: "/home/synapse".into(),
    }
}

pub(crate) fn charm_environment() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("JUJU_UNIT_NAME".into(), "synapse/0".into()),
    ])
}

pub(crate) fn owned(argv: &[&str]) -> Vec<String> {
    argv.iter().map(ToString::to_string).collect()
}

pub(crate) fn pebble_program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../.tools/bin/pebble")
        .canonicalize()
        .unwrap()
}

pub(crate) fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
