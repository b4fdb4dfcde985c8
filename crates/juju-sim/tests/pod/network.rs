use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use juju_sim::pod::{Forward, ForwardTarget};

use crate::fixture::{Fixture, eventually, exec, pebble, replan};

/// A workload that answers on 8008 with the word it is given.
fn listener(word: &str) -> String {
    format!(
        "services:
  web:
    override: replace
    startup: enabled
    command: python3 -c \"import socketserver as s
class H(s.BaseRequestHandler):
  def handle(self): self.request.sendall(b'{word}')
s.TCPServer.allow_reuse_address = True
s.TCPServer(('127.0.0.1', 8008), H).serve_forever()\"
"
    )
    .replace("command: python3 -c \"", "command: |-\n      python3 -c \"")
    .replace("\nclass", "\n      class")
    .replace("\n  def", "\n        def")
    .replace("\ns.TCP", "\n      s.TCP")
}

async fn read(address: SocketAddr) -> Option<String> {
    tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        TcpStream::connect(address)
            .ok()?
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    })
    .await
    .unwrap()
}

async fn read_until(address: SocketAddr, word: &str) {
    let mut seen = None;
    for _ in 0..200 {
        seen = read(address).await;
        if seen.as_deref() == Some(word) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(seen.as_deref(), Some(word));
}

#[tokio::test]
async fn two_pods_on_the_same_port_each_is_exposed_at_its_own() {
    let (one, two) = (Fixture::new(), Fixture::new().ordinary());
    let (mut pod_one, mut pod_two) = (one.pod().await, two.pod().await);
    replan(&pod_one, &listener("one"));
    replan(&pod_two, &listener("two"));
    let (at_one, at_two) = (
        pod_one.expose(8008).await.unwrap(),
        pod_two.expose(8008).await.unwrap(),
    );
    read_until(at_one, "one").await;
    read_until(at_two, "two").await;
    let inside =
        "import socket; print(socket.create_connection(('127.0.0.1', 8008)).recv(9).decode())";
    assert_eq!(
        one.charm(&pod_one, &["python3", "-c", inside]).await,
        "one\n"
    );
    assert_eq!(
        two.charm(&pod_two, &["python3", "-c", inside]).await,
        "two\n"
    );
}

#[tokio::test]
async fn server_on_the_hosts_loopback_cannot_be_reached_without_a_forward() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    assert!(
        !pebble(&pod, &["exec", "--", "bash", "-c", &script])
            .status
            .success()
    );
    assert_eq!(
        exec(&pod, &["sh", "-c", "cat /proc/net/dev | grep -c :"]),
        "1\n"
    );
}

#[tokio::test]
async fn forwards_lead_to_a_unix_socket_and_to_a_tcp_port_of_the_host() {
    let fixture = Fixture::new();
    let path = fixture.path("server");
    let unix = UnixListener::bind(&path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    std::thread::spawn(move || unix.accept().unwrap().0.write_all(b"from unix\n").unwrap());
    std::thread::spawn(move || tcp.accept().unwrap().0.write_all(b"from tcp\n").unwrap());
    let fixture = fixture
        .with_forward(Forward {
            listen: 9000,
            to: ForwardTarget::Unix(path),
        })
        .with_forward(Forward {
            listen: 9001,
            to: ForwardTarget::Tcp(address),
        });
    let pod = fixture.pod().await;
    let script = "cat </dev/tcp/127.0.0.1/9000; cat </dev/tcp/127.0.0.1/9001";
    let seen = fixture.charm(&pod, &["bash", "-c", script]).await;
    assert_eq!(seen, "from unix\nfrom tcp\n");
}

#[tokio::test]
async fn dropped_pod_exposed_port_is_closed() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    let address = pod.expose(8008).await.unwrap();
    assert_eq!(read(address).await.as_deref(), Some(""));
    drop(pod);
    eventually("the port is closed", || {
        TcpStream::connect(address).is_err()
    })
    .await;
}
