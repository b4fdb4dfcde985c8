//! Holds the charm's types against its YAML files.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::shape::{Field, Kind, fields};
use super::{Charm, map};
use crate::typed::{Fields, Input, fit};

/// Where the charm's types and its YAML files do not agree, a line each. Its `Debug` is as readable as its `Display`, for
/// `unwrap`.
///
/// [`Mismatches::lines`] has an example.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatches(Vec<String>);

impl Mismatches {
    fn or_fine(lines: Vec<String>) -> Result<(), Self> {
        if lines.is_empty() {
            return Ok(());
        }
        Err(Self(lines))
    }

    /// Returns the lines.
    ///
    /// # Example
    ///
    /// ```
    /// # let charm = jujuna::testing::Charm::parse("{name: hello}", "", "");
    /// let lines = charm.check_container("web").unwrap_err().lines().to_vec();
    /// assert_eq!(lines, ["metadata.yaml has no container web"]);
    /// ```
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl fmt::Debug for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}\n")
    }
}

impl std::error::Error for Mismatches {}

impl Charm {
    /// Holds the type that [`Juju::config`](crate::Juju::config) is read as against `config.yaml`.
    ///
    /// Each option must have a field and each field an option; their types must fit; the defaults must be read, and the
    /// options without one may be missing. So what `config` then can refuse is a value that an operator set.
    ///
    /// # Errors
    ///
    /// Returns every mismatch, each naming the option.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// #[derive(serde::Deserialize)]
    /// struct Options {
    ///     port: String,
    ///     name: Option<String>,
    /// }
    /// let config = "{options: {port: {type: int, default: 80}, nmae: {type: string}}}";
    /// let mismatches = Charm::parse("{name: hello}", config, "").check_config::<Options>().unwrap_err();
    /// assert_eq!(mismatches.lines(), [
    ///     "option port: config.yaml says int, which the charm reads as text",
    ///     "config.yaml has no option name, which the charm reads",
    ///     "option nmae: the charm does not read it",
    ///     "option port: its default does not fit: it is a whole number, not a string",
    /// ]);
    /// ```
    pub fn check_config<T: DeserializeOwned>(&self) -> Result<(), Mismatches> {
        let has = fields::<T>();
        let mut lines = compare("option", "config.yaml", &has, &self.options, option_kind);
        lines.extend(defaults::<T>("option", &self.options, &[]));
        Mismatches::or_fine(lines)
    }

    /// Holds the type that an action's parameters are read as against `actions.yaml`, by the same rules. Parameters that
    /// `required` names need no default.
    ///
    /// # Errors
    ///
    /// Returns every mismatch, each naming the parameter.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// #[derive(serde::Deserialize)]
    /// struct Params {
    ///     who: String,
    /// }
    /// let actions = "{greet: {params: {who: {type: string}}}}";
    /// let charm = Charm::parse("{name: hello}", "", actions);
    /// assert_eq!(charm.check_action::<Params>("greet").unwrap_err().lines(), ["parameter who: it is missing"]);
    /// assert!(charm.check_action::<Params>("wave").is_err());
    /// ```
    pub fn check_action<T: DeserializeOwned>(&self, action: &str) -> Result<(), Mismatches> {
        let Some(schema) = self.actions.get(action) else {
            return Err(Mismatches(vec![format!(
                "actions.yaml has no action {action}"
            )]));
        };
        let params = map(schema["params"].clone());
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let has = fields::<T>();
        let mut lines = compare("parameter", "actions.yaml", &has, &params, param_kind);
        lines.extend(defaults::<T>("parameter", &params, &required));
        Mismatches::or_fine(lines)
    }

    /// Checks that the charm declares exactly these actions.
    ///
    /// # Errors
    ///
    /// Returns what is too much and what is missing.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// let charm = Charm::parse("{name: hello}", "", "{greet: {description: Greets.}}");
    /// charm.check_actions(&["greet"])?;
    /// assert!(charm.check_actions(&["greet", "wave"]).is_err());
    /// # Ok::<(), jujuna::testing::Mismatches>(())
    /// ```
    pub fn check_actions(&self, names: &[&str]) -> Result<(), Mismatches> {
        let missing = names
            .iter()
            .filter(|name| !self.actions.contains_key(**name));
        let missing = missing.map(|name| format!("actions.yaml has no action {name}"));
        let unknown = self
            .actions
            .keys()
            .filter(|name| !names.contains(&name.as_str()));
        let unknown = unknown.map(|name| format!("action {name}: the charm does not know it"));
        Mismatches::or_fine(missing.chain(unknown).collect())
    }

    /// Checks that the charm declares an endpoint of this interface, whichever end of it.
    ///
    /// # Errors
    ///
    /// Returns what is wrong.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// let charm = Charm::parse("{name: hello, requires: {db: {interface: pg}}}", "", "");
    /// charm.check_endpoint("db", "pg")?;
    /// assert!(charm.check_endpoint("db", "mysql").is_err());
    /// # Ok::<(), jujuna::testing::Mismatches>(())
    /// ```
    pub fn check_endpoint(&self, endpoint: &str, interface: &str) -> Result<(), Mismatches> {
        let found = ["requires", "provides", "peers"]
            .iter()
            .find_map(|section| self.section(section).get(endpoint).cloned());
        let line = match found {
            None => format!("metadata.yaml has no endpoint {endpoint}"),
            Some(found) if found["interface"] != interface => format!(
                "endpoint {endpoint}: metadata.yaml says interface {}, the charm says {interface}",
                found["interface"].as_str().unwrap_or_default()
            ),
            Some(_) => return Ok(()),
        };
        Err(Mismatches(vec![line]))
    }

    /// Checks that the charm declares a container of this name.
    ///
    /// # Errors
    ///
    /// Returns that it does not. [`Mismatches::lines`] has an example.
    pub fn check_container(&self, name: &str) -> Result<(), Mismatches> {
        self.check_named("containers", "container", name)
    }

    /// Checks that the charm declares a storage of this name.
    ///
    /// # Errors
    ///
    /// Returns that it does not.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// let charm = Charm::parse("{name: hello, storage: {data: {type: filesystem}}}", "", "");
    /// charm.check_storage("data")?;
    /// # Ok::<(), jujuna::testing::Mismatches>(())
    /// ```
    pub fn check_storage(&self, name: &str) -> Result<(), Mismatches> {
        self.check_named("storage", "storage", name)
    }

    /// Checks that the charm declares a resource of this name.
    ///
    /// # Errors
    ///
    /// Returns that it does not.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// let charm = Charm::parse("{name: hello, resources: {image: {type: oci-image}}}", "", "");
    /// charm.check_resource("image")?;
    /// # Ok::<(), jujuna::testing::Mismatches>(())
    /// ```
    pub fn check_resource(&self, name: &str) -> Result<(), Mismatches> {
        self.check_named("resources", "resource", name)
    }

    fn check_named(&self, section: &str, what: &str, name: &str) -> Result<(), Mismatches> {
        if self.section(section).contains_key(name) {
            return Ok(());
        }
        Err(Mismatches(vec![format!(
            "metadata.yaml has no {what} {name}"
        )]))
    }
}

fn compare(
    what: &str,
    file: &str,
    has: &[Field],
    declared: &Map<String, Value>,
    kind_of: fn(&str) -> Option<Kind>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for field in has {
        let name = &field.name;
        let Some(schema) = declared.get(name) else {
            lines.push(format!(
                "{file} has no {what} {name}, which the charm reads"
            ));
            continue;
        };
        let word = schema["type"].as_str().unwrap_or("no type");
        match kind_of(word) {
            None => lines.push(format!(
                "{what} {name}: {file} says {word}, which is no type"
            )),
            Some(kind) if !takes(field.kind, kind) => lines.push(format!(
                "{what} {name}: {file} says {word}, which the charm reads as {}",
                field.kind.word()
            )),
            Some(_) => {}
        }
    }
    // A type without named fields takes whatever there is.
    let reads = |name: &str| has.is_empty() || has.iter().any(|field| field.name == name);
    let unread = declared.keys().filter(|name| !reads(name));
    lines.extend(unread.map(|name| format!("{what} {name}: the charm does not read it")));
    lines
}

/// Reads what Juju gives when nobody has set anything.
fn defaults<T: DeserializeOwned>(
    what: &str,
    declared: &Map<String, Value>,
    required: &[&str],
) -> Vec<String> {
    let given = declared.iter().filter_map(|(name, schema)| {
        let default = schema.get("default")?;
        Some((name.as_str(), Input::Json(default)))
    });
    let Err(error) = fit::<T>(&Fields::new(given), what) else {
        return Vec::new();
    };
    let problems = error.problems().iter();
    let problems = problems.filter(|problem| !required.contains(&problem.name.as_str()));
    let line = |name: &str, text: &str| match declared.get(name) {
        Some(schema) if schema.get("default").is_some() => {
            Some(format!("{what} {name}: its default does not fit: {text}"))
        }
        Some(_) => Some(format!("{what} {name}: {text}")),
        // That there is no such option is told elsewhere.
        None => None,
    };
    problems
        .filter_map(|problem| line(&problem.name, &problem.text))
        .collect()
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Integer => "whole number",
            Self::Number => "number",
            Self::Text => "text",
            Self::List => "list",
            Self::Map => "map",
            Self::Any => "anything",
        }
    }
}

/// Whether a field of one kind reads every value of the other.
fn takes(field: Kind, value: Kind) -> bool {
    field == Kind::Any || field == value || (field == Kind::Number && value == Kind::Integer)
}

fn option_kind(word: &str) -> Option<Kind> {
    Some(match word {
        "string" | "secret" => Kind::Text,
        "int" => Kind::Integer,
        "float" => Kind::Number,
        "boolean" => Kind::Bool,
        _ => return None,
    })
}

fn param_kind(word: &str) -> Option<Kind> {
    Some(match word {
        "string" => Kind::Text,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Bool,
        "array" => Kind::List,
        "object" => Kind::Map,
        _ => return None,
    })
}
