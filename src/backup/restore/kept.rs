//! The data that a restore put aside: how long it is kept.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::RestoreId;
use super::journal::{FORMAT, Journal, Kind};
use super::renames::{self, Rename};
use crate::backup::Components;

/// At least so long it is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// No record is longer.
pub const MOST_BYTES: u64 = 1024 * 1024;

/// The record of data that was put aside, `restored.json` in the restore's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The journal's format.
    pub format: u32,
    /// Who put it aside.
    pub kind: Kind,
    /// Its name, and that of its folder.
    pub restore: RestoreId,
    /// The backup whose data took its place.
    pub backup: String,
    /// Which parts.
    pub components: String,
    /// Whose data it is.
    pub server_name: String,
    /// Since when it is not live.
    pub since: Timestamp,
    /// Bytes, as measured before.
    pub bytes: u64,
    /// What was renamed.
    pub renames: Vec<Rename>,
}

impl Record {
    /// The record of what `journal` put aside.
    pub fn new(journal: &Journal, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            kind: journal.kind,
            restore: journal.restore.clone(),
            backup: journal.backup.clone(),
            components: journal.components.to_string(),
            server_name: journal.server_name.clone(),
            since: now,
            bytes: journal.old_bytes,
            renames: journal.renames.clone(),
        }
    }

    /// Returns the record that `text` is, if it is that of `restore`; none where it cannot be followed.
    pub fn parse(text: &[u8], restore: &RestoreId) -> Option<Self> {
        let record: Self = serde_json::from_slice(text).ok()?;
        let plain = record
            .renames
            .iter()
            .all(|rename| renames::check(&rename.live).is_ok());
        let ours = record.format == FORMAT && record.restore == *restore;
        (ours && plain && record.parts().is_some()).then_some(record)
    }

    /// Which parts it holds.
    pub fn parts(&self) -> Option<Components> {
        self.components.parse().ok()
    }

    /// Until when it is kept whatever happens.
    pub fn until(&self) -> Timestamp {
        self.since
            .saturating_add(KEPT_FOR)
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether it may be freed: it is old enough and there is a backup of what took its place.
    pub fn is_due(&self, now: Timestamp, last_backup: Option<Timestamp>) -> bool {
        now >= self.until() && last_backup.is_some_and(|last| last > self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let restore = "restore-20261101-070501-00ff".parse().unwrap();
        let journal = Journal::new(Kind::Restore, restore, "b".into(), "a.example".into());
        Record::new(&journal, "2026-11-01T07:05:01Z".parse().unwrap())
    }

    #[test]
    fn old_data_is_kept_for_seven_days_and_until_there_is_a_newer_backup() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (early, late) = (at("2026-11-08T07:05:00Z"), at("2026-11-08T07:05:01Z"));
        let (before, after) = (at("2026-11-01T07:00:00Z"), at("2026-11-01T08:00:00Z"));
        for (now, last, due) in [
            (early, Some(after), false),
            (late, Some(after), true),
            (late, Some(before), false),
            (late, None, false),
        ] {
            assert_eq!(record().is_due(now, last), due, "{now} {last:?}");
        }
    }

    #[test]
    fn record_is_read_only_where_it_belongs() {
        let text = serde_json::to_vec(&record()).unwrap();
        let record = record();
        assert_eq!(Record::parse(&text, &record.restore), Some(record));
        let other = "restore-20261101-070501-00fe".parse().unwrap();
        assert_eq!(Record::parse(&text, &other), None);
        let newer = String::from_utf8(text.clone())
            .unwrap()
            .replace("\"format\":1", "\"format\":2");
        assert_eq!(
            Record::parse(
                newer.as_bytes(),
                &"restore-20261101-070501-00ff".parse().unwrap()
            ),
            None
        );
        assert_eq!(
            Record::parse(&text[1..], &"restore-20261101-070501-00ff".parse().unwrap()),
            None
        );
    }
}
