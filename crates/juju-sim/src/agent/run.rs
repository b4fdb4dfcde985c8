//! A unit agent's life: one thing after another until the unit is gone.

use super::hook::Hook;
use super::process::{Exit, Finished};
use super::resolver::{Next, next};
use super::{UnitRuntime, process, record};
use crate::context::{Purpose, flush};
use crate::controller::Controller;
use crate::model::status::Status;
use crate::model::task::TaskStatus;
use crate::model::unit::{PebbleEvent, Renewal};
use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often an idle agent looks by itself.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How long a pod that did not come up is left alone.
const POD_RETRY: Duration = Duration::from_secs(5);
/// How long Juju's agent waits between two polls of Pebble.
const PEBBLE_POLL: Duration = Duration::from_secs(5);

/// Runs the unit until it is removed.
pub(crate) async fn live(controller: Arc<Controller>, unit: Arc<UnitRuntime>) {
    let mut changes = controller.changes();
    while let Err(error) = controller.prepare(&unit).await {
        if record::unprepared(&mut controller.model(), &unit.name, &format!("{error:#}")) {
            return controller.end_unit(&unit).await;
        }
        controller.touch();
        let _ = tokio::time::timeout(POD_RETRY, changes.changed()).await;
    }
    loop {
        changes.mark_unchanged();
        let step = next(&controller.model(), &unit.name);
        let outcome = match step {
            Next::End => break,
            Next::Run(hook) => run_hook(&controller, &unit, hook).await,
            Next::Act(number) => run_action(&controller, &unit, number).await,
            Next::Renew(renewal) => renew(&controller, &unit, renewal).await,
            Next::StartUniter => start_uniter(&controller, &unit).await,
            Next::Wait(until) => {
                record::idle(&mut controller.model(), &unit.name);
                let longest = until.map_or(IDLE_LOOK, |until| {
                    until
                        .saturating_duration_since(std::time::Instant::now())
                        .min(IDLE_LOOK)
                });
                let _ = tokio::time::timeout(longest, changes.changed()).await;
                continue;
            }
        };
        if let Err(error) = outcome {
            controller.model().log.write(
                &unit.name.to_string(),
                "ERROR",
                "juju-sim",
                &format!("{error:#}"),
            );
            tokio::time::sleep(IDLE_LOOK).await;
        }
        controller.touch();
    }
    controller.end_unit(&unit).await;
}

const OPERATION: &str = "juju.worker.uniter.operation";

/// What a hook came to.
enum HookEnd {
    Done {
        status_was_set: bool,
    },
    /// Killed: no fault of the charm's.
    Terminated,
    Failed(String),
}

async fn run_hook(controller: &Arc<Controller>, unit: &UnitRuntime, hook: Hook) -> Result<()> {
    let _turn = unit.turn.lock().await;
    let told = record::before(&mut controller.model(), &unit.name, &hook);
    controller.touch();
    let ran = process::run(controller, unit, Purpose::Hook(hook.clone()), &[]).await;
    let end = hook_end(controller, ran);
    let (name, hook_name) = (unit.name.to_string(), hook.name());
    let script = "(via hook dispatching script: dispatch)";
    let mut model = controller.model();
    match end {
        HookEnd::Done { status_was_set } => {
            let text = format!("ran {hook_name:?} hook {script}");
            model.log.write(&name, "INFO", OPERATION, &text);
            record::done(&mut model, &unit.name, &hook, told, status_was_set);
        }
        HookEnd::Terminated => {
            let text = format!("hook {hook_name:?} was terminated and runs again");
            model.log.write(&name, "WARNING", OPERATION, &text);
            record::killed(&mut model, &unit.name, &hook);
        }
        HookEnd::Failed(fault) => {
            let text = format!("hook {hook_name:?} {script} failed: {fault}");
            model.log.write(&name, "ERROR", OPERATION, &text);
            record::failed(&mut model, &unit.name, &hook);
            drop(model);
            if let Hook::Pebble(event @ PebbleEvent::Ready { .. }) = hook {
                repeat_later(controller, unit, event);
            }
        }
    }
    Ok(())
}

/// Makes the changes of a hook that ended well; Juju may refuse them only now.
fn hook_end(controller: &Controller, ran: Result<Finished>) -> HookEnd {
    let mut finished = match ran {
        Ok(finished) => finished,
        Err(error) => return HookEnd::Failed(format!("{error:#}")),
    };
    match finished.exit {
        Exit::Missing | Exit::Code(0) => {
            match flush::flush(&mut controller.model(), &mut finished.context) {
                Ok(()) if finished.context.reboot => HookEnd::Failed(no_machine(&finished)),
                Ok(()) => HookEnd::Done {
                    status_was_set: finished.context.status_was_set,
                },
                Err(refusal) => HookEnd::Failed(refusal),
            }
        }
        Exit::Terminated if finished.context.reboot => HookEnd::Failed(no_machine(&finished)),
        Exit::Terminated => HookEnd::Terminated,
        Exit::Code(code) => HookEnd::Failed(format!("exit status {code}")),
        Exit::Signal(signal) => HookEnd::Failed(format!("signal: {signal}")),
    }
}

fn no_machine(finished: &Finished) -> String {
    let unit = finished.context.unit.to_string();
    format!("unit {unit:?} is not assigned to a machine")
}

/// Juju runs a failed pebble-ready again at its next poll, and other hooks meanwhile.
fn repeat_later(controller: &Arc<Controller>, unit: &UnitRuntime, event: PebbleEvent) {
    let (controller, name) = (Arc::clone(controller), unit.name.clone());
    tokio::spawn(async move {
        tokio::time::sleep(PEBBLE_POLL).await;
        record::pebble(&mut controller.model(), &name, event);
        controller.touch();
    });
}

async fn run_action(controller: &Arc<Controller>, unit: &UnitRuntime, number: u32) -> Result<()> {
    let _turn = unit.turn.lock().await;
    let name = {
        let mut model = controller.model();
        let task = model.tasks.get_mut(&number).context("the task is gone")?;
        if task.status != TaskStatus::Pending {
            return Ok(());
        }
        task.status = TaskStatus::Running;
        task.started = Some(Timestamp::now());
        let name = task.action.clone();
        if let Some(unit) = model.units.get_mut(&unit.name) {
            unit.agent_status = Status::new("executing", &format!("running action {name}"));
        }
        name
    };
    controller.touch();
    let finished = process::run(controller, unit, Purpose::Action { number, name }, &[]).await;
    finish_action(controller, number, finished);
    Ok(())
}

fn finish_action(controller: &Controller, number: u32, finished: Result<Finished>) {
    let mut model = controller.model();
    let mut finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            if let Some(task) = model.tasks.get_mut(&number) {
                task.finish(TaskStatus::Failed, format!("{error:#}"), Map::new());
            }
            return;
        }
    };
    let mut results = std::mem::take(&mut finished.context.action.results);
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            results.insert(name.to_owned(), Value::String(text.to_owned()));
        }
    };
    put("stdout", &finished.stdout);
    put("stderr", &finished.stderr);
    let aborting = model
        .tasks
        .get(&number)
        .is_some_and(|task| task.status == TaskStatus::Aborting);
    let (mut status, mut message, code) = match finished.exit {
        Exit::Code(0) => match finished.context.action.failure.take() {
            Some(message) => (TaskStatus::Failed, message, 0),
            None => (TaskStatus::Completed, String::new(), 0),
        },
        Exit::Code(code) => (TaskStatus::Failed, format!("exit status {code}"), code),
        Exit::Terminated | Exit::Signal(_) if aborting => {
            (TaskStatus::Aborted, "terminated".to_owned(), -1)
        }
        Exit::Terminated => (TaskStatus::Failed, "terminated".to_owned(), -1),
        Exit::Signal(signal) => (TaskStatus::Failed, format!("signal: {signal}"), -1),
        Exit::Missing => (
            TaskStatus::Failed,
            "action not implemented on unit".to_owned(),
            1,
        ),
    };
    if finished.exit == Exit::Code(0)
        && let Err(refusal) = flush::flush(&mut model, &mut finished.context)
    {
        status = TaskStatus::Failed;
        "committing requested changes failed".clone_into(&mut message);
        results.insert(
            "stderr".to_owned(),
            Value::String(format!("{}{refusal}", finished.stderr)),
        );
    }
    results.insert("return-code".to_owned(), json!(code));
    if let Some(task) = model.tasks.get_mut(&number) {
        task.finish(status, message, results);
    }
}

async fn renew(controller: &Arc<Controller>, unit: &UnitRuntime, renewal: Renewal) -> Result<()> {
    let _turn = unit.turn.lock().await;
    controller.renew_unit(unit, renewal).await?;
    let disk_lost = !matches!(renewal, Renewal::Agent { disk_lost: false });
    record::renewed(&mut controller.model(), &unit.name, disk_lost);
    controller.watch(unit).await;
    Ok(())
}

/// After a notice or check that failed, Juju's agent starts over and hears of everything in the containers again.
async fn start_uniter(controller: &Arc<Controller>, unit: &UnitRuntime) -> Result<()> {
    record::uniter_started(&mut controller.model(), &unit.name);
    controller.watch(unit).await;
    Ok(())
}

/// Runs an operator's command with the hook commands at hand, as `juju exec` does.
pub(crate) async fn command(
    controller: &Arc<Controller>,
    unit: &UnitRuntime,
    words: &[String],
) -> Result<(i32, String, String)> {
    let _turn = unit.turn.lock().await;
    let mut finished = process::run(controller, unit, Purpose::Command, words).await?;
    let code = match finished.exit {
        Exit::Code(code) => code,
        _ => -1,
    };
    if code == 0 {
        flush::flush(&mut controller.model(), &mut finished.context).map_err(anyhow::Error::msg)?;
    }
    controller.touch();
    Ok((code, finished.stdout, finished.stderr))
}

impl UnitRuntime {
    /// The process that runs the charm, if one runs.
    pub(crate) fn charm_process(&self) -> Option<u32> {
        *self
            .charm_process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
