//! `relation-ids`, `-list`, `-get`, `-set`, `-model-get`: relations and their databags.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Event, HookCommand, Juju, Leader, RelationEventKind, RelationId, UnitName};

/// The data of one unit or application in a relation.
pub(crate) type Databag = BTreeMap<String, String>;

/// Whose databag it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    App(String),
    Unit(UnitName),
}

/// Which of a relation's two own databags is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Unit,
    App,
}

impl Side {
    pub(crate) fn flag(self) -> Option<&'static str> {
        (self == Self::App).then_some("--app")
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unit => "the unit's",
            Self::App => "the application's",
        }
    }
}

impl Juju {
    /// Returns the relations of an endpoint of this charm; none if there is no such endpoint.
    ///
    /// In a relation-broken hook the dying relation is among them.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, Relation, State}};
    /// let relation = Relation::new("db", 3, "postgresql").with_remote_app("host", "10.0.0.7");
    /// let fake = FakeJuju::new(State::new("hello/0").with_relation(relation));
    /// let juju = Juju::new(Box::new(fake));
    /// let ids = juju.relation_ids("db")?;
    /// let app = juju.relation_app(&ids[0])?.unwrap_or_default();
    /// assert_eq!(juju.relation_get_app(&ids[0], &app)?["host"], "10.0.0.7");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_ids(&self, endpoint: &str) -> Result<Vec<RelationId>, Error> {
        if let Some(ids) = self.cache.borrow().relation_ids.get(endpoint) {
            return Ok(ids.clone());
        }
        let command = HookCommand::json("relation-ids").arg(endpoint);
        let ids: Option<Vec<RelationId>> = self.read(&command, &|| {
            format!("list the relations of endpoint {endpoint}")
        })?;
        let mut ids = ids.unwrap_or_default();
        ids.sort();
        self.cache
            .borrow_mut()
            .relation_ids
            .insert(endpoint.to_owned(), ids.clone());
        Ok(ids)
    }

    /// Returns the relations of an endpoint of this charm, without one that is just being broken.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, Relation, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_relation(Relation::new("db", 3, "pg")));
    /// assert_eq!(Juju::new(Box::new(fake)).relations("db")?.len(), 1);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relations(&self, endpoint: &str) -> Result<Vec<RelationId>, Error> {
        let mut ids = self.relation_ids(endpoint)?;
        if let Some((id, RelationEventKind::Broken)) = self.event_relation() {
            ids.retain(|known| known != id);
        }
        Ok(ids)
    }

    /// Returns the relation of an endpoint that has one at most (`limit: 1`, or peers), unless it is just being broken.
    ///
    /// In a hook about it no hook command is needed. Where there are several, the first is returned.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, Relation, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_relation(Relation::new("db", 3, "pg")));
    /// let juju = Juju::new(Box::new(fake));
    /// assert_eq!(juju.relation("db")?.map(|id| id.number()), Some(3));
    /// assert_eq!(juju.relation("cache")?, None);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation(&self, endpoint: &str) -> Result<Option<RelationId>, Error> {
        match self.event_relation() {
            Some((id, kind)) if id.endpoint() == endpoint && kind != RelationEventKind::Broken => {
                Ok(Some(id.clone()))
            }
            _ => Ok(self.relations(endpoint)?.into_iter().next()),
        }
    }

    fn event_relation(&self) -> Option<(&RelationId, RelationEventKind)> {
        match &self.event {
            Some(Event::Relation(event)) => Some((&event.id, event.kind)),
            _ => None,
        }
    }

    /// Returns the uuid of the model at the other end of a relation, which may be another model than this.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) before Juju 3.6.2.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_relation(Relation::new("db", 3, "pg")));
    /// let uuid = Juju::new(Box::new(fake)).relation_model_get(&RelationId::new("db", 3))?;
    /// assert_eq!(uuid.len(), 36);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_model_get(&self, id: &RelationId) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Model {
            uuid: String,
        }
        let command =
            HookCommand::json("relation-model-get").args(["-r".to_owned(), id.to_string()]);
        let model: Model = self.read(&command, &|| {
            format!("read the model at the other end of relation {id}")
        })?;
        Ok(model.uuid)
    }

    /// Returns the remote units in a relation; in a peer relation the other units of the application.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such relation.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, UnitName, testing::{FakeJuju, Relation, State}};
    /// # let relation = Relation::new("db", 3, "pg").with_remote_unit_data(0, "host", "10.0.0.7");
    /// # let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0").with_relation(relation))));
    /// let id = RelationId::new("db", 3);
    /// assert_eq!(juju.relation_app(&id)?.as_deref(), Some("pg"));
    /// let units = juju.relation_list(&id)?;
    /// assert_eq!(units, [UnitName::new("pg", 0)]);
    /// assert_eq!(juju.relation_get_unit(&id, &units[0])?["host"], "10.0.0.7");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_list(&self, id: &RelationId) -> Result<Vec<UnitName>, Error> {
        if let Some(units) = self.cache.borrow().relation_units.get(id) {
            return Ok(units.clone());
        }
        let command = HookCommand::json("relation-list")
            .arg("-r")
            .arg(id.to_string());
        let units: Option<Vec<UnitName>> =
            self.read(&command, &|| format!("list the units of relation {id}"))?;
        let mut units = units.unwrap_or_default();
        units.sort();
        self.cache
            .borrow_mut()
            .relation_units
            .insert(id.clone(), units.clone());
        Ok(units)
    }

    /// Returns the application at the other end of a relation; in a peer relation the charm's own.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such relation.
    ///
    /// [`relation_list`](Juju::relation_list) has an example.
    pub fn relation_app(&self, id: &RelationId) -> Result<Option<String>, Error> {
        if let Some(app) = self.cache.borrow().relation_apps.get(id) {
            return Ok(app.clone());
        }
        let command = HookCommand::json("relation-list")
            .arg("--app")
            .arg("-r")
            .arg(id.to_string());
        let app: Option<String> = self.read(&command, &|| {
            format!("read the remote application of relation {id}")
        })?;
        let app = app.filter(|app| !app.is_empty());
        self.cache
            .borrow_mut()
            .relation_apps
            .insert(id.clone(), app.clone());
        Ok(app)
    }

    /// Returns an application's databag in a relation. What this dispatch has buffered for it is included.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) for the own application's databag when
    /// this unit is not the leader and the relation is no peer relation.
    ///
    /// [`relation_ids`](Juju::relation_ids) has an example.
    pub fn relation_get_app(
        &self,
        id: &RelationId,
        app: &str,
    ) -> Result<BTreeMap<String, String>, Error> {
        self.relation_get(id, &Member::App(app.to_owned()))
    }

    /// Returns a unit's databag in a relation. What this dispatch has buffered for it is included.
    ///
    /// Juju puts the unit's addresses into it: `egress-subnets`, `ingress-address`, `private-address`.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the unit never was in the relation.
    ///
    /// [`relation_list`](Juju::relation_list) has an example.
    pub fn relation_get_unit(
        &self,
        id: &RelationId,
        unit: &UnitName,
    ) -> Result<BTreeMap<String, String>, Error> {
        self.relation_get(id, &Member::Unit(unit.clone()))
    }

    /// Buffers changes to this unit's databag. Other keys stay; an empty value deletes its key.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_relation(Relation::new("db", 3, "pg")));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// let id = RelationId::new("db", 3);
    /// juju.relation_set_unit(&id, [("database".to_owned(), "web".to_owned())].into());
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().relation(&id).unwrap().unit_data["database"], "web");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn relation_set_unit(&mut self, id: &RelationId, data: BTreeMap<String, String>) {
        self.buffer_databag(id, Side::Unit, data);
    }

    /// Buffers changes to the application's databag. Other keys stay; an empty value deletes its key.
    ///
    /// [`relation_set_app_as`](Juju::relation_set_app_as) has an example.
    pub fn relation_set_app(
        &mut self,
        _leader: &Leader,
        id: &RelationId,
        data: BTreeMap<String, String>,
    ) {
        self.buffer_databag(id, Side::App, data);
    }

    fn buffer_databag(&mut self, id: &RelationId, side: Side, data: Databag) {
        self.writes
            .databags
            .entry((id.clone(), side))
            .or_default()
            .extend(data);
    }

    pub(crate) fn relation_get(&self, id: &RelationId, member: &Member) -> Result<Databag, Error> {
        let key = (id.clone(), member.clone());
        let known = self.cache.borrow().databags.get(&key).cloned();
        let mut databag = if let Some(databag) = known {
            databag
        } else {
            let command = HookCommand::json("relation-get")
                .arg("-r")
                .arg(id.to_string());
            let (command, name) = match member {
                Member::App(app) => (command.arg("--app"), app.clone()),
                Member::Unit(unit) => (command, unit.to_string()),
            };
            let command = command.args(["-", &name]);
            let databag: Option<Databag> = self.read(&command, &|| {
                format!("read the data of {name} in relation {id}")
            })?;
            let databag = databag.unwrap_or_default();
            self.cache
                .borrow_mut()
                .databags
                .insert(key, databag.clone());
            databag
        };
        for side in [Side::Unit, Side::App] {
            if self.own_member(side).as_ref() == Some(member)
                && let Some(changes) = self.writes.databags.get(&(id.clone(), side))
            {
                merge(&mut databag, changes);
            }
        }
        Ok(databag)
    }

    /// Returns who owns the databag that is written on this side, if this unit's name is known.
    pub(crate) fn own_member(&self, side: Side) -> Option<Member> {
        let unit = self.unit.as_ref()?;
        Some(match side {
            Side::Unit => Member::Unit(unit.clone()),
            Side::App => Member::App(unit.app().to_owned()),
        })
    }

    pub(crate) fn known_own_databag(&self, id: &RelationId, side: Side) -> Option<Databag> {
        let member = self.own_member(side)?;
        self.cache
            .borrow()
            .databags
            .get(&(id.clone(), member))
            .cloned()
    }
}

/// Returns what of `data` is not so already; without knowing what is there, all of it.
pub(crate) fn changes(known: Option<&Databag>, data: &Databag) -> Databag {
    let differs = |key: &str, value: &str| match known {
        Some(known) => known.get(key).map_or("", String::as_str) != value,
        None => true,
    };
    let changed = data.iter().filter(|(key, value)| differs(key, value));
    changed
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Changes a databag as relation-set does.
pub(crate) fn merge(databag: &mut Databag, changes: &Databag) {
    for (key, value) in changes {
        if value.is_empty() {
            databag.remove(key);
        } else {
            databag.insert(key.clone(), value.clone());
        }
    }
}
