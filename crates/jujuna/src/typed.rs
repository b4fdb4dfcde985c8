//! From what Juju says to the charm's own types and back, by serde.
//!
//! A value that does not fit is named by its field and described by its kind. It is never quoted: an admin may have
//! put a password into the wrong option.

mod input;
mod misfit;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, ErrorKind};

pub(crate) use input::{Fields, Input};
pub(crate) use misfit::Misfit;

/// One field that does not fit the charm's type.
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, testing::{FakeJuju, State}};
/// #[derive(Debug, serde::Deserialize)]
/// struct Options {
///     port: u16,
///     log_level: Level,
/// }
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(rename_all = "lowercase")]
/// enum Level {
///     Info,
///     Debug,
/// }
/// let state = State::new("hello/0").with_option("port", 70_000).with_option("log_level", "loud");
/// let error = Juju::new(Box::new(FakeJuju::new(state))).config::<Options>().unwrap_err();
/// let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
/// assert_eq!(problems, ["log_level: it is none of info, debug", "port: it is not u16"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The option, parameter or key; empty where it cannot be told.
    pub name: String,
    /// What is wrong with it, without its value.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(&self.text),
            name => write!(f, "{name}: {}", self.text),
        }
    }
}

/// Fits fields into the charm's type, or tells everything that does not fit; `whats` names them, such as "options".
pub(crate) fn fit<T: DeserializeOwned>(fields: &Fields<'_>, whats: &str) -> Result<T, Error> {
    let misfit = match T::deserialize(fields) {
        Ok(value) => return Ok(value),
        Err(misfit) => misfit,
    };
    let problems = problems::<T>(fields, misfit);
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = format!("cannot read the {whats}: {}", shown.join("; "));
    Err(Error::new(ErrorKind::Mismatch, text).with_problems(problems))
}

/// serde stops at the first field that does not fit. So each is given alone, and the type is stopped after it.
fn problems<T: DeserializeOwned>(fields: &Fields<'_>, first: Misfit) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut fitting = Vec::new();
    for (name, input) in fields.entries() {
        match T::deserialize(&Fields::one(name, *input)) {
            Ok(_) | Err(Misfit::Stopped) => fitting.push((*name, *input)),
            Err(misfit) => found.push(misfit.problem(name)),
        }
    }
    match T::deserialize(&Fields::new(fitting)) {
        // Taken out above, because it does not fit: it is not missing.
        Err(Misfit::Missing(name)) if found.iter().any(|problem| problem.name == name) => {}
        Err(misfit @ Misfit::Missing(_)) => found.push(misfit.problem("")),
        Err(misfit) if found.is_empty() => found.push(misfit.problem("")),
        _ => {}
    }
    if found.is_empty() {
        found.push(first.problem(""));
    }
    found
}

/// Writes the charm's type as a map of texts: texts as they are, numbers and booleans in words, all else in JSON.
///
/// A `None` becomes an empty text, which takes its key out of a databag.
pub(crate) fn texts<T: Serialize + ?Sized>(
    value: &T,
    what: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let fields = match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => {
            let text = format!("cannot write {what}: the type has no named fields");
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Err(error) => {
            let text = format!("cannot write {what}");
            return Err(Error::with_source(ErrorKind::Usage, text, error));
        }
    };
    let text = |value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        value => value.to_string(),
    };
    Ok(fields
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect())
}
