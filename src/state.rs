//! Everything that a dispatch needs to know, read once and turned into checked types.
//!
//! This is the only place that reads from Juju and Pebble before [`crate::decide`]; the only
//! question to S3 is whether backups of this server exist, and only when its volume is empty.

mod backup_store;
pub mod config;
mod memory;
mod request;
mod workload;

use jiff::Timestamp;
use jujuna::{Context, Event, Juju, SecretEventKind, UnitName};
use pebble_client::Client;

use crate::backup::catalog::BackupId;
use crate::backup::restore::RestoreId;
use crate::event::{Action, Route};
use crate::plan::{Answer, ObsoleteRevision};
use crate::synapse::homeserver_yaml::Settings;
use crate::synapse::names;

pub use backup_store::{BackupSettings, PassphraseSetting, Store};
pub use memory::{BackupFailure, LastBackup, Memory, ShownVersion, StoreMemory, StoreProblem};
pub use request::Request;
pub(crate) use workload::pebble_condition;
pub use workload::{Busy, IDENTITY_LABEL, KnownIdentity, Ready, Service, Volume, Workload};

/// What was read.
#[derive(Debug)]
pub struct State {
    /// This unit.
    pub unit: UnitName,
    /// The time at which reading began.
    pub now: Timestamp,
    /// The homeserver's options, or a sentence for each that is faulty.
    pub homeserver: Result<Settings, Vec<String>>,
    /// The backups' options, relation and secrets.
    pub backup: BackupSettings,
    /// What the S3 provider waits for, if this unit is the one to write it.
    pub answer: Option<Answer>,
    /// A revision of the identity's copy that Juju asks the owner to remove.
    pub obsolete: Option<ObsoleteRevision>,
    /// Whether the volume is there.
    pub storage_attached: bool,
    /// What the unit remembered.
    pub memory: Memory,
    /// The workload container.
    pub workload: Workload,
    /// What the action asks for; none in a hook.
    pub request: Option<Result<Request, String>>,
    /// The name of a backup, should one be made.
    pub fresh_backup_id: Option<BackupId>,
    /// The name of a restore, should one begin.
    pub fresh_restore_id: Option<RestoreId>,
    /// How many units the application shall have; asked only by who must be alone.
    pub planned_units: Option<usize>,
}

impl State {
    /// Whether this is the unit that runs Synapse: a number that never changes hands, on the
    /// volume that is the last to be scaled away. The leader may be another one.
    pub fn is_main_unit(&self) -> bool {
        self.unit.number() == 0
    }

    /// Returns what a dispatch on `route` needs to know.
    ///
    /// # Errors
    ///
    /// Fails when Juju or Pebble does not answer as it should. A container that is not up yet
    /// is no error.
    pub async fn read(
        route: &Route,
        context: &Context,
        juju: &Juju,
        pebble: &Client,
    ) -> anyhow::Result<Self> {
        if *route == Route::Teardown {
            return Self::read_for_teardown(context, juju, pebble).await;
        }
        let app = context.unit.app();
        let now = Timestamp::now();
        let options = juju.config::<config::Options>()?.without_empty();
        let memory = Memory::from_map(&juju.state_get()?);
        let homeserver = options.homeserver(app);
        let (backup, answer) = backup_store::read(&options, context, juju)?;
        let storage_attached = storage_attached(&context.event, &memory, juju)?;
        let mut state = Self {
            unit: context.unit.clone(),
            now,
            homeserver,
            backup,
            answer,
            obsolete: obsolete_copy(&context.event),
            storage_attached,
            memory,
            workload: Workload::Unread,
            request: None,
            fresh_backup_id: None,
            fresh_restore_id: None,
            planned_units: None,
        };
        if let Route::Action(action) = route {
            state.request = Some(Request::read(*action, juju)?);
            state.fresh_backup_id = Some(BackupId::generate());
            state.fresh_restore_id = Some(RestoreId::generate());
            if matches!(action, Action::RestoreBackup | Action::UndoRestore) {
                state.planned_units = Some(juju.goal_state()?.planned_units());
            }
        }
        state.workload = state.read_workload(route, juju, pebble).await?;
        Ok(state)
    }

    async fn read_workload(
        &self,
        route: &Route,
        juju: &Juju,
        pebble: &Client,
    ) -> anyhow::Result<Workload> {
        if !self.storage_attached {
            return Ok(Workload::Unread);
        }
        // Whatever the configuration says, what was begun on the volume comes first.
        if self.is_main_unit()
            && let Some(workload) = workload::read_job(pebble).await
        {
            return Ok(workload);
        }
        match (&self.homeserver, self.is_main_unit()) {
            // With a faulty server_name nobody knows what to look for on the volume.
            (_, false) | (Err(_), true) => Ok(workload::read_bystander(pebble).await),
            (Ok(_), true) if matches!(route, Route::Action(action) if action.only_looks_at_backups()) => {
                Ok(Workload::Unread)
            }
            (Ok(settings), true) => {
                let store = match &self.backup.store {
                    Store::Ready(parameters) => Some(&**parameters),
                    _ => None,
                };
                workload::read(&settings.server_name, &self.memory, store, juju, pebble).await
            }
        }
    }

    /// Reads as little as possible: in these hooks most of what there is to read goes away.
    async fn read_for_teardown(
        context: &Context,
        juju: &Juju,
        pebble: &Client,
    ) -> anyhow::Result<Self> {
        let detaching = matches!(context.event, Event::Storage(_));
        let memory = Memory::from_map(&juju.state_get()?);
        Ok(Self {
            unit: context.unit.clone(),
            now: Timestamp::now(),
            homeserver: Err(Vec::new()),
            backup: BackupSettings::default(),
            answer: None,
            obsolete: None,
            storage_attached: memory.storage_attached && !detaching,
            memory,
            workload: workload::read_bystander(pebble).await,
            request: None,
            fresh_backup_id: None,
            fresh_restore_id: None,
            planned_units: None,
        })
    }
}

/// Returns the revision of the identity's copy that this event says nobody reads any more.
fn obsolete_copy(event: &Event) -> Option<ObsoleteRevision> {
    let Event::Secret(secret) = event else {
        return None;
    };
    let over = matches!(
        secret.kind,
        SecretEventKind::Remove | SecretEventKind::Expired
    );
    let ours = secret.label.as_deref() == Some(IDENTITY_LABEL);
    Some(ObsoleteRevision {
        uri: secret.id.clone(),
        revision: secret.revision.filter(|_| over && ours)?,
    })
}

/// Whether the volume is attached. update-status runs only when nothing else is due, so what
/// the last hook saw still holds.
fn storage_attached(event: &Event, memory: &Memory, juju: &Juju) -> Result<bool, jujuna::Error> {
    if *event == Event::UpdateStatus && memory.storage_attached {
        return Ok(true);
    }
    Ok(!juju.storage_list(names::STORAGE)?.is_empty())
}
