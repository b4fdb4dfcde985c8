//! What a charm's YAML files declare, to hold tests and types against.

mod check;
mod consistency;
mod shape;

use std::path::Path;

use serde_json::{Map, Value};

use super::State;

pub use check::Mismatches;

/// What a charm declares in `metadata.yaml` (or `charmcraft.yaml`), `config.yaml` and `actions.yaml`.
///
/// # Example
///
/// ```
/// use jujuna::testing::Charm;
///
/// let charm = Charm::parse(
///     "{name: hello, requires: {db: {interface: pg}}}",
///     "{options: {port: {type: int, default: 8008}, name: {type: string}}}",
///     "{greet: {params: {who: {type: string}}}}",
/// );
/// assert_eq!(charm.name(), "hello");
/// assert_eq!(charm.state("hello/0").config["port"], 8008);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Charm {
    metadata: Value,
    options: Map<String, Value>,
    actions: Map<String, Value>,
}

impl Charm {
    /// Reads the files of a charm's folder; `env!("CARGO_MANIFEST_DIR")` is the one of the package under test.
    ///
    /// # Panics
    ///
    /// Panics when there is neither `metadata.yaml` nor `charmcraft.yaml`, or one of the files is no YAML.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // There is no charm in this folder.
    /// let charm = jujuna::testing::Charm::read(env!("CARGO_MANIFEST_DIR"));
    /// ```
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn read(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        let file = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let whole = file("charmcraft.yaml").map(|text| parse("charmcraft.yaml", &text));
        let metadata = file("metadata.yaml").map(|text| parse("metadata.yaml", &text));
        let section = |name: &str, own: &str, key: Option<&str>| {
            let own = file(own).map(|text| match key {
                Some(key) => parse(own, &text)[key].clone(),
                None => parse(own, &text),
            });
            let whole = whole.as_ref().map(|whole| match key {
                Some(key) => whole[name][key].clone(),
                None => whole[name].clone(),
            });
            map(own.or(whole).unwrap_or_default())
        };
        let options = section("config", "config.yaml", Some("options"));
        let actions = section("actions", "actions.yaml", None);
        let Some(metadata) = metadata.or(whole) else {
            panic!(
                "{}: there is no metadata.yaml and no charmcraft.yaml",
                folder.display()
            );
        };
        Self {
            metadata,
            options,
            actions,
        }
    }

    /// Reads the files' texts; an empty one declares nothing. `charmcraft.yaml` may stand for `metadata.yaml`.
    ///
    /// # Panics
    ///
    /// Panics when one is no YAML.
    ///
    /// [`Charm`] has an example.
    pub fn parse(metadata: &str, config: &str, actions: &str) -> Self {
        Self {
            metadata: parse("metadata.yaml", metadata),
            options: map(parse("config.yaml", config)["options"].clone()),
            actions: map(parse("actions.yaml", actions)),
        }
    }

    /// Returns the charm's name.
    ///
    /// [`Charm`] has an example.
    pub fn name(&self) -> &str {
        self.metadata["name"].as_str().unwrap_or_default()
    }

    /// Returns a model with this unit in it, as it is right after a deployment with nothing set: defaults of options, peer
    /// relations.
    ///
    /// # Panics
    ///
    /// Panics when `unit` is no unit's name.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::Charm;
    /// let charm = Charm::parse("{name: hello, peers: {mates: {interface: m}}}", "", "");
    /// assert_eq!(charm.state("hello/0").relations.len(), 1);
    /// ```
    pub fn state(&self, unit: &str) -> State {
        let mut state = State::new(unit);
        for (name, option) in &self.options {
            if let Some(default) = option.get("default") {
                state = state.with_option(name, default.clone());
            }
        }
        let app = state.unit.app().to_owned();
        for (number, endpoint) in (0..).zip(self.section("peers").keys()) {
            state = state.with_relation(super::Relation::new(endpoint, number, &app));
        }
        state
    }

    fn section(&self, name: &str) -> Map<String, Value> {
        map(self.metadata[name].clone())
    }
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn parse(name: &str, text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Null;
    }
    match serde_saphyr::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("{name}: {error}"),
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
