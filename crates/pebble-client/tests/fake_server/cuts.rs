//! Answers that are cut off, come slowly, or are no answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pebble_client::{Client, Error, ErrorKind};
use tokio::io::AsyncReadExt;

use crate::answers::{CALLS, READ_RESPONSE, envelope, logs, make, multipart};
use crate::server::{Reply, Server};

const SOON: Duration = Duration::from_secs(20);

/// A server that sends the first bytes of `answer` to whoever asks: as many as it is told.
fn cutting(answer: &[u8]) -> (Server, Arc<AtomicUsize>) {
    let length = Arc::new(AtomicUsize::new(answer.len()));
    let shared = Arc::clone(&length);
    let reply = Reply::new(answer);
    let server = Server::start(move |_| reply.clone().cut(shared.load(Ordering::Relaxed)));
    (server, length)
}

fn is_a_cut(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionLost | ErrorKind::Protocol
    )
}

/// Cuts the answers to these calls off.
async fn cut_off_everywhere(calls: &[&str]) {
    for call in calls {
        let answer = Reply::json(200, &envelope(call)).bytes;
        let (server, told) = cutting(&answer);
        make(call, &server.client).await.unwrap();
        for length in 0..answer.len() {
            told.store(length, Ordering::Relaxed);
            let made = tokio::time::timeout(SOON, make(call, &server.client)).await;
            let error = made.unwrap().unwrap_err();
            assert!(is_a_cut(&error), "{call} after {length}: {error:?}");
        }
    }
}

// In three parts, so that a slow machine can do them at once.
#[tokio::test]
async fn answer_that_is_cut_off_at_any_byte_is_no_answer() {
    cut_off_everywhere(&CALLS[..8]).await;
}

#[tokio::test]
async fn answer_about_changes_and_notices_that_is_cut_off_is_no_answer() {
    cut_off_everywhere(&CALLS[8..16]).await;
}

#[tokio::test]
async fn answer_about_identities_and_files_that_is_cut_off_is_no_answer() {
    cut_off_everywhere(&CALLS[16..]).await;
}

#[tokio::test]
async fn file_that_is_cut_off_at_any_byte_is_no_file() {
    let answer = multipart(READ_RESPONSE);
    let (server, told) = cutting(&answer);
    let content = server.client.read_file("/x").await.unwrap();
    assert_eq!(content, b"one\r\n--not");
    assert_eq!(server.client.read_files(&["/x"]).await.unwrap().len(), 1);
    // Once Pebble's verdict is there, the file is whole, whatever becomes of the connection.
    let verdict = answer.windows(READ_RESPONSE.len());
    let verdict = verdict
        .enumerate()
        .find(|(_, w)| *w == READ_RESPONSE.as_bytes());
    let enough = verdict.unwrap().0 + READ_RESPONSE.len() + "\r\n--b".len();
    for length in 0..answer.len() {
        told.store(length, Ordering::Relaxed);
        match read(&server.client).await {
            Ok(content) => assert!(length >= enough && content == b"one\r\n--not"),
            Err(error) => assert!(length <= enough && is_a_cut(&error), "{length}: {error:?}"),
        }
        let all = server.client.read_files(&["/x"]).await;
        assert!(all.is_ok() == (length >= enough), "{length}: {all:?}");
    }
}

async fn read(client: &Client) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut pull = client.pull("/x").await?;
    match pull.read_to_end(&mut content).await {
        Ok(_) => Ok(content),
        Err(error) => Err(error.downcast().unwrap()),
    }
}

#[tokio::test]
async fn file_with_an_error_at_its_end_is_that_error() {
    let response = r#"{"type":"sync","result":[{"path":"/x","error":{"message":"the disk is gone","kind":"generic-file-error"}}]}"#;
    let answer = multipart(response);
    let (server, _) = cutting(&answer);
    let mut pull = server.client.pull("/x").await.unwrap();
    let mut content = Vec::new();
    let error = pull.read_to_end(&mut content).await.unwrap_err();
    assert_eq!(content, b"one\r\n--not", "what came is given out");
    let error: Error = error.downcast().unwrap();
    assert_eq!(error.kind(), ErrorKind::GenericFile);
    assert_eq!(error.daemon_message(), Some("the disk is gone"));
    assert_eq!(error.path(), Some("/x"));
}

#[tokio::test]
async fn logs_that_are_cut_off_at_any_byte_are_an_error() {
    let answer = logs();
    let (server, told) = cutting(&answer);
    let entries = server.client.logs(&[], 9).await.unwrap();
    let messages: Vec<_> = entries.iter().map(|entry| &*entry.message).collect();
    assert_eq!(messages, ["m1", "m2", "m3"]);
    for length in 0..answer.len() {
        told.store(length, Ordering::Relaxed);
        let error = server.client.logs(&[], 9).await.unwrap_err();
        assert!(is_a_cut(&error), "{length}: {error:?}");
        let mut stream = server.client.follow_logs(&[], 9);
        let mut count = 0;
        while let Ok(Some(entry)) = stream.next().await {
            count += 1;
            assert_eq!(entry.message, format!("m{count}"));
        }
    }
}

#[tokio::test]
async fn logs_with_an_error_as_json_are_that_error() {
    let body = r#"{"type":"error","status-code":400,"result":{"message":"invalid n"}}"#;
    let server = Server::start(move |_| Reply::json(400, body));
    for error in [
        server.client.logs(&[], 9).await.unwrap_err(),
        server.client.follow_logs(&[], 9).next().await.unwrap_err(),
        server.client.tail_logs(&[], 9).next().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        assert_eq!(error.daemon_message(), Some("invalid n"));
    }
}

#[tokio::test]
async fn long_log_line_is_taken() {
    let message = "\\u0001".repeat(20_000);
    let line = format!(
        "{{\"time\":\"2026-01-02T03:04:05Z\",\"service\":\"web\",\"message\":\"{message}\"}}\n"
    );
    let answer = crate::answers::chunked("application/x-ndjson", &[&line]);
    let server = Server::start(move |_| Reply::new(answer.clone()));
    let entries = server.client.logs(&[], 9).await.unwrap();
    assert_eq!(entries[0].message.len(), 20_000);
}

#[tokio::test]
async fn answers_that_come_byte_by_byte_are_answers() {
    let pace = Duration::from_micros(200);
    for call in ["system_info", "changes", "write_file"] {
        let mut reply = Reply::json(200, &envelope(call));
        reply.pace = pace;
        let server = Server::start(move |_| reply.clone());
        make(call, &server.client).await.unwrap();
    }
    let mut reply = Reply::new(multipart(READ_RESPONSE));
    reply.pace = pace;
    let server = Server::start(move |_| reply.clone());
    let content = server.client.read_file("/x").await.unwrap();
    assert_eq!(content, b"one\r\n--not");
}

#[tokio::test]
async fn answer_that_stops_coming_is_a_timeout() {
    let began = Instant::now();
    for call in CALLS.into_iter().filter(|call| !call.starts_with("wait")) {
        let answer = Reply::json(200, &envelope(call));
        let length = answer.bytes.len() / 2;
        let reply = answer.cut(length).and_hold();
        let server = Server::start(move |_| reply.clone());
        let client = server
            .client
            .clone()
            .with_timeout(Duration::from_millis(50));
        let error = make(call, &client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{call}: {error:?}");
    }
    let reply = Reply::new(multipart(READ_RESPONSE)).cut(200).and_hold();
    let server = Server::start(move |_| reply.clone());
    let client = server
        .client
        .clone()
        .with_timeout(Duration::from_millis(50));
    assert!(client.read_file("/x").await.unwrap_err().is_timeout());
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn garbage_is_never_an_answer() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    for round in 0..150 {
        let call = CALLS[round % CALLS.len()];
        let garbage: Vec<u8> = (0..round % 97).map(|_| random()).collect();
        // As all of the answer, and in place of its JSON.
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            garbage.len()
        );
        let framed = [head.as_bytes(), &garbage].concat();
        for answer in [garbage, framed] {
            let (server, _) = cutting(&answer);
            let made = tokio::time::timeout(SOON, make(call, &server.client)).await;
            assert!(made.unwrap().is_err(), "{call}: {answer:?}");
            let read = tokio::time::timeout(SOON, server.client.read_file("/x")).await;
            assert!(read.unwrap().is_err(), "{answer:?}");
            let logs = tokio::time::timeout(SOON, server.client.logs(&[], 1)).await;
            assert!(logs.unwrap().is_err(), "{answer:?}");
        }
    }
}
