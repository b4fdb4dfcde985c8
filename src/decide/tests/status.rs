//! What the status says of backups.

use jiff::SignedDuration;

use super::*;
use crate::decide::status::{failed_backup, store_condition};
use crate::plan::Condition;
use crate::state::{BackupFailure, StoreMemory};

#[test]
fn failed_backup_is_told_with_its_age_where_backups_are_configured() {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(7);
    let ready = Store::Ready(Box::new(parameters()));
    let mut memory = Memory::default();
    assert_eq!(failed_backup(&ready, &memory, now), None);
    memory.backup_failure = Some(BackupFailure {
        failed_at: Timestamp::UNIX_EPOCH,
        reason: "no".to_owned(),
    });
    let told = Condition::note("create-backup failed 7m ago: no");
    assert_eq!(failed_backup(&ready, &memory, now), Some(told));
    assert_eq!(failed_backup(&Store::Unset, &memory, now), None);
}

#[test]
fn path_of_another_deployment_is_told_while_its_settings_are_these() {
    let ready = Store::Ready(Box::new(parameters()));
    let told = |parameters: String| {
        let memory = Memory {
            store: Some(StoreMemory {
                parameters,
                server_name: Some(NAME.into()),
                checked_at: Timestamp::UNIX_EPOCH,
                problem: None,
                last: None,
                foreign: Some("x belongs to y".into()),
            }),
            ..Memory::default()
        };
        store_condition(&ready, &memory)
    };
    let expected = Condition::note("backup: x belongs to y");
    assert_eq!(told(parameters().hash()), Some(expected));
    assert_eq!(told("other".into()), None);
}
