//! The one place in which the unit's status is put together.

use jiff::{SignedDuration, Timestamp};
use jujuna::Status;

use crate::backup::catalog::table::size;
use crate::plan::{Condition, Level};
use crate::state::{Memory, Store};

/// Returns the status that says all of `conditions`, the worst first. `backups` ends a
/// status in which nothing is wrong.
pub fn compose(conditions: &[Condition], backups: &str) -> Status {
    let mut sorted: Vec<&Condition> = conditions.iter().collect();
    sorted.sort_by_key(|condition| condition.level);
    let worst = sorted
        .first()
        .map_or(Level::Note, |condition| condition.level);
    let mut texts: Vec<&str> = Vec::new();
    for condition in sorted {
        if !texts.contains(&condition.text.as_str()) {
            texts.push(&condition.text);
        }
    }
    match worst {
        Level::Blocked => Status::Blocked(texts.join("; ")),
        Level::Waiting => Status::Waiting(texts.join("; ")),
        Level::Note => {
            texts.push(backups);
            Status::Active(texts.join("; "))
        }
    }
}

/// Returns the same while something long goes on: `doing` ends every status, not only one in
/// which nothing is wrong.
pub fn compose_during(conditions: &[Condition], doing: &str) -> Status {
    match compose(conditions, doing) {
        Status::Blocked(text) => Status::Blocked(format!("{text}; {doing}")),
        Status::Waiting(text) => Status::Waiting(format!("{text}; {doing}")),
        other => other,
    }
}

/// Returns what an active unit says about its backups, from memory, without asking S3.
pub fn backup_line(store: &Store, memory: &Memory, now: Timestamp) -> String {
    let (Store::Ready(parameters), Some(answer)) = (store, &memory.store) else {
        return "no backups configured".to_owned();
    };
    if answer.parameters != parameters.hash() {
        return "backup: not asked yet".to_owned();
    }
    match (&answer.problem, &answer.last) {
        (Some(problem), _) => format!("backup: {}", problem.text),
        (None, None) => "no backup yet".to_owned(),
        (None, Some(last)) => {
            format!(
                "last backup {}, {}",
                age(now.duration_since(last.finished_at)),
                size(last.size_bytes)
            )
        }
    }
}

/// Returns what the stored answer of S3 means for the status, beyond [`backup_line`]: a
/// store that refuses is something to mend, one that cannot be reached may come back, and a path that is another
/// deployment's takes no backup of this one.
pub fn store_condition(store: &Store, memory: &Memory) -> Option<Condition> {
    let (Store::Ready(parameters), Some(answer)) = (store, &memory.store) else {
        return None;
    };
    if answer.parameters != parameters.hash() {
        return None;
    }
    match (&answer.problem, &answer.foreign) {
        (Some(problem), _) if !problem.passing => {
            Some(Condition::blocked(format!("backup: {}", problem.text)))
        }
        (None, Some(foreign)) => Some(Condition::note(format!("backup: {foreign}"))),
        _ => None,
    }
}

/// Returns that the last `create-backup` failed.
pub fn failed_backup(store: &Store, memory: &Memory, now: Timestamp) -> Option<Condition> {
    let failure = memory.backup_failure.as_ref()?;
    matches!(store, Store::Ready(_)).then(|| {
        let when = age(now.duration_since(failure.failed_at));
        Condition::note(format!("create-backup failed {when}: {}", failure.reason))
    })
}

fn age(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    match minutes {
        ..1 => "just now".to_owned(),
        1..60 => format!("{minutes}m ago"),
        60..2880 => format!("{}h ago", minutes / 60),
        _ => format!("{}d ago", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_condition_decides_and_comes_first() {
        let conditions = [
            Condition::note("n"),
            Condition::waiting("w"),
            Condition::blocked("b1"),
            Condition::blocked("b2"),
        ];
        assert_eq!(
            compose(&conditions, "x"),
            Status::Blocked("b1; b2; w; n".into())
        );
        assert_eq!(
            compose(&conditions[..2], "x"),
            Status::Waiting("w; n".into())
        );
    }

    #[test]
    fn active_ends_with_the_backups() {
        assert_eq!(
            compose(&[], "no backups configured"),
            Status::Active("no backups configured".into())
        );
        assert_eq!(
            compose(&[Condition::note("n")], "x"),
            Status::Active("n; x".into())
        );
    }

    #[test]
    fn same_text_is_said_once() {
        assert_eq!(
            compose(&[Condition::blocked("b"), Condition::blocked("b")], ""),
            Status::Blocked("b".into())
        );
    }

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1m ago"),
            (3599, "59m ago"),
            (3 * 3600, "3h ago"),
            (47 * 3600, "47h ago"),
            (48 * 3600, "2d ago"),
        ] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), text);
        }
    }
}
