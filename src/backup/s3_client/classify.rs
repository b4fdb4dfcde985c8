//! From what the SDK reports to what the admin can act on.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::backup::s3_error::{S3Error, S3ErrorKind};

const LONGEST_DETAIL: usize = 300;

pub(super) fn is_not_found<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let missing = matches!(error.code(), Some("NoSuchKey" | "NotFound"));
    // An answer to HEAD has no code; a missing bucket has one on GET.
    missing || (error.code().is_none() && status(error) == Some(404))
}

pub(super) fn is_there_already<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    // 409: another request writes it at this moment.
    matches!(status(error), Some(409 | 412))
}

pub(super) fn is_not_implemented<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> bool {
    error.code() == Some("NotImplemented") || matches!(status(error), Some(400 | 501))
}

pub(super) fn classify<E>(error: SdkError<E, HttpResponse>, doing: String) -> S3Error
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (kind, detail) = match &error {
        SdkError::ServiceError(_) => of_answer(&error),
        SdkError::DispatchFailure(failure) => {
            of_connection(failure.as_connector_error().map(|error| error as _))
        }
        SdkError::TimeoutError(_) => (S3ErrorKind::Unreachable, "no answer in time".to_owned()),
        SdkError::ResponseError(_) => (
            S3ErrorKind::Server,
            "this is not an answer of an S3 server".to_owned(),
        ),
        other => (S3ErrorKind::Other, innermost(other)),
    };
    S3Error::new(kind, doing, shorten(&detail)).with_source(error)
}

fn of_answer<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> (S3ErrorKind, String) {
    let status = status(error).unwrap_or_default();
    let code = error.code().unwrap_or_default();
    let kind = match code {
        "InvalidAccessKeyId" => S3ErrorKind::WrongAccessKey,
        "SignatureDoesNotMatch" => S3ErrorKind::WrongSecretKey,
        "NoSuchBucket" => S3ErrorKind::NoSuchBucket,
        "RequestTimeTooSkewed" => S3ErrorKind::ClockSkew,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => S3ErrorKind::WrongRegion,
        _ if (400..500).contains(&status) && speaks_of_a_lock(code, error.message()) => {
            S3ErrorKind::Locked
        }
        _ => match status {
            301 | 307 => S3ErrorKind::WrongRegion,
            401 | 403 => S3ErrorKind::AccessDenied,
            500.. => S3ErrorKind::Server,
            _ => S3ErrorKind::Other,
        },
    };
    let said = if code.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status} {code}")
    };
    let region = error
        .raw_response()
        .and_then(|answer| answer.headers().get("x-amz-bucket-region"));
    match (kind, region, error.message()) {
        (S3ErrorKind::WrongRegion, Some(region), _) => {
            (kind, format!("{said}, the bucket is in {region}"))
        }
        (
            S3ErrorKind::Other
            | S3ErrorKind::Server
            | S3ErrorKind::WrongRegion
            | S3ErrorKind::Locked,
            _,
            Some(message),
        ) => (kind, format!("{said}: {message}")),
        _ => (kind, said),
    }
}

/// There is no code of its own for a lock: AWS says `AccessDenied`, others say other things, all with words.
fn speaks_of_a_lock(code: &str, message: Option<&str>) -> bool {
    let said = format!("{code} {}", message.unwrap_or_default()).to_ascii_lowercase();
    [
        "object lock",
        "objectlock",
        "worm",
        "legal hold",
        "retention",
    ]
    .iter()
    .any(|word| said.contains(word))
}

/// rustls's own error type is out of reach behind the SDK's; its names in the text are what its public enum is called.
fn of_connection(error: Option<&(dyn Error + 'static)>) -> (S3ErrorKind, String) {
    let Some(error) = error else {
        return (S3ErrorKind::Unreachable, String::new());
    };
    let chain = chain(error);
    let all = chain.join(": ");
    let debug = format!("{error:?}");
    let has = |word: &str| debug.contains(word) || all.contains(word);
    let kind = if has("CaUsedAsEndEntity") {
        S3ErrorKind::CaUsedAsEndEntity
    } else if has("UnknownIssuer") {
        S3ErrorKind::UnknownAuthority
    } else if has("InvalidCertificate") || has("invalid peer certificate") {
        S3ErrorKind::BadCertificate
    } else {
        S3ErrorKind::Unreachable
    };
    (kind, chain.last().cloned().unwrap_or_default())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).pop().unwrap_or_default()
}

fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect()
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// What a server says goes to logs and statuses: one line, and not endless.
fn shorten(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST_DETAIL)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_told_by_their_words() {
        for (code, message) in [
            (
                "AccessDenied",
                "Access Denied because object protected by object lock.",
            ),
            (
                "InvalidRequest",
                "Object is WORM protected and cannot be overwritten",
            ),
            ("AccessDenied", "forbidden by legal hold"),
            ("ObjectLocked", ""),
        ] {
            assert!(speaks_of_a_lock(code, Some(message)), "{code} {message}");
        }
        assert!(!speaks_of_a_lock("AccessDenied", Some("Access Denied.")));
    }
}
