//! Names and ids as Juju writes them: units, relations, storage instances.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind};

/// The name of a unit, such as `synapse/0`.
///
/// # Example
///
/// ```
/// let unit: jujuna::UnitName = "synapse/0".parse()?;
/// assert_eq!((unit.app(), unit.number()), ("synapse", 0));
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName {
    app: String,
    number: u32,
}

impl UnitName {
    /// Names unit `number` of the application `app`.
    ///
    /// [`UnitName`] has an example.
    pub fn new(app: impl Into<String>, number: u32) -> Self {
        Self {
            app: app.into(),
            number,
        }
    }

    /// Returns the name of the unit's application.
    ///
    /// [`UnitName`] has an example.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Returns the unit's number; on Kubernetes the pod's ordinal.
    ///
    /// [`UnitName`] has an example.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl FromStr for UnitName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (app, number) =
            split_numbered(text, '/').ok_or_else(|| unreadable("unit name", text))?;
        Ok(Self::new(app, number))
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.number)
    }
}

/// The id of a relation, such as `backup:3`.
///
/// # Example
///
/// ```
/// let id: jujuna::RelationId = "backup:3".parse()?;
/// assert_eq!((id.endpoint(), id.number()), ("backup", 3));
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationId {
    endpoint: String,
    number: u32,
}

impl RelationId {
    /// Names relation `number` of the charm's endpoint.
    ///
    /// [`RelationId`] has an example.
    pub fn new(endpoint: impl Into<String>, number: u32) -> Self {
        Self {
            endpoint: endpoint.into(),
            number,
        }
    }

    /// Returns the name of the endpoint in the charm's metadata.
    ///
    /// [`RelationId`] has an example.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the relation's number, which no other relation of the model has.
    ///
    /// [`RelationId`] has an example.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl FromStr for RelationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (endpoint, number) =
            split_numbered(text, ':').ok_or_else(|| unreadable("relation id", text))?;
        Ok(Self::new(endpoint, number))
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.endpoint, self.number)
    }
}

/// The id of a storage instance, such as `data/0`.
///
/// # Example
///
/// ```
/// let id: jujuna::StorageId = "data/0".parse()?;
/// assert_eq!((id.name(), id.number()), ("data", 0));
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId {
    name: String,
    number: u32,
}

impl StorageId {
    /// Names instance `number` of the storage `name`.
    ///
    /// [`StorageId`] has an example.
    pub fn new(name: impl Into<String>, number: u32) -> Self {
        Self {
            name: name.into(),
            number,
        }
    }

    /// Returns the storage's name in the charm's metadata.
    ///
    /// [`StorageId`] has an example.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the instance's number.
    ///
    /// [`StorageId`] has an example.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl FromStr for StorageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, number) =
            split_numbered(text, '/').ok_or_else(|| unreadable("storage id", text))?;
        Ok(Self::new(name, number))
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.number)
    }
}

fn split_numbered(text: &str, separator: char) -> Option<(&str, u32)> {
    let (name, number) = text.rsplit_once(separator)?;
    let plain = !name.is_empty() && !name.contains([separator, ' ', '\n']);
    // `u32::from_str` takes a leading plus, Juju does not.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then_some(())?;
    Some((name, number.parse().ok()?))
}

pub(crate) fn unreadable(what: &str, text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    Error::new(
        ErrorKind::Protocol,
        format!("cannot read {shown:?} as a {what}"),
    )
}

macro_rules! as_text {
    ($($name:ident: $what:literal),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The text is not quoted: it may be a secret that an admin put into the wrong option.
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(|_| serde::de::Error::custom(concat!("it is no ", $what)))
            }
        }
    )*};
}
pub(crate) use as_text;

as_text!(UnitName: "unit name", RelationId: "relation id", StorageId: "storage id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_were_read() {
        for text in ["synapse/0", "my-app/12"] {
            assert_eq!(text.parse::<UnitName>().unwrap().to_string(), text);
        }
        assert_eq!(
            "s3_x:7".parse::<RelationId>().unwrap().to_string(),
            "s3_x:7"
        );
        assert_eq!("data/3".parse::<StorageId>().unwrap().to_string(), "data/3");
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in [
            "",
            "/",
            "synapse",
            "synapse/",
            "/0",
            "a/+1",
            "a/-1",
            "a/b/0",
            "a/99999999999",
            "a b/0",
        ] {
            assert!(text.parse::<UnitName>().is_err(), "{text:?}");
        }
        assert!("db".parse::<RelationId>().is_err());
    }
}
