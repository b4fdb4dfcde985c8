//! Hooks: their names, and the part of the environment that tells them apart.

use crate::model::name::UnitName;
use crate::model::unit::PebbleEvent;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    Created,
    Joined,
    Changed,
    Departed,
    Broken,
}

impl RelationKind {
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelationHook {
    pub(crate) kind: RelationKind,
    pub(crate) id: u32,
    pub(crate) endpoint: String,
    /// Empty when the agent no longer knows it.
    pub(crate) remote_application: String,
    pub(crate) remote_unit: Option<UnitName>,
    pub(crate) departing_unit: Option<UnitName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretKind {
    Changed,
    Remove,
    Rotate,
    Expired,
}

impl SecretKind {
    fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Remove => "remove",
            Self::Rotate => "rotate",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hook {
    Install,
    LeaderElected,
    LeaderSettingsChanged,
    ConfigChanged,
    Start,
    UpdateStatus,
    UpgradeCharm,
    Stop,
    Remove,
    Relation(RelationHook),
    StorageAttached {
        id: String,
        name: String,
        kind: String,
        location: String,
    },
    StorageDetaching {
        id: String,
        name: String,
        kind: String,
        location: String,
    },
    Secret {
        kind: SecretKind,
        id: String,
        label: String,
        revision: u32,
    },
    Pebble(PebbleEvent),
}

impl Hook {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Install => "install".to_owned(),
            Self::LeaderElected => "leader-elected".to_owned(),
            Self::LeaderSettingsChanged => "leader-settings-changed".to_owned(),
            Self::ConfigChanged => "config-changed".to_owned(),
            Self::Start => "start".to_owned(),
            Self::UpdateStatus => "update-status".to_owned(),
            Self::UpgradeCharm => "upgrade-charm".to_owned(),
            Self::Stop => "stop".to_owned(),
            Self::Remove => "remove".to_owned(),
            Self::Relation(hook) => format!("{}-relation-{}", hook.endpoint, hook.kind.word()),
            Self::StorageAttached { name, .. } => format!("{name}-storage-attached"),
            Self::StorageDetaching { name, .. } => format!("{name}-storage-detaching"),
            Self::Secret { kind, .. } => format!("secret-{}", kind.word()),
            Self::Pebble(PebbleEvent::Ready { container }) => format!("{container}-pebble-ready"),
            Self::Pebble(PebbleEvent::Notice { container, .. }) => {
                format!("{container}-pebble-custom-notice")
            }
            Self::Pebble(PebbleEvent::Check {
                container,
                failed: true,
                ..
            }) => format!("{container}-pebble-check-failed"),
            Self::Pebble(PebbleEvent::Check {
                container,
                failed: false,
                ..
            }) => format!("{container}-pebble-check-recovered"),
        }
    }

    /// The hooks that an operator may fire for a test.
    pub(crate) fn simple(name: &str) -> Option<Self> {
        let all = [
            Self::ConfigChanged,
            Self::Start,
            Self::UpdateStatus,
            Self::UpgradeCharm,
            Self::LeaderElected,
            Self::LeaderSettingsChanged,
            Self::Install,
            Self::Stop,
        ];
        all.into_iter().find(|hook| hook.name() == name)
    }

    /// What the status of a unit whose hook failed carries.
    pub(crate) fn failure_data(&self) -> Map<String, Value> {
        let mut data = Map::from_iter([("hook".to_owned(), json!(self.name()))]);
        if let Self::Relation(hook) = self {
            data.insert("relation-id".to_owned(), json!(hook.id));
            if let Some(unit) = &hook.remote_unit {
                data.insert("remote-unit".to_owned(), json!(unit.to_string()));
            }
        }
        data
    }

    /// The variables that only this hook has.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Relation(hook) => {
                let mut variables = vec![
                    ("JUJU_RELATION", hook.endpoint.clone()),
                    ("JUJU_RELATION_ID", format!("{}:{}", hook.endpoint, hook.id)),
                    (
                        "JUJU_REMOTE_UNIT",
                        hook.remote_unit
                            .as_ref()
                            .map(ToString::to_string)
                            .unwrap_or_default(),
                    ),
                    ("JUJU_REMOTE_APP", hook.remote_application.clone()),
                ];
                variables.extend(
                    hook.departing_unit
                        .as_ref()
                        .map(|unit| ("JUJU_DEPARTING_UNIT", unit.to_string())),
                );
                variables
            }
            Self::StorageAttached {
                id, kind, location, ..
            }
            | Self::StorageDetaching {
                id, kind, location, ..
            } => {
                vec![
                    ("JUJU_STORAGE_ID", id.clone()),
                    ("JUJU_STORAGE_KIND", kind.clone()),
                    ("JUJU_STORAGE_LOCATION", location.clone()),
                ]
            }
            Self::Secret {
                kind,
                id,
                label,
                revision,
            } => {
                // Juju's own inconsistency: an expired secret comes without its scheme.
                let uri = match kind {
                    SecretKind::Expired => id.clone(),
                    _ => format!("secret:{id}"),
                };
                let mut variables = vec![
                    ("JUJU_SECRET_ID", uri),
                    ("JUJU_SECRET_LABEL", label.clone()),
                ];
                if matches!(kind, SecretKind::Remove | SecretKind::Expired) {
                    variables.push(("JUJU_SECRET_REVISION", revision.to_string()));
                }
                variables
            }
            Self::Pebble(event) => pebble_variables(event),
            _ => Vec::new(),
        }
    }
}

fn pebble_variables(event: &PebbleEvent) -> Vec<(&'static str, String)> {
    match event {
        PebbleEvent::Ready { container } => vec![("JUJU_WORKLOAD_NAME", container.clone())],
        PebbleEvent::Notice { container, id, key } => vec![
            ("JUJU_WORKLOAD_NAME", container.clone()),
            ("JUJU_NOTICE_ID", id.clone()),
            ("JUJU_NOTICE_KEY", key.clone()),
            ("JUJU_NOTICE_TYPE", "custom".to_owned()),
        ],
        PebbleEvent::Check {
            container, check, ..
        } => vec![
            ("JUJU_WORKLOAD_NAME", container.clone()),
            ("JUJU_PEBBLE_CHECK_NAME", check.clone()),
        ],
    }
}
