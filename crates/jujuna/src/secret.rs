//! `secret-get`, `-info-get`, `-ids`: secrets, whose values never reach an argument, a log or a disk.

mod spec;
mod uri;
mod write;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use crate::{Error, ErrorKind, HookCommand, Juju, Leader};

pub use spec::{Rotate, SecretSpec};
pub use uri::SecretUri;
pub(crate) use write::SecretWrite;

/// A secret's fields.
pub(crate) type SecretContent = BTreeMap<String, SecretString>;

/// Which revision of a secret is read.
///
/// [`Juju::secret_get`](crate::Juju::secret_get) has an example.
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
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, SecretOwner, SecretSpec, testing::{FakeJuju, State}};
/// let fake = FakeJuju::new(State::new("hello/0").with_leader(true));
/// let mut juju = Juju::new(Box::new(fake.clone()));
/// if let Some(leader) = juju.leader()? {
///     let login = SecretSpec::new("login", [("password", "hunter22")]);
///     juju.secret_declare(SecretOwner::Application(&leader), login);
/// }
/// juju.flush()?;
/// fake.end(0);
/// assert!(fake.state().secret("login").is_some());
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub enum SecretOwner<'a> {
    /// This unit's.
    Unit,
    /// The application's: all its units read it, also by its label; only the leader writes it.
    Application(&'a Leader),
}

impl SecretOwner<'_> {
    fn word(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Application(_) => "application",
        }
    }
}

/// What Juju tells the owner of a secret about it.
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, testing::{FakeJuju, Owner, Secret, State}};
/// let secret = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "x")]);
/// let juju = Juju::new(Box::new(FakeJuju::new(State::new("pg/0").with_secret(secret))));
/// let info = juju.secret_info_get_by_label("login")?;
/// assert_eq!((info.revision, info.owner.as_str(), info.access.len()), (1, "unit", 0));
/// assert_eq!(juju.secret_info_get(&info.uri)?, info);
/// assert_eq!(juju.secret_ids()?, [info.uri]);
/// # Ok::<(), jujuna::Error>(())
/// ```
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
    /// Who else may read it.
    pub access: Vec<SecretAccess>,
}

/// Who else may read a secret, in Juju's tags: `application-postgresql`, `relation-synapse.db#postgresql.database`.
///
/// [`SecretInfo`] has an example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SecretAccess {
    /// The application or unit.
    pub target: String,
    /// The relation as long as which the grant lasts.
    pub scope: String,
    /// What it may do: `view`.
    pub role: String,
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
    access: Vec<SecretAccess>,
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
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Revision, testing::{FakeJuju, Owner, Secret, State}};
    /// # let secret = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "x")]);
    /// # let juju = Juju::new(Box::new(FakeJuju::new(State::new("pg/0").with_secret(secret))));
    /// assert!(juju.secret_get_by_label("login", Revision::Refresh)?.contains_key("password"));
    /// assert!(juju.secret_get_by_label("other", Revision::Refresh).unwrap_err().is_not_found());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
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
    ///
    /// [`SecretInfo`] has an example.
    pub fn secret_info_get(&self, uri: &SecretUri) -> Result<SecretInfo, Error> {
        let command = HookCommand::json("secret-info-get").arg(uri.to_string());
        self.read_info(&command, &|| format!("read about secret {uri}"))
    }

    /// Returns the same by the owner's label.
    ///
    /// # Errors
    ///
    /// As of [`secret_info_get`](Juju::secret_info_get).
    ///
    /// [`SecretInfo`] has an example.
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
            access: raw.access,
        })
    }

    /// Returns the secrets that this unit owns, and as leader its application's, sorted.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// [`SecretInfo`] has an example.
    pub fn secret_ids(&self) -> Result<Vec<SecretUri>, Error> {
        let ids: Option<Vec<SecretUri>> = self.read(&HookCommand::json("secret-ids"), &|| {
            "list the own secrets".to_owned()
        })?;
        let mut ids = ids.unwrap_or_default();
        ids.sort();
        Ok(ids)
    }
}
