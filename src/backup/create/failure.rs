//! Why no backup was made.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use super::log_tail::words_of;
use crate::backup::owner::Foreign;
use crate::backup::paths::PathsError;
use crate::backup::s3_error::S3Error;

/// At which step a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Before anything was written.
    Preflight,
    /// The charm's own requests to S3.
    S3,
    /// Copying and checking the database.
    Snapshot,
    /// One of the pipelines' programs, by name.
    Program(&'static str),
    /// The workload went away, or the job took too long.
    Workload,
    /// Looking at what arrived.
    Verify,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Preflight => "preflight",
            Self::S3 => "s3",
            Self::Snapshot => "snapshot",
            Self::Program(name) => name,
            Self::Workload => "workload",
            Self::Verify => "verify",
        })
    }
}

/// Why no backup was made. Its text is one sentence that names stage and cause.
#[derive(Debug)]
pub struct BackupError {
    stage: Stage,
    message: String,
    next_step: String,
    log_tail: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl BackupError {
    pub(super) fn new(
        stage: Stage,
        message: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            stage,
            message: message.into(),
            next_step: next_step.into(),
            log_tail: String::new(),
            source: None,
        }
    }

    pub(super) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    pub(super) fn with_log(mut self, log_tail: String) -> Self {
        self.log_tail = log_tail;
        self
    }

    pub(super) fn workload(source: pebble_client::Error) -> Self {
        let message = if source.is_not_connectable() {
            format!("the workload container did not answer: {source}")
        } else {
            format!("the workload container did not do what it was asked: {source}")
        };
        Self::new(
            Stage::Workload,
            printable(&message),
            "run create-backup again when it runs",
        )
        .with_source(source)
    }

    pub(super) fn foreign(foreign: &Foreign, place: &str) -> Self {
        let whose = match foreign {
            Foreign::Other(owner) => format!(
                "the path in {place} belongs to application {} (server {}) of model {}",
                owner.application, owner.server_name, owner.model_uuid
            ),
            Foreign::Format(format) => format!(
                "the owner.json in {place} has the unknown format {format}: a newer charm wrote it"
            ),
            Foreign::Unreadable => format!("the owner.json in {place} cannot be understood"),
        };
        let next = "set another path, or take-over=true if that deployment is gone";
        Self::new(Stage::Preflight, printable(&whose), next)
    }

    /// At which step the job ended.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What to do about it.
    pub fn next_step(&self) -> &str {
        &self.next_step
    }

    /// The last of what the tools said; without secrets.
    pub fn log_tail(&self) -> &str {
        &self.log_tail
    }

    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        format!("{self}; {}", self.next_step)
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no backup was made ({}): {}",
            self.stage, self.message
        )
    }
}

impl Error for BackupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<S3Error> for BackupError {
    fn from(error: S3Error) -> Self {
        Self::new(Stage::S3, error.to_string(), error.next_step()).with_source(error)
    }
}

impl From<PathsError> for BackupError {
    fn from(error: PathsError) -> Self {
        match error {
            PathsError::Workload(error) => Self::workload(error),
            error @ PathsError::Link(_) => Self::new(
                Stage::Preflight,
                printable(&error.to_string()),
                "put the file or folder itself there: a link is stored as a link, and what it leads to would be missing",
            ),
            error @ PathsError::ExtraPath(..) => Self::new(
                Stage::Preflight,
                error.to_string(),
                "correct the option backup_extra_paths",
            ),
        }
    }
}

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
            "keep the older backups; repair the database or restore one of them",
        ),
        (_, 74) => (
            last.clone(),
            "make the volume larger or remove what is not needed, then run create-backup again",
        ),
        (name, 129..) => (
            format!(
                "{name} of the {archive} archive was ended by signal {}",
                status - 128
            ),
            if status == 137 {
                "look whether the container ran out of memory, then run create-backup again"
            } else {
                AGAIN
            },
        ),
        (name, status) => (
            format!("{name} of the {archive} archive failed with exit code {status}{said}"),
            next_step_of(name, &last),
        ),
    };
    BackupError::new(stage, message, next).with_log(log_tail)
}

const AGAIN: &str = "run create-backup again";

fn next_step_of(name: &str, said: &str) -> &'static str {
    match name {
        "aws" if said.contains("AccessDenied") => "allow this key to write objects under the path",
        "aws" if said.contains("SSL") => {
            "give the certificate of the server's authority as s3_tls_ca_chain"
        }
        "aws" => {
            "check that the S3 server can be reached from the workload container, then run create-backup again"
        }
        "tar" => "make the file readable for user 991 or take it out of backup_extra_paths",
        "snapshot" => {
            "look at what the database's folder allows user 991, then run create-backup again"
        }
        _ => AGAIN,
    }
}

pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(400)
        .collect()
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
