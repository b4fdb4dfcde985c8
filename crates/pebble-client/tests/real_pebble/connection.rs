//! Daemons that are not there, or not Pebble.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use pebble_client::{Client, ErrorKind, WriteFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::Daemon;

#[tokio::test]
async fn missing_socket_is_not_connectable() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(dir.path().join("pebble.socket"));
    for error in [
        client.system_info().await.unwrap_err(),
        client.exec(["true"]).output().await.unwrap_err(),
        client.read_file("/x").await.unwrap_err(),
        client
            .write_file(WriteFile::new("/x"), b"x")
            .await
            .unwrap_err(),
        client.follow_logs(&[], 1).next().await.unwrap_err(),
    ] {
        assert!(
            error.is_not_connectable() && error.is_connection_problem(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn socket_without_a_listener_is_not_connectable() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pebble.socket");
    drop(UnixListener::bind(&socket).unwrap());
    let error = Client::new(&socket).system_info().await.unwrap_err();
    assert!(error.is_not_connectable(), "{error:?}");
    assert!(format!("{error:?}").contains(socket.to_str().unwrap()));
}

/// Root may use any socket, so another user asks where the tests run as root.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the program under test")]
async fn socket_of_somebody_else_is_denied() {
    let dir = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let socket = closed.join("pebble.socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    // Where another user can get at it.
    let program = dir.path().join("pebble-exec");
    std::fs::copy(crate::examples::program("pebble-exec"), &program).unwrap();
    let mut command = Command::new(program);
    command.arg("true").env("PEBBLE_SOCKET", &socket);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("cannot run true")
            && said.contains(socket.to_str().unwrap())
            && said.contains("Permission denied"),
        "{said}"
    );
}

#[tokio::test]
async fn killed_daemon_ends_a_long_poll() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client.clone();
    let filter = pebble_client::NoticeFilter::default();
    let (result, ()) = tokio::join!(
        client.wait_notices(filter, Duration::from_mins(10)),
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            daemon.kill();
        }
    );
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
    assert!(!error.is_not_connectable() && error.is_connection_problem());
    assert!(
        daemon
            .client
            .system_info()
            .await
            .unwrap_err()
            .is_not_connectable()
    );
    daemon.start_again().await;
    daemon.client.system_info().await.unwrap();
}

#[tokio::test]
async fn daemon_that_says_nothing_is_a_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pebble.socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let client = Client::new(&socket).with_timeout(Duration::from_millis(50));
    for error in [
        client.system_info().await.unwrap_err(),
        client.read_file("/x").await.unwrap_err(),
        client
            .write_file(WriteFile::new("/x"), &vec![0; 8 << 20])
            .await
            .unwrap_err(),
        client.exec(["true"]).output().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    }
}

/// Answers one request with these bytes and returns what the client makes of it.
async fn answer_with(answer: &'static [u8]) -> ErrorKind {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pebble.socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let client = Client::new(&socket);
    let (result, ()) = tokio::join!(client.system_info(), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer).await.unwrap();
    });
    result.unwrap_err().kind()
}

#[tokio::test]
async fn early_answer_to_a_large_push_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pebble.socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let client = Client::new(&socket);
    let content = tokio::io::repeat(7).take(64 << 20);
    let (result, ()) = tokio::join!(client.push(WriteFile::new("/x"), content), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 5000]).await.unwrap();
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 83\r\nConnection: close\r\n\r\n\
            {\"type\":\"error\",\"result\":{\"message\":\"access denied\",\"kind\":\"login-required\"},\"x\":1}";
        stream.write_all(answer).await.unwrap();
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert_eq!(error.daemon_message(), Some("access denied"));
}

#[tokio::test]
async fn answers_that_are_not_pebbles_are_protocol_errors_or_a_lost_connection() {
    for (answer, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            ErrorKind::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            ErrorKind::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"type\":\"sync\"}",
            ErrorKind::Protocol,
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nproxy",
            ErrorKind::Daemon,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"type\":",
            ErrorKind::ConnectionLost,
        ),
        (b"", ErrorKind::ConnectionLost),
        (b"SSH-2.0-x\r\n", ErrorKind::ConnectionLost),
    ] {
        assert_eq!(
            answer_with(answer).await,
            expected,
            "{}",
            String::from_utf8_lossy(answer)
        );
    }
}
