//! Actions that were asked for.

use super::name::UnitName;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Aborting,
    Aborted,
    Cancelled,
}

impl TaskStatus {
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Aborting)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct LogMessage {
    pub(crate) time: Timestamp,
    pub(crate) message: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) number: u32,
    pub(crate) operation: u32,
    pub(crate) unit: UnitName,
    pub(crate) action: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) status: TaskStatus,
    pub(crate) message: String,
    pub(crate) results: Map<String, Value>,
    pub(crate) log: Vec<LogMessage>,
    pub(crate) enqueued: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
}

impl Task {
    pub(crate) fn finish(
        &mut self,
        status: TaskStatus,
        message: String,
        results: Map<String, Value>,
    ) {
        self.status = status;
        self.message = message;
        self.results = results;
        self.completed = Some(Timestamp::now());
    }
}
