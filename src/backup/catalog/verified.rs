//! Names of the records that `verify-backup` leaves beside a backup. A listing reads all that it shows from them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::id::AnyBackupId;

const TIME: &str = "%Y%m%d-%H%M%S";

/// `verified-<yyyymmdd>-<hhmmss>-<ok|failed>.json`, UTC. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifiedName {
    /// When the verification ended, to the second.
    pub at: Timestamp,
    /// Whether the backup was found good.
    pub ok: bool,
}

impl VerifiedName {
    /// The record's object under the path: in the folder of a backup of ours, beside a legacy one.
    pub fn object(self, id: &AnyBackupId) -> String {
        match id {
            AnyBackupId::Ours(id) => id.object(&self.to_string()),
            AnyBackupId::Legacy(id) => format!("{id}.{self}"),
        }
    }

    /// The word for how it ended.
    pub fn word(self) -> &'static str {
        if self.ok { "ok" } else { "failed" }
    }
}

impl fmt::Display for VerifiedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_zoned(TimeZone::UTC).strftime(TIME);
        write!(formatter, "verified-{at}-{}.json", self.word())
    }
}

impl FromStr for VerifiedName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let rest = name.strip_prefix("verified-").ok_or(())?;
        let (time, word) = rest.rsplit_once('-').ok_or(())?;
        let ok = match word {
            "ok.json" => true,
            "failed.json" => false,
            _ => return Err(()),
        };
        let digits = time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        if time.len() != "00000000-000000".len() || !digits {
            return Err(());
        }
        let time = DateTime::strptime(TIME, time).map_err(drop)?;
        let at = time.to_zoned(TimeZone::UTC).map_err(drop)?.timestamp();
        Ok(Self { at, ok })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written_and_others_are_not() {
        let name = "verified-20261123-110203-failed.json";
        let read: VerifiedName = name.parse().unwrap();
        assert!(!read.ok);
        assert_eq!(read.at, "2026-11-23T11:02:03Z".parse().unwrap());
        assert_eq!(read.to_string(), name);
        for bad in [
            "verified-20261123-110203-good.json",
            "verified-20261123-110203-ok.json.bak",
            "verified-20261323-110203-ok.json",
            "verified-2026112-3110203-ok.json",
            "verified--ok.json",
            "verified-ok.json",
        ] {
            assert!(bad.parse::<VerifiedName>().is_err(), "{bad}");
        }
    }
}
