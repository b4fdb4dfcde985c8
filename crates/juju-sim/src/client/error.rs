//! Why a verb failed.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why a verb failed; prints as Juju words it where Juju has words for it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    text: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refused,
    Timeout,
    Controller,
}

impl Error {
    pub(crate) fn refused(text: String) -> Self {
        Self {
            kind: Kind::Refused,
            text,
            cause: None,
        }
    }

    pub(crate) fn timeout(text: String) -> Self {
        Self {
            kind: Kind::Timeout,
            text,
            cause: None,
        }
    }

    pub(crate) fn io(text: String, cause: io::Error) -> Self {
        Self {
            kind: Kind::Controller,
            text,
            cause: Some(Box::new(cause)),
        }
    }

    pub(crate) fn protocol(cause: &serde_json::Error) -> Self {
        Self {
            kind: Kind::Controller,
            text: format!("the controller's answer is not understood: {cause}"),
            cause: None,
        }
    }

    /// The model refused what was asked.
    pub fn is_refusal(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// What was waited for did not come in time.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause
            .as_ref()
            .map(|cause| &**cause as &(dyn StdError + 'static))
    }
}
