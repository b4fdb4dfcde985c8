//! What the programs in the workload report on stdout: one JSON object a line.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// A long step goes on.
    Alive(String),
    /// What room the volume has.
    Room(Room),
    /// Bytes of the decrypted archive read so far.
    Read(u64),
    /// The first member of something that is renamed as a whole was written; its live path.
    Path(String),
    /// The archive was read to its end.
    Extracted(Extracted),
    /// What gpg says of what it handed out.
    Verdict(Verdict),
    /// The database was found good.
    Database(Database),
    /// Exit status of each stage.
    Stages(BTreeMap<String, i32>),
    /// Media that the database knows and nobody has.
    MediaRowsWithoutFile(u64),
}

/// What room a volume has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Room {
    pub(super) free_bytes: u64,
    pub(super) volume_bytes: u64,
    /// How many more files can be made, where that is limited.
    pub(super) free_files: Option<u64>,
}

/// A whole archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Extracted {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) server_name: Option<String>,
    pub(super) synapse_version: Option<String>,
}

/// gpg's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Verdict {
    /// It was one encrypted message, unchanged, and nothing else.
    pub(super) whole: bool,
    /// How often gpg said what.
    pub(super) words: BTreeMap<String, u32>,
}

impl Verdict {
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }
}

/// A good database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Database {
    pub(super) schema_version: Option<i64>,
    pub(super) compat_version: Option<i64>,
    pub(super) users: Option<u64>,
    pub(super) one_time_keys_removed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_programs_are_understood() {
        let parse = |line| serde_json::from_str::<Report>(line).ok();
        assert_eq!(parse(r#"{"read": 5}"#), Some(Report::Read(5)));
        assert_eq!(
            parse(r#"{"room": {"free_bytes": 1, "volume_bytes": 2, "free_files": null}}"#),
            Some(Report::Room(Room {
                free_bytes: 1,
                volume_bytes: 2,
                free_files: None
            }))
        );
        assert_eq!(
            parse(r#"{"verdict":{"whole":false,"words":{"NODATA":2}}}"#),
            Some(Report::Verdict(Verdict {
                whole: false,
                words: BTreeMap::from([("NODATA".to_owned(), 2)])
            }))
        );
        assert_eq!(
            parse(r#"{"media_rows_without_file": 3}"#),
            Some(Report::MediaRowsWithoutFile(3))
        );
        assert_eq!(parse("download failed"), None);
    }
}
