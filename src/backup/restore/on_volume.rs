//! The journal and the records of kept data as files. Pebble writes a file beside its place, waits until it is on disk, renames
//! it and waits for the folder: `tests/restore_swap.rs` looks.

use pebble_client::{Client, Error, FileInfo, FileType, MakeDir, WriteFile};

use super::id::RestoreId;
use super::journal::{Journal, MOST_BYTES};
use super::kept::{self, Record};
use crate::backup::paths::DATA_FOLDER;
use crate::synapse::layer::RunAs;
use crate::synapse::listing::list_folder;
use crate::synapse::names;

/// What a restore's folder on the volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// Data that is kept, and its record.
    Kept(Box<Record>),
    /// It has no record that could be followed.
    Unrecorded(RestoreId),
}

/// Returns the journal, if a job is open: or why it cannot be followed.
///
/// # Errors
/// When Pebble does not answer.
pub async fn read_journal(container: &Client) -> Result<Option<Result<Journal, String>>, Error> {
    let top = list_folder(container, names::DATA_DIR).await?;
    let folder = top
        .iter()
        .flatten()
        .find(|entry| entry.path == names::JOB_DIR);
    match folder.map(|entry| &entry.file_type) {
        None => return Ok(None),
        Some(FileType::Directory) => {}
        // Root would write where it leads.
        Some(_) => return Ok(Some(Err(format!("{} is not a folder", names::JOB_DIR)))),
    }
    let Some(entries) = list_folder(container, names::JOB_DIR).await? else {
        return Ok(None);
    };
    // Root writes there too, and must not be led elsewhere.
    let top = list_folder(container, DATA_FOLDER).await?;
    let folder = top
        .iter()
        .flatten()
        .find(|entry| entry.path == names::JOB_DIR);
    if folder.is_some_and(|entry| !entry.is_directory()) {
        let why = format!("{} is a link, remove it", names::JOB_DIR);
        return Ok(Some(Err(why)));
    }
    let Some(entry) = entries.iter().find(|entry| entry.path == names::JOURNAL) else {
        return Ok(None);
    };
    if !is_readable(entry, MOST_BYTES) {
        let why = "it is no regular file of a journal's size".to_owned();
        return Ok(Some(Err(why)));
    }
    let text = container.read_file(names::JOURNAL).await?;
    Ok(Some(Journal::parse(&text)))
}

/// Returns what the folder of `restore` is.
///
/// # Errors
/// When Pebble does not answer.
pub async fn read_folder(container: &Client, restore: RestoreId) -> Result<Folder, Error> {
    let path = format!("{}/restored.json", restore.folder());
    let entries = list_folder(container, &restore.folder()).await?;
    let entry = entries
        .iter()
        .flatten()
        .find(|entry| entry.path == path && is_readable(entry, kept::MOST_BYTES));
    if entry.is_some() {
        let text = container.read_file(&path).await?;
        if let Some(record) = Record::parse(&text, &restore) {
            return Ok(Folder::Kept(Box::new(record)));
        }
    }
    Ok(Folder::Unrecorded(restore))
}

/// Writes the journal. It is on disk when this returns.
///
/// # Errors
/// When it is not written.
pub async fn write_journal(container: &Client, journal: &str, run_as: RunAs) -> Result<(), Error> {
    write(container, names::JOURNAL, journal, run_as).await
}

/// Writes one of the job's files.
///
/// # Errors
/// When it is not written.
pub async fn write(
    container: &Client,
    path: &str,
    content: &str,
    run_as: RunAs,
) -> Result<(), Error> {
    let mut folder = MakeDir::new(names::JOB_DIR)
        .make_parents(true)
        .permissions(0o700);
    let mut file = WriteFile::new(path).permissions(0o600);
    if run_as == RunAs::Synapse {
        folder = folder.user_id(names::UID).group_id(names::GID);
        file = file.user_id(names::UID).group_id(names::GID);
    }
    container.make_dir(folder).await?;
    container.write_file(file, content.as_bytes()).await
}

/// Removes the journal, and then the job's other files.
///
/// # Errors
/// When something is left.
pub async fn remove_journal(container: &Client) -> Result<(), Error> {
    match container.remove_path(names::JOURNAL, false).await {
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    container.remove_path(names::JOB_DIR, true).await
}

/// Root reads what the data's user may have put there.
fn is_readable(entry: &FileInfo, most_bytes: u64) -> bool {
    entry.file_type == FileType::File && entry.size_bytes.is_some_and(|size| size <= most_bytes)
}
