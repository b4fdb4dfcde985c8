//! Databags and action results as the charm's own types.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::relation::{Databag, Member};
use crate::typed::{Fields, Input, fit, texts};
use crate::{Error, ErrorKind, Juju, Leader, RelationId, UnitName};

impl Juju {
    /// Returns an application's databag as the charm's own type.
    ///
    /// A text is taken as it is; numbers and booleans are read from it; lists, maps and structs stand in it as JSON. Fields
    /// that may be missing are `Option`s or have a default; a databag that nobody has written yet is empty.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Mismatch`] with every key that does not fit in [`Error::problems`], and errors as of
    /// [`relation_get_app`](Juju::relation_get_app).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// #[derive(serde::Deserialize)]
    /// struct Database {
    ///     host: String,
    ///     port: u16,
    ///     replicas: Option<Vec<String>>,
    /// }
    /// let relation = Relation::new("db", 3, "pg")
    ///     .with_remote_app("host", "10.0.0.7")
    ///     .with_remote_app("port", "5432")
    ///     .with_remote_app("replicas", r#"["10.0.0.8"]"#);
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_relation(relation))));
    /// let database: Database = juju.relation_get_app_as(&RelationId::new("db", 3), "pg")?;
    /// assert_eq!((database.host.as_str(), database.port), ("10.0.0.7", 5432));
    /// assert_eq!(database.replicas.unwrap(), ["10.0.0.8"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_get_app_as<T: DeserializeOwned>(
        &self,
        id: &RelationId,
        app: &str,
    ) -> Result<T, Error> {
        let databag = self.relation_get(id, &Member::App(app.to_owned()))?;
        read(&databag, app, id)
    }

    /// Returns a unit's databag as the charm's own type, by the same rules.
    ///
    /// # Errors
    ///
    /// As of [`relation_get_app_as`](Juju::relation_get_app_as) and [`relation_get_unit`](Juju::relation_get_unit).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, UnitName, testing::{FakeJuju, Relation, State}};
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "kebab-case")]
    /// struct Backend {
    ///     ingress_address: String,
    /// }
    /// let relation = Relation::new("web", 3, "app").with_remote_unit_data(0, "ingress-address", "10.0.0.9");
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("proxy/0").with_relation(relation))));
    /// let backend: Backend = juju.relation_get_unit_as(&RelationId::new("web", 3), &UnitName::new("app", 0))?;
    /// assert_eq!(backend.ingress_address, "10.0.0.9");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_get_unit_as<T: DeserializeOwned>(
        &self,
        id: &RelationId,
        unit: &UnitName,
    ) -> Result<T, Error> {
        let databag = self.relation_get(id, &Member::Unit(unit.clone()))?;
        read(&databag, &unit.to_string(), id)
    }

    /// Buffers the charm's own type for this unit's databag; a field that is `None` is taken out.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Usage`] when the type has no named fields.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// #[derive(serde::Serialize)]
    /// struct Backend {
    ///     port: u16,
    ///     paths: Vec<String>,
    /// }
    /// let id = RelationId::new("web", 3);
    /// let fake = FakeJuju::new(State::new("app/0").with_relation(Relation::new("web", 3, "proxy")));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.relation_set_unit_as(&id, &Backend { port: 8008, paths: vec!["/".to_owned()] })?;
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().relation(&id).unwrap().unit_data["paths"], r#"["/"]"#);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_set_unit_as<T: Serialize + ?Sized>(
        &mut self,
        id: &RelationId,
        data: &T,
    ) -> Result<(), Error> {
        let databag = texts(data, &format!("the unit's data of relation {id}"))?;
        self.relation_set_unit(id, databag);
        Ok(())
    }

    /// Buffers the charm's own type for the application's databag, by the same rules.
    ///
    /// # Errors
    ///
    /// As of [`relation_set_unit_as`](Juju::relation_set_unit_as).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// #[derive(serde::Serialize)]
    /// struct Request {
    ///     database: &'static str,
    /// }
    /// # let id = RelationId::new("db", 3);
    /// # let state = State::new("app/0").with_leader(true).with_relation(Relation::new("db", 3, "pg"));
    /// # let fake = FakeJuju::new(state);
    /// # let mut juju = Juju::new(Box::new(fake.clone()));
    /// if let Some(leader) = juju.leader()? {
    ///     juju.relation_set_app_as(&leader, &id, &Request { database: "web" })?;
    /// }
    /// # juju.flush()?;
    /// # fake.end(0);
    /// # assert_eq!(fake.state().relation(&id).unwrap().app_data["database"], "web");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_set_app_as<T: Serialize + ?Sized>(
        &mut self,
        leader: &Leader,
        id: &RelationId,
        data: &T,
    ) -> Result<(), Error> {
        let databag = texts(data, &format!("the application's data of relation {id}"))?;
        self.relation_set_app(leader, id, databag);
        Ok(())
    }

    /// Adds the charm's own type to the action's results: nested fields by dotted keys, lists as JSON, `None` not at all.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Usage`] when the type has no named fields.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// #[derive(serde::Serialize)]
    /// #[serde(rename_all = "kebab-case")]
    /// struct Results {
    ///     backup_id: String,
    ///     size: Size,
    /// }
    /// #[derive(serde::Serialize)]
    /// struct Size {
    ///     bytes: u64,
    /// }
    /// let fake = FakeJuju::new(State::new("hello/0").with_action());
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.action_set_as(&Results { backup_id: "b-1".to_owned(), size: Size { bytes: 7 } })?;
    /// juju.flush()?;
    /// assert_eq!(fake.action_results()["size.bytes"], "7");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_set_as<T: Serialize + ?Sized>(&mut self, results: &T) -> Result<(), Error> {
        let cannot = "cannot write the action's results";
        let value = serde_json::to_value(results)
            .map_err(|error| Error::with_source(ErrorKind::Usage, cannot, error))?;
        if !value.is_object() {
            let text = format!("{cannot}: the type has no named fields");
            return Err(Error::new(ErrorKind::Usage, text));
        }
        let mut flat = Databag::new();
        flatten("", value, &mut flat);
        self.action_set(flat);
        Ok(())
    }
}

fn flatten(key: &str, value: Value, flat: &mut Databag) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if key.is_empty() { "" } else { "." };
                flatten(&format!("{key}{dot}{name}"), value, flat);
            }
        }
        Value::String(text) => {
            flat.insert(key.to_owned(), text);
        }
        value => {
            flat.insert(key.to_owned(), value.to_string());
        }
    }
}

fn read<T: DeserializeOwned>(databag: &Databag, owner: &str, id: &RelationId) -> Result<T, Error> {
    let fields = databag
        .iter()
        .map(|(key, value)| (key.as_str(), Input::Text(value)));
    let whats = format!("data of {owner} in relation {id}");
    fit(&Fields::new(fields), &whats)
}
