//! How a secret is named.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
use crate::names::{as_text, unreadable};

/// Names a secret: `secret:<id>`, or with its model `secret://<model uuid>/<id>`.
///
/// A bare id, as some hooks and commands give it, is read too. Two forms of the same id are the same secret where the
/// model is the same; [`id`](SecretUri::id) compares that part alone.
///
/// # Example
///
/// ```
/// use jujuna::SecretUri;
///
/// let long: SecretUri = "secret://5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad/9m4e2mr0ui3e8a215n4g".parse()?;
/// let short: SecretUri = "9m4e2mr0ui3e8a215n4g".parse()?;
/// assert_eq!(long.id(), short.id());
/// assert_eq!(short.to_string(), "secret:9m4e2mr0ui3e8a215n4g");
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretUri {
    id: String,
    model_uuid: Option<String>,
}

impl SecretUri {
    /// Returns the id: 20 lower-case letters and digits.
    ///
    /// [`SecretUri`] has an example.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn in_model(mut self, model_uuid: Option<&str>) -> Self {
        self.model_uuid = model_uuid.map(str::to_owned);
        self
    }

    /// Returns the model that the secret is in, if the URI tells.
    ///
    /// [`SecretUri`] has an example.
    pub fn model_uuid(&self) -> Option<&str> {
        self.model_uuid.as_deref()
    }
}

impl FromStr for SecretUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("secret:").unwrap_or(text);
        let (model_uuid, id) = match rest.strip_prefix("//") {
            Some(path) => {
                let (model, id) = path
                    .split_once('/')
                    .ok_or_else(|| unreadable("secret URI", text))?;
                (Some(model), id)
            }
            None => (None, rest),
        };
        let is_id = id.len() == 20
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_model = |model: &str| {
            model.len() == 36
                && model
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        };
        if !is_id || !model_uuid.is_none_or(is_model) {
            return Err(unreadable("secret URI", text));
        }
        Ok(Self {
            id: id.to_owned(),
            model_uuid: model_uuid.map(str::to_owned),
        })
    }
}

impl fmt::Display for SecretUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model_uuid {
            Some(model) => write!(f, "secret://{model}/{}", self.id),
            None => write!(f, "secret:{}", self.id),
        }
    }
}

as_text!(SecretUri: "secret URI");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_uri_is_refused() {
        for text in [
            "",
            "secret:",
            "nonsense",
            "secret:UPPERe2mr0ui3e8a215n4g",
            "secret://x/9m4e2mr0ui3e8a215n4g",
        ] {
            assert!(text.parse::<SecretUri>().is_err(), "{text:?}");
        }
    }
}
