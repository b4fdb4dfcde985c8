//! Applications.

use super::Model;
use super::charm::{Charm, EndpointMetadata, Role};
use super::name::UnitName;
use super::remote::RemoteData;
use super::status::Status;
use super::unit::Unit;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) name: String,
    /// None for a charmless application.
    pub(crate) charm: Option<Arc<Charm>>,
    pub(crate) charm_source: PathBuf,
    pub(crate) endpoints: BTreeMap<String, EndpointMetadata>,
    pub(crate) config: BTreeMap<String, Value>,
    /// Counts changes of the configuration; 1 at first.
    pub(crate) config_version: u64,
    /// Counts refreshes of the charm.
    pub(crate) charm_version: u64,
    pub(crate) status: Option<Status>,
    pub(crate) version: String,
    pub(crate) leader: Option<UnitName>,
    pub(crate) leader_settings: BTreeMap<String, String>,
    /// Counts changes of the leader's settings; 1 at first.
    pub(crate) leader_settings_version: u64,
    pub(crate) resources: BTreeMap<String, PathBuf>,
    pub(crate) storage_delay: Duration,
    pub(crate) next_unit: u32,
    pub(crate) dying: bool,
    pub(crate) remote: Option<RemoteData>,
}

/// What `deploy` was given for a charm.
#[derive(Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) source: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) resources: BTreeMap<String, PathBuf>,
    pub(crate) units: u32,
    pub(crate) storage_delay: Duration,
    /// Containers may lack an image: they are empty then.
    pub(crate) allow_missing_images: bool,
}

impl Application {
    pub(super) fn remote(
        name: &str,
        endpoints: BTreeMap<String, EndpointMetadata>,
        data: RemoteData,
    ) -> Self {
        Self {
            name: name.to_owned(),
            charm: None,
            charm_source: PathBuf::new(),
            endpoints,
            config: BTreeMap::new(),
            config_version: 1,
            charm_version: 1,
            status: None,
            version: String::new(),
            leader: None,
            leader_settings: BTreeMap::new(),
            leader_settings_version: 1,
            resources: BTreeMap::new(),
            storage_delay: Duration::ZERO,
            next_unit: 0,
            dying: false,
            remote: Some(data),
        }
    }

    /// The configuration as charms see it.
    pub(crate) fn configuration(&self) -> BTreeMap<String, Option<Value>> {
        self.charm
            .as_ref()
            .map(|charm| charm.configuration(&self.config))
            .unwrap_or_default()
    }

    /// Takes settings and resets; says whether anything changed.
    pub(crate) fn configure(
        &mut self,
        set: &BTreeMap<String, String>,
        reset: &[String],
    ) -> Result<bool> {
        let charm = self
            .charm
            .clone()
            .with_context(|| format!("application {:?} has no charm and no options", self.name))?;
        if let Some(unknown) = reset.iter().find(|name| !charm.options.contains_key(*name)) {
            bail!("unknown option {unknown:?}");
        }
        let before = self.config.clone();
        let settings = charm.settings(set)?;
        self.config.retain(|name, _| !reset.contains(name));
        self.config.extend(settings);
        let changed = self.config != before;
        self.config_version += u64::from(changed);
        Ok(changed)
    }
}

impl Model {
    /// Adds an application of a charm; its units are added after.
    pub(crate) fn deploy_charm(&mut self, deployment: &Deployment) -> Result<String> {
        let charm = Charm::read(&deployment.source)?;
        let name = deployment
            .name
            .clone()
            .unwrap_or_else(|| charm.name.clone());
        self.check_new_application(&name)?;
        let config = charm.settings(&deployment.config)?;
        check_resources(&charm, deployment)?;
        let peers: Vec<_> = charm
            .endpoints
            .iter()
            .filter(|(_, end)| end.role == Role::Peer)
            .map(|(name, end)| (name.clone(), end.interface.clone()))
            .collect();
        let mut application =
            Application::remote(&name, charm.endpoints.clone(), RemoteData::default());
        application.endpoints.insert(
            "juju-info".to_owned(),
            EndpointMetadata {
                role: Role::Provider,
                interface: "juju-info".to_owned(),
                limit: None,
            },
        );
        application.remote = None;
        application.charm = Some(Arc::new(charm));
        application.charm_source.clone_from(&deployment.source);
        application.config = config;
        application.resources.clone_from(&deployment.resources);
        application.storage_delay = deployment.storage_delay;
        self.applications.insert(name.clone(), application);
        for (endpoint, interface) in peers {
            self.add_peer_relation(&name, &endpoint, &interface);
        }
        Ok(name)
    }

    /// Adds one unit, with its storage on the way; the first leads.
    pub(crate) fn add_unit(
        &mut self,
        application: &str,
        attach_storage: &[String],
    ) -> Result<UnitName> {
        let found = self.application_mut(application)?;
        if found.dying {
            bail!(
                "cannot add unit 1/1 to application {application:?}: application is not found or not alive"
            );
        }
        let charm = found.charm.clone().with_context(|| {
            format!("application {application:?} has no charm: describe its units in its file")
        })?;
        let ready_at = Instant::now() + found.storage_delay;
        let storage = self.storage_of_new_unit(&charm.storage, attach_storage, ready_at)?;
        let found = self.application_mut(application)?;
        let name = UnitName::new(application, found.next_unit);
        found.next_unit += 1;
        found.leader.get_or_insert_with(|| name.clone());
        let mut unit = Unit::new(name.clone());
        unit.storage = storage;
        self.units.insert(name.clone(), unit);
        Ok(name)
    }

    /// Begins to remove the units of the highest numbers that are too many; says how many are to be added.
    pub(crate) fn scale(&mut self, application: &str, wanted: u32) -> Result<u32> {
        self.application(application)?;
        let alive = self.units_of(application).filter(|unit| !unit.dying);
        let alive: Vec<_> = alive.map(|unit| unit.name.clone()).collect();
        for unit in alive.iter().skip(usize::try_from(wanted)?) {
            self.remove_unit(unit)?;
        }
        Ok(wanted.saturating_sub(u32::try_from(alive.len())?))
    }

    /// Begins to remove a unit.
    pub(crate) fn remove_unit(&mut self, name: &UnitName) -> Result<()> {
        if self
            .applications
            .get(&name.application)
            .is_some_and(|application| application.remote.is_some())
        {
            return self.remove_remote_unit(name);
        }
        self.unit_mut(name)?.dying = true;
        for relation in self.relations.values_mut() {
            relation.members.remove(name);
        }
        Ok(())
    }

    /// Begins to remove an application with its units and relations.
    pub(crate) fn remove_application(&mut self, name: &str) -> Result<()> {
        self.application_mut(name)?.dying = true;
        for relation in self
            .relations
            .values_mut()
            .filter(|relation| !relation.is_peer() && relation.endpoint_of(name).is_some())
        {
            relation.dying = true;
        }
        let units: BTreeSet<_> = self.units_of(name).map(|unit| unit.name.clone()).collect();
        for unit in &units {
            self.remove_unit(unit)?;
        }
        if units.is_empty() {
            self.applications.remove(name);
            self.secrets.retain(|_, secret| {
                secret.owner != super::secret::Owner::Application(name.to_owned())
            });
        }
        self.drop_finished_relations();
        Ok(())
    }

    /// Grants an operator's secret to applications.
    pub(crate) fn grant_secret(
        &mut self,
        named: &str,
        applications: &[String],
        grant: bool,
    ) -> Result<()> {
        for application in applications {
            self.application(application)?;
        }
        let secret = self.user_secret(named)?;
        for application in applications {
            if grant {
                secret.grants.insert(application.clone(), None);
            } else {
                secret.grants.remove(application);
            }
        }
        Ok(())
    }
}

fn check_resources(charm: &Charm, deployment: &Deployment) -> Result<()> {
    let given = &deployment.resources;
    for (name, path) in given {
        if !charm.resources.contains_key(name) {
            bail!("unrecognized resource {name:?}");
        }
        if !Path::new(path).is_file() {
            bail!(
                "file for resource {name:?}: {} is not a file",
                path.display()
            );
        }
    }
    let missing = charm
        .containers
        .iter()
        .filter_map(|container| container.resource.as_ref())
        .find(|resource| !given.contains_key(*resource) && !deployment.allow_missing_images);
    if let Some(missing) = missing {
        bail!(
            "local charm missing OCI images for: {missing} (give --resource {missing}=FILE, a file that describes the image)"
        );
    }
    Ok(())
}
