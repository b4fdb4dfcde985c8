//! Actions and statuses, and waiting for them.

use super::{Error, Juju, Result, Status, TaskOutcome};
use crate::protocol::Request;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(50);

impl Juju {
    /// Queues an action; returns the task's number.
    ///
    /// # Errors
    /// An unknown unit or action, parameters that the charm's schema refuses.
    pub fn enqueue(&self, unit: &str, action: &str, parameters: Map<String, Value>) -> Result<u32> {
        let queued = self.ask(&Request::Run {
            unit: unit.to_owned(),
            action: action.to_owned(),
            parameters,
        })?;
        queued["task"]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| Error::refused("the controller named no task".to_owned()))
    }

    /// A task as it stands.
    ///
    /// # Errors
    /// An unknown task.
    pub fn show_task(&self, number: u32) -> Result<TaskOutcome> {
        self.get(&Request::Task {
            number,
            log_after: 0,
        })
    }

    /// Waits for a task's end; `progress` gets each `action-log` line as it comes.
    ///
    /// # Errors
    /// An unknown task; [`Error::is_timeout`] when it has not ended within `timeout`.
    pub fn wait_task(
        &self,
        number: u32,
        timeout: Duration,
        mut progress: impl FnMut(&str),
    ) -> Result<TaskOutcome> {
        let deadline = Instant::now() + timeout;
        let mut seen = 0;
        loop {
            let mut outcome: TaskOutcome = self.get(&Request::Task {
                number,
                log_after: seen,
            })?;
            for line in &outcome.log {
                progress(&line.message);
            }
            seen += outcome.log.len();
            if outcome.finished {
                outcome.log = self.show_task(number)?.log;
                return Ok(outcome);
            }
            if Instant::now() >= deadline {
                return Err(Error::timeout(format!(
                    "task {number} has not ended within {timeout:?}"
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Runs an action and waits for its end. A failed action is an outcome, not an error.
    ///
    /// # Errors
    /// As [`Juju::enqueue`] and [`Juju::wait_task`].
    pub fn run(
        &self,
        unit: &str,
        action: &str,
        parameters: Map<String, Value>,
        timeout: Duration,
    ) -> Result<TaskOutcome> {
        let number = self.enqueue(unit, action, parameters)?;
        self.wait_task(number, timeout, |_| ())
    }

    /// Cancels a task.
    ///
    /// # Errors
    /// An unknown task, or one that has ended.
    pub fn cancel_task(&self, number: u32) -> Result<()> {
        self.tell(&Request::CancelTask { number })
    }

    /// What `status --format json` tells.
    ///
    /// # Errors
    /// When the controller is gone.
    pub fn status(&self) -> Result<Status> {
        self.get(&Request::Status)
    }

    /// Waits until `done` says so of the status.
    ///
    /// # Errors
    /// [`Error::is_timeout`], with the last status and the log's end, after `timeout`.
    pub fn wait_for(
        &self,
        timeout: Duration,
        mut done: impl FnMut(&Status) -> bool,
    ) -> Result<Status> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.status()?;
            if done(&status) {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let log = self.debug_log()?;
                let tail = log[log.len().saturating_sub(40)..].join("\n");
                return Err(Error::timeout(format!(
                    "the status did not come within {timeout:?}; it is {status}, the log ends:\n{tail}"
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until a unit's workload has this status, its agent idle.
    ///
    /// # Errors
    /// As [`Juju::wait_for`].
    pub fn wait_for_unit(&self, unit: &str, workload: &str, timeout: Duration) -> Result<Status> {
        self.wait_for(timeout, |status| {
            status.unit(unit).is_some_and(|unit| {
                unit.workload.current == workload && unit.agent.current == "idle"
            })
        })
    }

    /// Waits until no agent has anything left to do; a unit in an error state is not waited for.
    ///
    /// # Errors
    /// As [`Juju::wait_for`].
    pub fn wait_until_idle(&self, timeout: Duration) -> Result<Status> {
        let mut quiet = 0;
        self.wait_for(timeout, |status| {
            let idle = status
                .units()
                .all(|(_, unit)| unit.agent.current == "idle" || unit.workload.current == "error");
            quiet = if idle { quiet + 1 } else { 0 };
            quiet > 2
        })
    }
}
