//! Reads what is on the volume.
//!
//! Pebble reads as root, and Synapse's user owns the volume: what that user put there must not
//! make root read something else, or without end.

use pebble_client::{Client, Error, FileInfo, FileType};

use super::Volume;
use crate::synapse::listing::list_folder;
use crate::synapse::{identity, names};

/// No key file is longer.
const MOST_KEY_BYTES: u64 = 64 * 1024;

/// Returns what is on the volume of the server `server_name`.
pub(super) async fn read(server_name: &str, pebble: &Client) -> Result<Volume, Error> {
    let Some(top) = list_folder(pebble, names::DATA_DIR).await? else {
        return Ok(Volume::default());
    };
    let mut volume = listed(server_name, &top);
    volume.owner = pebble.file_info(names::DATA_DIR).await?.user_id;
    if volume.fault.is_some() {
        return Ok(volume);
    }
    for (file, part) in identity::files(server_name)
        .iter()
        .zip(&mut volume.identity)
    {
        // An empty file is what a crash leaves, not a key.
        if let Some(size) = volume.sizes.get(&file.path).filter(|size| **size > 0) {
            let content = pebble.read_file(&file.path).await?;
            if u64::try_from(content.len()).ok() != Some(*size) {
                volume.fault = Some(format!("{} changed while it was read", file.path));
                break;
            }
            *part = Some(String::from_utf8_lossy(&content).into_owned().into());
        }
    }
    Ok(volume)
}

fn listed(server_name: &str, top: &[FileInfo]) -> Volume {
    let is_file = |entry: &&FileInfo| entry.file_type == FileType::File;
    let size = |entry: &FileInfo| entry.size_bytes.unwrap_or_default();
    let keys = identity::files(server_name).map(|file| file.path);
    Volume {
        // SQLite makes an empty file before it writes the first table.
        has_database: top
            .iter()
            .filter(is_file)
            .any(|entry| entry.path == names::DATABASE && size(entry) > 0),
        server_names: top
            .iter()
            .filter(is_file)
            .filter_map(|entry| entry.name.strip_suffix(names::SIGNING_KEY_SUFFIX))
            .map(str::to_owned)
            .collect(),
        sizes: top
            .iter()
            .map(|entry| (entry.path.clone(), size(entry)))
            .collect(),
        fault: top.iter().find_map(|entry| fault(entry, &keys)),
        ..Volume::default()
    }
}

/// Says why a file that matters cannot be taken as it is.
fn fault(entry: &FileInfo, keys: &[String]) -> Option<String> {
    let is_key = keys.contains(&entry.path);
    let path = &entry.path;
    if !is_key && path != names::DATABASE {
        return None;
    }
    if entry.file_type != FileType::File {
        return Some(format!(
            "{path} is not a regular file: put the file itself there"
        ));
    }
    let long = is_key && entry.size_bytes.is_some_and(|size| size > MOST_KEY_BYTES);
    long.then(|| {
        format!("{path} is longer than any key: put the right file there, or remove this one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(name: &str, kind: &str, size: u64) -> FileInfo {
        serde_json::from_value(json!({
            "path": format!("/data/{name}"), "name": name, "type": kind, "size": size,
            "permissions": "600", "last-modified": "2026-11-23T07:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn keys_and_database_are_taken_from_regular_files() {
        let volume = listed(
            "a.example",
            &[
                entry("a.example.signing.key", "file", 59),
                entry("homeserver.db", "file", 4096),
                entry("elsewhere", "symlink", 3),
            ],
        );
        assert_eq!(
            (volume.has_database, volume.server_names, volume.fault),
            (true, vec!["a.example".to_owned()], None)
        );
    }

    #[test]
    fn link_folder_or_endless_file_in_place_of_a_key_is_named_and_not_read() {
        for (name, kind, size) in [
            ("a.example.form.key", "symlink", 11),
            ("a.example.signing.key", "directory", 0),
            ("a.example.macaroon.key", "named-pipe", 0),
            ("a.example.registration.key", "file", 64 * 1024 + 1),
            ("homeserver.db", "symlink", 11),
        ] {
            let volume = listed("a.example", &[entry(name, kind, size)]);
            let fault = volume.fault.unwrap();
            assert!(fault.starts_with(&format!("/data/{name} is ")), "{fault}");
            assert!(!volume.has_database);
        }
    }
}
