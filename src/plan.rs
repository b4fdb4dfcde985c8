//! What a dispatch is going to do, as plain data. [`crate::decide`] makes it, only
//! [`crate::apply`] carries it out. `Debug` shows no secret.

use std::time::Duration;

use secrecy::SecretString;

use crate::backup::catalog::{AnyBackupId, BackupChoice, BackupId};
use crate::backup::restore::RestoreId;
use crate::backup::restore::journal::Journal;
use crate::backup::restore::kept::Record;
use crate::backup::{Components, Passphrase, S3Parameters};
use crate::state::Memory;
use crate::synapse::identity::Identity;
use crate::synapse::layer::RunAs;

/// Steps in the order in which they are taken, and what the status must say.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Taken one after the other. When one fails, those after it are left out.
    pub steps: Vec<Step>,
    /// What is wrong, or waited for, before the steps are taken.
    pub conditions: Vec<Condition>,
    /// Why an action is refused. There are no steps then.
    pub refusal: Option<String>,
    /// What the unit is to remember, as far as it is known before the steps are taken.
    pub memory: Memory,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Write into the own application databag what the S3 provider waits for.
    AnswerProvider(Answer),
    /// Stop Synapse.
    StopService,
    /// Give the top of the volume to the user that runs Synapse.
    OwnVolume,
    /// Write a file on the volume, whole and synced.
    PushFile(PushFile),
    /// Make the layer part of Pebble's plan.
    AddLayer(String),
    /// Let Pebble start, or restart, what its plan says.
    Replan(Replan),
    /// Wait until Synapse answers, or is known not to. Once it answered, the server of this name
    /// is known to have lived.
    AwaitHealth(String),
    /// Ask Synapse for its version and show it in `juju status`.
    ShowVersion,
    /// Copy the identity into the application's secret.
    CopyIdentity(IdentityCopy),
    /// Ask S3 whether the bucket can be used, whose the path is, and for the server's newest backup.
    ProbeStore(Box<ProbeStore>),
    /// Remove what dead backups left on the volume.
    Sweep,
    /// Stop the service that wakes the charm while a job is open.
    StopWaker,
    /// Go on with the job that is open on the volume.
    ResumeJob(Box<ResumeJob>),
    /// Remove what a job left that did not go well.
    SweepRestore(RestoreId),
    /// Remove data that was put aside and is not kept any longer.
    FreeOldData(RestoreId),
    /// The action `restore-backup`.
    RestoreBackup(Box<RestoreBackup>),
    /// The action `undo-restore`.
    UndoRestore(Box<UndoRestore>),
    /// The action `discard-old-data`.
    DiscardOldData(Vec<Record>),
    /// Answer an action with what is known already.
    Tell(Vec<(&'static str, String)>),
    /// Remove a revision of the identity's copy that nobody reads any more.
    RemoveRevision(ObsoleteRevision),
    /// The action `create-backup`.
    CreateBackup(Box<CreateBackup>),
    /// The action `list-backups`.
    ListBackups(Box<ListBackups>),
    /// The action `show-backup`.
    ShowBackup(Box<ShowBackup>),
    /// The action `verify-backup`.
    VerifyBackup(Box<VerifyBackup>),
    /// The action `delete-backup`.
    DeleteBackup(Box<DeleteBackup>),
    /// The action `register-user`.
    RegisterUser(RegisterUser),
    /// Fail the action unless Synapse made a database by now.
    RequireDatabase,
}

/// What the requirer of an S3 relation writes so that the provider goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The relation.
    pub relation: jujuna::RelationId,
    /// The field of the own application databag.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// How Pebble is to replan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replan {
    /// The digest of the configuration that then runs.
    pub digest: String,
    /// Whether Synapse is sure to be down for a moment. Where it may be running just so, Pebble
    /// touches nothing.
    pub restarts: bool,
}

/// A revision of a secret that nobody reads any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObsoleteRevision {
    /// The secret.
    pub uri: jujuna::SecretUri,
    /// Its revision.
    pub revision: u64,
}

/// A file on the volume. It is written 0600 and owned by whoever runs Synapse.
#[derive(Debug, Clone)]
pub struct PushFile {
    /// Full path.
    pub path: String,
    /// All of it.
    pub content: SecretString,
    /// As whom Synapse runs, and so who must own it.
    pub run_as: RunAs,
}

/// The identity that the application's secret is to hold.
#[derive(Debug, Clone)]
pub struct IdentityCopy {
    /// Whose identity it is.
    pub server_name: String,
    /// What the volume holds.
    pub identity: Identity,
}

/// What is asked of S3.
#[derive(Debug, Clone)]
pub struct ProbeStore {
    /// Where.
    pub parameters: S3Parameters,
    /// Whose newest backup is looked for; none while the option is faulty.
    pub server_name: Option<String>,
}

/// What `create-backup` needs beyond what never changes.
#[derive(Debug, Clone)]
pub struct CreateBackup {
    /// Where it goes.
    pub parameters: S3Parameters,
    /// Its name.
    pub id: BackupId,
    /// What encrypts it.
    pub passphrase: Passphrase,
    /// Whose server it is.
    pub server_name: String,
    /// The admin's further paths.
    pub extra_paths: Vec<String>,
    /// Whether to claim a path that another server wrote to.
    pub take_over: bool,
    /// When it is ended and counts as failed.
    pub max_duration: Duration,
}

/// What is needed to go on with a job.
#[derive(Debug, Clone)]
pub struct ResumeJob {
    /// How far it is.
    pub journal: Journal,
    /// As whom Synapse runs.
    pub run_as: RunAs,
    /// Whether the admin wants it to go back, although it was given up.
    pub go_back: bool,
}

/// What a job that the admin begins needs to know of the main unit.
#[derive(Debug, Clone)]
pub struct JobSite {
    /// The job's name.
    pub restore: RestoreId,
    /// Whose server it is.
    pub server_name: String,
    /// As whom Synapse runs.
    pub run_as: RunAs,
    /// Whether the top of the volume must be given to the data's user first.
    pub own_volume: bool,
}

/// What `restore-backup` needs.
#[derive(Debug, Clone)]
pub struct RestoreBackup {
    /// Where the backup is.
    pub parameters: S3Parameters,
    /// What decrypts it.
    pub passphrase: Passphrase,
    /// Which backup.
    pub backup: BackupChoice,
    /// Which parts of it.
    pub components: Components,
    /// When bringing it is given up.
    pub max_duration: Duration,
    /// Whether only to say what would happen, and beside what else is found, why it would be refused.
    pub dry_run: Option<Vec<String>>,
    /// Where.
    pub site: JobSite,
}

/// What `undo-restore` needs.
#[derive(Debug, Clone)]
pub struct UndoRestore {
    /// What the restore put aside.
    pub record: Record,
    /// Where.
    pub site: JobSite,
}

/// What `list-backups` needs.
#[derive(Debug, Clone)]
pub struct ListBackups {
    /// Where to look.
    pub parameters: S3Parameters,
    /// How many at most.
    pub limit: usize,
    /// Only those older than this one.
    pub before: Option<String>,
}

/// What `show-backup` needs.
#[derive(Debug, Clone)]
pub struct ShowBackup {
    /// Where to look.
    pub parameters: S3Parameters,
    /// Which.
    pub choice: BackupChoice,
    /// Whose newest the latest is; one that has an id is shown whosever it is.
    pub server_name: Option<String>,
}

/// What `verify-backup` needs.
#[derive(Debug, Clone)]
pub struct VerifyBackup {
    /// Where it is.
    pub parameters: S3Parameters,
    /// Which.
    pub choice: BackupChoice,
    /// What decrypts it.
    pub passphrase: Passphrase,
    /// Whose server it must be.
    pub server_name: String,
    /// When it is ended and counts as failed.
    pub max_duration: Duration,
}

/// What `delete-backup` needs.
#[derive(Debug, Clone)]
pub struct DeleteBackup {
    /// Where it is.
    pub parameters: S3Parameters,
    /// Which.
    pub id: AnyBackupId,
    /// Whose path it must be.
    pub server_name: String,
    /// Whether to claim a path that another server wrote to.
    pub take_over: bool,
}

/// What `register-user` needs.
#[derive(Debug, Clone)]
pub struct RegisterUser {
    /// The localpart, checked.
    pub username: String,
    /// Whether the user may administer the server.
    pub admin: bool,
    /// What proves to Synapse that the charm may do this.
    pub registration_secret: SecretString,
}

/// How much a [`Condition`] weighs in the status, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Someone must do something.
    Blocked,
    /// It will pass by itself.
    Waiting,
    /// Nothing is wrong; it is worth a word.
    Note,
}

/// One thing that the status says. The text names the component it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How much it weighs.
    pub level: Level,
    /// What the admin reads.
    pub text: String,
}

impl Condition {
    /// Returns a condition in which someone must do something.
    pub fn blocked(text: impl Into<String>) -> Self {
        Self {
            level: Level::Blocked,
            text: text.into(),
        }
    }

    /// Returns a condition that will pass by itself.
    pub fn waiting(text: impl Into<String>) -> Self {
        Self {
            level: Level::Waiting,
            text: text.into(),
        }
    }

    /// Returns a remark.
    pub fn note(text: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            text: text.into(),
        }
    }
}

impl Plan {
    /// Returns a plan that does nothing and remembers `memory`.
    pub fn nothing(memory: Memory) -> Self {
        Self {
            steps: Vec::new(),
            conditions: Vec::new(),
            refusal: None,
            memory,
        }
    }
}
