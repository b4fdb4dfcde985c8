//! What Pebble does on the wire where the client relies on it, or keeps away from it. docs/pebble.md tells the findings.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pebble_client::{
    ChangeId, Client, ErrorKind, ExitStatus, Identity, IdentityAccess, ListOptions,
};

use crate::daemon::{Daemon, Settings};

const WAIT: Duration = Duration::from_secs(30);

/// Sends a request by hand and returns what comes, up to the end of the connection or of a second without anything.
fn ask(client: &Client, request: &str) -> String {
    let mut stream = UnixStream::connect(client.socket()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Begins a command without opening its streams; returns its change.
fn begin(client: &Client, body: &str) -> ChangeId {
    let length = body.len();
    let answer = ask(
        client,
        &format!(
            "POST /v1/exec HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    );
    let change = answer.split("\"change\":\"").nth(1).unwrap();
    ChangeId::from(change.split('"').next().unwrap())
}

fn open_websocket(client: &Client, task_id: &str, id: &str) -> String {
    let request = format!(
        "GET /v1/tasks/{task_id}/websocket/{id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    ask(client, &request)
}

#[tokio::test]
async fn websocket_of_a_command_that_has_ended_is_an_empty_answer_or_its_error() {
    let daemon = Daemon::start().await;
    let mut good = daemon.client.exec(["true"]).spawn().await.unwrap();
    good.wait().await.unwrap();
    let change = daemon.client.change(good.change_id()).await.unwrap();
    let answer = open_websocket(&daemon.client, &change.tasks[0].id, "stdio");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Content-Length: 0"), "{answer}");

    let exec = daemon.client.exec(["sleep", "1000"]);
    let exec = exec.timeout(Duration::from_millis(10));
    let mut bad = exec.spawn().await.unwrap();
    assert_eq!(bad.wait().await.unwrap(), ExitStatus::TimedOut);
    let change = daemon.client.change(bad.change_id()).await.unwrap();
    let answer = open_websocket(&daemon.client, &change.tasks[0].id, "stdio");
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains("timed out"), "{answer}");
}

#[tokio::test]
async fn websocket_that_is_connected_or_unknown_is_refused() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec(["sleep", "1000"]).combine_stderr();
    let process = exec.spawn().await.unwrap();
    let change = daemon.client.change(process.change_id()).await.unwrap();
    let task_id = &change.tasks[0].id;
    let answer = open_websocket(&daemon.client, task_id, "stdio");
    assert!(answer.contains("already connected"), "{answer}");
    for id in ["stderr", "nonsense"] {
        let answer = open_websocket(&daemon.client, task_id, id);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
}

#[tokio::test]
async fn command_whose_streams_nobody_opens_fails_by_itself() {
    let daemon = Daemon::start().await;
    let change = begin(&daemon.client, r#"{"command":["true"]}"#);
    let error = daemon.client.wait_change(&change, WAIT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChangeFailed);
    let message = error.daemon_message().unwrap();
    assert!(message.contains("timeout waiting for websocket connections"));
}

#[tokio::test]
async fn abort_of_a_command_that_has_not_begun_is_context_canceled() {
    let daemon = Daemon::start().await;
    let change = begin(&daemon.client, r#"{"command":["true"]}"#);
    daemon.client.abort_change(&change).await.unwrap();
    let error = daemon.client.wait_change(&change, WAIT).await.unwrap_err();
    assert!(error.daemon_message().unwrap().contains("context canceled"));
}

#[tokio::test]
async fn expectation_of_a_continue_is_answered_after_access_and_boundary_only() {
    let daemon = Daemon::start().await;
    let request = |boundary: &str| {
        format!(
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\
             Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let long = "b".repeat(40);
    let answer = ask(&daemon.client, &request(&long));
    assert!(answer.starts_with("HTTP/1.1 100 Continue"), "{answer}");
    let answer = ask(&daemon.client, &request("short"));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("invalid boundary"), "{answer}");

    let own_id = daemon.client.exec(["id", "-u"]).output().await.unwrap();
    let own_id = String::from_utf8(own_id.stdout).unwrap();
    let reader = Identity::new(IdentityAccess::Read).local_user_id(own_id.trim().parse().unwrap());
    let all = [("me", &reader)];
    daemon.client.add_identities(&all).await.unwrap();
    let answer = ask(&daemon.client, &request(&long));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn directory_with_a_slash_behind_it_is_named_twice_when_itself_is_asked_for() {
    let daemon = Daemon::start().await;
    let itself = ListOptions {
        itself: true,
        pattern: None,
    };
    std::fs::create_dir(daemon.path("dir")).unwrap();
    let listed = daemon
        .client
        .list_files_with(&daemon.path("dir/"), itself)
        .await
        .unwrap();
    assert_eq!(listed[0].path, daemon.path("dir/dir"));
    // Which this is there to avoid.
    let info = daemon.client.file_info(&daemon.path("dir/")).await.unwrap();
    assert_eq!(info.path, daemon.path("dir"));
}

#[tokio::test]
async fn warnings_are_notices_and_are_told_with_every_answer() {
    let state = r#"{"data":{"api-custom":1},"changes":{},"tasks":{},"last-change-id":0,"last-task-id":0,"last-lane-id":0,"last-notice-id":1,
        "notices":[{"id":"1","user-id":null,"type":"warning","key":"the disk is full",
        "first-occurred":"TIME","last-occurred":"TIME","last-repeated":"TIME","occurrences":3,
        "repeat-after":"24h0m0s","expire-after":"672h0m0s"}]}"#;
    let now = jiff::Timestamp::now().to_string();
    let mut daemon = Daemon::start_with(Settings {
        persist: true,
        ..Settings::default()
    })
    .await;
    daemon.kill();
    let file = daemon.client.socket().with_file_name(".pebble.state");
    std::fs::write(file, state.replace("TIME", &now)).unwrap();
    daemon.start_again().await;
    let warnings = daemon.client.warnings(None).await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        (&*warnings[0].key, warnings[0].occurrences),
        ("the disk is full", 3)
    );
    let after = warnings[0].last_repeated;
    assert!(
        daemon
            .client
            .warnings(Some(after))
            .await
            .unwrap()
            .is_empty()
    );
    let answer = ask(
        &daemon.client,
        "GET /v1/services HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.contains("\"latest-warning\""), "{answer}");
}
