//! What is in a folder of the workload, so that "nothing" can be believed.

use pebble_client::{Client, Error, FileInfo};

/// Returns what is in `folder`; none when there is no such folder.
///
/// Pebble's listing fails with the same "not found" when a file goes away while it is made, as
/// SQLite's do. That must not pass for an empty volume, or for a server without media.
///
/// # Errors
///
/// Fails when Pebble does not answer, or when files go away during each of several attempts.
pub async fn list_folder(pebble: &Client, folder: &str) -> Result<Option<Vec<FileInfo>>, Error> {
    const ATTEMPTS: usize = 5;
    let mut attempt = 1;
    loop {
        let error = match pebble.list_files(folder).await {
            Ok(entries) => return Ok(Some(entries)),
            Err(error) if error.is_not_found() => error,
            Err(error) => return Err(error),
        };
        match pebble.file_info(folder).await {
            Err(missing) if missing.is_not_found() => return Ok(None),
            Err(other) => return Err(other),
            Ok(_) if attempt == ATTEMPTS => return Err(error),
            Ok(_) => attempt += 1,
        }
    }
}
