//! Carries a plan out: the only writer to Juju, Pebble and S3.

mod actions;
mod restore;
mod store;
mod workload;

use std::collections::BTreeMap;

use jujuna::{Context, Juju, SecretOwner};
use pebble_client::Client;

use crate::plan::{Answer, Condition, IdentityCopy, ObsoleteRevision, Plan, Step};
use crate::state::{IDENTITY_LABEL, Memory, pebble_condition};

/// What a plan came to.
#[derive(Debug)]
pub struct Applied {
    /// What the status says: what was known before, and what the steps came upon.
    pub conditions: Vec<Condition>,
    /// What the unit is to remember.
    pub memory: Memory,
    /// The results of an action.
    pub results: BTreeMap<String, String>,
    /// Why an action failed, or was refused.
    pub failure: Option<String>,
    /// Whether the volume is another one than was read, so that there is something new to read and to do.
    pub again: bool,
}

impl Applied {
    /// What both came to, where `next` was planned from what this left.
    #[must_use]
    pub fn followed_by(mut self, next: Self) -> Self {
        if let (None, Some(trouble)) = (&self.failure, next.failure) {
            // What the job did is not undone by it.
            self.results.insert("synapse".to_owned(), trouble);
        }
        Self {
            conditions: next.conditions,
            memory: next.memory,
            again: false,
            ..self
        }
    }
}

/// The ways out of the charm.
#[derive(Debug)]
pub struct Outside<'a> {
    /// Juju, for this dispatch.
    pub juju: &'a mut Juju,
    /// Pebble in the workload container.
    pub pebble: &'a Client,
    /// What the dispatch is about.
    pub context: &'a Context,
}

/// Why a step was not taken to its end.
#[derive(Debug)]
enum Halt {
    /// Something outside is not as it should be: for the status, or the action's failure.
    Condition(Condition),
    /// An action cannot be done: the reason and the next step.
    Refused(String),
    /// A bug, or Juju failing for reasons of its own.
    Failed(anyhow::Error),
}

impl From<jujuna::Error> for Halt {
    fn from(error: jujuna::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<pebble_client::Error> for Halt {
    fn from(error: pebble_client::Error) -> Self {
        Self::Condition(if error.is_connection_problem() {
            Condition::waiting("synapse: waiting for the container")
        } else {
            pebble_condition(&error)
        })
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Takes the steps of `plan` one after the other.
///
/// When one cannot be taken, those after it are left out, but for the question to S3, which
/// depends on none of them.
///
/// # Errors
///
/// Fails through a bug, or when Juju does not do what it should.
pub async fn apply(plan: Plan, outside: &mut Outside<'_>) -> anyhow::Result<Applied> {
    let mut applied = Applied {
        conditions: plan.conditions,
        memory: plan.memory,
        results: BTreeMap::new(),
        failure: plan.refusal,
        again: false,
    };
    let mut halted = false;
    for step in plan.steps {
        if halted && !matches!(step, Step::ProbeStore(_)) {
            continue;
        }
        match Box::pin(take(step, outside, &mut applied)).await {
            Ok(()) => {}
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Condition(condition)) => {
                applied
                    .failure
                    .get_or_insert_with(|| condition.text.clone());
                applied.conditions.push(condition);
                halted = true;
            }
            Err(Halt::Refused(reason)) => {
                applied.failure = Some(reason);
                halted = true;
            }
        }
    }
    Ok(applied)
}

async fn take(step: Step, outside: &mut Outside<'_>, applied: &mut Applied) -> Result<(), Halt> {
    let Outside { juju, pebble, .. } = outside;
    match step {
        Step::AnswerProvider(answer) => answer_provider(answer, juju)?,
        Step::StopService => workload::stop(pebble).await?,
        Step::OwnVolume => workload::own_volume(pebble).await?,
        Step::PushFile(file) => workload::push_file(file, pebble).await?,
        Step::AddLayer(layer) => workload::add_layer(&layer, pebble).await?,
        Step::Replan(replan) => {
            workload::replan(replan.restarts, juju, pebble).await?;
            applied.memory.replanned = Some(replan.digest);
        }
        Step::AwaitHealth(server_name) => {
            workload::await_health(pebble).await?;
            applied.memory.existed = Some(server_name);
        }
        Step::ShowVersion => workload::show_version(juju, pebble, &mut applied.memory).await?,
        Step::RequireDatabase => workload::require_database(pebble).await?,
        Step::Sweep => workload::sweep(pebble).await,
        Step::StopWaker => restore::stop_waker(pebble).await?,
        Step::SweepRestore(restore) => restore::sweep(&restore, pebble, applied).await?,
        Step::FreeOldData(restore) => restore::free(&restore, pebble).await,
        Step::ResumeJob(job) => restore::resume(*job, outside, applied).await?,
        Step::RestoreBackup(request) => restore::restore_backup(*request, outside, applied).await?,
        Step::UndoRestore(request) => restore::undo_restore(*request, outside, applied).await?,
        Step::DiscardOldData(records) => restore::discard(&records, pebble, applied).await?,
        Step::Tell(results) => {
            let results = results.into_iter();
            applied
                .results
                .extend(results.map(|(key, value)| (key.to_owned(), value)));
        }
        Step::RemoveRevision(obsolete) => remove_revision(obsolete, juju)?,
        Step::CopyIdentity(copy) => copy_identity(&copy, juju, applied)?,
        Step::ProbeStore(request) => {
            let before = applied.memory.store.take();
            applied.memory.store = Some(store::probe(*request, before, outside.context).await);
        }
        Step::CreateBackup(request) => actions::create_backup(*request, outside, applied).await?,
        Step::ListBackups(request) => actions::list_backups(&request, applied).await?,
        Step::ShowBackup(request) => actions::show_backup(&request, applied).await?,
        Step::VerifyBackup(request) => actions::verify_backup(*request, outside, applied).await?,
        Step::DeleteBackup(request) => actions::delete_backup(&request, outside, applied).await?,
        Step::RegisterUser(request) => actions::register_user(&request, applied).await?,
    }
    Ok(())
}

fn answer_provider(answer: Answer, juju: &mut Juju) -> Result<(), Halt> {
    // Asked again because leadership can move between reading and writing.
    if let Some(leader) = juju.leader()? {
        juju.relation_set_app(
            &leader,
            &answer.relation,
            BTreeMap::from([(answer.key.to_owned(), answer.value)]),
        );
    }
    Ok(())
}

fn remove_revision(obsolete: ObsoleteRevision, juju: &mut Juju) -> Result<(), Halt> {
    // Only who leads may; Juju asks the next leader again.
    if let Some(leader) = juju.leader()? {
        let owner = SecretOwner::Application(&leader);
        juju.secret_remove(owner, obsolete.uri, Some(obsolete.revision));
    }
    Ok(())
}

fn copy_identity(copy: &IdentityCopy, juju: &mut Juju, applied: &mut Applied) -> Result<(), Halt> {
    if let Some(leader) = juju.leader()? {
        let content = copy.identity.to_secret(&copy.server_name);
        juju.secret_ensure(SecretOwner::Application(&leader), IDENTITY_LABEL, content);
        applied.memory.identity_copy = Some(copy.identity.digest(&copy.server_name));
    }
    Ok(())
}
