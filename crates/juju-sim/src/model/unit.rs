//! Units, and what a unit's agent remembers between hooks.

use super::name::UnitName;
use super::status::Status;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) name: UnitName,
    pub(crate) workload_status: Status,
    pub(crate) agent_status: Status,
    pub(crate) storage: BTreeMap<String, StorageInstance>,
    /// What `state-set` keeps.
    pub(crate) charm_state: BTreeMap<String, String>,
    pub(crate) ports: BTreeSet<OpenPort>,
    pub(crate) dying: bool,
    pub(crate) agent: AgentState,
}

#[derive(Debug, Clone)]
pub(crate) struct StorageInstance {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) ready_at: Instant,
    pub(crate) detaching: bool,
}

impl StorageInstance {
    pub(crate) fn is_provisioned(&self) -> bool {
        self.ready_at <= Instant::now()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpenPort {
    pub(crate) protocol: String,
    pub(crate) port: u16,
    /// Empty: all endpoints.
    pub(crate) endpoint: String,
}

/// What is new when an agent comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// The whole pod, with the charm's files.
    Pod,
    /// The agent alone: its containers go on.
    Agent {
        /// Whether the charm's files are unpacked anew.
        disk_lost: bool,
    },
}

/// Where the replacement of a pod or an agent stands. A refresh is a replacement to a charm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Churn {
    /// A rolling upgrade of the application: units of higher numbers go first.
    Turn,
    /// `stop` is to run first.
    Stop(Renewal),
    /// The agent is to do it now.
    Replace(Renewal),
    /// `upgrade-charm` is to run with the new files.
    Upgrade,
}

/// One of the things that Pebble tells a unit's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PebbleEvent {
    Ready {
        container: String,
    },
    Notice {
        container: String,
        id: String,
        key: String,
    },
    Check {
        container: String,
        check: String,
        failed: bool,
    },
}

/// How far a unit has come; it only goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    #[default]
    New,
    Installed,
    Stopped,
    Removed,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "facts independent of one another"
)]
#[derive(Debug, Clone, Default)]
pub(crate) struct AgentState {
    pub(crate) life: Life,
    pub(crate) started: bool,
    /// Whether the unit has taken up leadership.
    pub(crate) led: bool,
    /// Which version of the leader's settings the running agent has told.
    pub(crate) leader_settings: Option<u64>,
    pub(crate) config_version: u64,
    /// What the last hook queued: nothing but storage comes between.
    pub(crate) queued: Option<crate::agent::hook::Hook>,
    /// The agent has come back: `start` runs before anything else.
    pub(crate) rebooted: bool,
    pub(crate) relations: BTreeMap<u32, KnownRelation>,
    pub(crate) storage: BTreeSet<String>,
    pub(crate) pebble: VecDeque<PebbleEvent>,
    pub(crate) update_status: bool,
    pub(crate) churn: Option<Churn>,
    pub(crate) failed: Option<FailedHook>,
    /// Killed in mid-hook: run at once again.
    pub(crate) again: Option<crate::agent::hook::Hook>,
    /// A failing notice or check ends Juju's uniter, which starts anew at this time.
    pub(crate) uniter_starts_at: Option<Instant>,
    /// Hooks an operator fired for a test.
    pub(crate) fired: VecDeque<crate::agent::hook::Hook>,
}

/// A relation that the unit has entered.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownRelation {
    pub(crate) application_version: u64,
    /// Units that have joined, with the version of their data last told.
    pub(crate) members: BTreeMap<UnitName, Option<u64>>,
    /// The agent was started again since: it no longer knows the remote application, nor that peers need no `-broken`.
    pub(crate) agent_restarted: bool,
    /// Members' data as they were read, until a hook about the member comes.
    pub(crate) read: BTreeMap<UnitName, BTreeMap<String, String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct FailedHook {
    pub(crate) hook: crate::agent::hook::Hook,
    pub(crate) attempts: u32,
    pub(crate) retry_at: Instant,
}

impl Unit {
    pub(super) fn new(name: UnitName) -> Self {
        Self {
            name,
            workload_status: Status::new("waiting", "installing agent"),
            agent_status: Status::new("allocating", ""),
            storage: BTreeMap::new(),
            charm_state: BTreeMap::new(),
            ports: BTreeSet::new(),
            dying: false,
            agent: AgentState::default(),
        }
    }

    /// The address that the unit's programs can bind.
    pub(crate) fn address(&self) -> String {
        format!("127.0.1.{}", self.name.number % 250 + 1)
    }

    /// The status that people see: a failed hook covers what the charm said.
    pub(crate) fn shown_status(&self) -> Status {
        match &self.agent.failed {
            Some(failed) => failed.status(),
            None => self.workload_status.clone(),
        }
    }
}

impl FailedHook {
    pub(crate) fn status(&self) -> Status {
        let mut status = Status::new("error", &format!("hook failed: {:?}", self.hook.name()));
        status.data = self.hook.failure_data();
        status
    }
}
