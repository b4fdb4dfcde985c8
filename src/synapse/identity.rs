//! What makes a homeserver the one it was: its signing key and three secrets.
//!
//! The volume is authoritative for them; an application-owned Juju secret is a copy. A server
//! that lost its signing key is a stranger to every other server, and one that lost its
//! macaroon secret logs everybody out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::names;

/// The keys of one homeserver, whole.
///
/// `Debug` shows none of them.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The line of Synapse's signing key file: `ed25519 <version> <seed>`.
    pub signing_key: SecretString,
    /// Signs access and login tokens.
    pub macaroon_secret: SecretString,
    /// Signs the forms that users are sent.
    pub form_secret: SecretString,
    /// Lets the charm register users.
    pub registration_secret: SecretString,
}

/// One file of an identity: where it lies on the volume, and its key in the Juju secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFile {
    /// The full path on the volume.
    pub path: String,
    /// The field of the application secret that holds the copy.
    pub secret_key: &'static str,
}

/// The field of the application secret that says whose identity it is.
pub const SERVER_NAME_KEY: &str = "server-name";

/// Where in [`files`] the signing key stands.
pub const SIGNING_KEY: usize = 0;

/// Where in [`files`] the registration secret stands.
pub const REGISTRATION: usize = 3;

/// Returns the four files of the identity of `server_name`, in the order in which
/// [`Identity::from_parts`] takes their contents.
pub fn files(server_name: &str) -> [IdentityFile; 4] {
    [
        (names::signing_key(server_name), "signing-key"),
        (names::macaroon_key(server_name), "macaroon-secret"),
        (names::form_key(server_name), "form-secret"),
        (names::registration_key(server_name), "registration-secret"),
    ]
    .map(|(path, secret_key)| IdentityFile { path, secret_key })
}

impl Identity {
    /// Returns a new identity from the system's random numbers.
    ///
    /// # Errors
    ///
    /// Fails where the system has no random numbers to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let version = random::<3>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes).replace('-', "_"))?;
        let seed = STANDARD_NO_PAD.encode(random::<32>()?);
        Ok(Self {
            signing_key: format!("ed25519 a_{version} {seed}\n").into(),
            macaroon_secret: random_word()?,
            form_secret: random_word()?,
            registration_secret: random_word()?,
        })
    }

    /// Returns the identity with these file contents, in the order of [`files`].
    pub fn from_parts(parts: [SecretString; 4]) -> Self {
        let [
            signing_key,
            macaroon_secret,
            form_secret,
            registration_secret,
        ] = parts;
        Self {
            signing_key,
            macaroon_secret,
            form_secret,
            registration_secret,
        }
    }

    /// Returns the identity that the application secret's content holds, and the server name
    /// it belongs to, or the name of the first field that is missing.
    ///
    /// # Errors
    ///
    /// Fails with the name of a missing field.
    pub fn from_secret(content: &BTreeMap<String, SecretString>) -> Result<(String, Self), String> {
        let field = |key: &str| content.get(key).cloned().ok_or_else(|| key.to_owned());
        let server_name = field(SERVER_NAME_KEY)?.expose_secret().to_owned();
        let [signing, macaroon, form, registration] =
            files(&server_name).map(|file| field(file.secret_key));
        Ok((
            server_name,
            Self::from_parts([signing?, macaroon?, form?, registration?]),
        ))
    }

    /// Returns the content of the application secret that is the copy of this identity.
    pub fn to_secret(&self, server_name: &str) -> BTreeMap<String, SecretString> {
        let mut content: BTreeMap<String, SecretString> = files(server_name)
            .into_iter()
            .zip(self.parts())
            .map(|(file, part)| (file.secret_key.to_owned(), part.clone()))
            .collect();
        content.insert(SERVER_NAME_KEY.to_owned(), server_name.into());
        content
    }

    /// Returns the contents of the four files, in the order of [`files`].
    pub fn parts(&self) -> [&SecretString; 4] {
        [
            &self.signing_key,
            &self.macaroon_secret,
            &self.form_secret,
            &self.registration_secret,
        ]
    }

    /// Returns a digest in hexadecimal that tells two identities apart and gives neither away.
    pub fn digest(&self, server_name: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(server_name);
        for part in self.parts() {
            hash.update([0]);
            hash.update(part.expose_secret());
        }
        hex(&hash.finalize())
    }
}

/// Returns a password that a person can type: 24 letters and digits, 120 bits.
///
/// # Errors
///
/// Fails where the system has no random numbers to give.
pub fn generate_password() -> Result<SecretString, getrandom::Error> {
    // Without l, 1, O, 0 and I. 32 signs, so that five bits of a byte choose one evenly.
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random::<24>()?;
    let password: String = bytes
        .iter()
        .map(|byte| char::from(SIGNS[usize::from(byte % 32)]))
        .collect();
    Ok(password.into())
}

/// Returns the lower-case hexadecimal form of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn random_word() -> Result<SecretString, getrandom::Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?).into())
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_key_has_the_form_that_synapse_reads() {
        let identity = Identity::generate().unwrap();
        let line = identity.signing_key.expose_secret();
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        assert_eq!(words.len(), 3);
        assert_eq!(words[0], "ed25519");
        assert!(
            words[1].starts_with("a_")
                && words[1]
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        );
        assert_eq!(STANDARD_NO_PAD.decode(words[2]).unwrap().len(), 32);
        assert!(line.ends_with('\n'));
    }

    #[test]
    fn secret_round_trip_keeps_every_part() {
        let identity = Identity::generate().unwrap();
        let (name, back) = Identity::from_secret(&identity.to_secret("a.example")).unwrap();
        assert_eq!(name, "a.example");
        assert_eq!(back.digest("a.example"), identity.digest("a.example"));
    }

    #[test]
    fn secret_without_a_field_names_it() {
        let mut content = Identity::generate().unwrap().to_secret("a.example");
        content.remove("form-secret");
        assert_eq!(Identity::from_secret(&content).unwrap_err(), "form-secret");
    }

    #[test]
    fn digest_differs_between_servers_and_between_identities() {
        let one = Identity::generate().unwrap();
        assert_ne!(one.digest("a"), one.digest("b"));
        assert_ne!(one.digest("a"), Identity::generate().unwrap().digest("a"));
    }

    #[test]
    fn debug_shows_no_key() {
        let identity = Identity::generate().unwrap();
        let shown = format!("{identity:?}");
        for part in identity.parts() {
            assert!(!shown.contains(part.expose_secret().trim_end()));
        }
    }
}
