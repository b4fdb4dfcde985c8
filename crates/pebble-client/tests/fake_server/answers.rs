//! One answer of Pebble for each call, and the calls.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use pebble_client::{
    ChangeId, ChangeSelect, CheckFilter, Client, Error, LayerMode, MakeDir, NoticeFilter, WriteFile,
};

const WAIT: Duration = Duration::from_secs(20);

const CHANGE: &str = r#"{"id":"7","kind":"exec","summary":"Execute command \"sleep\"","status":"Done","tasks":[{"id":"9","kind":"exec","summary":"Execute command \"sleep\"","status":"Done","log":["2026-01-02T03:04:05Z INFO x"],"progress":{"label":"","done":1,"total":1},"spawn-time":"2020-01-02T03:04:05.136024313Z","ready-time":"2020-01-02T03:04:05+02:00","data":{"exit-code":0}}],"ready":true,"spawn-time":"2020-01-02T03:04:05.136027638Z","ready-time":"2020-01-02T03:04:05Z"}"#;

const NOTICE: &str = r#"{"id":"1","user-id":null,"type":"custom","key":"example.org/x","first-occurred":"2026-01-02T03:04:05.1Z","last-occurred":"2026-01-02T03:04:06Z","last-repeated":"2026-01-02T03:04:06.123456789Z","occurrences":2,"last-data":{"k":"v"},"repeat-after":"1h0m0s","expire-after":"168h0m0s"}"#;

const CHECK: &str = r#"{"name":"up","level":"alive","startup":"enabled","status":"up","successes":3,"failures":0,"threshold":3,"change-id":"2","prev-change-id":"1"}"#;

const FILE: &str = r#"{"path":"/etc/x","name":"x","type":"file","size":12,"permissions":"644","last-modified":"2026-01-02T03:04:05Z","user-id":0,"user":"root","group-id":0,"group":"root"}"#;

/// The calls whose answer is one JSON envelope.
pub(crate) const CALLS: [&str; 24] = [
    "system_info",
    "health",
    "services",
    "start",
    "plan",
    "add_layer",
    "change",
    "changes",
    "wait_change",
    "abort_change",
    "checks",
    "start_checks",
    "refresh_check",
    "notices",
    "notice",
    "notify",
    "wait_notices",
    "identities",
    "remove_identities",
    "signal",
    "list_files",
    "make_dir",
    "remove_path",
    "write_file",
];

/// What Pebble answers to one of [`CALLS`].
pub(crate) fn envelope(call: &str) -> String {
    let result = match call {
        "system_info" => String::from(
            r#"{"boot-id":"b","http-address":"127.0.0.1:1","https-address":":2","version":"v1.32.1"}"#,
        ),
        "health" => String::from(r#"{"healthy":true}"#),
        "services" => String::from(
            r#"[{"name":"web","startup":"enabled","current":"active","current-since":"2026-01-02T03:04:05+01:00"}]"#,
        ),
        "start" => {
            return String::from(
                r#"{"type":"async","status-code":202,"status":"Accepted","change":"7","result":null}"#,
            );
        }
        "plan" => String::from(r#""services: {}\n""#),
        "add_layer" | "signal" => String::from("true"),
        "change" | "wait_change" | "abort_change" => CHANGE.to_owned(),
        "changes" => format!("[{CHANGE}]"),
        "checks" => format!("[{CHECK}]"),
        "start_checks" => String::from(r#"{"changed":["up"]}"#),
        "refresh_check" => format!(r#"{{"info":{CHECK},"error":"it is down"}}"#),
        "notices" | "wait_notices" => format!("[{NOTICE}]"),
        "notice" => NOTICE.to_owned(),
        "notify" => String::from(r#"{"id":"1"}"#),
        "identities" => String::from(
            r#"{"bob":{"access":"read","local":{"user-id":1000},"basic":{"password":"*****"},"cert":{"pem":"*****"}}}"#,
        ),
        "remove_identities" => {
            return String::from(r#"{"type":"sync","status-code":200,"status":"OK"}"#);
        }
        "list_files" => format!("[{FILE}]"),
        _ => String::from(r#"[{"path":"/etc/x"}]"#),
    };
    format!(
        r#"{{"type":"sync","status-code":200,"status":"OK","result":{result},"latest-warning":"2026-01-02T03:04:05.1Z","maintenance":{{"kind":"daemon-restart","message":"soon"}}}}"#
    )
}

fn shown<T: Debug>(result: Result<T, Error>) -> Result<String, Error> {
    result.map(|value| format!("{value:?}"))
}

/// Makes one of [`CALLS`] and shows what came of it.
pub(crate) async fn make(call: &str, client: &Client) -> Result<String, Error> {
    let id = ChangeId::from("7");
    let none = std::collections::BTreeMap::new();
    match call {
        "system_info" => shown(client.system_info().await),
        "health" => shown(client.health(None).await),
        "services" => shown(client.services(&[]).await),
        "start" => shown(client.start(&["web"]).await),
        "plan" => shown(client.plan().await),
        "add_layer" => shown(client.add_layer("x", "{}", LayerMode::New).await),
        "change" => shown(client.change(&id).await),
        "changes" => shown(client.changes(ChangeSelect::All, None).await),
        "wait_change" => shown(client.wait_change(&id, WAIT).await),
        "abort_change" => shown(client.abort_change(&id).await),
        "checks" => shown(client.checks(CheckFilter::default()).await),
        "start_checks" => shown(client.start_checks(&["up"]).await),
        "refresh_check" => shown(client.refresh_check("up").await),
        "notices" => shown(client.notices(NoticeFilter::default()).await),
        "notice" => shown(client.notice("1").await),
        "notify" => shown(client.notify("example.org/x", &none, None).await),
        "wait_notices" => shown(client.wait_notices(NoticeFilter::default(), WAIT).await),
        "identities" => shown(client.identities().await),
        "remove_identities" => shown(client.remove_identities(&["bob"]).await),
        "signal" => shown(client.signal("SIGHUP", &["web"]).await),
        "list_files" => shown(client.list_files("/etc").await),
        "make_dir" => shown(client.make_dir(MakeDir::new("/etc/x")).await),
        "remove_path" => shown(client.remove_path("/etc/x", false).await),
        "write_file" => shown(client.write_file(WriteFile::new("/etc/x"), b"x").await),
        other => panic!("there is no call {other}"),
    }
}

/// An answer to a read of one file, in two chunks.
pub(crate) fn multipart(response: &str) -> Vec<u8> {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"/x\"\r\n\
         Content-Type: application/octet-stream\r\n\r\none\r\n--not\r\n--b\r\n\
         Content-Disposition: form-data; name=\"response\"\r\nContent-Type: application/json\r\n\r\n\
         {response}\r\n--b--\r\n"
    );
    chunked(
        "multipart/form-data; boundary=b",
        &[&body[..100], &body[100..]],
    )
}

/// What comes with [`multipart`] when all went well.
pub(crate) const READ_RESPONSE: &str =
    r#"{"type":"sync","status-code":200,"status":"OK","result":[{"path":"/x"}]}"#;

/// Three log entries.
pub(crate) fn logs() -> Vec<u8> {
    let line = |n: u32| {
        format!(
            "{{\"time\":\"2026-01-02T03:04:05.00{n}Z\",\"service\":\"web\",\"message\":\"m{n}\"}}\n"
        )
    };
    chunked(
        "application/x-ndjson",
        &[&line(1), &format!("{}{}", line(2), line(3))],
    )
}

pub(crate) fn chunked(content_type: &str, chunks: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for chunk in chunks {
        write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    text.push_str("0\r\n\r\n");
    text.into_bytes()
}
