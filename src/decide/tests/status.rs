//! What the status says of backups.

use jiff::SignedDuration;

use super::*;
use crate::decide::status::failed_backup;
use crate::plan::Condition;
use crate::state::BackupFailure;

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
