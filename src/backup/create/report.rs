//! What the programs in the workload report on stdout: one JSON object a line.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Report {
    /// The database's moment is fixed: media may be read from now on.
    Pinned(bool),
    /// A long step goes on.
    Alive(String),
    /// The snapshot is complete.
    Copied(Copied),
    /// What SQLite's integrity check says.
    Integrity(Vec<String>),
    /// Bytes given to aws so far.
    Sent(u64),
    /// All bytes were given to aws.
    Done(Sent),
    /// Exit status of each stage.
    Stages(BTreeMap<String, i32>),
    /// What the archives will hold.
    Measured(Box<Measured>),
    /// Base64 of the canary.
    Canary(String),
}

/// A finished snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Copied {
    pub(super) database_bytes: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) schema_version: Option<i64>,
    pub(super) compat_version: Option<i64>,
    pub(super) users: Option<u64>,
}

/// A complete object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What was there before the archives were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Measured {
    pub(super) state: Contents,
    pub(super) media: Contents,
    pub(super) database_bytes: u64,
    pub(super) free_bytes: u64,
    pub(super) volume_bytes: u64,
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Contents {
    pub(super) entries: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) archive_bytes: u64,
}

/// tar's checkpoints: records of 10 KiB written so far.
pub(super) fn bytes_read(diagnostic: &str) -> Option<u64> {
    const RECORD_BYTES: u64 = 10 * 1024;
    let records: u64 = diagnostic.strip_prefix("tar: @")?.parse().ok()?;
    records.checked_mul(RECORD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Report> {
        serde_json::from_str(line).ok()
    }

    #[test]
    fn lines_of_the_programs_are_understood_and_others_are_not() {
        assert_eq!(parse(r#"{"pinned": true}"#), Some(Report::Pinned(true)));
        assert_eq!(
            parse(r#"{"sent":16490512}"#),
            Some(Report::Sent(16_490_512))
        );
        let stages = parse(r#"{"stages":{"tar":0,"gpg":137}}"#);
        assert_eq!(
            stages,
            Some(Report::Stages(BTreeMap::from([
                ("tar".to_owned(), 0),
                ("gpg".to_owned(), 137)
            ])))
        );
        assert_eq!(parse("upload failed"), None);
        assert_eq!(parse(r#"{"unknown":1}"#), None);
    }

    #[test]
    fn checkpoints_of_tar_are_counted_in_bytes() {
        assert_eq!(bytes_read("tar: @1600"), Some(16_384_000));
        assert_eq!(bytes_read("tar: @18446744073709551615"), None);
    }
}
