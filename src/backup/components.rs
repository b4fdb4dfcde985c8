//! Which parts of a backup are restored.

use std::fmt;
use std::str::FromStr;

/// The parts of a server that a restore replaces.
///
/// # Example
/// ```
/// use synapse_charm::backup::Components;
///
/// assert_eq!("database".parse(), Ok(Components::Database));
/// assert!("media".parse::<Components>().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Components {
    /// Database, keys, local media and extra paths.
    #[default]
    All,
    /// The database alone; media stays as it is.
    Database,
    /// The keys alone.
    Keys,
}

impl Components {
    /// Whether the database is replaced.
    pub fn database(self) -> bool {
        self != Self::Keys
    }

    /// Whether the keys are replaced.
    pub fn keys(self) -> bool {
        self != Self::Database
    }

    /// Whether local media and extra paths are replaced; only then the media archive is read.
    pub fn media(self) -> bool {
        self == Self::All
    }
}

impl fmt::Display for Components {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::All => "all",
            Self::Database => "database",
            Self::Keys => "keys",
        })
    }
}

/// A text that names no components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownComponents(String);

impl fmt::Display for UnknownComponents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} are no components of a backup: all, database or keys",
            self.0
        )
    }
}

impl std::error::Error for UnknownComponents {}

impl FromStr for Components {
    type Err = UnknownComponents;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::All, Self::Database, Self::Keys];
        let found = all.into_iter().find(|one| one.to_string() == text);
        found.ok_or_else(|| UnknownComponents(text.chars().take(60).collect()))
    }
}
