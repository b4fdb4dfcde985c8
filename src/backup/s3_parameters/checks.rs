//! What each setting may be. An admin, or a charm on the other side of a relation, can write anything.

use secrecy::{ExposeSecret, SecretString};

use super::S3UriStyle;
use crate::backup::limits::MAX_PATH_BYTES;

pub(super) fn key(given: Option<SecretString>, what: &str) -> Result<SecretString, String> {
    let given = given.unwrap_or_default();
    let trimmed = given.expose_secret().trim();
    if trimmed.is_empty() {
        return Err(format!("the {what} is not set"));
    }
    if trimmed.len() > 512 || !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "the {what} holds characters that no S3 key has; copy it again"
        ));
    }
    Ok(SecretString::from(trimmed))
}

/// S3's own grammar of new buckets: it keeps path segments, dashes in front and shell characters out.
pub(super) fn bucket(given: Option<String>) -> Result<String, String> {
    let name = text(given).ok_or("no bucket is set")?;
    let edges = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|&byte| edges(byte) || byte == b'-' || byte == b'.')
        && bytes.first().copied().is_some_and(edges)
        && bytes.last().copied().is_some_and(edges)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if fits {
        Ok(name)
    } else {
        Err(format!(
            "{name:?} is no bucket name: 3 to 63 lower-case letters, digits, dashes and dots, with a letter or digit at both ends"
        ))
    }
}

pub(super) fn region(given: Option<String>) -> Result<Option<String>, String> {
    let Some(region) = text(given) else {
        return Ok(None);
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if region.len() <= 64 && region.bytes().all(allowed) {
        Ok(Some(region))
    } else {
        Err(format!(
            "{region:?} is no region name: up to 64 letters, digits, dashes, dots"
        ))
    }
}

pub(super) fn endpoint(given: Option<String>) -> Result<Option<String>, String> {
    let Some(endpoint) = text(given) else {
        return Ok(None);
    };
    let endpoint = endpoint.trim_end_matches('/');
    let refuse = |why: &str| {
        Err(format!(
            "{endpoint:?} {why}; write it as https://host or https://host:port"
        ))
    };
    let Some((scheme, authority)) = endpoint.split_once("://") else {
        return refuse("has no scheme");
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return refuse("is neither http nor https");
    }
    if authority.contains('@') {
        // Not repeated: there may be a password in it.
        return Err(
            "an endpoint holds no user or password; set the access key and the secret key"
                .to_owned(),
        );
    }
    if authority.contains(['/', '?', '#']) {
        return refuse("holds more than a host and a port");
    }
    let (host, port) = split_port(authority);
    if !is_host(host) {
        return refuse("has no valid host name");
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return refuse("has no valid port");
    }
    Ok(Some(format!(
        "{scheme}://{}",
        authority.to_ascii_lowercase()
    )))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(end) = authority.rfind(']') {
        let (host, rest) = authority.split_at(end + 1);
        return if rest.is_empty() {
            (host, None)
        } else {
            (host, Some(rest.trim_start_matches(':')))
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// Empty parts vanish, so that `/`, `//a//b/` and nothing at all give keys that every S3 server takes for the same.
pub(super) fn path(given: Option<String>) -> Result<String, String> {
    let Some(path) = text(given) else {
        return Ok(String::new());
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| *part == "." || *part == "..") {
        return Err(format!("{path:?} holds a . or .. segment"));
    }
    if path.chars().any(char::is_control) {
        return Err(format!("{path:?} holds a control character"));
    }
    let joined = parts.join("/");
    if joined.len() > MAX_PATH_BYTES {
        return Err(format!(
            "the path is {} bytes long; at most {MAX_PATH_BYTES} are possible",
            joined.len()
        ));
    }
    Ok(joined)
}

pub(super) fn uri_style(given: Option<String>) -> Result<Option<S3UriStyle>, String> {
    match text(given).as_deref() {
        None | Some("auto") => Ok(None),
        Some("path") => Ok(Some(S3UriStyle::Path)),
        Some("host" | "virtual") => Ok(Some(S3UriStyle::Host)),
        Some(other) => Err(format!("{other:?} is neither path nor host")),
    }
}

fn text(given: Option<String>) -> Option<String> {
    let trimmed = given?.trim().to_owned();
    if trimmed.is_empty() {
        None
    } else {
        Some(trimmed)
    }
}
