//! What a secret shall be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::SecretContent;
use crate::{Error, ErrorKind, RelationId};

/// What a secret that this unit or application owns shall be. What is not said here stays as it is.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use jujuna::{RelationId, Rotate, SecretSpec};
///
/// let spec = SecretSpec::new("login", [("username", "web"), ("password", "hunter22")])
///     .description("for the web application")
///     .rotate(Rotate::Monthly)
///     .expire_after(Duration::from_secs(40 * 24 * 3600))
///     .grant_to(&RelationId::new("database", 3));
/// assert!(!format!("{spec:?}").contains("hunter22"));
/// ```
#[derive(Clone)]
pub struct SecretSpec {
    pub(super) label: String,
    pub(super) content: SecretContent,
    pub(super) description: Option<String>,
    pub(super) rotate: Option<Rotate>,
    pub(super) expire_after: Option<Duration>,
    pub(super) grants: Vec<RelationId>,
}

/// How often Juju asks the owner, by the hook secret-rotate, for a new revision.
///
/// # Example
///
/// ```
/// assert_eq!(jujuna::Rotate::Monthly.to_string(), "monthly");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotate {
    /// Not at all.
    Never,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Yearly,
}

impl Rotate {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        }
    }
}

/// Writes Juju's word.
impl fmt::Display for Rotate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl SecretSpec {
    /// A secret of this label and exactly these fields.
    ///
    /// Keys are at least three characters: lower-case letters, digits and single inner hyphens, a letter first; values are
    /// not empty.
    ///
    /// [`SecretSpec`] has an example.
    pub fn new<K, V>(label: impl Into<String>, content: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<SecretString>,
    {
        let content: BTreeMap<_, _> = content
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self {
            label: label.into(),
            content,
            description: None,
            rotate: None,
            expire_after: None,
            grants: Vec::new(),
        }
    }

    /// Describes it to who lists the model's secrets.
    ///
    /// [`SecretSpec`] has an example.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Has Juju ask for a new revision every so often.
    ///
    /// [`SecretSpec`] has an example.
    #[must_use]
    pub fn rotate(mut self, rotate: Rotate) -> Self {
        self.rotate = Some(rotate);
        self
    }

    /// Has Juju fire secret-expired this long after a revision was written.
    ///
    /// It is said again with each new revision, and only then.
    ///
    /// [`SecretSpec`] has an example.
    #[must_use]
    pub fn expire_after(mut self, duration: Duration) -> Self {
        self.expire_after = Some(duration);
        self
    }

    /// Lets the application at the other end of a relation read it, as long as the relation lasts.
    ///
    /// [`SecretSpec`] has an example.
    #[must_use]
    pub fn grant_to(mut self, relation: &RelationId) -> Self {
        self.grants.push(relation.clone());
        self
    }

    /// Refuses what Juju would refuse, because its own words for it might quote the value.
    pub(super) fn check(&self) -> Result<(), Error> {
        let cannot = |why: &str| {
            let text = format!("cannot write the secret labelled {:?}: {why}", self.label);
            Err(Error::new(ErrorKind::Usage, text))
        };
        if self.content.is_empty() {
            return cannot("it has no field");
        }
        for (key, value) in &self.content {
            if !is_key(key) {
                return cannot(&format!(
                    "the key {key:?} is not lower-case letters, digits and single inner hyphens, three at least"
                ));
            }
            if value.expose_secret().is_empty() {
                return cannot(&format!("the value of {key:?} is empty"));
            }
        }
        Ok(())
    }
}

/// Shows the keys, never a value.
impl fmt::Debug for SecretSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSpec")
            .field("label", &self.label)
            .field("keys", &self.content.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn is_key(key: &str) -> bool {
    let characters = key
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let letters = key.bytes().filter(|byte| *byte != b'-').count();
    characters
        && letters >= 3
        && key.starts_with(|first: char| first.is_ascii_lowercase())
        && !key.ends_with('-')
        && !key.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_refused_as_juju_refuses_them() {
        for key in ["password", "abc", "a-b-c", "key2", "signing-key"] {
            assert!(is_key(key), "{key}");
        }
        for key in [
            "", "ab", "a-b", "UPPER", "a_b", "2abc", "-abc", "abc-", "ab--c",
        ] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn refused_content_is_named_without_its_value() {
        let spec = SecretSpec::new("identity", [("a_b", "hunter2")]);
        let text = spec.check().unwrap_err().to_string();
        assert!(text.contains("a_b") && !text.contains("hunter2"), "{text}");
    }
}
