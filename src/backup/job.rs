//! What every job in the workload has: how its commands run, how they are watched, how far it is, and why it failed.

mod failure;
mod log_tail;
pub(in crate::backup) mod patience;
pub(in crate::backup) mod progress;
mod runner;
pub(in crate::backup) mod watch;

pub use failure::{BackupError, JobError, Operation, Stage, StagingError};
pub(in crate::backup) use failure::{NextStep, printable};
pub(in crate::backup) use log_tail::{is_change, is_of, words_of};
pub use progress::{Progress, Silent};
pub(in crate::backup) use runner::{Runner, of_end};
