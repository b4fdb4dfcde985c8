//! Why Juju woke the charm: one value for each kind of hook and for actions.

mod parse;

use std::fmt;
use std::path::PathBuf;

use crate::{RelationId, SecretUri, StorageId, UnitName};

pub(crate) use parse::event;

/// What Juju dispatches. Names are as Juju writes them, dashes and all.
///
/// # Example
///
/// ```
/// use jujuna::Event;
///
/// let event = Event::pebble_ready("web");
/// assert_eq!(event.to_string(), "web-pebble-ready");
/// assert!(!event.is_retried_by_juju());
/// assert!(Event::ConfigChanged.is_retried_by_juju());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first hook of a unit.
    Install,
    /// The unit starts; on Kubernetes again whenever the pod was replaced.
    Start,
    /// The unit is about to be removed, or its pod to be replaced.
    Stop,
    /// The last hook of a unit.
    Remove,
    /// Configuration, trust or an address may have changed. Nothing tells which.
    ConfigChanged,
    /// Nothing happened for a while.
    UpdateStatus,
    /// The charm was upgraded, or the unit's pod was replaced.
    UpgradeCharm,
    /// This unit became the leader.
    LeaderElected,
    /// Another unit became the leader.
    LeaderSettingsChanged,
    /// Something happened to a relation.
    Relation(RelationEvent),
    /// A storage instance came or is about to go.
    Storage(StorageEvent),
    /// Something happened to a secret.
    Secret(SecretEvent),
    /// Pebble in a workload container has something to say.
    Pebble(PebbleEvent),
    /// An operator runs an action.
    Action(ActionEvent),
    /// A hook that this crate does not know, by name: to be ignored, so that a charm lives on under a newer Juju.
    Unknown(String),
}

/// Something that happened to a relation.
///
/// # Example
///
/// ```
/// use jujuna::{Event, RelationEvent, RelationEventKind, RelationId};
///
/// let event = Event::Relation(RelationEvent {
///     endpoint: "db".to_owned(),
///     id: RelationId::new("db", 3),
///     kind: RelationEventKind::Changed,
///     remote_app: Some("pg".to_owned()),
///     remote_unit: None,
///     departing_unit: None,
/// });
/// assert_eq!(event.to_string(), "db-relation-changed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationEvent {
    /// The charm's endpoint.
    pub endpoint: String,
    /// The relation.
    pub id: RelationId,
    /// What happened.
    pub kind: RelationEventKind,
    /// The application at the other end; in a peer relation the charm's own.
    pub remote_app: Option<String>,
    /// The unit at the other end; absent in created, broken, and when the application's databag changed.
    pub remote_unit: Option<UnitName>,
    /// In departed only: the unit that leaves, which may be this one.
    pub departing_unit: Option<UnitName>,
}

/// What happened to a relation.
///
/// [`RelationEvent`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationEventKind {
    /// The relation was made.
    Created,
    /// A remote unit came; changed follows at once.
    Joined,
    /// A remote databag changed.
    Changed,
    /// A unit left.
    Departed,
    /// The relation is gone once this hook ends, though it is still listed.
    Broken,
}

/// A storage instance came or is about to go.
///
/// # Example
///
/// ```
/// use jujuna::{Event, StorageEvent, StorageEventKind, StorageId};
///
/// let event = Event::Storage(StorageEvent {
///     id: StorageId::new("data", 0),
///     kind: StorageEventKind::Attached,
///     location: Some("/data".into()),
/// });
/// assert_eq!(event.to_string(), "data-storage-attached");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEvent {
    /// The instance.
    pub id: StorageId,
    /// What happened.
    pub kind: StorageEventKind,
    /// Where it is mounted in the charm's own container, or the device.
    pub location: Option<PathBuf>,
}

/// What happened to a storage instance.
///
/// [`StorageEvent`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageEventKind {
    /// It can be used.
    Attached,
    /// It is about to go.
    Detaching,
}

/// Something that happened to a secret.
///
/// [`Juju::secret_prune`](crate::Juju::secret_prune) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEvent {
    /// The secret.
    pub id: SecretUri,
    /// What happened.
    pub kind: SecretEventKind,
    /// This unit's label of it.
    pub label: Option<String>,
    /// In remove and expired only: the revision that is meant.
    pub revision: Option<u64>,
}

/// What happened to a secret.
///
/// [`Juju::secret_prune`](crate::Juju::secret_prune) has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretEventKind {
    /// There is a new revision of a secret that this unit reads.
    Changed,
    /// The owner shall write a new revision.
    Rotate,
    /// The revision has expired; the owner shall remove it.
    Expired,
    /// Nobody uses the revision any more; the owner shall remove it.
    Remove,
}

/// What Pebble in a workload container has to say.
///
/// # Example
///
/// ```
/// use jujuna::{Event, PebbleEvent, PebbleEventKind};
///
/// let event = Event::Pebble(PebbleEvent {
///     container: "web".to_owned(),
///     kind: PebbleEventKind::CheckFailed { check: "up".to_owned() },
/// });
/// assert_eq!(event.to_string(), "web-pebble-check-failed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PebbleEvent {
    /// The container's name in the charm's metadata.
    pub container: String,
    /// What happened.
    pub kind: PebbleEventKind,
}

/// What happened in a workload container.
///
/// [`PebbleEvent`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PebbleEventKind {
    /// Pebble answers, for the first time or after a restart.
    Ready,
    /// Somebody in the container notified the charm.
    CustomNotice {
        /// Pebble's id of the notice.
        id: String,
        /// The notice's key, such as `example.com/name`.
        key: String,
    },
    /// A check failed as often as its threshold.
    CheckFailed {
        /// The check's name in the plan.
        check: String,
    },
    /// A failed check succeeded.
    CheckRecovered {
        /// The check's name in the plan.
        check: String,
    },
}

/// An operator runs an action.
///
/// # Example
///
/// ```
/// use jujuna::Event;
///
/// let Event::Action(action) = Event::action("greet", "7") else { unreachable!() };
/// assert_eq!((action.name.as_str(), action.id.as_str()), ("greet", "7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEvent {
    /// The action's name.
    pub name: String,
    /// The task's id, as `juju show-task` takes it.
    pub id: String,
}

impl Event {
    /// An action event, for tests.
    ///
    /// [`ActionEvent`] has an example.
    pub fn action(name: impl Into<String>, id: impl Into<String>) -> Self {
        Self::Action(ActionEvent {
            name: name.into(),
            id: id.into(),
        })
    }

    /// A pebble-ready event, for tests.
    ///
    /// [`Event`] has an example.
    pub fn pebble_ready(container: impl Into<String>) -> Self {
        Self::Pebble(PebbleEvent {
            container: container.into(),
            kind: PebbleEventKind::Ready,
        })
    }

    /// Returns whether the workload may be another one than at the last event: after install, start, upgrade-charm and
    /// pebble-ready.
    ///
    /// # Example
    ///
    /// ```
    /// use jujuna::Event;
    ///
    /// assert!(Event::pebble_ready("web").may_change_workload());
    /// assert!(!Event::ConfigChanged.may_change_workload());
    /// ```
    pub fn may_change_workload(&self) -> bool {
        match self {
            Self::Install | Self::Start | Self::UpgradeCharm => true,
            Self::Pebble(event) => event.kind == PebbleEventKind::Ready,
            _ => false,
        }
    }

    /// Returns whether a failing charm makes Juju show the unit in error and run the hook again with
    /// growing pauses: so with hooks, but not with actions, nor with what Pebble triggers.
    ///
    /// [`Event`] has an example.
    pub fn is_retried_by_juju(&self) -> bool {
        !matches!(self, Self::Action(_) | Self::Pebble(_))
    }
}

/// Writes the event as Juju names it: the hook's name, or the action's.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(event) => write!(f, "{}-relation-{}", event.endpoint, event.kind.word()),
            Self::Storage(event) => write!(f, "{}-storage-{}", event.id.name(), event.kind.word()),
            Self::Secret(event) => write!(f, "secret-{}", event.kind.word()),
            Self::Pebble(event) => write!(f, "{}-pebble-{}", event.container, event.kind.word()),
            Self::Action(event) => f.write_str(&event.name),
            Self::Unknown(name) => f.write_str(name),
            Self::Install => f.write_str("install"),
            Self::Start => f.write_str("start"),
            Self::Stop => f.write_str("stop"),
            Self::Remove => f.write_str("remove"),
            Self::ConfigChanged => f.write_str("config-changed"),
            Self::UpdateStatus => f.write_str("update-status"),
            Self::UpgradeCharm => f.write_str("upgrade-charm"),
            Self::LeaderElected => f.write_str("leader-elected"),
            Self::LeaderSettingsChanged => f.write_str("leader-settings-changed"),
        }
    }
}

impl RelationEventKind {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Joined => "joined",
            Self::Changed => "changed",
            Self::Departed => "departed",
            Self::Broken => "broken",
        }
    }
}

impl StorageEventKind {
    fn word(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Detaching => "detaching",
        }
    }
}

impl SecretEventKind {
    fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Rotate => "rotate",
            Self::Expired => "expired",
            Self::Remove => "remove",
        }
    }
}

impl PebbleEventKind {
    fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::CustomNotice { .. } => "custom-notice",
            Self::CheckFailed { .. } => "check-failed",
            Self::CheckRecovered { .. } => "check-recovered",
        }
    }
}
