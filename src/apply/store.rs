//! Asks S3 whether backups can be made, in a hook: with a short deadline, and seldom.

use std::time::Instant;

use jiff::Timestamp;

use crate::backup::catalog::{self, Entry};
use crate::backup::limits::PROBE;
use crate::backup::{S3Client, S3Error, S3Parameters};
use crate::state::{LastBackup, StoreMemory, StoreProblem};

/// Returns what S3 answers. What it answered `before` is kept where it still holds.
pub(super) async fn probe(parameters: &S3Parameters, before: Option<StoreMemory>) -> StoreMemory {
    let hash = parameters.hash();
    let mut answer = StoreMemory {
        last: before
            .filter(|before| before.parameters == hash)
            .and_then(|before| before.last),
        parameters: hash,
        checked_at: Timestamp::now(),
        problem: None,
    };
    match ask(parameters, answer.last.clone()).await {
        Ok(last) => answer.last = last,
        Err(error) => answer.problem = Some(problem(&error)),
    }
    answer
}

/// The last finished backup, if any; the one that is `known` where the bucket can be used but its listing takes longer than
/// a hook has.
async fn ask(
    parameters: &S3Parameters,
    known: Option<LastBackup>,
) -> Result<Option<LastBackup>, S3Error> {
    let began = Instant::now();
    let client = S3Client::new(parameters)?;
    client.check_bucket().await?;
    let rest = PROBE.saturating_sub(began.elapsed());
    match tokio::time::timeout(rest, catalog::list(&client)).await {
        Ok(Ok(catalog)) => Ok(catalog.latest().map(last)),
        Ok(Err(error)) if !error.kind().is_passing() => Err(error),
        Ok(Err(error)) => {
            tracing::warn!("{error}; what is known of the last backup stays");
            Ok(known)
        }
        Err(_) => {
            tracing::warn!("listing the backups takes long; what is known of the last one stays");
            Ok(known)
        }
    }
}

fn last(entry: &Entry) -> LastBackup {
    LastBackup {
        finished_at: entry.modified,
        size_bytes: entry.size_bytes,
    }
}

fn problem(error: &S3Error) -> StoreProblem {
    StoreProblem {
        text: error.with_next_step(),
        passing: error.kind().is_passing(),
    }
}
