//! Request targets: a path and its query, percent-encoded.

use std::fmt::Write as _;

/// A request target under construction.
#[derive(Debug)]
pub(crate) struct Target {
    text: String,
    separator: char,
}

impl Target {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            separator: '?',
        }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(key);
        self.text.push('=');
        percent_encode(value, &mut self.text);
        self
    }

    pub(crate) fn with_all(self, key: &str, values: &[&str]) -> Self {
        values
            .iter()
            .fold(self, |target, value| target.with(key, value))
    }

    pub(crate) fn with_some(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Appends `value` with everything but RFC 3986's unreserved characters escaped.
pub(crate) fn percent_encode(value: &str, into: &mut String) {
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// Returns whether `id` can stand in a request path: the daemon's router takes lower-case letters and digits.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Target, is_id};

    #[test]
    fn target_escapes_what_would_end_a_value() {
        let target = Target::new("/v1/files")
            .with("path", "/a b&c=d+e/ü?#%")
            .with_all("n", &["1", "2"]);
        assert_eq!(
            target.as_str(),
            "/v1/files?path=%2Fa%20b%26c%3Dd%2Be%2F%C3%BC%3F%23%25&n=1&n=2"
        );
    }

    #[test]
    fn is_id_refuses_what_would_change_the_path() {
        assert!(is_id("42"));
        for id in ["", "../1", "1/wait", "A", "1?x"] {
            assert!(!is_id(id), "{id}");
        }
    }
}
