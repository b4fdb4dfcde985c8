//! What must hold before a backup is restored. All of it is asked before anything is stopped or written.

use crate::backup::Components;
use crate::backup::catalog::table::size;
use crate::backup::limits::reserve_bytes;
use crate::synapse::names;

use super::journal::check_size;
use super::moves::Survey;
use super::renames;

/// Blocks and inodes that a file takes beside its bytes.
const BYTES_AN_ENTRY: u64 = 4096;

/// The database's engine that this charm runs.
const ENGINE: &str = "sqlite";

/// What a backup says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Whose data it is; a legacy backup does not say.
    pub server_name: Option<String>,
    /// The database's engine; a legacy backup does not say.
    pub engine: Option<String>,
    /// The oldest schema version that can work with its database.
    pub compat_version: Option<i64>,
    /// Bytes of the files that would be brought.
    pub file_bytes: u64,
    /// Files and folders that would be brought.
    pub entries: u64,
}

impl Offer {
    /// What its files take on the volume.
    pub fn needed_bytes(&self) -> u64 {
        self.entries
            .saturating_mul(BYTES_AN_ENTRY)
            .saturating_add(self.file_bytes)
    }
}

/// Returns why `offer` cannot be restored on the volume of the server `server_name`, each reason with its next step.
pub fn refusals(
    offer: &Offer,
    survey: &Survey,
    components: Components,
    server_name: &str,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(other) = offer
        .server_name
        .as_deref()
        .filter(|name| *name != server_name)
    {
        reasons.push(format!(
            "the backup is of the server {other:?}, this one is {server_name:?}: users' and rooms' names hold it; \
             backup-id=latest is the newest backup of {server_name} in the path, if there is one; this one can be restored \
             only where server_name={other}"
        ));
    }
    if let Some(engine) = offer.engine.as_deref().filter(|engine| *engine != ENGINE) {
        reasons.push(format!(
            "the backup's database is of the engine {engine:?}, this server's is {ENGINE}: restore it where that engine is \
             used"
        ));
    }
    if components.database() {
        reasons.extend(schema(offer.compat_version, survey.schema_version));
    }
    let (needed, reserve) = (offer.needed_bytes(), reserve_bytes(survey.volume_bytes));
    if needed.saturating_add(reserve) > survey.free_bytes {
        reasons.push(format!(
            "it needs {} beside the live data, of which {} must stay free, and {} are free: make the volume larger, run \
             discard-old-data, or remove what is not needed",
            size(needed.saturating_add(reserve)),
            size(reserve),
            size(survey.free_bytes),
        ));
    }
    reasons.extend(survey.elsewhere.iter().map(|path| elsewhere(path)));
    reasons.extend(too_many(&[], survey, components));
    let has = |path: &str| survey.present.iter().any(|present| present == path);
    if components == Components::Keys && !has(names::DATABASE) {
        reasons.push("there is no database to go with the keys: restore components=all".to_owned());
    }
    if components == Components::Database && !has(&names::signing_key(server_name)) {
        reasons.push(
            "there is no signing key to go with the database: restore components=all".to_owned(),
        );
    }
    reasons
}

/// Why a path cannot be swapped that is not on the volume's own filesystem.
pub fn elsewhere(path: &str) -> String {
    format!(
        "{path} is a mount or on another filesystem than {}, so it cannot be swapped by renaming: move it to the volume",
        names::DATA_DIR
    )
}

/// Why what is live cannot be put aside, if it is that much, apart from what takes its place.
pub fn too_many(paths: &[String], survey: &Survey, components: Components) -> Option<String> {
    let candidates = renames::candidates(paths, components, &survey.local);
    check_size(&renames::plan(candidates, &[], &survey.present)).err()
}

/// Why the image's Synapse cannot read a database, if it cannot.
pub fn schema(compat_version: Option<i64>, image: Option<i64>) -> Option<String> {
    match (compat_version, image) {
        (Some(needed), Some(image)) if needed > image => Some(format!(
            "the backup's database needs a Synapse that knows schema {needed}, the image's knows {image}: use an image \
             at least as new as the one of the backup"
        )),
        (Some(needed), None) => Some(format!(
            "the image's Synapse does not say which schema it knows, the backup needs {needed}: use an image whose \
             python3 can import synapse"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "a.example";

    fn offer() -> Offer {
        Offer {
            server_name: Some(NAME.into()),
            engine: Some("sqlite".into()),
            compat_version: Some(90),
            file_bytes: 1_000_000,
            entries: 10,
        }
    }

    fn survey() -> Survey {
        Survey {
            present: vec![names::DATABASE.into(), names::signing_key(NAME)],
            free_bytes: 10_000_000,
            volume_bytes: 20_000_000,
            schema_version: Some(93),
            ..Survey::default()
        }
    }

    #[test]
    fn fitting_backup_is_not_refused() {
        for components in [Components::All, Components::Database, Components::Keys] {
            assert_eq!(refusals(&offer(), &survey(), components, NAME), [""; 0]);
        }
        let legacy = Offer {
            server_name: None,
            engine: None,
            compat_version: None,
            ..offer()
        };
        assert_eq!(refusals(&legacy, &survey(), Components::All, NAME), [""; 0]);
    }

    #[test]
    fn each_fault_is_named_and_all_at_once() {
        let bad = Offer {
            server_name: Some("b.example".into()),
            engine: Some("psycopg2".into()),
            compat_version: Some(94),
            file_bytes: 9_500_000,
            entries: 10,
        };
        let elsewhere = Survey {
            elsewhere: vec!["/data/media_store".into()],
            local: (0..15_000)
                .map(|n| format!("/data/media_store/local_{n}"))
                .collect(),
            ..survey()
        };
        let said = refusals(&bad, &elsewhere, Components::All, NAME);
        for (reason, word) in said.iter().zip([
            "server_name=b.example",
            "psycopg2",
            "schema 94",
            "discard-old-data",
            "/data/media_store",
            "local_thumbnails",
        ]) {
            assert!(reason.contains(word), "{reason}");
            assert!(reason.contains(": "), "no next step: {reason}");
        }
        assert_eq!(said.len(), 6);
    }

    #[test]
    fn image_that_cannot_say_its_schema_is_refused_a_database_and_not_keys() {
        let mute = Survey {
            schema_version: None,
            ..survey()
        };
        assert_eq!(
            refusals(&offer(), &mute, Components::Database, NAME).len(),
            1
        );
        assert_eq!(refusals(&offer(), &mute, Components::Keys, NAME), [""; 0]);
    }

    #[test]
    fn part_of_a_server_is_refused_where_the_other_part_is_missing() {
        let empty = Survey {
            present: Vec::new(),
            ..survey()
        };
        assert_eq!(refusals(&offer(), &empty, Components::All, NAME), [""; 0]);
        for components in [Components::Database, Components::Keys] {
            let said = refusals(&offer(), &empty, components, NAME);
            assert!(said[0].contains("components=all"), "{said:?}");
        }
    }
}
