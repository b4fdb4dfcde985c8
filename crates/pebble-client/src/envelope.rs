//! The JSON envelope every answer but files, logs and websockets comes in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::changes::ChangeId;
use crate::error::Failure;

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type", default)]
    kind: String,
    change: Option<ChangeId>,
}

#[derive(Deserialize)]
struct Tail<T> {
    // A result may be missing or null where there is nothing to say.
    #[serde(default = "Option::default")]
    result: Option<T>,
}

/// The daemon's error object, in an envelope or beside one path of a file operation.
#[derive(Debug, Deserialize)]
pub(crate) struct DaemonError {
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) kind: Option<String>,
}

/// What became of one path.
#[derive(Debug, Deserialize)]
pub(crate) struct PathResult {
    pub(crate) error: Option<DaemonError>,
}

/// A checked envelope: not an error, and of the type the caller asked for.
#[derive(Debug)]
pub(crate) struct Envelope<T> {
    pub(crate) change: Option<ChangeId>,
    pub(crate) result: Option<T>,
}

/// Parses an answer of status `status`; an error envelope becomes the failure it tells of.
pub(crate) fn parse<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<Envelope<T>, Failure> {
    let head: Head = match serde_json::from_slice(body) {
        Ok(head) => head,
        Err(_) if status >= 400 => {
            return Err(Failure::from_daemon(status, None, plain_text(status, body)));
        }
        Err(error) => {
            return Err(Failure::Protocol(format!(
                "no JSON in an answer of status {status}: {error}"
            )));
        }
    };
    match head.kind.as_str() {
        "sync" | "async" => {}
        "error" => return Err(error_of(status, body)),
        other => return Err(Failure::Protocol(format!("answer of type {other:?}"))),
    }
    let tail: Tail<T> = serde_json::from_slice(body).map_err(|error| {
        Failure::Protocol(format!("unexpected result at column {}", error.column()))
    })?;
    Ok(Envelope {
        change: head.change,
        result: tail.result,
    })
}

/// Returns what an error envelope tells.
pub(crate) fn error_of(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Tail<DaemonError>>(body) {
        Ok(Tail {
            result: Some(error),
        }) if !error.message.is_empty() => {
            Failure::from_daemon(status, error.kind.as_deref(), error.message)
        }
        _ => Failure::from_daemon(status, None, plain_text(status, body)),
    }
}

/// Checks the answer to an operation on `count` paths, whose results come in the order of the request.
pub(crate) fn each_path(
    results: Option<Vec<PathResult>>,
    count: usize,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let results = results.unwrap_or_default();
    if results.len() != count {
        let found = results.len();
        return Err(Failure::Protocol(format!(
            "{found} results for {count} paths"
        )));
    }
    Ok(results.into_iter().map(PathResult::into_result).collect())
}

/// As [`each_path`], for one path.
pub(crate) fn single_path(results: Option<Vec<PathResult>>) -> Result<(), Failure> {
    each_path(results, 1)?.into_iter().collect()
}

impl PathResult {
    pub(crate) fn into_result(self) -> Result<(), Failure> {
        match self.error {
            None => Ok(()),
            Some(error) => Err(Failure::from_daemon(
                200,
                error.kind.as_deref(),
                error.message,
            )),
        }
    }
}

fn plain_text(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(1_000)]);
    match text.trim() {
        "" => format!("answer of status {status}"),
        text if text.starts_with('{') => format!("answer of status {status} without a message"),
        text => text.to_owned(),
    }
}

/// Data of a change or task: values are kept as they came.
pub(crate) type Data = BTreeMap<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::{DaemonError, PathResult, parse, single_path};
    use crate::error::{Error, ErrorKind, Failure};

    fn kind_of(failure: Failure) -> ErrorKind {
        Error::new("test", failure).kind()
    }

    #[test]
    fn parse_takes_a_missing_and_a_null_result() -> Result<(), Failure> {
        for body in [
            r#"{"type":"sync"}"#,
            r#"{"type":"async","change":"3","result":null}"#,
        ] {
            assert!(parse::<u32>(200, body.as_bytes())?.result.is_none());
        }
        Ok(())
    }

    #[test]
    fn parse_sorts_errors_by_kind_status_and_words() {
        for (status, body, expected) in [
            (
                400,
                r#"{"type":"error","result":{"message":"x","kind":"not-found"}}"#,
                ErrorKind::NotFound,
            ),
            (
                404,
                r#"{"type":"error","result":{"message":"invalid API endpoint requested"}}"#,
                ErrorKind::Unsupported,
            ),
            (
                404,
                r#"{"type":"error","result":{"message":"cannot find change"}}"#,
                ErrorKind::NotFound,
            ),
            (
                401,
                r#"{"type":"error","result":{"message":"x","kind":"login-required"}}"#,
                ErrorKind::PermissionDenied,
            ),
            (
                403,
                r#"{"type":"error","result":{"message":"access denied"}}"#,
                ErrorKind::PermissionDenied,
            ),
            (
                504,
                r#"{"type":"error","result":{"message":"timed out"}}"#,
                ErrorKind::Timeout,
            ),
            (500, r#"{"type":"error"}"#, ErrorKind::Daemon),
            (500, "gibberish", ErrorKind::Daemon),
            (200, "gibberish", ErrorKind::Protocol),
            (200, r#"{"type":"new"}"#, ErrorKind::Protocol),
            (200, "{}", ErrorKind::Protocol),
        ] {
            let failure = parse::<u32>(status, body.as_bytes()).err();
            assert_eq!(failure.map(kind_of), Some(expected), "{status} {body}");
        }
    }

    #[test]
    fn parse_failure_does_not_show_the_body() {
        let failure = parse::<u32>(
            200,
            br#"{"type":"sync","result":{"environment":"hunter2"}}"#,
        )
        .err();
        assert!(
            failure.is_some_and(|failure| !format!("{failure} {failure:?}").contains("hunter2"))
        );
    }

    #[test]
    fn single_path_wants_exactly_one() {
        assert!(single_path(None).is_err());
        assert!(single_path(Some(vec![PathResult { error: None }])).is_ok());
        assert!(
            single_path(Some(vec![
                PathResult { error: None },
                PathResult { error: None }
            ]))
            .is_err()
        );
        let error = DaemonError {
            message: String::from("no"),
            kind: Some(String::from("permission-denied")),
        };
        let failure = single_path(Some(vec![PathResult { error: Some(error) }])).err();
        assert_eq!(failure.map(kind_of), Some(ErrorKind::PermissionDenied));
    }
}
