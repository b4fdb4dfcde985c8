//! A relation of the model in memory.

use std::collections::BTreeMap;

use crate::{RelationId, UnitName};

/// A relation and its databags.
///
/// # Example
///
/// ```
/// use jujuna::testing::Relation;
///
/// let relation = Relation::new("db", 3, "pg")
///     .with_remote_app("name", "web")
///     .with_remote_unit(0)
///     .with_remote_unit_data(1, "host", "10.0.0.8");
/// assert_eq!(relation.remote_app_data["name"], "web");
/// assert_eq!(relation.remote_units.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its id.
    pub id: RelationId,
    /// The application at the other end; in a peer relation the own one.
    pub remote_app: String,
    /// The remote application's databag.
    pub remote_app_data: BTreeMap<String, String>,
    /// The remote units' databags; in a peer relation the other units'.
    pub remote_units: BTreeMap<UnitName, BTreeMap<String, String>>,
    /// The own application's databag.
    pub app_data: BTreeMap<String, String>,
    /// The own unit's databag.
    pub unit_data: BTreeMap<String, String>,
}

impl Relation {
    /// Relation `number` of `endpoint` with `remote_app`, so far without units and data.
    ///
    /// [`Relation`] has an example.
    pub fn new(endpoint: &str, number: u32, remote_app: &str) -> Self {
        Self {
            id: RelationId::new(endpoint, number),
            remote_app: remote_app.to_owned(),
            remote_app_data: BTreeMap::new(),
            remote_units: BTreeMap::new(),
            app_data: BTreeMap::new(),
            unit_data: BTreeMap::new(),
        }
    }

    /// Sets a value in the remote application's databag.
    ///
    /// [`Relation`] has an example.
    #[must_use]
    pub fn with_remote_app(mut self, key: &str, value: &str) -> Self {
        self.remote_app_data
            .insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a remote unit with no data.
    ///
    /// [`Relation`] has an example.
    #[must_use]
    pub fn with_remote_unit(mut self, number: u32) -> Self {
        let unit = UnitName::new(self.remote_app.clone(), number);
        self.remote_units.entry(unit).or_default();
        self
    }

    /// Sets a value in a remote unit's databag, adding the unit if need be.
    ///
    /// [`Relation`] has an example.
    #[must_use]
    pub fn with_remote_unit_data(mut self, number: u32, key: &str, value: &str) -> Self {
        let unit = UnitName::new(self.remote_app.clone(), number);
        self.remote_units
            .entry(unit)
            .or_default()
            .insert(key.to_owned(), value.to_owned());
        self
    }
}
