use std::os::unix::fs::MetadataExt;

use std::process::Stdio;

use juju_sim::pod::{Privilege, spawn};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::fixture::{Fixture, charm_environment, exec, pebble};

const IMAGE: &str = "
binds: [{from: ./tools, to: /opt/tools}]
symlinks: {/aws/dist/aws: /opt/tools/aws, /usr-local-link: /usr/local}
hide: [/usr/bin/zstd, /usr/bin/awk, /usr/bin/never-there]
environment: {PATH: '/opt/tools:/usr/bin:/bin'}
users: [{name: synapse, uid: 991, gid: 991, home: /home/synapse}]
";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let tool = fixture.path("tools/aws");
    std::fs::write(&tool, "#!/bin/sh\necho aws from $0\n").unwrap();
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fixture.with_image(IMAGE)
}

#[tokio::test]
async fn image_binds_links_and_path_are_seen_by_programs() {
    let fixture = fixture();
    let pod = fixture.pod().await;
    assert_eq!(exec(&pod, &["/aws/dist/aws"]), "aws from /aws/dist/aws\n");
    assert_eq!(exec(&pod, &["aws"]), "aws from /opt/tools/aws\n");
    assert!(
        !pebble(&pod, &["exec", "--", "touch", "/opt/tools/x"])
            .status
            .success()
    );
}

#[tokio::test]
async fn hidden_program_is_there_but_cannot_run() {
    for fixture in [fixture(), fixture().ordinary()] {
        let pod = fixture.pod().await;
        for program in ["/usr/bin/zstd", "/usr/bin/awk"] {
            assert!(
                std::path::Path::new(program).exists(),
                "the host lacks {program}"
            );
            exec(&pod, &["test", "-e", program]);
            assert!(
                !pebble(&pod, &["exec", "--", program, "--version"])
                    .status
                    .success()
            );
        }
    }
}

#[tokio::test]
async fn root_in_container_can_drop_to_the_workloads_user_where_there_is_root() {
    let fixture = fixture();
    let pod = fixture.pod().await;
    if fixture.privilege == Privilege::Ordinary {
        let seen = pebble(&pod, &["exec", "--user", "root", "--", "true"]);
        assert!(!seen.status.success(), "{seen:?}");
        return;
    }
    assert_eq!(
        exec(&pod, &["stat", "-c", "%u:%g %a", "/data"]),
        "0:0 755\n"
    );
    exec(&pod, &["chown", "991:991", "/data"]);
    let script = "id -un; touch /data/mine ~synapse/mine /tmp/mine; echo $HOME; ls /root 2>&1";
    let seen = pebble(
        &pod,
        &[
            "exec", "--user", "synapse", "--group", "synapse", "--", "sh", "-c", script,
        ],
    );
    let seen = String::from_utf8(seen.stdout).unwrap();
    assert_eq!(
        seen,
        "synapse\n/home/synapse\nls: cannot open directory '/root': Permission denied\n"
    );
    let drop = ["setpriv", "--reuid=991", "--regid=991", "--clear-groups"];
    let script = "id -u; grep CapEff /proc/self/status";
    assert_eq!(
        exec(&pod, &[&drop[..], &["sh", "-c", script]].concat()),
        "991\nCapEff:\t0000000000000000\n"
    );
    assert_eq!(
        std::fs::metadata(fixture.path("volume/mine"))
            .unwrap()
            .uid(),
        991
    );
}

#[tokio::test]
async fn ordinary_users_pod_has_only_the_workloads_user_and_the_callers_files() {
    let fixture = fixture().ordinary();
    let mut pod = fixture.pod().await;
    let script = "id -u; id -un; touch /data/mine ~/mine /tmp/mine; stat -c %u /data";
    let seen = pebble(
        &pod,
        &["exec", "--user", "synapse", "--", "sh", "-c", script],
    );
    assert_eq!(
        String::from_utf8(seen.stdout).unwrap(),
        "991\nsynapse\n991\n"
    );
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(
        std::fs::metadata(fixture.path("volume/mine"))
            .unwrap()
            .uid(),
        own
    );
    assert_eq!(fixture.charm(&pod, &["id", "-u"]).await, "0\n");
    let no_capability = "CapEff:\t0000000000000000\n";
    assert_eq!(
        exec(&pod, &["grep", "CapEff", "/proc/self/status"]),
        no_capability
    );
    let seen = fixture
        .charm(&pod, &["grep", "CapEff", "/proc/self/status"])
        .await;
    assert_eq!(seen, no_capability);
    pod.restart_container("synapse").await.unwrap();
    assert_eq!(
        exec(&pod, &["ls", "/tmp", "/data"]),
        "/data:\nmine\n\n/tmp:\n"
    );
}

#[tokio::test]
async fn charms_memory_file_can_be_read_by_its_process_number() {
    for fixture in [Fixture::new(), Fixture::new().ordinary()] {
        let pod = fixture.pod().await;
        let script = "
import os
fd = os.memfd_create('secret')
os.write(fd, b'kept out of argv')
print(f'/proc/{os.getpid()}/fd/{fd}', flush=True)
input()";
        let argv = ["python3", "-c", script].map(String::from);
        let mut charm = pod
            .charm_command(&argv, &charm_environment(), &fixture.mounts())
            .unwrap();
        charm.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut charm = spawn(charm).await.unwrap();
        let mut path = String::new();
        BufReader::new(charm.stdout.take().unwrap())
            .read_line(&mut path)
            .await
            .unwrap();
        assert_eq!(std::fs::read(path.trim()).unwrap(), b"kept out of argv");
    }
}
