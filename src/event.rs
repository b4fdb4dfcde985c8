//! Which route a Juju event takes.
//!
//! The charm is level-triggered: nearly every hook takes the one route [`Route::Reconcile`],
//! so that the same input gives the same result whichever event woke it.

use jujuna::{Event, StorageEventKind};

use crate::synapse::names;

/// What a dispatch is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Make the workload what configuration, relations and volume say.
    Reconcile,
    /// The unit or its volume goes away: stop Synapse cleanly, write to no relation.
    Teardown,
    /// Someone ran an action.
    Action(Action),
    /// Someone ran an action that this charm does not have.
    UnknownAction(String),
    /// An event of another revision of the charm, or of a newer Juju.
    Ignore,
}

/// The actions of `actions.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Back up the running server.
    CreateBackup,
    /// List what is in the S3 path.
    ListBackups,
    /// Show what is known of one backup.
    ShowBackup,
    /// Look whether a backup could be restored.
    VerifyBackup,
    /// Remove a backup.
    DeleteBackup,
    /// Make the data of a backup live.
    RestoreBackup,
    /// Make live again what a restore put aside.
    UndoRestore,
    /// Free what restores put aside.
    DiscardOldData,
    /// Start as a new server although this one existed before.
    StartEmpty,
    /// Register a user.
    RegisterUser,
}

impl Route {
    /// Returns the route of `event`.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Stop | Event::Remove => Self::Teardown,
            Event::Storage(storage)
                if storage.kind == StorageEventKind::Detaching
                    && storage.id.name() == names::STORAGE =>
            {
                Self::Teardown
            }
            Event::Install
            | Event::Start
            | Event::ConfigChanged
            | Event::UpdateStatus
            | Event::UpgradeCharm
            | Event::LeaderElected
            | Event::LeaderSettingsChanged
            | Event::Relation(_)
            | Event::Storage(_)
            | Event::Secret(_)
            | Event::Pebble(_) => Self::Reconcile,
            Event::Action(action) => Action::named(&action.name)
                .map_or_else(|| Self::UnknownAction(action.name.clone()), Self::Action),
            Event::Unknown(_) => Self::Ignore,
        }
    }
}

impl Route {
    /// Whether a dispatch on this route says anew how the unit is.
    pub fn changes_status(&self) -> bool {
        matches!(
            self,
            Self::Reconcile
                | Self::Action(
                    Action::CreateBackup
                        | Action::VerifyBackup
                        | Action::DeleteBackup
                        | Action::RestoreBackup
                        | Action::UndoRestore
                        | Action::DiscardOldData
                        | Action::StartEmpty
                )
        )
    }
}

impl Action {
    /// Whether it asks S3 and nothing else: then the workload is not read.
    pub fn only_looks_at_backups(self) -> bool {
        matches!(self, Self::ListBackups | Self::ShowBackup)
    }

    /// Every action, for whoever must treat each.
    pub const ALL: [Self; 10] = [
        Self::CreateBackup,
        Self::ListBackups,
        Self::ShowBackup,
        Self::VerifyBackup,
        Self::DeleteBackup,
        Self::RestoreBackup,
        Self::UndoRestore,
        Self::DiscardOldData,
        Self::StartEmpty,
        Self::RegisterUser,
    ];

    /// Returns the action's name in `actions.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateBackup => "create-backup",
            Self::ListBackups => "list-backups",
            Self::ShowBackup => "show-backup",
            Self::VerifyBackup => "verify-backup",
            Self::DeleteBackup => "delete-backup",
            Self::RestoreBackup => "restore-backup",
            Self::UndoRestore => "undo-restore",
            Self::DiscardOldData => "discard-old-data",
            Self::StartEmpty => "start-empty",
            Self::RegisterUser => "register-user",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jujuna::{StorageEvent, StorageId};

    fn storage(name: &str, kind: StorageEventKind) -> Event {
        Event::Storage(StorageEvent {
            id: StorageId::new(name, 0),
            kind,
            location: None,
        })
    }

    #[test]
    fn hooks_reconcile_whatever_they_are() {
        for event in [
            Event::Install,
            Event::UpdateStatus,
            Event::LeaderSettingsChanged,
            Event::pebble_ready("synapse"),
            storage("data", StorageEventKind::Attached),
            storage("other", StorageEventKind::Detaching),
        ] {
            assert_eq!(Route::of(&event), Route::Reconcile, "{event}");
        }
    }

    #[test]
    fn hooks_of_the_end_tear_down() {
        for event in [
            Event::Stop,
            Event::Remove,
            storage("data", StorageEventKind::Detaching),
        ] {
            assert_eq!(Route::of(&event), Route::Teardown, "{event}");
        }
    }

    #[test]
    fn each_action_has_its_route_and_an_unknown_one_is_named() {
        for action in Action::ALL {
            assert_eq!(
                Route::of(&Event::action(action.name(), "1")),
                Route::Action(action)
            );
        }
        assert_eq!(
            Route::of(&Event::action("x", "1")),
            Route::UnknownAction("x".into())
        );
    }

    #[test]
    fn unknown_event_is_ignored() {
        assert_eq!(
            Route::of(&Event::Unknown("pre-series-upgrade".into())),
            Route::Ignore
        );
    }
}
