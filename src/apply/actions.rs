//! What the actions do, a file each.

mod create_backup;
mod delete_backup;
mod list_backups;
mod register_user;
mod show_backup;
pub(super) mod told;
mod verify_backup;

pub(super) use create_backup::create_backup;
pub(super) use delete_backup::delete_backup;
pub(super) use list_backups::list_backups;
pub(super) use register_user::register_user;
pub(super) use show_backup::show_backup;
pub(super) use verify_backup::verify_backup;

use jiff::Timestamp;

use super::Halt;
use crate::backup::catalog::FindError;
use crate::backup::workload_tools::ProbeError;
use crate::backup::{BackupError, S3Error};
use crate::error_chain::error_chain;

/// Times are shown to the second, as in the table of `list-backups`.
fn whole_seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second());
    whole.unwrap_or(time).to_string()
}

impl From<FindError> for Halt {
    fn from(error: FindError) -> Self {
        Self::Refused(error.with_next_step())
    }
}

impl From<S3Error> for Halt {
    fn from(error: S3Error) -> Self {
        Self::Refused(error.with_next_step())
    }
}

impl From<ProbeError> for Halt {
    fn from(error: ProbeError) -> Self {
        Self::Refused(error_chain(&error))
    }
}

impl From<BackupError> for Halt {
    fn from(error: BackupError) -> Self {
        if !error.log_tail().is_empty() {
            tracing::warn!("{error}; the tools said: {}", error.log_tail());
        }
        Self::Refused(error.with_next_step())
    }
}
