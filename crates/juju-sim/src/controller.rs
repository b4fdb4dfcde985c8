//! The process that holds a model and runs its units.

mod serve;
mod show;
mod units;
mod verbs;

pub(crate) use serve::{Options, run};

use crate::agent::UnitRuntime;
use crate::model::Model;
use crate::model::name::UnitName;
use crate::pod::Forward;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

#[derive(Debug)]
pub(crate) struct Controller {
    model: Mutex<Model>,
    changes: watch::Sender<u64>,
    folder: PathBuf,
    tools: PathBuf,
    pebble: Option<PathBuf>,
    forwards: Vec<Forward>,
    units: Mutex<BTreeMap<UnitName, Arc<UnitRuntime>>>,
    end: Notify,
}

impl Controller {
    /// The model, for a moment: no lock is held while anything is waited for.
    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all agents that the model may have changed.
    pub(crate) fn touch(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The folder of the hook commands.
    pub(crate) fn tools(&self) -> &Path {
        &self.tools
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<UnitName, Arc<UnitRuntime>>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
