//! What the actions answer.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jujuna::UnitName;

use super::look::{Refused, Seen, replaced};
use crate::backup::Components;
use crate::backup::catalog::table::size;
use crate::backup::limits::reserve_bytes;
use crate::backup::restore::gates::Offer;
use crate::backup::restore::journal::{Journal, Kind};
use crate::backup::restore::kept::Record;
use crate::backup::restore::moves::Survey;
use crate::backup::staging::Staged;
use crate::plan::RestoreBackup;

const OLD_SERVER: &str = "Do not restore while the old server of this name still runs elsewhere: two servers with one signing \
                          key answer for the same users, and rooms fall apart. Stop the other one first.";

const OF_DATABASE: &str = "The server is as it was when the backup was made. Rooms that were joined since are unknown to it: \
                            join them again. Messages sent since are gone here; other servers may have them. Users who \
                            were erased or deactivated since are back: do it again. Devices and encryption keys that were \
                            made since are unknown: clients may need to log in again or to clear their caches. One-time \
                            keys were removed, clients upload new ones by themselves.";

const OF_KEYS: &str = "The signing key and the server's secrets are those of the backup. Database and media were not touched; users stay \
                       logged in.";

/// A server has less than ten; a result has room for so many.
const MOST_NAMED: usize = 100;

type Results = Vec<(String, String)>;

pub(super) fn of_restore(unit: &UnitName, journal: &Journal, staged: &Staged) -> Results {
    let mut results = vec![
        ("result", "correct".to_owned()),
        ("restore-id", journal.restore.to_string()),
        ("backup-id", journal.backup.clone()),
        ("restored", restored(journal, staged)),
        ("file-bytes", staged.file_bytes.to_string()),
        ("warning", OLD_SERVER.to_owned()),
    ];
    if journal.components.database() {
        let removed = staged.one_time_keys_removed.to_string();
        results.push(("one-time-keys-removed", removed));
        results.push(("what-to-know", OF_DATABASE.to_owned()));
    } else {
        results.push(("what-to-know", OF_KEYS.to_owned()));
    }
    results.extend(undo(unit, journal));
    if let Some(missing) = staged.media_rows_without_file {
        results.push(("media-without-file", missing.to_string()));
    }
    if !staged.warnings.is_empty() {
        results.push(("warnings", staged.warnings.join("; ")));
    }
    owned(results)
}

fn restored(journal: &Journal, staged: &Staged) -> String {
    let mut parts = Vec::new();
    if journal.components.database() {
        let users = match staged.users {
            Some(1) => " with 1 user".to_owned(),
            Some(users) => format!(" with {users} users"),
            None => String::new(),
        };
        let version = staged.synapse_version.as_deref();
        let version = version.map_or(String::new(), |version| {
            format!(", made by Synapse {version}")
        });
        parts.push(format!("the database{users}{version}"));
    }
    if journal.components.keys() {
        parts.push("the signing key and secrets".to_owned());
    }
    if journal.components.media() {
        parts.push("local media and extra paths".to_owned());
    }
    format!("{} of {}", parts.join("; "), staged.server_name)
}

/// How to undo a job, if it put anything aside.
fn undo(unit: &UnitName, journal: &Journal) -> Vec<(&'static str, String)> {
    if !journal.renames.iter().any(|rename| rename.had_live) {
        return vec![(
            "undo",
            "there was nothing before, so there is nothing to undo".to_owned(),
        )];
    }
    let record = Record::new(journal, Timestamp::now());
    let until = Timestamp::from_second(record.until().as_second()).unwrap_or(record.until());
    vec![
        (
            "undo",
            format!(
                "juju run {unit} undo-restore restore-id={}; juju run {unit} discard-old-data frees the space",
                journal.restore
            ),
        ),
        (
            "old-data-kept-until",
            format!("{until}, and until there is a finished backup made after this"),
        ),
        ("old-data-bytes", record.bytes.to_string()),
    ]
}

/// What is live after an undo of what `undone` did, and what is put aside.
fn after_undo(undone: Kind, components: Components) -> &'static str {
    match (components.database(), undone) {
        (true, Kind::Restore) => {
            "The data from before the restore is live again. What the restore brought, and what users did since, is put aside."
        }
        (true, Kind::Undo) => {
            "What the undo had put aside is live again: what the restore had brought, and what users did until the undo. The data \
             from before the restore, and what users did since the undo, is put aside."
        }
        (false, Kind::Restore) => {
            "The signing key and the server's secrets from before the restore are live again. Database and media were not touched."
        }
        (false, Kind::Undo) => {
            "The signing key and the server's secrets that the restore had brought are live again. Database and media were not \
             touched."
        }
    }
}

/// `kind` is that of the job that was undone.
pub(super) fn of_undo(unit: &UnitName, journal: &Journal, kind: Kind) -> Results {
    let undone = journal.undoes.as_ref().map(ToString::to_string);
    let mut results = vec![
        ("result", "correct".to_owned()),
        ("restore-id", journal.restore.to_string()),
        ("undone", undone.unwrap_or_default()),
        (
            "what-to-know",
            after_undo(kind, journal.components).to_owned(),
        ),
    ];
    results.extend(undo(unit, journal));
    owned(results)
}

/// A job that had been given up, and that the admin let go back.
pub(super) fn of_going_back(journal: &Journal) -> Results {
    let result = match &journal.setback {
        Some(why) => format!(
            "{} was not done, all is as it was before: {why}",
            journal.called()
        ),
        None => format!("{} had been done and is closed now", journal.called()),
    };
    owned(vec![("result", result)])
}

pub(super) fn of_discard(records: &[Record]) -> Results {
    let names: Vec<&str> = records
        .iter()
        .map(|record| record.restore.as_str())
        .collect();
    let bytes: u64 = records.iter().map(|record| record.bytes).sum();
    owned(vec![
        ("result", "correct".to_owned()),
        ("discarded", names.join(", ")),
        ("freed-bytes", bytes.to_string()),
    ])
}

/// `tried` is why bringing the backup would fail at once, if it would.
pub(super) fn of_dry_run(
    request: &RestoreBackup,
    known: &[String],
    seen: Result<Seen, Refused>,
    tried: Option<String>,
) -> Results {
    let mut reasons = known.to_vec();
    reasons.extend(tried);
    let (backup, offer, survey) = match seen {
        Ok(seen) => (Some(seen.backup), Some(seen.offer), Some(seen.survey)),
        Err(refused) => {
            reasons.extend(refused.reasons);
            (refused.backup, refused.offer, refused.survey)
        }
    };
    let mut results = vec![
        ("dry-run", "true".to_owned()),
        ("would-be-refused", (!reasons.is_empty()).to_string()),
        ("warning", OLD_SERVER.to_owned()),
    ];
    if let Some(backup) = backup {
        results.push(("backup-id", backup.to_string()));
    }
    if !reasons.is_empty() {
        results.push(("refused-because", reasons.join("; ")));
    }
    if let Some(offer) = &offer {
        results.push(("file-bytes", offer.file_bytes.to_string()));
        results.push(("disk-needed-bytes", offer.needed_bytes().to_string()));
    }
    if let Some(survey) = &survey {
        results.extend(of_survey(
            survey,
            (&request.site.server_name, request.components),
            offer.as_ref(),
        ));
    }
    owned(results)
}

fn of_survey(
    survey: &Survey,
    (server_name, components): (&str, Components),
    offer: Option<&Offer>,
) -> Vec<(&'static str, String)> {
    let reserve = reserve_bytes(survey.volume_bytes);
    let wanted = replaced(server_name, components);
    let local: BTreeSet<&String> = survey.local.iter().collect();
    let mut replaced: Vec<String> = survey
        .present
        .iter()
        .filter(|path| wanted.contains(path) || local.contains(path))
        .cloned()
        .collect();
    if replaced.len() > MOST_NAMED {
        let more = replaced.len() - MOST_NAMED;
        replaced.truncate(MOST_NAMED);
        replaced.push(format!("{more} more"));
    }
    let replaced = if replaced.is_empty() {
        "nothing: the volume is empty".to_owned()
    } else {
        format!(
            "{} ({}), put aside for at least 7 days; homeserver.yaml and log.config are written by the charm",
            replaced.join(", "),
            size(survey.bytes)
        )
    };
    let mut results = vec![
        ("would-replace", replaced),
        ("disk-free-bytes", survey.free_bytes.to_string()),
        ("disk-reserve-bytes", reserve.to_string()),
    ];
    if let Some(offer) = offer {
        let needed = offer.needed_bytes().saturating_add(reserve);
        results.push(("disk-suffices", (needed <= survey.free_bytes).to_string()));
    }
    results
}

fn owned(results: Vec<(&'static str, String)>) -> Results {
    results
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
