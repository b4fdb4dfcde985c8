//! The programs in the workload that look at and move the data on the volume. Each can be run again after it was killed.

use std::fmt;
use std::time::Duration;

use pebble_client::{Client, ExitStatus, Stdin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::RestoreId;
use super::journal::Journal;
use super::kept::Record;
use crate::backup::limits::DATA_UID;
use crate::backup::paths::DATA_FOLDER;
use crate::error_chain::error_chain;

const SCRIPT: &str = concat!(
    include_str!("../scripts/ground.sh"),
    include_str!("../scripts/moves.sh")
);
const SWAP: &str = concat!(
    include_str!("../scripts/moves.py"),
    include_str!("../scripts/swap.py")
);
const SETTLE: &str = concat!(
    include_str!("../scripts/moves.py"),
    include_str!("../scripts/settle.py")
);
const SURVEY: &str = concat!(
    include_str!("../scripts/moves.py"),
    include_str!("../scripts/survey.py")
);

/// Renames and some `fsync`: seconds, unless the disk is in trouble.
const SWAP_DEADLINE: Duration = Duration::from_mins(5);
/// Walking over a million files.
const SURVEY_DEADLINE: Duration = Duration::from_mins(30);
/// Removing a million files.
const REMOVE_DEADLINE: Duration = Duration::from_hours(2);
/// What a killed job left running ends within seconds.
const LOCK: Duration = Duration::from_secs(30);

/// Three times what survey.py looks at, and more.
const MOST_SAID_BYTES: usize = 4 * 1024 * 1024;

/// The exit code of who did not get the lock.
const LOCKED: i32 = 75;

/// Why a program did not do its work.
#[derive(Debug)]
pub enum MovesError {
    /// It was killed, or the container went away; whether it was done is not known.
    Gone(String),
    /// Another job has the lock.
    Busy,
    /// It was refused or could not be done; its own words.
    Refused(String),
}

impl fmt::Display for MovesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(why) => write!(
                formatter,
                "what looks after the data in the workload did not come to its end: {why}"
            ),
            Self::Busy => formatter
                .write_str("another job, or what is left of one, still runs in the workload"),
            Self::Refused(why) => formatter.write_str(why),
        }
    }
}

impl std::error::Error for MovesError {}

impl MovesError {
    /// The error and, where the program itself does not say it, what to do.
    pub fn with_next_step(&self) -> String {
        match self {
            Self::Gone(_) | Self::Busy => {
                format!("{self}: wait until it is over, then run the action again")
            }
            Self::Refused(why) => why.clone(),
        }
    }
}

/// What to look at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SurveyOrder {
    /// Whether these are there.
    pub paths: Vec<String>,
    /// Where to look for `local_*`.
    pub media_store: String,
    /// Of which of the paths to count the bytes, which takes a walk over all that is in them.
    pub counted: Vec<String>,
    /// Whether the `local_*` are looked at, and counted, too.
    pub media: bool,
    /// Whether to ask the image's Synapse what it can read.
    pub versions: bool,
    /// The database whose users are counted, if any.
    pub database: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Survey {
    /// Which of the paths are there, and of the `local_*` where they were looked at.
    pub present: Vec<String>,
    /// The `local_*` in the media store.
    pub local: Vec<String>,
    /// What lies on another filesystem than the volume, or is a mount.
    pub elsewhere: Vec<String>,
    /// Bytes of the files in what was counted.
    pub bytes: u64,
    /// Free space on the volume.
    pub free_bytes: u64,
    /// The volume's size.
    pub volume_bytes: u64,
    /// The database's schema version that the image's Synapse writes.
    pub schema_version: Option<i64>,
    /// Users in the database, if they could be counted.
    pub users: Option<u64>,
}

/// Looks at the volume. With `patient`, another job's end is waited for.
///
/// # Errors
/// When the program could not be run to its end.
pub async fn survey(
    container: &Client,
    order: &SurveyOrder,
    patient: bool,
) -> Result<Survey, MovesError> {
    #[derive(Deserialize)]
    struct Said {
        survey: Survey,
    }
    let lock = if patient { LOCK } else { Duration::ZERO };
    let order =
        serde_json::to_value(order).map_err(|error| MovesError::Refused(error.to_string()))?;
    let said = run(container, SURVEY, &order, lock, SURVEY_DEADLINE).await?;
    serde_json::from_slice(&said)
        .map(|Said { survey }| survey)
        .map_err(|error| MovesError::Refused(format!("the survey cannot be understood: {error}")))
}

/// Puts what is live aside and what is new in its place, or, with `back`, the other way round.
///
/// # Errors
/// When not all of it was done.
pub async fn swap(
    container: &Client,
    journal: &Journal,
    journal_path: &str,
    back: bool,
) -> Result<(), MovesError> {
    let order = json!({
        "verb": if back { "swap-back" } else { "swap" },
        "journal": journal_path,
        "folder": journal.restore.folder(),
        "new": journal.new_root(),
        "old": journal.old_root(),
        "renames": journal.renames,
    });
    run(container, SWAP, &order, LOCK, SWAP_DEADLINE)
        .await
        .map(drop)
}

/// Writes down what the job put aside, if it did, and removes what is left beside it.
///
/// # Errors
/// When not all of it was done.
pub async fn keep(
    container: &Client,
    record: &Record,
    undone: Option<&RestoreId>,
) -> Result<(), MovesError> {
    let mut order = json!({"verb": "keep", "folder": record.restore.folder(), "record": record});
    if let Some(undone) = undone {
        order["undone"] = undone.folder().into();
    }
    run(container, SETTLE, &order, LOCK, SWAP_DEADLINE)
        .await
        .map(drop)
}

/// Removes data that was kept.
///
/// # Errors
/// When not all of it was done; then it can be tried again, but no longer undone.
pub async fn free(container: &Client, restore: &RestoreId) -> Result<(), MovesError> {
    settle(container, "free", restore).await
}

/// Removes what a job left that did not go well; nothing that was ever live.
///
/// # Errors
/// When it holds what was live, or not all of it was done.
pub async fn sweep(container: &Client, restore: &RestoreId) -> Result<(), MovesError> {
    settle(container, "sweep", restore).await
}

async fn settle(container: &Client, verb: &str, restore: &RestoreId) -> Result<(), MovesError> {
    let order = json!({"verb": verb, "folder": restore.folder()});
    run(container, SETTLE, &order, LOCK, REMOVE_DEADLINE)
        .await
        .map(drop)
}

async fn run(
    container: &Client,
    program: &str,
    order: &Value,
    lock: Duration,
    deadline: Duration,
) -> Result<Vec<u8>, MovesError> {
    let ran = container
        .exec(["bash", "-c", SCRIPT, "synapse-charm-moves"])
        .environment("DATA_UID", DATA_UID.to_string())
        .environment("DATA_FOLDER", DATA_FOLDER)
        .environment("PYTHON", "python3")
        .environment("PROGRAM_PY", program)
        .environment("LOCK_SECONDS", lock.as_secs().to_string())
        .working_dir("/")
        .timeout(deadline)
        .stdin(Stdin::Bytes(order.to_string().into_bytes()))
        .output_limit_bytes(MOST_SAID_BYTES)
        .output()
        .await;
    let output = ran.map_err(|error| MovesError::Gone(error_chain(&error)))?;
    match output.status {
        ExitStatus::Exited(0) => Ok(output.stdout),
        ExitStatus::Exited(LOCKED) => Err(MovesError::Busy),
        ExitStatus::Exited(code) => Err(MovesError::Refused(words(&output.stderr, code))),
        other => Err(MovesError::Gone(other.to_string())),
    }
}

/// The program's last line, which is its reason.
fn words(stderr: &[u8], code: i32) -> String {
    let said = String::from_utf8_lossy(stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let last = last.map(|line| line.strip_prefix("synapse-charm: ").unwrap_or(line));
    let plain = |text: &str| -> String {
        let printable = text.chars().filter(|letter| !letter.is_control());
        printable.take(400).collect()
    };
    last.map_or_else(|| format!("its program ended with {code}"), plain)
}
