//! Names of units.

use std::fmt;
use std::str::FromStr;

/// `application/number`; ordered by number, as people count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnitName {
    pub(crate) application: String,
    pub(crate) number: u32,
}

impl UnitName {
    pub(crate) fn new(application: &str, number: u32) -> Self {
        Self {
            application: application.to_owned(),
            number,
        }
    }

    /// `unit-<application>-<number>`, as folders and tags have it.
    pub(crate) fn tag(&self) -> String {
        format!("unit-{}-{}", self.application, self.number)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.application, self.number)
    }
}

impl FromStr for UnitName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .filter(|(application, _)| is_application_name(application))
            .and_then(|(application, number)| Some(Self::new(application, number.parse().ok()?)))
            .ok_or_else(|| anyhow::anyhow!("invalid unit name {text:?}"))
    }
}

/// Lower-case words joined by single hyphens, the first beginning with a letter, each holding one.
pub(crate) fn is_application_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && word.bytes().any(|byte| byte.is_ascii_lowercase())
        })
}
