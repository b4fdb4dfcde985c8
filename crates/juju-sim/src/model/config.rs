//! Options of a charm: their types, and what an operator gave.

use super::charm::{Charm, ConfigOption};
use super::secret;
use crate::hook_commands::boolean;
use anyhow::{Result, bail};
use serde_json::{Number, Value, json};
use std::collections::BTreeMap;

impl ConfigOption {
    /// Refuses a type that Juju does not know, and a default of another type.
    pub(super) fn check_type(&self, name: &str) -> Result<()> {
        let fits = match (self.kind.as_str(), &self.default) {
            ("string" | "int" | "float" | "boolean", None)
            | ("secret", None | Some(Value::String(_))) => true,
            ("string", Some(default)) => default.is_string(),
            ("int", Some(default)) => default.is_i64(),
            ("float", Some(default)) => default.is_number(),
            ("boolean", Some(default)) => default.is_boolean(),
            _ => bail!(
                "invalid config: option {name:?} has unknown type {:?}",
                self.kind
            ),
        };
        if !fits {
            bail!(
                "invalid config default: option {name:?} expected {}, got {}",
                self.kind,
                self.default.clone().unwrap_or_default()
            );
        }
        Ok(())
    }

    /// The value that an operator's text means; the refusal in Juju's words.
    fn parse(&self, name: &str, text: &str) -> Result<Value> {
        let value = match self.kind.as_str() {
            "int" => text.parse::<i64>().ok().map(|number| json!(number)),
            "float" => text
                .parse::<f64>()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number),
            "boolean" => boolean(text).map(Value::Bool),
            "secret" if text.is_empty() => Some(json!("")),
            "secret" => secret::parse_uri(text).map(|_| json!(text)),
            _ => Some(json!(text)),
        };
        let Some(value) = value else {
            bail!("option {name:?} expected {}, got {text:?}", self.kind)
        };
        Ok(value)
    }
}

impl Charm {
    /// Checks and reads `key=value` settings.
    pub(crate) fn settings(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Value>> {
        given
            .iter()
            .map(|(name, text)| match self.options.get(name) {
                Some(option) => Ok((name.clone(), option.parse(name, text)?)),
                None => bail!("unknown option {name:?}"),
            })
            .collect()
    }

    /// All options with what holds for each: set, else default, else nothing.
    pub(crate) fn configuration(
        &self,
        set: &BTreeMap<String, Value>,
    ) -> BTreeMap<String, Option<Value>> {
        self.options
            .iter()
            .map(|(name, option)| {
                (
                    name.clone(),
                    set.get(name).or(option.default.as_ref()).cloned(),
                )
            })
            .collect()
    }
}
