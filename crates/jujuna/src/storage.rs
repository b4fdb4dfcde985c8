//! `storage-list`, `storage-get`, `storage-add`: the storage that this unit has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::{Error, HookCommand, Juju, StorageId};

/// A storage instance that is attached to this unit.
///
/// [`Juju::storage_list`](crate::Juju::storage_list) has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Storage {
    /// `filesystem` or `block`.
    pub kind: String,
    /// Where it is mounted in the charm's own container, or the device.
    pub location: PathBuf,
}

impl Juju {
    /// Returns the attached instances of the storage `name`.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_storage("data", 0, "/data"));
    /// let juju = Juju::new(Box::new(fake));
    /// let ids = juju.storage_list("data")?;
    /// assert_eq!(juju.storage_get(&ids[0])?.location.to_str(), Some("/data"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn storage_list(&self, name: &str) -> Result<Vec<StorageId>, Error> {
        if let Some(ids) = self.cache.borrow().storages.get(name) {
            return Ok(ids.clone());
        }
        let command = HookCommand::json("storage-list").arg(name);
        let ids: Option<Vec<StorageId>> =
            self.read(&command, &|| format!("list the storage {name}"))?;
        let ids = ids.unwrap_or_default();
        self.cache
            .borrow_mut()
            .storages
            .insert(name.to_owned(), ids.clone());
        Ok(ids)
    }

    /// Returns where an instance is.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not attached to this unit.
    ///
    /// [`storage_list`](Juju::storage_list) has an example.
    pub fn storage_get(&self, id: &StorageId) -> Result<Storage, Error> {
        let command = HookCommand::json("storage-get")
            .arg("-s")
            .arg(id.to_string());
        self.read(&command, &|| format!("read the storage {id}"))
    }

    /// Buffers that this unit gets more instances of a storage that may be there several times.
    ///
    /// They come later, each with a storage-attached hook. That there is no such storage, or no more may be had, is
    /// refused after the dispatch, which then has failed.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.storage_add("cache", 2);
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().requested_storage["cache"], 2);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn storage_add(&mut self, name: impl Into<String>, count: u32) {
        *self.writes.storage.entry(name.into()).or_default() += count;
    }

    pub(crate) fn write_storage(&self, storage: &BTreeMap<String, u32>) -> Result<(), Error> {
        if storage.is_empty() {
            return Ok(());
        }
        let wanted = storage
            .iter()
            .map(|(name, count)| format!("{name}={count}"));
        let command = HookCommand::new("storage-add").args(wanted);
        self.run(&command, &|| "add storage".to_owned()).map(drop)
    }
}
