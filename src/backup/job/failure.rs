//! Why a job did not come to its end.

use std::error::Error;
use std::fmt;

use crate::backup::owner::Foreign;
use crate::backup::paths::PathsError;
use crate::backup::s3_error::S3Error;

/// What a job was to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Operation {
    /// Making a backup.
    #[default]
    CreateBackup,
    /// Bringing a backup to the volume.
    RestoreBackup,
    /// Looking whether a backup could be restored.
    VerifyBackup,
}

impl Operation {
    /// The action by which an admin asks for it.
    pub fn action(self) -> &'static str {
        match self {
            Self::CreateBackup => "create-backup",
            Self::RestoreBackup => "restore-backup",
            Self::VerifyBackup => "verify-backup",
        }
    }

    fn undone(self) -> &'static str {
        match self {
            Self::CreateBackup => "no backup was made",
            Self::RestoreBackup => "nothing was restored",
            Self::VerifyBackup => "the backup was not verified",
        }
    }
}

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

/// What an admin can do about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backup) struct NextStep {
    first: String,
    again: bool,
}

impl NextStep {
    /// To run the action again.
    pub(in crate::backup) fn again() -> Self {
        Self::then_again("")
    }

    /// To do something, then to run the action again.
    pub(in crate::backup) fn then_again(first: &str) -> Self {
        Self {
            first: first.to_owned(),
            again: true,
        }
    }
}

impl<T: Into<String>> From<T> for NextStep {
    fn from(text: T) -> Self {
        Self {
            first: text.into(),
            again: false,
        }
    }
}

/// Why no backup was made, restored or verified. Its text is one sentence that names stage and cause.
#[derive(Debug)]
pub struct JobError {
    operation: Operation,
    stage: Stage,
    message: String,
    next_step: NextStep,
    log_tail: Box<str>,
    blames_backup: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why no backup was made.
pub type BackupError = JobError;

/// Why no backup was brought to the volume.
pub type StagingError = JobError;

impl JobError {
    pub(in crate::backup) fn new(
        stage: Stage,
        message: impl Into<String>,
        next_step: impl Into<NextStep>,
    ) -> Self {
        Self {
            operation: Operation::default(),
            stage,
            message: message.into(),
            next_step: next_step.into(),
            log_tail: Box::default(),
            blames_backup: false,
            source: None,
        }
    }

    pub(in crate::backup) fn with_source(
        mut self,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    pub(in crate::backup) fn with_log(mut self, log_tail: String) -> Self {
        self.log_tail = log_tail.into();
        self
    }

    /// The same of another job than one that makes a backup.
    pub(in crate::backup) fn of(mut self, operation: Operation) -> Self {
        self.operation = operation;
        self
    }

    /// The same, but it is the backup that is bad, not what it was read with.
    pub(in crate::backup) fn blaming_backup(mut self) -> Self {
        self.blames_backup = true;
        self
    }

    pub(in crate::backup) fn workload(source: pebble_client::Error) -> Self {
        let message = if source.is_not_connectable() {
            format!("the workload container did not answer: {source}")
        } else {
            format!("the workload container did not do what it was asked: {source}")
        };
        let next = NextStep::then_again("wait until it runs");
        Self::new(Stage::Workload, printable(&message), next).with_source(source)
    }

    pub(in crate::backup) fn foreign(foreign: &Foreign, place: &str) -> Self {
        Self::new(Stage::Preflight, foreign.whose(place), foreign.next_step())
    }

    /// At which step the job ended.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the backup itself is bad: it would fail so wherever and however often it is read.
    pub fn blames_backup(&self) -> bool {
        self.blames_backup
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        let NextStep { first, again } = &self.next_step;
        let action = self.operation.action();
        match (first.as_str(), again) {
            (first, false) => first.to_owned(),
            ("", true) => format!("run {action} again"),
            (first, true) => format!("{first}, then run {action} again"),
        }
    }

    /// The last of what the tools said; without secrets.
    pub fn log_tail(&self) -> &str {
        &self.log_tail
    }

    /// The cause alone and what to do, for who says already what was not done.
    pub fn cause_and_next_step(&self) -> String {
        format!("{}; {}", self.message, self.next_step())
    }

    /// The sentence and what to do, for an action's failure.
    pub fn with_next_step(&self) -> String {
        format!("{self}; {}", self.next_step())
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ({}): {}",
            self.operation.undone(),
            self.stage,
            self.message
        )
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<S3Error> for JobError {
    fn from(error: S3Error) -> Self {
        Self::new(Stage::S3, error.to_string(), error.next_step()).with_source(error)
    }
}

impl From<PathsError> for JobError {
    fn from(error: PathsError) -> Self {
        match error {
            PathsError::Workload(error) => Self::workload(error),
            error @ PathsError::Link(_) => Self::new(
                Stage::Preflight,
                printable(&error.to_string()),
                "put the file or folder itself there: a link is stored as a link, and what it leads to would be missing",
            ),
            error @ PathsError::TooMany(_) => Self::new(
                Stage::Preflight,
                error.to_string(),
                "remove those that are not Synapse's, which has local_content and local_thumbnails",
            ),
            error @ PathsError::ExtraPath(..) => Self::new(
                Stage::Preflight,
                error.to_string(),
                "correct the option backup_extra_paths",
            ),
        }
    }
}

pub(in crate::backup) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(400)
        .collect()
}
