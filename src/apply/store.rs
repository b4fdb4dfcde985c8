//! Asks S3 whether backups can be made, in a hook: with a short deadline, and seldom.

use jiff::Timestamp;

use crate::backup::catalog::{self, Entry};
use crate::backup::limits::PROBE;
use crate::backup::{S3Client, S3Error, S3ErrorKind, S3Parameters};
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
    match tokio::time::timeout(PROBE, ask(parameters)).await {
        Ok(Ok(last)) => answer.last = last,
        Ok(Err(error)) => answer.problem = Some(problem(&error)),
        Err(_) => {
            answer.problem = Some(StoreProblem {
                text: format!(
                    "cannot reach {} within {} s",
                    parameters.place(),
                    PROBE.as_secs()
                ),
                passing: true,
            });
        }
    }
    answer
}

async fn ask(parameters: &S3Parameters) -> Result<Option<LastBackup>, S3Error> {
    let client = S3Client::new(parameters)?;
    client.check_bucket().await?;
    Ok(catalog::list(&client).await?.latest().map(last))
}

fn last(entry: &Entry) -> LastBackup {
    LastBackup {
        finished_at: entry.modified,
        size_bytes: entry.size_bytes,
    }
}

fn problem(error: &S3Error) -> StoreProblem {
    let passing = matches!(
        error.kind(),
        S3ErrorKind::Unreachable | S3ErrorKind::Server | S3ErrorKind::Other
    );
    StoreProblem {
        text: error.with_next_step(),
        passing,
    }
}
