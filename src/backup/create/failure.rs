//! Which stage of an archive's pipeline is to blame when it fails.

use std::collections::BTreeMap;

use crate::backup::job::{BackupError, NextStep, Stage, words_of};

/// A shell's status of a program that was ended by SIGPIPE: those after it stopped reading.
const BROKEN_PIPE: i32 = 141;

/// The stages of a pipeline in their order.
const STAGES: [&str; 5] = ["tar", "zstd", "gpg", "relay", "aws"];

/// The stage that is the first real cause, and its status. One that was killed is one. Else: a stage that ends early makes
/// those before it fail at writing, and those after it succeed with too little, so it is the last one that failed; but
/// where the relay came to its end, aws made nothing before it fail.
pub(super) fn first_cause(
    stages: &BTreeMap<String, i32>,
    tolerate_changes: bool,
) -> Option<(&'static str, i32)> {
    let status = |name: &str| stages.get(name).copied().unwrap_or(0);
    let failed = |name: &&'static str| {
        let tolerated = *name == "tar" && status(name) == 1 && tolerate_changes;
        (status(name) != 0 && !tolerated).then_some((*name, status(name)))
    };
    let last_of = |names: &[&'static str]| names.iter().rev().find_map(failed);
    let killed = STAGES.iter().find_map(|name| {
        let by_signal = status(name) > 128 && status(name) != BROKEN_PIPE;
        by_signal.then(|| (*name, status(name)))
    });
    let [before @ .., _, _] = STAGES;
    let before_relay = if status("relay") == 0 {
        last_of(&before)
    } else {
        None
    };
    let snapshot = || failed(&"snapshot");
    killed
        .or(before_relay)
        .or_else(|| last_of(&STAGES))
        .or_else(snapshot)
}

/// What a stage's end means.
pub(super) fn of_stage(
    archive: &str,
    (name, status): (&'static str, i32),
    log_tail: String,
) -> BackupError {
    let last = words_of(name, status, &log_tail);
    let said = if last.is_empty() {
        String::new()
    } else {
        format!(": {last}")
    };
    let stage = if name == "snapshot" {
        Stage::Snapshot
    } else {
        Stage::Program(name)
    };
    let (message, next) = match (name, status) {
        ("snapshot", 65) => (
            format!("the database is damaged or cannot be read{said}"),
            "keep the older backups; repair the database or restore one of them".into(),
        ),
        (_, 74) => (
            last.clone(),
            NextStep::then_again("make the volume larger or remove what is not needed"),
        ),
        (name, 129..) => (
            format!(
                "{name} of the {archive} archive was ended by signal {}",
                status - 128
            ),
            if status == 137 {
                NextStep::then_again("look whether the container ran out of memory")
            } else {
                NextStep::again()
            },
        ),
        (name, status) => (
            format!("{name} of the {archive} archive failed with exit code {status}{said}"),
            next_step_of(name, &last),
        ),
    };
    BackupError::new(stage, message, next).with_log(log_tail)
}

fn next_step_of(name: &str, said: &str) -> NextStep {
    match name {
        "aws" if said.contains("AccessDenied") => {
            "allow this key to write objects under the path".into()
        }
        "aws" if said.contains("SSL") => {
            "give the certificate of the server's authority as s3_tls_ca_chain".into()
        }
        "aws" => NextStep::then_again(
            "check that the S3 server can be reached from the workload container",
        ),
        "tar" => "make the file readable for user 991 or take it out of backup_extra_paths".into(),
        "snapshot" => NextStep::then_again("look at what the database's folder allows user 991"),
        _ => NextStep::again(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stages: &[(&str, i32)], tolerate: bool) -> Option<(&'static str, i32)> {
        let stages = stages
            .iter()
            .map(|(name, status)| ((*name).to_owned(), *status))
            .collect();
        first_cause(&stages, tolerate)
    }

    #[test]
    fn cause_is_the_stage_whose_end_the_others_followed() {
        assert_eq!(cause(&[("tar", 0), ("gpg", 0), ("aws", 0)], false), None);
        assert_eq!(
            cause(&[("tar", 2), ("gpg", 0), ("aws", 0)], false),
            Some(("tar", 2))
        );
        assert_eq!(
            cause(&[("tar", 141), ("gpg", 137), ("aws", 0)], false),
            Some(("gpg", 137))
        );
        assert_eq!(
            cause(
                &[("tar", 141), ("gpg", 2), ("relay", 141), ("aws", 1)],
                false
            ),
            Some(("aws", 1))
        );
        assert_eq!(
            cause(
                &[
                    ("snapshot", 143),
                    ("tar", 141),
                    ("gpg", 2),
                    ("relay", 141),
                    ("aws", 1)
                ],
                false
            ),
            Some(("aws", 1))
        );
        assert_eq!(
            cause(&[("snapshot", 65), ("tar", 0)], false),
            Some(("snapshot", 65))
        );
    }

    #[test]
    fn cause_is_before_the_relay_when_that_came_to_its_end() {
        let stages = [("tar", 2), ("gpg", 0), ("relay", 0), ("aws", 1)];
        assert_eq!(cause(&stages, false), Some(("tar", 2)));
        let stages = [("tar", 141), ("gpg", 2), ("relay", 137), ("aws", 1)];
        assert_eq!(cause(&stages, false), Some(("relay", 137)));
    }

    #[test]
    fn tar_that_saw_files_change_is_fine_where_they_may() {
        assert_eq!(cause(&[("tar", 1)], true), None);
        assert_eq!(cause(&[("tar", 1)], false), Some(("tar", 1)));
    }

    #[test]
    fn message_names_stage_cause_and_next_step() {
        let error = of_stage("media", ("gpg", 137), String::new());
        assert_eq!(
            error.with_next_step(),
            "no backup was made (gpg): gpg of the media archive was ended by signal 9; \
             look whether the container ran out of memory, then run create-backup again"
        );
        let error = of_stage(
            "media",
            ("aws", 1),
            "x\nupload failed: (AccessDenied) no\n".to_owned(),
        );
        assert!(
            error
                .to_string()
                .ends_with("exit code 1: upload failed: (AccessDenied) no"),
            "{error}"
        );
        assert_eq!(
            error.next_step(),
            "allow this key to write objects under the path"
        );
    }
}
