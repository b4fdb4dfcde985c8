use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use juju_sim::pod::Privilege;

use crate::fixture::{Fixture, eventually, exec, pebble, replan};

#[tokio::test]
async fn shipped_images_have_the_tools_they_stand_for() {
    for (image, aws, version) in [
        ("upstream", "/aws/dist/aws", "aws-cli/2."),
        ("ours", "aws", "aws-cli/1."),
    ] {
        let fixture = Fixture::new().with_shipped_image(image);
        let pod = fixture.pod().await;
        let seen = exec(&pod, &["sh", "-c", &format!("{aws} --version 2>&1")]);
        assert!(seen.starts_with(version), "{image}: {seen}");
        let zstd = pebble(&pod, &["exec", "--", "zstd", "--version"]);
        assert_eq!(zstd.status.success(), image == "ours", "{image}: {zstd:?}");
    }
}

const CONFIG: &str = "
server_name: example.com
report_stats: false
signing_key_path: /data/signing.key
media_store_path: /data/media
database: {name: sqlite3, args: {database: /data/homeserver.db}}
registration_shared_secret: for this test alone
listeners: [{port: 8008, type: http, tls: false, bind_addresses: [127.0.0.1], resources: [{names: [client]}]}]
trusted_key_servers: []
";

const LAYER: &str = "
services:
  synapse:
    override: replace
    startup: enabled
    command: python3 -m synapse.app.homeserver -c /data/homeserver.yaml
    user: synapse
    group: synapse
";

// The test itself blocks while it reads, and what it reads passes through the pod's tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synapse_in_a_container_is_reached_from_the_host() {
    for fixture in [Fixture::new(), Fixture::new().ordinary()] {
        let fixture = fixture.with_shipped_image("upstream");
        let mut pod = fixture.pod().await;
        std::fs::write(fixture.path("volume/homeserver.yaml"), CONFIG).unwrap();
        if fixture.privilege == Privilege::Root {
            exec(&pod, &["chown", "-R", "synapse:synapse", "/data"]);
        }
        let generate = [
            "python3",
            "-m",
            "synapse.app.homeserver",
            "-c",
            "/data/homeserver.yaml",
            "--generate-keys",
        ];
        let words = [
            &["exec", "--user", "synapse", "--group", "synapse", "--"],
            &generate[..],
        ]
        .concat();
        assert!(pebble(&pod, &words).status.success());
        replan(&pod, LAYER);
        let address = pod.expose(8008).await.unwrap();
        eventually("Synapse is healthy", || {
            health(address).is_some_and(|answer| answer.ends_with("OK"))
        })
        .await;
        pod.stop().await;
        assert!(health(address).is_none());
    }
}

fn health(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}
