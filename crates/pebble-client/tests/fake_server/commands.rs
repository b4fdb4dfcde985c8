//! Exec with connections that are cut off at any byte, and streams that hold what they should not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pebble_client::{Client, Error, ErrorKind, ExecOutput, ExitStatus};

use crate::answers::envelope;
use crate::server::{Reply, Request, Server, frame};

const SOON: Duration = Duration::from_secs(20);

const STARTED: &str = r#"{"type":"async","status-code":202,"status":"Accepted","change":"7","result":{"environment":{"SECRET":"hunter2"},"task-id":"9","working-dir":"/"}}"#;

/// The head of an answer that opens a websocket.
const HANDSHAKE_BYTES: usize = 129;

const END: &[u8] = br#"{"command":"end","a-new-field":{"x":1}}"#;

/// What is sent on `stdio`: two pieces, things to pass over, the end.
fn frames() -> Vec<u8> {
    [
        frame(2, b"one "),
        frame(1, br#"{"command":"a-new-command"}"#),
        frame(1, b"no JSON"),
        frame(9, b"ping"),
        frame(2, &[b'x'; 300]),
        frame(1, END),
    ]
    .concat()
}

/// The whole life of `exec` in a daemon that works.
fn good(request: &Request) -> Reply {
    match request.target.as_str() {
        "/v1/exec" => Reply::json(202, STARTED),
        "/v1/tasks/9/websocket/stdio" => request.websocket(&frames()).and_hold(),
        "/v1/tasks/9/websocket/stderr" => request.websocket(&frame(1, END)).and_hold(),
        "/v1/tasks/9/websocket/control" => request.websocket(b"").and_hold(),
        "/v1/changes/7/wait" | "/v1/changes/7" => Reply::json(200, &envelope("change")),
        other => panic!("unexpected {other}"),
    }
}

async fn run(client: &Client) -> Result<ExecOutput, Error> {
    let exec = client.exec(["x"]).stdio_grace(Duration::from_millis(20));
    tokio::time::timeout(SOON, exec.output()).await.unwrap()
}

#[tokio::test]
async fn command_is_run_as_the_wire_says() {
    let server = Server::start(good);
    let output = run(&server.client).await.unwrap();
    assert_eq!(output.status, ExitStatus::Exited(0));
    assert_eq!(output.stdout.len(), 304);
    assert!(output.stdout.starts_with(b"one x"));
    let process = server.client.exec(["x"]).spawn().await.unwrap();
    assert!(!format!("{process:?}").contains("hunter2"));
}

#[tokio::test]
async fn connection_that_is_cut_off_at_any_byte_is_no_success() {
    for (target, whole) in [
        ("/v1/exec", Reply::json(202, STARTED).bytes.len()),
        ("wait", Reply::json(200, &envelope("change")).bytes.len()),
        ("stdio", HANDSHAKE_BYTES + frames().len()),
        ("stderr", HANDSHAKE_BYTES + frame(1, END).len()),
    ] {
        let length = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&length);
        let server = Server::start(move |request| {
            let reply = good(request);
            let cut = shared.load(Ordering::Relaxed);
            if !request.target.ends_with(target) || cut >= whole {
                return reply;
            }
            let mut reply = reply.cut(cut);
            reply.hold = false;
            reply
        });
        for cut in 0..=whole {
            length.store(cut, Ordering::Relaxed);
            let result = run(&server.client).await;
            let success = result.as_ref().is_ok_and(|output| output.status.success());
            assert_eq!(success, cut == whole, "{target} after {cut}: {result:?}");
        }
    }
}

#[tokio::test]
async fn handshake_that_never_comes_is_a_timeout() {
    for target in ["control", "stdio", "stderr"] {
        let server = Server::start(move |request| {
            if request.target.ends_with(target) {
                return Reply::default().and_hold();
            }
            good(request)
        });
        let error = run(&server.client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{target}: {error:?}");
    }
}

#[tokio::test]
async fn handshake_that_is_refused_tells_why() {
    let failed =
        envelope("change").replace("\"ready\":true", "\"err\":\"it broke\",\"ready\":true");
    let late = Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let body = r#"{"type":"error","status-code":500,"result":{"message":"stdio websocket already connected"}}"#;
    let refused = Reply::json(500, body);
    for (reply, change, expected) in [
        (late.clone(), envelope("change"), ErrorKind::Protocol),
        (late, failed, ErrorKind::ChangeFailed),
        (refused, envelope("change"), ErrorKind::Daemon),
    ] {
        let server = Server::start(move |request| match request.target.as_str() {
            "/v1/tasks/9/websocket/stdio" => reply.clone(),
            "/v1/changes/7" => Reply::json(200, &change),
            _ => good(request),
        });
        let error = run(&server.client).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error:?}");
    }
}

#[tokio::test]
async fn frames_that_are_not_allowed_are_no_success() {
    let huge = [&[0x82, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    let masked = [0x82, 0x81, 1, 2, 3, 4, 5].to_vec();
    let reserved = [0xf2, 1, 0].to_vec();
    let unknown = frame(7, b"x");
    let long_ping = frame(9, &[0; 200]);
    let not_text = frame(1, &[0xff, 0xfe]);
    let closed = frame(8, &[3, 232]);
    for wrong in [huge, masked, reserved, unknown, long_ping, not_text, closed] {
        let server = Server::start(move |request| {
            if request.target.ends_with("stdio") {
                let all = [wrong.clone(), frame(1, END)].concat();
                return request.websocket(&all).and_hold();
            }
            good(request)
        });
        let result = run(&server.client).await;
        assert!(!result.is_ok_and(|output| output.status.success()));
    }
}

#[tokio::test]
async fn change_of_somebody_else_is_not_believed() {
    for (old, new) in [
        ("\"id\":\"9\"", "\"id\":\"10\""),
        (
            "\"spawn-time\":\"2020-01-02T03:04:05.136027638Z\"",
            "\"spawn-time\":\"2999-01-01T00:00:00Z\"",
        ),
        ("\"exit-code\":0", "\"other\":0"),
        ("\"exit-code\":0", "\"exit-code\":\"0\""),
    ] {
        let change = envelope("change");
        assert!(change.contains(old), "{old}");
        let change = change.replacen(old, new, 1);
        let server = Server::start(move |request| {
            if request.target.ends_with("wait") {
                return Reply::json(200, &change);
            }
            good(request)
        });
        let output = run(&server.client).await.unwrap();
        assert_eq!(output.status, ExitStatus::Unknown, "{new}");
    }
}

#[tokio::test]
async fn exit_code_without_the_end_of_the_output_is_not_believed() {
    let server = Server::start(|request| {
        if request.target.ends_with("stdio") {
            return request.websocket(&frame(2, b"one"));
        }
        good(request)
    });
    let output = run(&server.client).await.unwrap();
    assert_eq!(output.status, ExitStatus::Unknown);
    assert_eq!(output.stdout, b"one");
}
