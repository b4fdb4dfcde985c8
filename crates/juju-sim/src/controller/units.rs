//! Units on this machine: their folders, pods and agents.

use super::Controller;
use crate::agent::host::Host;
use crate::agent::{UnitRuntime, live, record};
use crate::model::charm::Charm;
use crate::model::name::UnitName;
use crate::model::unit::{PebbleEvent, Renewal};
use crate::pod::{self, ContainerSpec, Image, Pod, PodSpec};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Folders on this machine, and where the charm sees them.
type StorageMounts = Vec<(PathBuf, PathBuf)>;

impl Controller {
    /// Makes a unit's folder and starts its agent.
    pub(super) fn start_unit(self: &Arc<Self>, name: &UnitName) -> Result<()> {
        let folder = self
            .folder
            .join("u")
            .join(format!("{}-{}", name.application, name.number));
        let unit = Arc::new(UnitRuntime::new(name.clone(), folder, Host::Bare));
        let (source, resources) = {
            let model = self.model();
            let application = model.application(&name.application)?;
            (
                application.charm_source.clone(),
                application.resources.clone(),
            )
        };
        std::fs::create_dir_all(unit.agent_folder())
            .with_context(|| format!("cannot make {}", unit.agent_folder().display()))?;
        copy_charm(&source, &unit.charm_folder())?;
        for (resource, file) in &resources {
            let folder = unit.agent_folder().join("resources").join(resource);
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            std::fs::copy(file, folder.join(file.file_name().unwrap_or_default()))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
        self.units().insert(name.clone(), Arc::clone(&unit));
        tokio::spawn(live(Arc::clone(self), unit));
        Ok(())
    }

    /// Starts the unit's pod, if its charm has containers.
    pub(crate) async fn prepare(self: &Arc<Self>, unit: &UnitRuntime) -> Result<()> {
        let Some((spec, storages)) = self.pod_spec(unit)? else {
            return Ok(());
        };
        let pod = Pod::start(spec)
            .await
            .with_context(|| format!("cannot start the pod of {}", unit.name))?;
        *unit.host.lock().await = Host::Pod {
            pod: Box::new(pod),
            storages,
        };
        self.watch(unit).await;
        Ok(())
    }

    /// Hears of all that happens, and of all that is remembered, in the unit's containers.
    pub(crate) async fn watch(self: &Arc<Self>, unit: &UnitRuntime) {
        let mut host = unit.host.lock().await;
        let Some(pod) = host.pod() else { return };
        let mut events = pod.watch_pebble();
        let (controller, name) = (Arc::clone(self), unit.name.clone());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                record::pebble(&mut controller.model(), &name, translate(event));
                controller.touch();
            }
        });
    }

    pub(super) fn pebble_program(&self) -> Result<PathBuf> {
        let given = self.pebble.clone();
        given.context("no Pebble program was found: run the set-up, or give --pebble")
    }

    /// Where storage lies, whichever unit has it.
    pub(super) fn storage_folder(&self, id: &str) -> PathBuf {
        self.folder.join("storage").join(id.replace('/', "-"))
    }

    fn pod_spec(&self, unit: &UnitRuntime) -> Result<Option<(PodSpec, StorageMounts)>> {
        let model = self.model();
        let application = model.application(&unit.name.application)?;
        let charm: Arc<Charm> = application
            .charm
            .clone()
            .context("the application has no charm")?;
        if charm.containers.is_empty() {
            return Ok(None);
        }
        let containers = charm.containers.iter().map(|container| {
            let file = (container.resource.as_ref())
                .and_then(|resource| application.resources.get(resource));
            let image = match file {
                Some(file) => Image::load(file)?,
                None => Image::default(),
            };
            let mounts = container
                .mounts
                .iter()
                .map(|(storage, location)| (storage.clone(), PathBuf::from(location)))
                .collect();
            Ok(ContainerSpec {
                name: container.name.clone(),
                image,
                mounts,
            })
        });
        let containers = containers.collect::<Result<Vec<_>>>()?;
        let mut storages = BTreeMap::new();
        let mut mounts = Vec::new();
        for instance in model.unit(&unit.name)?.storage.values() {
            let folder = self.storage_folder(&instance.id);
            storages.insert(instance.name.clone(), folder.clone());
            mounts.push((folder, PathBuf::from(&instance.location)));
        }
        let pebble = self.pebble_program()?;
        let spec = PodSpec {
            unit: unit.name.to_string(),
            dir: unit.folder.join("pod"),
            pebble,
            containers,
            storages,
            forwards: self.forwards.clone(),
        };
        Ok(Some((spec, mounts)))
    }

    /// Puts a new pod or agent in the old one's place; with a new disk, with the charm's folder as the application has it now.
    pub(crate) async fn renew_unit(&self, unit: &UnitRuntime, renewal: Renewal) -> Result<()> {
        if renewal == (Renewal::Agent { disk_lost: false }) {
            return Ok(());
        }
        let source = self
            .model()
            .application(&unit.name.application)?
            .charm_source
            .clone();
        let _ = std::fs::remove_dir_all(unit.charm_folder());
        copy_charm(&source, &unit.charm_folder())?;
        if let Some(pod) = unit.host.lock().await.pod()
            && renewal == Renewal::Pod
        {
            pod.replace().await?;
        }
        Ok(())
    }

    /// Takes a unit away after its last hook.
    pub(crate) async fn end_unit(&self, unit: &UnitRuntime) {
        if let Some(pod) = unit.host.lock().await.pod() {
            pod.stop().await;
        }
        *unit.host.lock().await = Host::Bare;
        let _ = std::fs::remove_dir_all(&unit.folder);
        // Before the model forgets it: then a new unit may have its name.
        self.units().remove(&unit.name);
        self.model().forget_unit(&unit.name);
        self.touch();
    }

    /// Ends everything that was started.
    pub(super) async fn end_all(&self) {
        let units: Vec<_> = self.units().values().cloned().collect();
        for unit in units {
            unit.kill_charm();
            if let Some(pod) = unit.host.lock().await.pod() {
                pod.stop().await;
            }
            *unit.host.lock().await = Host::Bare;
        }
    }
}

fn translate(event: pod::PebbleEvent) -> PebbleEvent {
    match event {
        pod::PebbleEvent::PebbleReady { container } => PebbleEvent::Ready { container },
        pod::PebbleEvent::CustomNotice { container, id, key } => {
            PebbleEvent::Notice { container, id, key }
        }
        pod::PebbleEvent::CheckFailed { container, check } => PebbleEvent::Check {
            container,
            check,
            failed: true,
        },
        pod::PebbleEvent::CheckRecovered { container, check } => PebbleEvent::Check {
            container,
            check,
            failed: false,
        },
    }
}

/// Copies a charm with its links resolved, as unpacking it would leave it.
fn copy_charm(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .args(["-rL", "--preserve=mode", "--"])
        .arg(from)
        .arg(to)
        .status()
        .context("cannot start cp")?;
    anyhow::ensure!(status.success(), "cannot copy the charm {}", from.display());
    Ok(())
}

impl UnitRuntime {
    /// Kills the charm that runs, with all that it started in its process group; says whether one ran.
    pub(crate) fn kill_charm(&self) -> bool {
        let Some(pid) = self
            .charm_process()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        else {
            return false;
        };
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).is_ok()
    }

    /// Kills the charm's own process only, as cancelling an action does.
    pub(crate) fn kill_dispatch(&self) -> bool {
        let Some(pid) = self
            .charm_process()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        else {
            return false;
        };
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok()
    }
}
