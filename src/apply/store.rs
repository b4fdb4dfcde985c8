//! Asks S3 whether backups can be made, in a hook: with a short deadline, and seldom.

use std::time::Instant;

use jiff::Timestamp;
use jujuna::Context;

use crate::backup::catalog::{self, Entry, Unclear};
use crate::backup::limits::PROBE;
use crate::backup::owner::Owner;
use crate::backup::{S3Client, S3Error, S3Parameters};
use crate::plan::ProbeStore;
use crate::state::{LastBackup, StoreMemory, StoreProblem};

/// What there is in the path.
#[derive(Debug, Clone, Default)]
struct Seen {
    last: Option<LastBackup>,
    foreign: Option<String>,
}

/// Returns what S3 answers. What it answered `before` is kept where it still holds.
pub(super) async fn probe(
    request: ProbeStore,
    before: Option<StoreMemory>,
    context: &Context,
) -> StoreMemory {
    let ProbeStore {
        parameters,
        server_name,
    } = request;
    let hash = parameters.hash();
    let known = before
        .filter(|before| before.parameters == hash && before.server_name == server_name)
        .map(|before| Seen {
            last: before.last,
            foreign: before.foreign,
        })
        .unwrap_or_default();
    let owner = server_name
        .as_deref()
        .map(|name| Owner::new(&context.model_uuid, context.unit.app(), name));
    let (seen, problem) = match ask(&parameters, owner.as_ref(), known.clone()).await {
        Ok(seen) => (seen, None),
        Err(error) => (known, Some(problem(&error))),
    };
    StoreMemory {
        parameters: hash,
        server_name,
        checked_at: Timestamp::now(),
        problem,
        last: seen.last,
        foreign: seen.foreign,
    }
}

/// What there is of this `owner`; what is `known` where the bucket can be used but looking takes longer than a hook has.
async fn ask(
    parameters: &S3Parameters,
    owner: Option<&Owner>,
    known: Seen,
) -> Result<Seen, S3Error> {
    let began = Instant::now();
    let client = S3Client::new(parameters)?;
    client.check_bucket().await?;
    let Some(owner) = owner else {
        return Ok(known);
    };
    let rest = PROBE.saturating_sub(began.elapsed());
    match tokio::time::timeout(rest, look(&client, owner)).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) if !error.kind().is_passing() => Err(error),
        Ok(Err(error)) => {
            tracing::warn!("{error}; what is known of the last backup stays");
            Ok(known)
        }
        Err(_) => {
            tracing::warn!(
                "looking at the backups takes long; what is known of the last one stays"
            );
            Ok(known)
        }
    }
}

/// Only what says itself that it is of this server counts: data from before a restore is freed for it.
async fn look(client: &S3Client, owner: &Owner) -> Result<Seen, S3Error> {
    let catalog = catalog::list(client).await?;
    let name = &owner.server_name;
    let (newest, whose) = tokio::try_join!(
        catalog::newest_of(client, &catalog, name, Unclear::IsOthers),
        owner.look(client)
    )?;
    Ok(Seen {
        last: newest.entry.map(last),
        foreign: whose.err().map(|foreign| {
            format!(
                "{}; set another path, or run create-backup take-over=true if that deployment is gone",
                foreign.whose(client.place())
            )
        }),
    })
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
