//! Restore that cannot lose data: a journal on the volume, a pure machine that says what comes next, and programs in the
//! workload that only ever rename what is live.
//!
//! ```text
//! /data/.synapse-charm/journal.json      how far a job is; written before each step, removed by the last one
//! /data/.restore-<restore id>/new        what was brought; empty after the swap
//! /data/.restore-<restore id>/old        what was live
//! /data/.restore-<restore id>/restored.json   the record of `old`, once there is no way back but undo-restore
//! ```

pub mod gates;
mod id;
pub mod journal;
pub mod kept;
pub mod machine;
pub mod moves;
pub mod on_volume;
pub mod renames;

pub use id::{InvalidRestoreId, RestoreId};
