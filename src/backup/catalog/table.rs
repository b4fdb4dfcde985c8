//! `list-backups` for a person.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::Entry;
use crate::backup::limits::MAX_LIST_BYTES;

const HEADER: &str =
    "backup-id                   | last-modified        | size     | status      | verified";

/// What one entry may cost in the whole result: its row, and its keys and values for machines.
const ENTRY_BYTES: usize = 400;

/// How many entries a result can hold.
pub const MOST_ENTRIES: usize = MAX_LIST_BYTES / ENTRY_BYTES;

/// A table with a header; entries beyond [`MOST_ENTRIES`] are left out.
pub fn formatted(entries: &[Entry]) -> String {
    let mut table = String::from(HEADER);
    table.push('\n');
    table.push_str(&"-".repeat(HEADER.len()));
    for entry in entries.iter().take(MOST_ENTRIES) {
        let modified = entry
            .modified
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%dT%H:%M:%SZ");
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "\n{:<27} | {modified:<20} | {:>8} | {:<11} | {}",
            entry.id,
            size(entry.size_bytes),
            entry.status(),
            verified(entry)
        );
    }
    table
}

/// When a backup was verified last, and how that ended.
fn verified(entry: &Entry) -> String {
    entry.verified.first().map_or_else(
        || "no".to_owned(),
        |last| {
            let day = last.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d");
            format!("{} {day}", last.word())
        },
    )
}

/// A size as a person reads it: `1.4 GB`, powers of ten.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}
