//! The passphrase of the backups.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A passphrase that gpg takes byte for byte. `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct Passphrase(SecretString);

/// Why a text cannot be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPassphrase {
    /// Nothing in it.
    Empty,
    /// gpg reads one line; the rest would be silently ignored.
    EmbeddedNewline,
    /// gpg would end it there.
    EmbeddedNul,
}

impl fmt::Display for InvalidPassphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "the backup passphrase is empty",
            Self::EmbeddedNewline => {
                "the backup passphrase holds a line break; gpg would use its first line only"
            }
            Self::EmbeddedNul => "the backup passphrase holds a NUL character",
        })
    }
}

impl std::error::Error for InvalidPassphrase {}

impl Passphrase {
    /// Takes a passphrase as an option or a secret has it. One newline at its end is what editors and `cat` leave there,
    /// and is no part of it; everything else is.
    ///
    /// # Errors
    /// When nothing is left, or when it has more than one line.
    ///
    /// # Example
    /// ```
    /// use synapse_charm::backup::Passphrase;
    ///
    /// assert!(Passphrase::new(&" it's $5\\ \n".into()).is_ok());
    /// assert!(Passphrase::new(&"two\nlines".into()).is_err());
    /// ```
    pub fn new(text: &SecretString) -> Result<Self, InvalidPassphrase> {
        let given = text.expose_secret();
        let stripped = given.strip_suffix('\n').unwrap_or(given);
        if stripped.is_empty() {
            return Err(InvalidPassphrase::Empty);
        }
        if stripped.contains('\n') {
            return Err(InvalidPassphrase::EmbeddedNewline);
        }
        if stripped.contains('\0') {
            return Err(InvalidPassphrase::EmbeddedNul);
        }
        Ok(Self(SecretString::from(stripped)))
    }

    /// What is written to a job's stdin.
    pub(super) fn line(&self) -> Zeroizing<Vec<u8>> {
        let mut line = Zeroizing::new(Vec::with_capacity(self.0.expose_secret().len() + 1));
        line.extend_from_slice(self.0.expose_secret().as_bytes());
        line.push(b'\n');
        line
    }

    /// For redaction of what tools say.
    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_stripped_and_all_else_kept() {
        for (given, line) in [
            ("a\n", "a\n"),
            (" a ", " a \n"),
            ("q'\"$\\é", "q'\"$\\é\n"),
            ("a\r\n", "a\r\n"),
        ] {
            assert_eq!(
                Passphrase::new(&given.into()).unwrap().line().as_slice(),
                line.as_bytes()
            );
        }
    }

    #[test]
    fn what_gpg_would_cut_is_refused() {
        let refusal = |text: &str| Passphrase::new(&text.into()).unwrap_err();
        assert_eq!(refusal(""), InvalidPassphrase::Empty);
        assert_eq!(refusal("\n"), InvalidPassphrase::Empty);
        assert_eq!(refusal("a\nb"), InvalidPassphrase::EmbeddedNewline);
        assert_eq!(refusal("a\n\n"), InvalidPassphrase::EmbeddedNewline);
        assert_eq!(refusal("a\0b"), InvalidPassphrase::EmbeddedNul);
    }
}
