//! What the actions do, a file each.

mod create_backup;
mod list_backups;
mod register_user;

pub(super) use create_backup::create_backup;
pub(super) use list_backups::list_backups;
pub(super) use register_user::register_user;

use super::Halt;
use crate::backup::workload_tools::ProbeError;
use crate::backup::{BackupError, S3Error};

impl From<S3Error> for Halt {
    fn from(error: S3Error) -> Self {
        Self::Refused(error.with_next_step())
    }
}

impl From<ProbeError> for Halt {
    fn from(error: ProbeError) -> Self {
        Self::Refused(crate::report::chain(&error))
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
