//! What each verb does.

use super::Controller;
use crate::agent::hook::Hook;
use crate::agent::record::{self, Told};
use crate::agent::{UnitRuntime, command};
use crate::model::application::Deployment;
use crate::model::name::UnitName;
use crate::model::secret::{Owner, check_content};
use crate::model::unit::{Churn, Renewal};
use crate::protocol::Request;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

impl Controller {
    /// Does what a client asks.
    pub(super) async fn answer(self: &Arc<Self>, request: Request) -> Result<Value> {
        match request {
            Request::Deploy { .. }
            | Request::DeployRemote { .. }
            | Request::AddUnit { .. }
            | Request::ScaleApplication { .. }
            | Request::Refresh { .. } => self.deploy(request),
            Request::AddSecret { .. }
            | Request::UpdateSecret { .. }
            | Request::GrantSecret { .. }
            | Request::RemoveSecret { .. }
            | Request::SecretDue { .. }
            | Request::Secrets => self.secret(request),
            Request::Run { .. } | Request::Task { .. } | Request::CancelTask { .. } => {
                self.task(request)
            }
            Request::PebbleProgram => Ok(json!(self.pebble_program()?)),
            Request::Exec { unit, words } => {
                let (code, stdout, stderr) = command(self, &*self.runtime(&unit)?, &words).await?;
                Ok(json!({"return-code": code, "stdout": stdout, "stderr": stderr}))
            }
            Request::KillContainer { .. }
            | Request::RestartContainer { .. }
            | Request::Expose { .. }
            | Request::Paths { .. } => self.pod(request).await,
            Request::KillCharm { .. }
            | Request::Fire { .. }
            | Request::Resolved { .. }
            | Request::ReplacePod { .. }
            | Request::RestartAgent { .. }
            | Request::DetachStorage { .. }
            | Request::AttachStorage { .. }
            | Request::SetLeader { .. } => self.disturb(request),
            other => self.model_verb(other),
        }
    }

    fn runtime(&self, unit: &str) -> Result<Arc<UnitRuntime>> {
        let name: UnitName = unit.parse()?;
        self.units()
            .get(&name)
            .cloned()
            .with_context(|| format!("unit {unit:?} not found"))
    }

    fn model_verb(&self, request: Request) -> Result<Value> {
        let mut model = self.model();
        match request {
            Request::Config {
                application,
                set,
                reset,
            } => {
                let application = model.application_mut(&application)?;
                if set.is_empty() && reset.is_empty() {
                    return Ok(application.settings());
                }
                application.configure(&set, &reset)?;
            }
            Request::Integrate { one, other } => return Ok(json!(model.integrate(&one, &other)?)),
            Request::RemoveRelation { one, other } => model.remove_relation(&one, &other)?,
            Request::RemoveUnit { unit } => model.remove_unit(&unit.parse()?)?,
            Request::RemoveApplication { application } => model.remove_application(&application)?,
            Request::SetDatabag {
                application,
                unit,
                values,
            } => model.change_remote(&application, unit, &values)?,
            Request::Status => return Ok(model.status()),
            Request::ShowUnit { unit } => return model.show_unit(&unit.parse()?),
            Request::DebugLog { after } => return Ok(model.log_after(after)),
            Request::Destroy => {}
            _ => bail!("juju-sim does not implement this verb"),
        }
        Ok(Value::Null)
    }

    fn deploy(self: &Arc<Self>, request: Request) -> Result<Value> {
        match request {
            Request::Deploy {
                source,
                name,
                config,
                resources,
                units,
                storage_delay_ms,
                allow_missing_images,
            } => {
                let deployment = Deployment {
                    source,
                    name,
                    config,
                    resources,
                    units,
                    storage_delay: Duration::from_millis(storage_delay_ms),
                    allow_missing_images,
                };
                let name = self.model().deploy_charm(&deployment)?;
                self.add_units(&name, deployment.units, &[])?;
                Ok(json!(name))
            }
            Request::DeployRemote { text, name } => {
                Ok(json!(self.model().deploy_remote(&text, name.as_deref())?))
            }
            Request::AddUnit {
                application,
                count,
                attach_storage,
            } => {
                self.add_units(&application, count, &attach_storage)?;
                Ok(Value::Null)
            }
            Request::ScaleApplication { application, units } => {
                let added = self.model().scale(&application, units)?;
                self.add_units(&application, added, &[])?;
                Ok(Value::Null)
            }
            Request::Refresh {
                application,
                source,
            } => {
                let mut model = self.model();
                model.refresh(&application, source)?;
                Ok(Value::Null)
            }
            _ => bail!("juju-sim does not implement this verb"),
        }
    }

    fn add_units(
        self: &Arc<Self>,
        application: &str,
        count: u32,
        attach_storage: &[String],
    ) -> Result<()> {
        for _ in 0..count {
            let unit = self.model().add_unit(application, attach_storage)?;
            self.start_unit(&unit)?;
        }
        Ok(())
    }

    fn secret(&self, request: Request) -> Result<Value> {
        let mut model = self.model();
        match request {
            Request::AddSecret {
                name,
                content,
                info,
            } => return Ok(json!(model.add_user_secret(&name, content, info)?)),
            Request::UpdateSecret { name, content } => {
                check_content(&content)?;
                model.user_secret(&name)?.update(content);
            }
            Request::GrantSecret {
                name,
                applications,
                grant,
            } => model.grant_secret(&name, &applications, grant)?,
            Request::SecretDue { secret, expire } => model.secret_due(&secret, expire)?,
            Request::RemoveSecret { name } => {
                let id = model.user_secret(&name)?.id.clone();
                model.secrets.remove(&id);
            }
            _ => {
                let shown = model.secrets.values().map(|secret| {
                    let owner = match &secret.owner {
                        Owner::Model => "<model>".to_owned(),
                        Owner::Application(name) => name.clone(),
                        Owner::Unit(name) => name.to_string(),
                    };
                    let grants: Vec<_> = secret.grants.keys().collect();
                    json!({"id": secret.id, "name": secret.attributes.label, "owner": owner, "revision": secret.latest(), "access": grants})
                });
                return Ok(shown.collect());
            }
        }
        Ok(Value::Null)
    }

    fn task(&self, request: Request) -> Result<Value> {
        match request {
            Request::Run {
                unit,
                action,
                parameters,
            } => {
                let (operation, task) =
                    self.model().enqueue(&unit.parse()?, &action, parameters)?;
                Ok(json!({"operation": operation, "task": task}))
            }
            Request::Task { number, log_after } => self.model().show_task(number, log_after),
            Request::CancelTask { number } => {
                let running = self.model().cancel(number)?;
                if let Some(unit) = running {
                    self.runtime(&unit.to_string())?.kill_dispatch();
                }
                Ok(Value::Null)
            }
            _ => bail!("juju-sim does not implement this verb"),
        }
    }

    async fn pod(&self, request: Request) -> Result<Value> {
        let (Request::KillContainer { unit, .. }
        | Request::RestartContainer { unit, .. }
        | Request::Expose { unit, .. }
        | Request::Paths { unit }) = &request
        else {
            bail!("juju-sim does not implement this verb")
        };
        let runtime = self.runtime(unit)?;
        let mut host = runtime.host.lock().await;
        let Some(pod) = host.pod() else {
            bail!("unit {unit:?} has no pod, or not yet")
        };
        match &request {
            Request::KillContainer { container, .. } => pod.kill_container(container).await?,
            Request::RestartContainer { container, .. } => pod.restart_container(container).await?,
            Request::Expose { port, .. } => return Ok(json!(pod.expose(*port).await?.to_string())),
            _ => return self.paths(&runtime, pod),
        }
        Ok(Value::Null)
    }

    fn paths(&self, runtime: &UnitRuntime, pod: &crate::pod::Pod) -> Result<Value> {
        let model = self.model();
        let unit = model.unit(&runtime.name)?;
        let storage: serde_json::Map<String, Value> = unit
            .storage
            .values()
            .map(|instance| {
                (
                    instance.name.clone(),
                    json!(self.storage_folder(&instance.id)),
                )
            })
            .collect();
        let charm = model.application(&runtime.name.application)?.charm.clone();
        let containers = charm.iter().flat_map(|charm| charm.containers.iter());
        let sockets: serde_json::Map<String, Value> = containers
            .map(|container| (container.name.clone(), json!({"pebble-socket": pod.pebble_socket(&container.name), "root": pod.container_root(&container.name)})))
            .collect();
        Ok(json!({"charm": runtime.charm_folder(), "storage": storage, "containers": sockets}))
    }

    fn churn(&self, unit: &str, renewal: Renewal) -> Result<()> {
        self.model().unit_mut(&unit.parse()?)?.agent.churn = Some(Churn::Stop(renewal));
        Ok(())
    }

    /// What goes wrong, or comes unasked, in a model.
    fn disturb(&self, request: Request) -> Result<Value> {
        match request {
            Request::KillCharm { unit } => {
                if !self.runtime(&unit)?.kill_charm() {
                    bail!("unit {unit:?} runs no hook or action now");
                }
            }
            Request::Fire { unit, hook } => {
                let hook = Hook::simple(&hook)
                    .with_context(|| format!("juju-sim cannot fire {hook:?} by itself"))?;
                self.model()
                    .unit_mut(&unit.parse()?)?
                    .agent
                    .fired
                    .push_back(hook);
            }
            Request::Resolved { unit, retry } => {
                let mut model = self.model();
                let name: UnitName = unit.parse()?;
                let Some(failed) = model.unit_mut(&name)?.agent.failed.take() else {
                    bail!("unit {unit:?} is not in an error state")
                };
                if retry {
                    model.unit_mut(&name)?.agent.again = Some(failed.hook);
                } else {
                    let told = Told::now(&model, &name);
                    record::done(&mut model, &name, &failed.hook, told, false);
                }
            }
            Request::ReplacePod { unit } => {
                self.churn(&unit, Renewal::Pod)?;
            }
            Request::RestartAgent { unit, disk_lost } => {
                self.churn(&unit, Renewal::Agent { disk_lost })?;
            }
            Request::DetachStorage { unit, storage } => {
                let mut model = self.model();
                let found = model
                    .unit_mut(&unit.parse()?)?
                    .storage
                    .values_mut()
                    .find(|instance| instance.name == storage || instance.id == storage);
                found
                    .with_context(|| format!("unit {unit:?} has no storage {storage:?}"))?
                    .detaching = true;
            }
            Request::AttachStorage { unit, storage } => {
                self.model().attach_storage(&unit.parse()?, &storage)?;
            }
            Request::SetLeader { unit } => self.model().set_leader(&unit.parse()?)?,
            _ => bail!("juju-sim does not implement this verb"),
        }
        Ok(Value::Null)
    }
}

impl crate::model::Model {
    /// Takes a charm's new files; every unit's pod is replaced by one that has them, the highest number first.
    fn refresh(&mut self, application: &str, source: Option<PathBuf>) -> Result<()> {
        let found = self.application_mut(application)?;
        if let Some(source) = source {
            found.charm_source = source;
        }
        let charm = crate::model::charm::Charm::read(&found.charm_source)?;
        found.charm = Some(Arc::new(charm));
        found.charm_version += 1;
        for unit in self
            .units
            .values_mut()
            .filter(|unit| unit.name.application == application)
        {
            unit.agent.churn = Some(Churn::Turn);
        }
        Ok(())
    }
}
