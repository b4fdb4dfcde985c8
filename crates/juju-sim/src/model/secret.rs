//! Secrets: revisions, who owns them, who may read them, who reads which revision.

use super::name::UnitName;
use super::secret_time::{Expiry, next_rotation};
use super::{Model, id};
use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Content = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An operator's own (`add-secret`).
    Model,
    Application(String),
    Unit(UnitName),
}

/// What may be said of a secret beside its content; `None` is "not said".
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) label: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) rotate: Option<String>,
    pub(crate) expire: Option<Timestamp>,
}

#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) attributes: Attributes,
    pub(crate) revisions: BTreeMap<u32, Content>,
    /// Applications and units (by name) that may read it, each with the relation the grant hangs on.
    pub(crate) grants: BTreeMap<String, Option<u32>>,
    pub(crate) consumers: BTreeMap<UnitName, Consumer>,
    /// Revisions that no one reads any more and of which the owner has been told.
    pub(crate) told_obsolete: BTreeSet<u32>,
    pub(crate) rotates_at: Option<Timestamp>,
    /// The latest revision when `secret-rotate` began.
    pub(crate) rotated_from: u32,
    pub(crate) expiries: BTreeMap<u32, Expiry>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secret")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("revision", &self.latest())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Consumer {
    pub(crate) label: Option<String>,
    pub(crate) tracked: u32,
    /// The newest revision the unit has been told of.
    pub(crate) told: u32,
}

impl Secret {
    pub(crate) fn new(id: String, owner: Owner, attributes: Attributes, content: Content) -> Self {
        let policy = attributes.rotate.as_deref();
        Self {
            rotates_at: next_rotation(policy, Timestamp::now()),
            rotated_from: 0,
            expiries: (attributes.expire.iter())
                .map(|at| (1, Expiry::new(*at)))
                .collect(),
            id,
            owner,
            attributes,
            revisions: BTreeMap::from([(1, content)]),
            grants: BTreeMap::new(),
            consumers: BTreeMap::new(),
            told_obsolete: BTreeSet::new(),
        }
    }

    pub(crate) fn latest(&self) -> u32 {
        self.revisions
            .keys()
            .next_back()
            .copied()
            .unwrap_or_default()
    }

    /// Owned by the unit, or by its application.
    pub(crate) fn is_owned_by(&self, unit: &UnitName) -> bool {
        match &self.owner {
            Owner::Model => false,
            Owner::Application(application) => *application == unit.application,
            Owner::Unit(owner) => owner == unit,
        }
    }

    pub(crate) fn may_be_read_by(&self, unit: &UnitName) -> bool {
        self.is_owned_by(unit)
            || self.grants.contains_key(&unit.application)
            || self.grants.contains_key(&unit.to_string())
    }

    /// A new revision, unless the content is what it was.
    pub(crate) fn update(&mut self, content: Content) {
        if self.revisions.get(&self.latest()) != Some(&content) {
            self.revisions.insert(self.latest() + 1, content);
        }
    }

    /// Takes what was said, for a new revision if there is content that differs.
    pub(crate) fn change(&mut self, attributes: &Attributes, content: Option<Content>) {
        let before = self.attributes.rotate.clone();
        self.merge(attributes);
        let policy = self.attributes.rotate.as_deref();
        if next_rotation(before.as_deref(), Timestamp::now()).is_none() {
            self.rotates_at = next_rotation(policy, Timestamp::now());
        } else if next_rotation(policy, Timestamp::now()).is_none() {
            self.rotates_at = None;
        }
        if let Some(content) = content {
            self.update(content);
        }
        if let Some(at) = attributes.expire {
            self.expiries.insert(self.latest(), Expiry::new(at));
        }
    }

    pub(crate) fn merge(&mut self, attributes: &Attributes) {
        let own = &mut self.attributes;
        for (own, said) in [
            (&mut own.label, &attributes.label),
            (&mut own.description, &attributes.description),
            (&mut own.rotate, &attributes.rotate),
        ] {
            if said.is_some() {
                own.clone_from(said);
            }
        }
    }

    /// Revisions that no one tracks, other than the newest.
    pub(crate) fn obsolete(&self) -> impl Iterator<Item = u32> + '_ {
        let latest = self.latest();
        self.revisions.keys().copied().filter(move |revision| {
            *revision != latest
                && !self
                    .consumers
                    .values()
                    .any(|consumer| consumer.tracked == *revision)
        })
    }
}

/// The bare id in `secret:<id>`, `secret://<model>/<id>`, `secret:/<..>` or `<id>`.
pub(crate) fn parse_uri(text: &str) -> Option<String> {
    let rest = text.strip_prefix("secret:").unwrap_or(text);
    let bare = match rest.strip_prefix("//") {
        Some(path) => path.split_once('/')?.1,
        None => rest,
    };
    id::is_secret(bare).then(|| bare.to_owned())
}

/// Three characters at least: a lower-case letter first, then letters, digits, single hyphens.
pub(crate) fn is_key(text: &str) -> bool {
    let mut bare = 0;
    let mut previous = b'-';
    for (index, byte) in text.bytes().enumerate() {
        let fits = if index == 0 {
            byte.is_ascii_lowercase()
        } else {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || (byte == b'-' && previous != b'-')
        };
        if !fits {
            return false;
        }
        bare += usize::from(byte != b'-');
        previous = byte;
    }
    bare >= 3 && previous != b'-'
}

impl Model {
    /// A secret that no charm owns, by id, URI or name: an operator's, or a charmless application's.
    pub(crate) fn user_secret(&mut self, named: &str) -> Result<&mut Secret> {
        let id = parse_uri(named);
        let applications = &self.applications;
        let has_no_charm = |owner: &Owner| match owner {
            Owner::Model => true,
            Owner::Unit(_) => false,
            Owner::Application(name) => applications
                .get(name)
                .is_some_and(|application| application.remote.is_some()),
        };
        let found = self.secrets.values_mut().find(|secret| {
            let label = secret.attributes.label.as_deref();
            has_no_charm(&secret.owner) && (Some(&secret.id) == id.as_ref() || label == Some(named))
        });
        match found {
            Some(secret) => Ok(secret),
            None => bail!("secret {named:?} not found"),
        }
    }

    /// Lets the time come to rotate a charm's secret, named by URI or label, or the end of its latest revision.
    pub(crate) fn secret_due(&mut self, named: &str, expire: bool) -> Result<()> {
        let id = parse_uri(named);
        let found = self.secrets.values_mut().find(|secret| {
            let label = secret.attributes.label.as_deref();
            secret.owner != Owner::Model
                && (Some(&secret.id) == id.as_ref() || label == Some(named))
        });
        let Some(secret) = found else {
            bail!("secret {named:?} not found")
        };
        let long_ago = Timestamp::now() - SignedDuration::from_mins(2);
        if expire {
            let over = Expiry::new(long_ago);
            secret.expiries.insert(secret.latest(), over);
        } else if secret.rotates_at.is_some() {
            secret.rotates_at = Some(long_ago);
        } else {
            bail!("secret {named:?} is never rotated");
        }
        Ok(())
    }

    pub(crate) fn add_user_secret(
        &mut self,
        name: &str,
        content: Content,
        info: Option<String>,
    ) -> Result<String> {
        if self.secrets.values().any(|secret| {
            secret.owner == Owner::Model && secret.attributes.label.as_deref() == Some(name)
        }) {
            bail!("secret with name {name:?} already exists");
        }
        check_content(&content)?;
        let attributes = Attributes {
            label: Some(name.to_owned()),
            description: info,
            ..Attributes::default()
        };
        let id = id::secret();
        self.secrets.insert(
            id.clone(),
            Secret::new(id.clone(), Owner::Model, attributes, content),
        );
        Ok(format!("secret:{id}"))
    }
}

/// Refuses what Juju refuses as a secret's content.
pub(crate) fn check_content(content: &Content) -> Result<()> {
    if content.is_empty() {
        bail!("missing secret value or filename");
    }
    for (key, value) in content {
        if !is_key(key) {
            bail!("key {key:?} not valid");
        }
        if value.is_empty() {
            bail!("empty secret value not valid");
        }
    }
    Ok(())
}
