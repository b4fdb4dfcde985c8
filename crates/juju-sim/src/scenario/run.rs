//! Takes the steps of a scenario.

use super::existing;
use super::expect::{Expect, Matcher, difference, text};
use super::steps::{AddUnit, Deploy, Exec, Outcome, Pebble, Resource, Run, Setting, Step};
use crate::client::{self, Juju, TaskOutcome};
use crate::forms;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How often an expectation is looked at.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Runner<'a> {
    juju: &'a Juju,
    /// Of the scenario's file.
    folder: &'a Path,
    within: Duration,
    /// The URIs of operators' secrets, by name.
    secrets: BTreeMap<String, String>,
    /// The numbers of actions in the background, by name.
    tasks: BTreeMap<String, u32>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(juju: &'a Juju, folder: &'a Path, within: Duration) -> Self {
        Self {
            juju,
            folder,
            within,
            secrets: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }

    /// Takes one step; `index` names its files.
    pub(super) fn take(&mut self, step: &Step, index: usize) -> Result<()> {
        match step {
            Step::Deploy(deploy) => self.deploy(deploy, index)?,
            Step::Remote(description) => {
                let text = serde_norway::to_string(description)?;
                self.juju.deploy_remote(&text, None)?;
            }
            Step::Refresh(refresh) => {
                let charm = self.charm(refresh.charm.as_deref(), &refresh.files, index)?;
                self.juju.refresh(&refresh.application, charm.as_deref())?;
            }
            Step::Config(applications) => self.config(applications)?,
            Step::AddSecret(secret) => {
                let uri = self.juju.add_secret(&secret.name, pairs(&secret.content))?;
                self.secrets.insert(secret.name.clone(), uri);
            }
            Step::Run(run) => self.run(run)?,
            Step::Cancel(name) => self.juju.cancel_task(self.task(name)?)?,
            Step::Task(task) => {
                let number = self.task(&task.name)?;
                self.outcome(number, &task.outcome)?;
            }
            Step::Exec(exec) => self.exec(exec)?,
            Step::Pebble(pebble) => self.pebble(pebble)?,
            Step::Expect(expect) => self.expect(expect)?,
            verb => plain(self.juju, verb)?,
        }
        Ok(())
    }

    fn deploy(&self, deploy: &Deploy, index: usize) -> Result<()> {
        let charm = self
            .charm(deploy.charm.as_deref(), &deploy.files, index)?
            .context("a charm is a folder (charm) or written here (files)")?;
        let mut resources = BTreeMap::new();
        for (name, resource) in &deploy.resources {
            let file = match resource {
                Resource::File(path) => existing(self.folder, path)?,
                Resource::Image(image) => {
                    let file = self.scratch(index)?.join(format!("{name}.yaml"));
                    std::fs::write(&file, serde_norway::to_string(image)?)?;
                    file
                }
            };
            resources.insert(name.clone(), file);
        }
        let mut config = BTreeMap::new();
        for (name, setting) in &deploy.config {
            config.extend(Some(name.clone()).zip(self.setting(setting)?));
        }
        let delay = deploy.storage_delay.as_deref().map(forms::duration);
        self.juju.deploy(&client::Deploy {
            application: deploy.application.clone(),
            config,
            resources,
            units: deploy.units,
            storage_delay: delay.transpose()?.unwrap_or_default(),
            ..client::Deploy::new(charm)
        })?;
        Ok(())
    }

    /// A folder of this step's own, which goes with the model.
    fn scratch(&self, index: usize) -> Result<PathBuf> {
        let folder = self.juju.folder().join(format!("step-{}", index + 1));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    fn charm(
        &self,
        folder: Option<&Path>,
        files: &BTreeMap<PathBuf, String>,
        index: usize,
    ) -> Result<Option<PathBuf>> {
        if files.is_empty() {
            return folder.map(|path| existing(self.folder, path)).transpose();
        }
        let charm = self.scratch(index)?.join("charm");
        for (path, content) in files {
            crate::pod::check_inside(&Path::new("/").join(path))?;
            let file = charm.join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(&charm))?;
            std::fs::write(&file, content)
                .with_context(|| format!("cannot write {}", file.display()))?;
            if content.starts_with("#!") {
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
            }
        }
        Ok(Some(charm))
    }

    /// The value as text; none sets the option back.
    fn setting(&self, setting: &Setting) -> Result<Option<String>> {
        Ok(match setting {
            Setting::Reset(()) => None,
            Setting::Bool(value) => Some(value.to_string()),
            Setting::Number(number) => Some(number.to_string()),
            Setting::Text(text) => Some(text.clone()),
            Setting::Secret { secret } => {
                let uri = self.secrets.get(secret);
                Some(
                    uri.with_context(|| format!("no add-secret named {secret:?}"))?
                        .clone(),
                )
            }
        })
    }

    fn config(&self, applications: &BTreeMap<String, BTreeMap<String, Setting>>) -> Result<()> {
        for (application, settings) in applications {
            let mut set = BTreeMap::new();
            let mut reset = Vec::new();
            for (name, setting) in settings {
                match self.setting(setting)? {
                    Some(value) => drop(set.insert(name.as_str(), value)),
                    None => reset.push(name.as_str()),
                }
            }
            if !set.is_empty() {
                let set = set.iter().map(|(name, value)| (*name, value.as_str()));
                self.juju.config(application, set)?;
            }
            if !reset.is_empty() {
                self.juju.config_reset(application, &reset)?;
            }
        }
        Ok(())
    }

    fn task(&self, name: &str) -> Result<u32> {
        let number = self.tasks.get(name);
        number
            .copied()
            .with_context(|| format!("no action runs in the background as {name:?}"))
    }

    fn run(&mut self, run: &Run) -> Result<()> {
        let number = self
            .juju
            .enqueue(&run.unit, &run.action, run.parameters.clone())?;
        match &run.background {
            Some(name) => {
                self.tasks.insert(name.clone(), number);
                Ok(())
            }
            None => self.outcome(number, &run.outcome),
        }
    }

    fn within(&self, given: Option<&str>) -> Result<Duration> {
        Ok(given
            .map(forms::duration)
            .transpose()?
            .unwrap_or(self.within))
    }

    fn outcome(&self, number: u32, wanted: &Outcome) -> Result<()> {
        let within = self.within(wanted.within.as_deref())?;
        let found = self.juju.wait_task(number, within, |_| ())?;
        let status = wanted.status.as_deref().unwrap_or("completed");
        if found.status != status {
            bail!(
                "the action is {}, not {status}: {}{}",
                found.status,
                found.message,
                said(&found)
            );
        }
        let mut unmet = Vec::new();
        if let Some(wanted) = &wanted.message {
            unmet.extend(difference("the message", wanted, Some(&found.message)));
        }
        for (key, wanted) in &wanted.results {
            let inner = key
                .split('.')
                .try_fold(None, |inner: Option<&Value>, key| match inner {
                    None => found.results.get(key).map(Some),
                    Some(value) => value.get(key).map(Some),
                });
            let value = inner.flatten().map(text);
            unmet.extend(difference(
                &format!("result {key}"),
                wanted,
                value.as_deref(),
            ));
        }
        let mut lines = found.log.iter();
        let missing = wanted
            .log
            .iter()
            .find(|wanted| !lines.any(|line| wanted.fits(Some(&line.message))));
        unmet.extend(
            missing.map(|wanted| format!("no line of its log, or not in that order, is {wanted}")),
        );
        met(&unmet)
    }

    fn exec(&self, exec: &Exec) -> Result<()> {
        let words: Vec<_> = exec.command.iter().map(String::as_str).collect();
        let (code, stdout, stderr) = self.juju.exec(&exec.unit, &words)?;
        if code != exec.code {
            bail!("exit code {code}, not {}: {stdout}{stderr}", exec.code);
        }
        let mut unmet = Vec::new();
        for (what, wanted, found) in [
            ("standard output", &exec.stdout, &stdout),
            ("standard error", &exec.stderr, &stderr),
        ] {
            unmet.extend(
                wanted
                    .iter()
                    .filter_map(|wanted| printed(what, wanted, found)),
            );
        }
        met(&unmet)
    }

    fn pebble(&self, pebble: &Pebble) -> Result<()> {
        let socket = self.juju.pebble_socket(&pebble.unit, &pebble.container)?;
        let program = self.juju.pebble_program()?;
        let output = Command::new(&program)
            .args(&pebble.command)
            .env("PEBBLE_SOCKET", socket)
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if !output.status.success() {
            bail!("{}: {stdout}{stderr}", output.status);
        }
        let unmet: Vec<_> = pebble
            .stdout
            .iter()
            .filter_map(|wanted| printed("standard output", wanted, &stdout))
            .collect();
        met(&unmet)
    }

    fn expect(&self, expect: &Expect) -> Result<()> {
        let within = self.within(expect.within.as_deref())?;
        let deadline = Instant::now() + within;
        loop {
            let unmet = match expect.unmet(self.juju) {
                Ok(unmet) => unmet,
                // A unit that is not there yet, say.
                Err(error) => vec![format!("{error:#}")],
            };
            if unmet.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("not within {within:?}: {}", unmet.join("; "));
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn said(task: &TaskOutcome) -> String {
    task.result("stderr")
        .map(|text| format!(" ({})", text.trim()))
        .unwrap_or_default()
}

/// Compares without the last newline, which programs print and people do not write.
fn printed(what: &str, wanted: &Matcher, found: &str) -> Option<String> {
    difference(what, wanted, Some(found.trim_end_matches('\n')))
}

fn met(unmet: &[String]) -> Result<()> {
    if unmet.is_empty() {
        return Ok(());
    }
    bail!("{}", unmet.join("; "))
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Verbs that are one call of the client's.
fn plain(juju: &Juju, step: &Step) -> Result<()> {
    match step {
        Step::Integrate([one, other]) => juju.integrate(one, other)?,
        Step::RemoveRelation([one, other]) => juju.remove_relation(one, other)?,
        Step::AddUnit(AddUnit::Fresh(application)) => juju.add_unit(application, 1)?,
        Step::AddUnit(AddUnit::WithStorage {
            application,
            attach_storage,
        }) => {
            let ids: Vec<_> = attach_storage.iter().map(String::as_str).collect();
            juju.add_unit_with_storage(application, &ids)?;
        }
        Step::RemoveUnit(unit) => juju.remove_unit(unit)?,
        Step::Scale(applications) => {
            for (application, units) in applications {
                juju.scale_application(application, *units)?;
            }
        }
        Step::RemoveApplication(application) => juju.remove_application(application)?,
        Step::UpdateSecret(secret) => juju.update_secret(&secret.name, pairs(&secret.content))?,
        Step::GrantSecret(grant) => juju.grant_secret(&grant.name, &grant.application)?,
        Step::RevokeSecret(grant) => juju.revoke_secret(&grant.name, &grant.application)?,
        Step::RemoveSecret(name) => juju.remove_secret(name)?,
        Step::RotateSecret(secret) => juju.rotate_secret(secret)?,
        Step::ExpireSecret(secret) => juju.expire_secret(secret)?,
        Step::SetDatabag(bag) => {
            juju.set_databag(&bag.application, bag.unit, pairs(&bag.values))?;
        }
        Step::SetLeader(unit) => juju.set_leader(unit)?,
        Step::Fire(fire) => juju.fire(&fire.unit, &fire.hook)?,
        Step::Resolved(resolved) => juju.resolved(&resolved.unit, resolved.retry)?,
        Step::ReplacePod(unit) => juju.replace_pod(unit)?,
        Step::RestartAgent(unit) => juju.restart_agent(unit, false)?,
        Step::KillCharm(unit) => juju.kill_charm(unit)?,
        Step::KillContainer(named) => juju.kill_container(&named.unit, &named.container)?,
        Step::RestartContainer(named) => juju.restart_container(&named.unit, &named.container)?,
        Step::DetachStorage(named) => juju.detach_storage(&named.unit, &named.storage)?,
        Step::AttachStorage(named) => juju.attach_storage(&named.unit, &named.storage)?,
        _ => bail!("this step is no single verb"),
    }
    Ok(())
}
