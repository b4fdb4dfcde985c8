//! What a backup holds.

use std::fmt;

use crate::synapse::listing::list_folder;
use pebble_client::{Client, FileInfo, FileType};

/// Where Synapse's data is.
pub const DATA_FOLDER: &str = "/data";

/// What the list of all paths may take: a process takes no longer text in its environment than 128 KiB, and the manifest that
/// lies in each archive is one.
const MOST_LIST_BYTES: usize = 100 * 1024;

/// What goes into the two archives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupPaths {
    /// The SQLite database that is copied for the state archive.
    pub database: String,
    /// Keys and settings, for the state archive.
    pub state: Vec<String>,
    /// Local media, then what the admin wants in addition, for the media archive.
    pub media: Vec<String>,
}

/// Why the paths cannot be told.
#[derive(Debug)]
#[non_exhaustive]
pub enum PathsError {
    /// The workload did not answer.
    Workload(pebble_client::Error),
    /// Something that must be in the backup is no plain file or folder but leads elsewhere.
    Link(String),
    /// There are so many that their list is too long. How many.
    TooMany(usize),
    /// A path of `backup_extra_paths` cannot go into a backup; and why.
    ExtraPath(String, &'static str),
}

impl fmt::Display for PathsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(_) => formatter.write_str("cannot list what to back up"),
            Self::Link(path) => write!(
                formatter,
                "cannot back up {path:?}: it is a link or a special file"
            ),
            Self::TooMany(count) => write!(
                formatter,
                "cannot back up {count} files and folders named local_* and *.key: no archive can list so many"
            ),
            Self::ExtraPath(path, why) => write!(
                formatter,
                "cannot back up {path:?} of backup_extra_paths: {why}"
            ),
        }
    }
}

impl std::error::Error for PathsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Workload(error) => Some(error),
            Self::Link(_) | Self::TooMany(_) | Self::ExtraPath(..) => None,
        }
    }
}

/// Looks what there is on the volume: `*.key`, Synapse's settings, and `local_*` media, never what can be had again from
/// other servers (`remote_*`, `url_cache*`). Files and folders that are not there yet are no error.
///
/// # Errors
/// When the workload cannot be asked, or when one of `extra_paths` is missing or would take in what must stay out.
pub async fn get_paths_to_backup(
    container: &Client,
    database: &str,
    media_store_path: &str,
    extra_paths: &[String],
) -> Result<BackupPaths, PathsError> {
    let top = list(container, DATA_FOLDER).await?;
    let media = list(container, media_store_path).await?;
    let state = |file: &&FileInfo| !file.is_directory() && is_state(&file.name);
    let local_media = |file: &&FileInfo| file.name.starts_with("local_");
    for file in top.iter().filter(state) {
        check_type(file)?;
    }
    for file in media.iter().filter(local_media) {
        check_type(file)?;
    }
    let mut paths = BackupPaths {
        database: database.to_owned(),
        state: top
            .iter()
            .filter(state)
            .map(|file| file.path.clone())
            .collect(),
        media: media
            .iter()
            .filter(local_media)
            .map(|file| file.path.clone())
            .collect(),
    };
    paths.state.sort();
    paths.media.sort();
    for path in outermost(extra_paths) {
        check_extra(path, database, media_store_path)
            .map_err(|why| PathsError::ExtraPath(path.clone(), why))?;
        match container.file_info(path).await {
            Ok(file) => {
                check_type(&file)?;
                paths.media.push(path.clone());
            }
            Err(error) if error.is_not_found() => {
                return Err(PathsError::ExtraPath(
                    path.clone(),
                    "there is no such file or folder",
                ));
            }
            Err(error) => return Err(PathsError::Workload(error)),
        }
    }
    check_list(&paths)?;
    Ok(paths)
}

/// Synapse has two folders of local media and some keys; whoever wants no more backups could make thousands.
fn check_list(paths: &BackupPaths) -> Result<(), PathsError> {
    let all = || paths.state.iter().chain(&paths.media);
    // As JSON writes it: quotes, a comma, and what must be escaped.
    let bytes: usize = all().map(|path| path.escape_default().count() + 3).sum();
    if bytes > MOST_LIST_BYTES {
        Err(PathsError::TooMany(all().count()))
    } else {
        Ok(())
    }
}

/// Without those that another one holds: tar would store what is in them twice, and a restore takes no name twice.
fn outermost(paths: &[String]) -> Vec<&String> {
    let below = |path: &str, other: &str| {
        path.strip_prefix(other)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let mut kept: Vec<&String> = paths
        .iter()
        .filter(|path| !paths.iter().any(|other| below(path, other)))
        .collect();
    kept.sort();
    kept.dedup();
    kept
}

/// tar stores a link as a link: what it leads to would be missing from the backup without a word.
fn check_type(file: &FileInfo) -> Result<(), PathsError> {
    match file.file_type {
        FileType::File | FileType::Directory => Ok(()),
        _ => Err(PathsError::Link(file.path.clone())),
    }
}

async fn list(container: &Client, folder: &str) -> Result<Vec<FileInfo>, PathsError> {
    let listed = list_folder(container, folder).await;
    Ok(listed.map_err(PathsError::Workload)?.unwrap_or_default())
}

fn is_state(name: &str) -> bool {
    let is_key = name
        .strip_suffix(".key")
        .is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.'));
    is_key || matches!(name, "homeserver.yaml" | "log.config")
}

/// A live database in an archive restores as a damaged one, and a folder of ours would grow with every backup.
fn check_extra(path: &str, database: &str, media_store_path: &str) -> Result<(), &'static str> {
    let inside = path
        .strip_prefix(DATA_FOLDER)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or_default();
    if inside.is_empty()
        || inside
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
        || path.contains(char::is_control)
    {
        return Err("give a full path below /data without . and .. parts");
    }
    let ours = [".backup-", ".restore-", ".verify-", ".synapse-charm"];
    if ours.iter().any(|prefix| inside.starts_with(prefix)) {
        return Err("that folder is the charm's own");
    }
    if inside.split('/').next() == Some("lost+found") {
        return Err("it is the filesystem's own");
    }
    if !inside.contains('/') && is_state(inside) {
        return Err("keys and settings are in every backup");
    }
    let holds = |other: &str| {
        other == path
            || other
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    if holds(database) {
        return Err("it holds the live database, which is in every backup as a copy");
    }
    if path.starts_with(database) {
        return Err("its name begins with the database's, beside which a restore puts nothing");
    }
    if holds(media_store_path) {
        return Err("it holds the media store, whose local media is in every backup");
    }
    if path
        .strip_prefix(media_store_path)
        .is_some_and(|rest| rest.starts_with("/local_"))
    {
        return Err("local media is in every backup");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_keys_and_settings() {
        for name in [
            "a.example.signing.key",
            "a.macaroon.key",
            "homeserver.yaml",
            "log.config",
        ] {
            assert!(is_state(name), "{name}");
        }
        for name in [
            "homeserver.db",
            "homeserver.db-wal",
            ".key",
            ".x.key",
            "lost+found",
            "homeserver.yaml.bak",
        ] {
            assert!(!is_state(name), "{name}");
        }
    }

    #[test]
    fn more_paths_than_an_archive_can_list_are_refused() {
        let paths = |count| BackupPaths {
            media: (0..count)
                .map(|number| format!("/data/media_store/local_{number:05}"))
                .collect(),
            ..BackupPaths::default()
        };
        assert!(check_list(&paths(3000)).is_ok());
        let error = check_list(&paths(4000)).unwrap_err();
        assert!(
            error.to_string().contains("4000 files and folders"),
            "{error}"
        );
    }

    #[test]
    fn extra_paths_that_another_holds_are_left_out() {
        let paths = ["/data/b", "/data/a/b", "/data/a", "/data/ab", "/data/b"].map(String::from);
        let kept: Vec<_> = outermost(&paths).into_iter().map(String::as_str).collect();
        assert_eq!(kept, ["/data/a", "/data/ab", "/data/b"]);
    }

    #[test]
    fn extra_paths_take_in_neither_database_nor_media_nor_staging() {
        let check = |path| check_extra(path, "/data/db/homeserver.db", "/data/media_store");
        for good in [
            "/data/templates",
            "/data/media_store/remote_content",
            "/data/db2",
            "/data/db/other.db",
            "/data/sub/a.signing.key",
            "/data/media_store/url_cache/2026",
            "/data/my files",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "/etc",
            "/data",
            "/data/",
            "/data/../etc",
            "/data/./x",
            "/data//x",
            "/data/db",
            "/data/db/homeserver.db",
            "/data/db/homeserver.db-wal",
            "/data/db/homeserver.db.bak",
            "/data/other.key",
            "/data/homeserver.yaml",
            "/data/lost+found/x",
            "/data/.verify-x",
            "/data/a\nb",
            "/data/media_store",
            "/data/media_store/local_content",
            "/data/.backup-x",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
