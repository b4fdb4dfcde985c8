//! Daemons that are newer or older than this crate.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pebble_client::{ChangeId, CheckFilter, CheckStatus, ErrorKind};
use serde_json::Value;

use crate::answers::{CALLS, READ_RESPONSE, envelope, make, multipart};
use crate::server::{Reply, Server};

/// Maps whose keys are names and not fields.
const MAPS: [&str; 3] = ["data", "last-data", "environment"];

/// Puts a field that nobody knows into every object.
fn with_more(value: &mut Value, is_map: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| with_more(item, false)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                with_more(field, MAPS.contains(&name.as_str()));
            }
            if !is_map {
                let new = serde_json::json!({"deep": [1, null, {"a": "b"}]});
                fields.insert(String::from("a-new-field"), new);
            }
        }
        _ => {}
    }
}

/// The same for an answer to `call`.
fn newer(call: &str) -> String {
    let mut value: Value = serde_json::from_str(&envelope(call)).unwrap();
    with_more(&mut value, false);
    if call == "identities" {
        // The result is a map of names.
        let result = value["result"].as_object_mut().unwrap();
        result.remove("a-new-field");
    }
    value.to_string()
}

#[tokio::test]
async fn every_answer_is_read_with_a_field_more_in_each_object() {
    for call in CALLS {
        let (plain, more) = (envelope(call), newer(call));
        assert_ne!(plain, more);
        let before = Server::start(move |_| Reply::json(200, &plain));
        let after = Server::start(move |_| Reply::json(200, &more));
        assert_eq!(
            make(call, &before.client).await.unwrap(),
            make(call, &after.client).await.unwrap(),
            "{call}"
        );
    }
}

#[tokio::test]
async fn error_and_read_are_read_with_a_field_more_in_each_object() {
    let mut error: Value = serde_json::json!({
        "type": "error", "status-code": 404, "result": {"message": "m", "kind": "not-found"},
    });
    with_more(&mut error, false);
    let server = Server::start(move |_| Reply::json(404, &error.to_string()));
    for call in CALLS {
        let error = make(call, &server.client).await.unwrap_err();
        assert!(error.is_not_found(), "{call}: {error:?}");
        assert_eq!(
            (error.http_status(), error.daemon_message()),
            (Some(404), Some("m"))
        );
    }
    let mut response: Value = serde_json::from_str(READ_RESPONSE).unwrap();
    with_more(&mut response, false);
    let answer = multipart(&response.to_string());
    let server = Server::start(move |_| Reply::new(answer.clone()));
    let content = server.client.read_file("/x").await.unwrap();
    assert_eq!(content, b"one\r\n--not");

    let line =
        r#"{"time":"2026-01-02T03:04:05Z","service":"web","message":"m","a-new-field":{"x":[1]}}"#;
    let answer = crate::answers::chunked("application/x-ndjson", &[line, "\n"]);
    let server = Server::start(move |_| Reply::new(answer.clone()));
    assert_eq!(server.client.logs(&[], 1).await.unwrap()[0].message, "m");
}

#[tokio::test]
async fn words_that_are_new_are_kept() {
    for (call, old, new) in [
        ("services", "\"active\"", "\"hibernating\""),
        ("services", "\"enabled\"", "\"sometimes\""),
        ("change", "\"Done\"", "\"Dreaming\""),
        ("checks", "\"up\",\"successes\"", "\"limbo\",\"successes\""),
        ("checks", "\"alive\"", "\"awake\""),
        ("notices", "\"custom\"", "\"rumour\""),
        ("identities", "\"read\"", "\"listen\""),
        ("list_files", "\"file\"", "\"whiteout\""),
    ] {
        let answer = envelope(call);
        assert!(answer.contains(old), "{call}");
        let answer = answer.replace(old, new);
        let server = Server::start(move |_| Reply::json(200, &answer));
        let shown = make(call, &server.client).await.unwrap();
        let word = new.split('"').nth(1).unwrap();
        assert!(shown.contains(&format!("Other(\"{word}\")")), "{shown}");
    }
}

#[tokio::test]
async fn fields_that_an_old_daemon_leaves_out_are_missed_by_nobody() {
    let check = r#"{"type":"sync","result":[{"name":"up","status":"up"}]}"#;
    let server = Server::start(move |_| Reply::json(200, check));
    let checks = server.client.checks(CheckFilter::default()).await.unwrap();
    assert_eq!(checks[0].status, CheckStatus::Up);
    assert_eq!((&checks[0].startup, checks[0].successes), (&None, None));

    let changed = r#"{"type":"sync","result":{"changed":null}}"#;
    let server = Server::start(move |_| Reply::json(200, changed));
    assert!(
        server
            .client
            .start_checks(&["up"])
            .await
            .unwrap()
            .is_empty()
    );

    let info = r#"{"type":"sync","result":{"version":"1.0.0"}}"#;
    let server = Server::start(move |_| Reply::json(200, info));
    assert_eq!(server.client.system_info().await.unwrap().version, "1.0.0");

    let change = r#"{"type":"sync","result":{"id":"7","kind":"start","summary":"s","status":"Done","ready":true}}"#;
    let server = Server::start(move |_| Reply::json(200, change));
    let id = ChangeId::from("7");
    assert!(server.client.change(&id).await.unwrap().is_done());
}

#[tokio::test]
async fn endpoint_that_an_old_daemon_does_not_have_is_unsupported() {
    let body = r#"{"type":"error","status-code":404,"status":"Not Found","result":{"message":"invalid API endpoint requested"}}"#;
    let server = Server::start(move |_| Reply::json(404, body));
    for call in CALLS.into_iter().filter(|call| *call != "wait_change") {
        let error = make(call, &server.client).await.unwrap_err();
        assert!(error.is_unsupported() && !error.is_not_found(), "{call}");
    }
    let error = server.client.metrics().await.unwrap_err();
    assert!(error.is_unsupported(), "{error:?}");
    let body =
        r#"{"type":"error","status-code":405,"result":{"message":"method \"POST\" not allowed"}}"#;
    let server = Server::start(move |_| Reply::json(405, body));
    let error = server.client.remove_identities(&["x"]).await.unwrap_err();
    assert!(error.is_unsupported(), "{error:?}");
}

#[tokio::test]
async fn change_of_an_old_daemon_that_cannot_wait_is_asked_for_again_and_again() {
    let asked = AtomicU32::new(0);
    let server = Server::start(move |request| {
        if request.target.contains("/wait") {
            let body = r#"{"type":"error","result":{"message":"invalid API endpoint requested"}}"#;
            return Reply::json(404, body);
        }
        if asked.fetch_add(1, Ordering::Relaxed) < 3 {
            let doing = envelope("change")
                .replace("Done", "Doing")
                .replace("\"ready\":true", "\"ready\":false");
            return Reply::json(200, &doing);
        }
        Reply::json(200, &envelope("change"))
    });
    let id = ChangeId::from("7");
    let change = server
        .client
        .wait_change(&id, Duration::from_secs(20))
        .await;
    assert!(change.unwrap().is_done());
    let doing = envelope("change").replace("\"ready\":true", "\"ready\":false");
    let server = Server::start(move |request| {
        if request.target.contains("/wait") {
            return Reply::json(
                404,
                r#"{"type":"error","result":{"message":"invalid API endpoint requested"}}"#,
            );
        }
        Reply::json(200, &doing)
    });
    let error = server
        .client
        .wait_change(&id, Duration::from_millis(50))
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn listing_that_is_not_valid_is_a_protocol_error() {
    for (old, new) in [
        ("\"644\"", "\"rwx\""),
        ("\"2026-01-02T03:04:05Z\"", "\"yesterday\""),
        ("\"size\":12", "\"size\":-1"),
        ("\"path\":", "\"not-path\":"),
    ] {
        let answer = envelope("list_files");
        assert!(answer.contains(old), "{old}");
        let answer = answer.replace(old, new);
        let server = Server::start(move |_| Reply::json(200, &answer));
        let error = server.client.list_files("/etc").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{new}: {error:?}");
    }
}
