//! Relations and their databags.

use super::Model;
use super::charm::Role;
use super::name::UnitName;
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) application: String,
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// One side's data; the version counts its changes and is 0 while it was never written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Databag {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) version: u64,
}

impl Databag {
    /// Sets what has a value and removes what is empty; equal values are no change.
    pub(crate) fn change(&mut self, changes: &BTreeMap<String, String>) {
        let before = self.values.clone();
        for (key, value) in changes {
            if value.is_empty() {
                self.values.remove(key);
            } else {
                self.values.insert(key.clone(), value.clone());
            }
        }
        if self.values != before {
            self.version += 1;
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) id: u32,
    pub(crate) interface: String,
    /// One for a peer relation; else the requirer's first.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) application_data: BTreeMap<String, Databag>,
    pub(crate) unit_data: BTreeMap<UnitName, Databag>,
    /// Units that have entered and not begun to leave.
    pub(crate) members: BTreeSet<UnitName>,
    pub(crate) dying: bool,
}

impl Relation {
    pub(crate) fn is_peer(&self) -> bool {
        self.endpoints.len() == 1
    }

    pub(crate) fn endpoint_of(&self, application: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.application == application)
    }

    /// The application on the other side; in a peer relation one's own.
    pub(crate) fn counterpart<'a>(&'a self, application: &'a str) -> &'a str {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.application.as_str())
            .find(|name| *name != application)
            .unwrap_or(application)
    }

    /// `requirer:endpoint provider:endpoint`, or the peer's alone.
    pub(crate) fn key(&self) -> String {
        let ends: Vec<_> = self
            .endpoints
            .iter()
            .map(|endpoint| format!("{}:{}", endpoint.application, endpoint.name))
            .collect();
        ends.join(" ")
    }

    /// The units whose coming and going `unit` is told of.
    pub(crate) fn remote_members<'a>(
        &'a self,
        unit: &'a UnitName,
    ) -> impl Iterator<Item = &'a UnitName> + 'a {
        let counterpart = self.counterpart(&unit.application);
        self.members
            .iter()
            .filter(move |member| member.application == counterpart && *member != unit)
    }

    pub(crate) fn forget_unit(&mut self, unit: &UnitName) {
        self.members.remove(unit);
    }

    pub(crate) fn application_version(&self, application: &str) -> u64 {
        self.application_data
            .get(application)
            .map_or(0, |bag| bag.version)
    }

    pub(crate) fn unit_version(&self, unit: &UnitName) -> u64 {
        self.unit_data.get(unit).map_or(0, |bag| bag.version)
    }
}

impl Model {
    /// Adds the relation that a peer endpoint has from the application's deployment on.
    pub(super) fn add_peer_relation(&mut self, application: &str, endpoint: &str, interface: &str) {
        let end = Endpoint {
            application: application.to_owned(),
            name: endpoint.to_owned(),
            role: Role::Peer,
        };
        self.insert_relation(vec![end], interface);
    }

    fn insert_relation(&mut self, endpoints: Vec<Endpoint>, interface: &str) -> u32 {
        let id = self.next_relation;
        self.next_relation += 1;
        let application_data = endpoints
            .iter()
            .map(|endpoint| (endpoint.application.clone(), Databag::default()))
            .collect();
        let interface = interface.to_owned();
        self.relations.insert(
            id,
            Relation {
                id,
                interface,
                endpoints,
                application_data,
                unit_data: BTreeMap::new(),
                members: BTreeSet::new(),
                dying: false,
            },
        );
        id
    }

    /// Relates two applications, each named `application` or `application:endpoint`.
    pub(crate) fn integrate(&mut self, one: &str, other: &str) -> Result<u32> {
        let pairs = self.matching_endpoints(one, other)?;
        let [(first, second, interface)] = pairs.as_slice() else {
            if pairs.is_empty() {
                bail!(
                    "no relations found between {one:?} and {other:?}: no endpoints of one interface, one providing and one requiring it"
                );
            }
            let found: Vec<_> = pairs
                .iter()
                .map(|(a, b, _)| {
                    format!(
                        "\"{}:{} {}:{}\"",
                        a.application, a.name, b.application, b.name
                    )
                })
                .collect();
            bail!(
                "ambiguous relation: \"{one} {other}\" could refer to {}",
                found.join("; ")
            );
        };
        if self.relations.values().any(|relation| {
            !relation.dying
                && relation.endpoints.contains(first)
                && relation.endpoints.contains(second)
        }) {
            bail!(
                "cannot add relation \"{}:{} {}:{}\": relation already exists",
                first.application,
                first.name,
                second.application,
                second.name
            );
        }
        self.check_limit(first)?;
        self.check_limit(second)?;
        let (first, second, interface) = (first.clone(), second.clone(), interface.clone());
        let id = self.insert_relation(vec![first, second], &interface);
        self.publish_remote(id)?;
        Ok(id)
    }

    fn check_limit(&self, endpoint: &Endpoint) -> Result<()> {
        let limit = self
            .applications
            .get(&endpoint.application)
            .and_then(|application| application.endpoints.get(&endpoint.name))
            .and_then(|end| end.limit);
        let used = self
            .relations
            .values()
            .filter(|relation| !relation.dying && relation.endpoints.contains(endpoint))
            .count();
        if limit.is_some_and(|limit| used >= limit) {
            bail!(
                "establishing a new relation for {}:{} would exceed its maximum relation limit of {}",
                endpoint.application,
                endpoint.name,
                used
            );
        }
        Ok(())
    }

    fn matching_endpoints(
        &self,
        one: &str,
        other: &str,
    ) -> Result<Vec<(Endpoint, Endpoint, String)>> {
        let (left, right) = (self.candidates(one)?, self.candidates(other)?);
        let mut pairs = Vec::new();
        for (a, a_interface) in &left {
            for (b, b_interface) in &right {
                if a_interface != b_interface {
                    continue;
                }
                match (a.role, b.role) {
                    (Role::Requirer, Role::Provider) => {
                        pairs.push((a.clone(), b.clone(), a_interface.clone()));
                    }
                    (Role::Provider, Role::Requirer) => {
                        pairs.push((b.clone(), a.clone(), a_interface.clone()));
                    }
                    _ => {}
                }
            }
        }
        Ok(pairs)
    }

    fn candidates(&self, named: &str) -> Result<Vec<(Endpoint, String)>> {
        let (name, wanted) = named
            .split_once(':')
            .map_or((named, None), |(name, endpoint)| (name, Some(endpoint)));
        let application = self.application(name)?;
        if application.dying {
            bail!("application {name:?} is not alive");
        }
        if let Some(wanted) = wanted.filter(|wanted| !application.endpoints.contains_key(*wanted)) {
            bail!("application {name:?} has no {wanted:?} relation");
        }
        Ok(application
            .endpoints
            .iter()
            .filter(|(endpoint, _)| wanted.is_none_or(|wanted| wanted == *endpoint))
            .map(|(endpoint, end)| {
                (
                    Endpoint {
                        application: name.to_owned(),
                        name: endpoint.clone(),
                        role: end.role,
                    },
                    end.interface.clone(),
                )
            })
            .collect())
    }

    /// Begins to remove the relation between two applications.
    pub(crate) fn remove_relation(&mut self, one: &str, other: &str) -> Result<()> {
        let pairs = self.matching_endpoints(one, other)?;
        let found = self.relations.values_mut().find(|relation| {
            !relation.dying
                && pairs.iter().any(|(a, b, _)| {
                    relation.endpoints.contains(a) && relation.endpoints.contains(b)
                })
        });
        match found {
            Some(relation) => relation.dying = true,
            None => bail!("relation \"{one} {other}\" not found"),
        }
        self.drop_finished_relations();
        Ok(())
    }
}
