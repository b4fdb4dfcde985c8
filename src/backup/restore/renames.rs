//! Which paths a job renames.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::backup::Components;
use crate::synapse::names;

/// What SQLite keeps beside a database. Beside another database it would ruin that one.
const BESIDE_THE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// No path is longer.
const MOST_PATH_BYTES: usize = 4096;

/// One path that is renamed as a whole: a file, or a folder with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The live path. Where it is put aside, and where the new one waits, follows from it.
    pub live: String,
    /// Whether there is a new one.
    pub staged: bool,
    /// Whether there was a live one when Synapse had been stopped.
    pub had_live: bool,
}

/// Which paths may have to go, whether or not something new takes their place: of the database, and of media. `local` are
/// the live paths `local_*` in the media store.
pub fn candidates(staged: &[String], components: Components, local: &[String]) -> Vec<String> {
    let mut paths: BTreeSet<String> = staged.iter().cloned().collect();
    if components.database() {
        paths.insert(names::DATABASE.to_owned());
        paths.extend(BESIDE_THE_DATABASE.map(|end| format!("{}{end}", names::DATABASE)));
    }
    if components.media() {
        paths.extend(local.iter().cloned());
    }
    // What lies in a folder goes with it.
    let below = |path: &str| {
        path.match_indices('/')
            .any(|(end, _)| paths.contains(&path[..end]))
    };
    paths
        .iter()
        .filter(|path| !below(path) && check(path).is_ok())
        .cloned()
        .collect()
}

/// Returns the renames of `candidates`, of which those in `staged` have something new and those in `live` are there.
pub fn plan(candidates: Vec<String>, staged: &[String], live: &[String]) -> Vec<Rename> {
    let [staged, live] = [staged, live].map(|paths| paths.iter().collect::<BTreeSet<_>>());
    candidates
        .into_iter()
        .map(|path| Rename {
            staged: staged.contains(&path),
            had_live: live.contains(&path),
            live: path,
        })
        .collect()
}

/// Whether a path may be renamed at all.
///
/// # Errors
///
/// Says why not.
pub fn check(path: &str) -> Result<(), &'static str> {
    let inside = path
        .strip_prefix(names::DATA_DIR)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or("it is not on the data volume")?;
    if path.len() > MOST_PATH_BYTES || path.contains(char::is_control) {
        return Err("it is no path that the charm would use");
    }
    if inside
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return Err("it is not written out plainly");
    }
    let top = inside.split('/').next().unwrap_or_default();
    let ours = [".restore-", ".backup-", ".verify-", ".synapse-charm"];
    if top == "lost+found" || ours.iter().any(|prefix| top.starts_with(prefix)) {
        return Err("it is not part of the server's data");
    }
    if path == names::HOMESERVER_YAML || path == names::LOG_CONFIG {
        return Err("the charm writes it itself");
    }
    if path == names::MEDIA_STORE {
        return Err("it may be a mount");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("/data/{name}")).collect()
    }

    #[test]
    fn database_takes_what_lies_beside_it_and_media_what_is_no_longer_in_the_backup() {
        let staged = paths(&[
            "homeserver.db",
            "a.example.signing.key",
            "media_store/local_content",
        ]);
        let local = paths(&["media_store/local_content", "media_store/local_thumbnails"]);
        let found = candidates(&staged, Components::All, &local);
        let wanted = paths(&[
            "a.example.signing.key",
            "homeserver.db",
            "homeserver.db-journal",
            "homeserver.db-shm",
            "homeserver.db-wal",
            "media_store/local_content",
            "media_store/local_thumbnails",
        ]);
        assert_eq!(found, wanted);
        let found = candidates(&paths(&["homeserver.db"]), Components::Database, &local);
        assert_eq!(found.len(), 4);
        let key = paths(&["a.example.signing.key"]);
        assert_eq!(candidates(&key, Components::Keys, &local), key);
    }

    #[test]
    fn settings_of_a_backup_and_paths_inside_others_are_left_out() {
        let staged = paths(&[
            "homeserver.yaml",
            "log.config",
            "extra",
            "extra/inner",
            "extra-not-inner",
        ]);
        let found = candidates(&staged, Components::All, &[]);
        let extra: Vec<_> = found.iter().filter(|path| path.contains("extra")).collect();
        assert_eq!(extra, [&"/data/extra", &"/data/extra-not-inner"]);
        assert!(!found.iter().any(|path| path.contains("yaml")));
    }

    #[test]
    fn paths_outside_the_servers_data_are_refused() {
        for path in [
            "/data",
            "/data/",
            "/etc/passwd",
            "/database/x",
            "/data/../etc/passwd",
            "/data/a//b",
            "/data/./a",
            "/data/a\nb",
            "/data/lost+found",
            "/data/.restore-x/old/data/homeserver.db",
            "/data/.synapse-charm/journal.json",
            "/data/homeserver.yaml",
            "/data/media_store",
        ] {
            assert!(check(path).is_err(), "{path}");
        }
        for path in [
            "/data/homeserver.db",
            "/data/media_store/local_content/aa",
            "/data/media_store/remote_content",
            "/data/media_store/url_cache/2026",
        ] {
            assert_eq!(check(path), Ok(()));
        }
    }

    #[test]
    fn plan_says_of_each_path_what_is_new_and_what_was_there() {
        let plan = plan(
            paths(&["a", "b", "c"]),
            &paths(&["a", "b"]),
            &paths(&["b", "c"]),
        );
        let said: Vec<_> = plan
            .iter()
            .map(|rename| (rename.staged, rename.had_live))
            .collect();
        assert_eq!(said, [(true, false), (true, true), (false, true)]);
    }
}
