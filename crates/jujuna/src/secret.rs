//! `secret-get`, `-add`, `-set`, `-info-get`, `-ids`, `-remove`: secrets, whose values never reach an argument, a log or a disk.

mod uri;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::hook_tools::{SecretFile, document};
use crate::{Error, ErrorKind, HookCommand, Juju, Leader};

pub use uri::SecretUri;

/// A secret's fields.
pub(crate) type SecretContent = BTreeMap<String, SecretString>;

/// Which revision of a secret is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revision {
    /// The one this unit read first, until it refreshes. Owners track too.
    Tracked,
    /// The latest, which is tracked from now on, even if this hook fails.
    Refresh,
    /// The latest, without tracking it.
    Peek,
}

impl Revision {
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Tracked => None,
            Self::Refresh => Some("--refresh"),
            Self::Peek => Some("--peek"),
        }
    }
}

/// Whose a secret is.
#[derive(Debug, Clone, Copy)]
pub enum SecretOwner<'a> {
    /// This unit's.
    Unit,
    /// The application's: all its units read it, also by its label; only the leader writes it.
    Application(&'a Leader),
}

/// What Juju tells the owner of a secret about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretInfo {
    /// The secret.
    pub uri: SecretUri,
    /// The latest revision.
    pub revision: u64,
    /// The owner's label; may be empty.
    pub label: String,
    /// `application` or `unit`; empty where Juju does not tell.
    pub owner: String,
    /// The description; may be empty.
    pub description: String,
    /// How often it shall be rotated; may be empty.
    pub rotation: String,
    /// When it expires, as RFC 3339; may be empty.
    pub expiry: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawInfo {
    revision: u64,
    label: String,
    owner: String,
    description: String,
    rotation: String,
    expiry: String,
}

/// A buffered change to secrets.
pub(crate) enum SecretWrite {
    Ensure {
        owner: &'static str,
        label: String,
        content: SecretContent,
    },
    Remove {
        uri: SecretUri,
        revision: Option<u64>,
    },
}

impl Juju {
    /// Returns the fields of a secret that this unit owns or was granted.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::PermissionDenied`] when it was not granted to this application, and
    /// [`ErrorKind::NotFound`] when there is no such secret.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Revision, testing::{FakeJuju, Secret, State}};
    /// use secrecy::ExposeSecret;
    ///
    /// let secret = Secret::granted("9m4e2mr0ui3e8a215n4g", [("passphrase", "correct horse")]);
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_secret(secret))));
    /// let content = juju.secret_get(&"secret:9m4e2mr0ui3e8a215n4g".parse()?, Revision::Refresh)?;
    /// assert_eq!(content["passphrase"].expose_secret(), "correct horse");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_get(
        &self,
        uri: &SecretUri,
        revision: Revision,
    ) -> Result<BTreeMap<String, SecretString>, Error> {
        let command = HookCommand::json("secret-get")
            .arg(uri.to_string())
            .args(revision.flag());
        self.read_content(&command, &|| format!("read secret {uri}"))
    }

    /// Returns the fields of a secret by the label that its owner, or this unit when it first read it, gave it.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`] when neither this unit nor its application knows such a label.
    pub fn secret_get_by_label(
        &self,
        label: &str,
        revision: Revision,
    ) -> Result<BTreeMap<String, SecretString>, Error> {
        let command = HookCommand::json("secret-get")
            .args(["--label", label])
            .args(revision.flag());
        let content =
            self.read_content(&command, &|| format!("read the secret labelled {label:?}"));
        if revision != Revision::Tracked {
            let known = match &content {
                Ok(content) => Some(Some(content.clone())),
                Err(error) if error.is_not_found() => Some(None),
                Err(_) => None,
            };
            if let Some(known) = known {
                self.cache
                    .borrow_mut()
                    .owned_secrets
                    .insert(label.to_owned(), known);
            }
        }
        content
    }

    fn read_content(
        &self,
        command: &HookCommand,
        purpose: &dyn Fn() -> String,
    ) -> Result<SecretContent, Error> {
        let content: BTreeMap<String, String> = self.read(command, purpose)?;
        Ok(content
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect())
    }

    /// Returns what Juju knows about a secret that this unit owns, or as leader its application.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`] for any other secret.
    pub fn secret_info_get(&self, uri: &SecretUri) -> Result<SecretInfo, Error> {
        let command = HookCommand::json("secret-info-get").arg(uri.to_string());
        self.read_info(&command, &|| format!("read about secret {uri}"))
    }

    /// Returns the same by the owner's label.
    ///
    /// # Errors
    ///
    /// As of [`secret_info_get`](Juju::secret_info_get).
    pub fn secret_info_get_by_label(&self, label: &str) -> Result<SecretInfo, Error> {
        let command = HookCommand::json("secret-info-get").args(["--label", label]);
        self.read_info(&command, &|| {
            format!("read about the secret labelled {label:?}")
        })
    }

    fn read_info(
        &self,
        command: &HookCommand,
        purpose: &dyn Fn() -> String,
    ) -> Result<SecretInfo, Error> {
        let all: BTreeMap<SecretUri, RawInfo> = self.read(command, purpose)?;
        let Some((uri, raw)) = all.into_iter().next() else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("cannot {}", purpose()),
            ));
        };
        Ok(SecretInfo {
            uri,
            revision: raw.revision,
            label: raw.label,
            owner: raw.owner,
            description: raw.description,
            rotation: raw.rotation,
            expiry: raw.expiry,
        })
    }

    /// Returns the secrets that this unit owns, and as leader its application's, sorted.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    pub fn secret_ids(&self) -> Result<Vec<SecretUri>, Error> {
        let ids: Option<Vec<SecretUri>> = self.read(&HookCommand::json("secret-ids"), &|| {
            "list the own secrets".to_owned()
        })?;
        let mut ids = ids.unwrap_or_default();
        ids.sort();
        Ok(ids)
    }

    /// Buffers that a secret of this label exists and has this content, no more and no less.
    ///
    /// It is added when there is none, and gets a new revision when its latest differs. Keys are at least three
    /// characters: lower-case letters, digits and single inner hyphens, a letter first; values are not empty.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, SecretOwner, testing::{FakeJuju, State}};
    /// # use std::collections::BTreeMap;
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// let content = BTreeMap::from([("signing-key".to_owned(), "ed25519 a_1 x".into())]);
    /// juju.secret_ensure(SecretOwner::Unit, "identity", content);
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().secret("identity").unwrap().latest()["signing-key"], "ed25519 a_1 x");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_ensure(
        &mut self,
        owner: SecretOwner<'_>,
        label: impl Into<String>,
        content: BTreeMap<String, SecretString>,
    ) {
        let owner = match owner {
            SecretOwner::Unit => "unit",
            SecretOwner::Application(_) => "application",
        };
        let label = label.into();
        self.writes.secrets.push(SecretWrite::Ensure {
            owner,
            label,
            content,
        });
    }

    /// Buffers that a revision of an owned secret is removed, or with `None` the whole secret.
    ///
    /// Owners do so in secret-remove and secret-expired: Juju keeps revisions until told.
    pub fn secret_remove(&mut self, uri: SecretUri, revision: Option<u64>) {
        self.writes
            .secrets
            .push(SecretWrite::Remove { uri, revision });
    }

    pub(crate) fn write_secret(&self, write: &SecretWrite) -> Result<(), Error> {
        match write {
            SecretWrite::Ensure {
                owner,
                label,
                content,
            } => self.ensure(owner, label, content),
            SecretWrite::Remove { uri, revision } => {
                let revision =
                    revision.map(|revision| ["--revision".to_owned(), revision.to_string()]);
                let command = HookCommand::new("secret-remove")
                    .arg(uri.to_string())
                    .args(revision.into_iter().flatten());
                self.run(&command, &|| format!("remove secret {uri}"))
                    .map(drop)
            }
        }
    }

    fn ensure(&self, owner: &str, label: &str, content: &SecretContent) -> Result<(), Error> {
        check(label, content)?;
        let known = self.cache.borrow().owned_secrets.get(label).cloned();
        let latest = match known {
            Some(latest) => latest,
            // Refresh, as the owner's own tracking keeps an old revision from being pruned.
            None => match self.secret_get_by_label(label, Revision::Refresh) {
                Ok(latest) => Some(latest),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error),
            },
        };
        let command = match latest {
            Some(latest) if is_same(&latest, content) => return Ok(()),
            Some(_) => {
                let uri = self.secret_info_get_by_label(label)?.uri;
                HookCommand::new("secret-set").arg(uri.to_string())
            }
            None => HookCommand::new("secret-add").args(["--label", label, "--owner", owner]),
        };
        let cannot = || format!("write the secret labelled {label:?}");
        let texts = content
            .iter()
            .map(|(key, value)| (key.as_str(), value.expose_secret()));
        let file = SecretFile::new(&document(texts)).map_err(|error| {
            Error::with_source(ErrorKind::Io, format!("cannot {}", cannot()), error)
        })?;
        self.run(&command.secret_file(file), &cannot)?;
        let mut cache = self.cache.borrow_mut();
        cache
            .owned_secrets
            .insert(label.to_owned(), Some(content.clone()));
        Ok(())
    }
}

fn is_same(one: &SecretContent, other: &SecretContent) -> bool {
    one.len() == other.len()
        && one.iter().all(|(key, value)| {
            other
                .get(key)
                .is_some_and(|other| other.expose_secret() == value.expose_secret())
        })
}

/// Refuses what Juju would refuse, because its own words for it might quote the value.
fn check(label: &str, content: &SecretContent) -> Result<(), Error> {
    let cannot = |why: &str| {
        let text = format!("cannot write the secret labelled {label:?}: {why}");
        Err(Error::new(ErrorKind::Usage, text))
    };
    if content.is_empty() {
        return cannot("it has no field");
    }
    for (key, value) in content {
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
        let content = SecretContent::from([("a_b".to_owned(), SecretString::from("hunter2"))]);
        let text = check("identity", &content).unwrap_err().to_string();
        assert!(text.contains("a_b") && !text.contains("hunter2"), "{text}");
    }
}
