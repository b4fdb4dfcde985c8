//! Identities: who may use the API, beyond what the user id of a local process allows.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::Client;
use crate::client::{Operation, named};
use crate::envelope::Envelope;
use crate::error::Error;
use crate::open_enum::open_enum;
use crate::query::Target;

open_enum! {
    /// What an identity may do.
    IdentityAccess {
        /// Everything.
        Admin = "admin",
        /// Read what is no secret: services, changes, checks, logs, notices.
        Read = "read",
        /// Read the metrics, also over TCP.
        Metrics = "metrics",
        /// Only what everyone may do: system info and health.
        Untrusted = "untrusted",
    }
}

/// An identity to write. Each has at least one way to be recognised.
///
/// # Example
///
/// ```
/// use pebble_client::{Identity, IdentityAccess};
/// let identity = Identity::new(IdentityAccess::Read).local_user_id(1000);
/// assert!(format!("{identity:?}").contains("1000"));
/// ```
#[derive(Clone, Serialize)]
pub struct Identity {
    access: IdentityAccess,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Local>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic: Option<Basic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert: Option<Certificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Local {
    user_id: u32,
}

#[derive(Clone, Serialize)]
struct Basic {
    #[serde(serialize_with = "exposed")]
    password: SecretString,
}

#[derive(Clone, Serialize)]
struct Certificate {
    pem: String,
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

impl Identity {
    /// An identity of this access that nobody has yet.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Identity, IdentityAccess};
    /// let identity = Identity::new(IdentityAccess::Metrics);
    /// ```
    #[must_use]
    pub fn new(access: IdentityAccess) -> Self {
        Self {
            access,
            local: None,
            basic: None,
            cert: None,
        }
    }

    /// Recognises local processes of this user id. No two identities may share one.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Identity, IdentityAccess};
    /// let identity = Identity::new(IdentityAccess::Read).local_user_id(1000);
    /// ```
    #[must_use]
    pub fn local_user_id(mut self, user_id: u32) -> Self {
        self.local = Some(Local { user_id });
        self
    }

    /// Recognises HTTP's basic authentication with the identity's name and a password, given as its sha512-crypt
    /// hash (`openssl passwd -6`).
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Identity, IdentityAccess};
    /// let identity = Identity::new(IdentityAccess::Metrics).basic_password_hash("$6$salt$hash".into());
    /// assert!(!format!("{identity:?}").contains("hash"));
    /// ```
    #[must_use]
    pub fn basic_password_hash(mut self, hash: SecretString) -> Self {
        self.basic = Some(Basic { password: hash });
        self
    }

    /// Recognises this X.509 certificate, in PEM, on an HTTPS connection.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Identity, IdentityAccess};
    /// let pem = "-----BEGIN CERTIFICATE-----\n...";
    /// let identity = Identity::new(IdentityAccess::Admin).certificate(pem);
    /// ```
    #[must_use]
    pub fn certificate(mut self, pem: impl Into<String>) -> Self {
        self.cert = Some(Certificate { pem: pem.into() });
        self
    }
}

impl fmt::Debug for Identity {
    // Not the hash of the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access", &self.access)
            .field("local", &self.local)
            .field("basic", &self.basic.is_some())
            .field("cert", &self.cert.is_some())
            .finish()
    }
}

/// An identity as the daemon shows it. Password and certificate are never shown, so it cannot be turned into an
/// [`Identity`] that is written back: the daemon would take the mask for the secret.
///
/// [`Client::identities`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityInfo {
    /// What it may do.
    pub access: IdentityAccess,
    /// The user id of local processes that it recognises.
    pub local_user_id: Option<u32>,
    /// Whether it recognises a password.
    pub has_basic: bool,
    /// Whether it recognises a certificate.
    pub has_certificate: bool,
}

#[derive(Deserialize)]
struct Shown {
    access: IdentityAccess,
    local: Option<Local>,
    basic: Option<serde::de::IgnoredAny>,
    cert: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
struct IdentitiesAction<'a> {
    action: &'a str,
    identities: BTreeMap<&'a str, Option<&'a Identity>>,
}

impl Client {
    /// Returns all identities by name. Those for processes that run as root or as the daemon's own user are not
    /// among them: these are always admins, unless an identity says otherwise.
    ///
    /// # Errors
    ///
    /// Of a connection only; [`Unsupported`](crate::ErrorKind::Unsupported) by a daemon of Juju before 3.6.4.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// for (name, identity) in client.identities().await? {
    ///     let line = format!("{name}: {}", identity.access);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn identities(&self) -> Result<BTreeMap<String, IdentityInfo>, Error> {
        let envelope = self.get(Target::new("/v1/identities")).await;
        let shown: BTreeMap<String, Shown> = envelope
            .operation(|| String::from("list identities"))?
            .result
            .unwrap_or_default();
        let info = |shown: Shown| IdentityInfo {
            access: shown.access,
            local_user_id: shown.local.map(|local| local.user_id),
            has_basic: shown.basic.is_some(),
            has_certificate: shown.cert.is_some(),
        };
        Ok(shown
            .into_iter()
            .map(|(name, shown)| (name, info(shown)))
            .collect())
    }

    /// Adds identities, all or none. They are kept with the daemon's state.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when one of these names is there already, or a name or an
    /// identity is not valid; [`Unsupported`](crate::ErrorKind::Unsupported) as for [`identities`](Self::identities).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{Identity, IdentityAccess};
    /// let monitor = Identity::new(IdentityAccess::Read).local_user_id(1000);
    /// client.add_identities(&[("monitor", &monitor)]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_identities(&self, identities: &[(&str, &Identity)]) -> Result<(), Error> {
        self.identities_action("add", &with_values(identities))
            .await
    }

    /// Replaces identities that are there, all or none.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when one of these names is not there.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{Identity, IdentityAccess};
    /// let identity = Identity::new(IdentityAccess::Admin).local_user_id(1000);
    /// client.update_identities(&[("monitor", &identity)]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_identities(&self, identities: &[(&str, &Identity)]) -> Result<(), Error> {
        self.identities_action("update", &with_values(identities))
            .await
    }

    /// Adds identities, replaces those that are there, and removes those whose value is `None`; all or none.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when a name or an identity is not valid.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{Identity, IdentityAccess};
    /// let identity = Identity::new(IdentityAccess::Admin).local_user_id(1000);
    /// client.replace_identities(&[("monitor", Some(&identity)), ("old", None)]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replace_identities(
        &self,
        identities: &[(&str, Option<&Identity>)],
    ) -> Result<(), Error> {
        self.identities_action("replace", identities).await
    }

    /// Removes identities, all or none.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) when one of these names is not there.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// client.remove_identities(&["monitor"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_identities(&self, names: &[&str]) -> Result<(), Error> {
        let identities: Vec<_> = names.iter().map(|name| (*name, None)).collect();
        self.identities_action("remove", &identities).await
    }

    async fn identities_action(
        &self,
        action: &str,
        identities: &[(&str, Option<&Identity>)],
    ) -> Result<(), Error> {
        let payload = IdentitiesAction {
            action,
            identities: identities.iter().copied().collect(),
        };
        let envelope: Result<Envelope<serde::de::IgnoredAny>, _> =
            self.post(Target::new("/v1/identities"), &payload).await;
        let names: Vec<&str> = identities.iter().map(|(name, _)| *name).collect();
        envelope
            .map(drop)
            .operation(|| named(action, "identities", &names))
    }
}

fn with_values<'a>(identities: &[(&'a str, &'a Identity)]) -> Vec<(&'a str, Option<&'a Identity>)> {
    identities
        .iter()
        .map(|(name, identity)| (*name, Some(*identity)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Identity, IdentityAccess};

    #[test]
    fn debug_of_an_identity_shows_no_hash() {
        let identity =
            Identity::new(IdentityAccess::Metrics).basic_password_hash("$6$salt$hunter2".into());
        assert!(!format!("{identity:?}").contains("hunter2"));
    }
}
