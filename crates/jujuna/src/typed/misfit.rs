//! Why a value does not fit, without the value.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Problem;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// All fields that were given have been taken: what comes after is of no interest.
    Stopped,
    /// A field that must be there is not.
    Missing(String),
    /// In words.
    Text(String),
}

impl Misfit {
    pub(crate) fn problem(self, name: &str) -> Problem {
        let (name, text) = match self {
            Self::Missing(name) => (name, "it is missing".to_owned()),
            Self::Stopped => (name.to_owned(), "it does not fit".to_owned()),
            Self::Text(text) => (name.to_owned(), text),
        };
        Problem { name, text }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clone().problem("").to_string())
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    /// What a type says of itself is shown as it is.
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Text(text.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Text(format!("it is {}, not {expected}", kind(&unexpected)))
    }

    fn invalid_value(_unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Text(format!("it is not {expected}"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::Text(format!("it has {length} elements, not {expected}"))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::Text(format!("it is none of {}", expected.join(", ")))
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self::Text("the charm does not know it".to_owned())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field.to_owned())
    }

    fn duplicate_field(_field: &'static str) -> Self {
        Self::Text("it is there twice".to_owned())
    }
}

fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}
