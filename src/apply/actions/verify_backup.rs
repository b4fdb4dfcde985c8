//! `verify-backup`: how it went is recorded beside the backup, unless it says nothing about the backup.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pebble_client::Client;

use super::told::Told;
use crate::apply::{Applied, Halt, Outside};
use crate::backup::catalog::manifest::{Manifest, ManifestError};
use crate::backup::catalog::{self, AnyBackupId, BackupState, Entry, Verification};
use crate::backup::restore::gates::{self, Offer};
use crate::backup::restore::moves::{self, SurveyOrder};
use crate::backup::staging::{Origin, Purpose, StagingJob};
use crate::backup::verify::{Verified, verify_backup as verify};
use crate::backup::{Components, Progress, S3Client, workload_tools};
use crate::plan::VerifyBackup;
use crate::synapse::names;

/// Why a backup was not found good.
enum NotVerified {
    /// It is bad: the sentence and what to do.
    Bad(String),
    /// Nobody knows.
    Unknown(Halt),
}

impl<E> From<E> for NotVerified
where
    Halt: From<E>,
{
    fn from(error: E) -> Self {
        Self::Unknown(error.into())
    }
}

pub(in crate::apply) async fn verify_backup(
    request: VerifyBackup,
    outside: &Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let began = Instant::now();
    let client = S3Client::new(&request.parameters)?;
    let entry = catalog::find(&client, &request.choice, &request.server_name).await?;
    let mut told = Told::new(outside.juju, "verifying a backup", &applied.conditions);
    let outcome = judge(&request, &client, &entry, outside.pebble, &mut told).await;
    let unit = outside.context.unit.to_string();
    let took = began.elapsed();
    let keep = async |outcome: Result<&Verified, &str>| {
        let record = Verification::new(&entry.id, &unit, took, outcome);
        record.keep(&client.patient(), &entry).await
    };
    match outcome {
        Ok(verified) => {
            let remarks = keep(Ok(&verified)).await;
            let results = results(&entry, &verified, took, &remarks);
            applied.results.extend(results);
            let restorable = restorable(&verified, &request.server_name, outside.pebble).await;
            let key = "can-be-restored".to_owned();
            applied.results.insert(key, restorable);
            Ok(())
        }
        Err(NotVerified::Bad(cause)) => {
            let mut sentences = vec![format!("{} is bad: {cause}", entry.id)];
            sentences.extend(keep(Err(&cause)).await);
            Err(Halt::Refused(sentences.join("; ")))
        }
        Err(NotVerified::Unknown(halt)) => Err(halt),
    }
}

async fn judge(
    request: &VerifyBackup,
    client: &S3Client,
    entry: &Entry,
    container: &Client,
    progress: &mut dyn Progress,
) -> Result<Verified, NotVerified> {
    let job = StagingJob {
        origin: origin(client, entry, &request.server_name).await?,
        purpose: Purpose::Verify {
            folder: folder(&entry.id),
        },
        server_name: request.server_name.clone(),
        database_path: names::DATABASE.to_owned(),
        media_store_path: names::MEDIA_STORE.to_owned(),
        max_duration: request.max_duration,
        tools: workload_tools::probe(container).await?,
    };
    let verified = verify(
        container,
        &request.parameters,
        &request.passphrase,
        &job,
        progress,
    );
    verified.await.map_err(|error| {
        if error.blames_backup() {
            NotVerified::Bad(error.cause_and_next_step())
        } else {
            error.into()
        }
    })
}

/// One of its own for each run: what is left of one that was ended removes its folders a second later.
fn folder(id: &AnyBackupId) -> String {
    let run = Timestamp::now().as_nanosecond();
    format!("{}/.verify-{id}-{run:x}", names::DATA_DIR)
}

/// What is to be read, if there is something whole to read, and of this server.
async fn origin(
    client: &S3Client,
    entry: &Entry,
    server_name: &str,
) -> Result<Origin, NotVerified> {
    let id = match &entry.id {
        AnyBackupId::Ours(id) => id,
        AnyBackupId::Legacy(id) => return Ok(Origin::legacy(id, entry)),
    };
    let manifest = match entry.marker {
        Some(marker) => Some(Manifest::read(client, id, marker).await),
        None => None,
    };
    // Neither its archives nor their absence can be judged without that server's passphrase and settings.
    if let Some(Ok(manifest)) = &manifest
        && manifest.server_name != server_name
    {
        return Err(NotVerified::Unknown(Halt::Refused(format!(
            "backup {id} is of the server {}; this is {server_name}: verify it where it was made",
            manifest.server_name
        ))));
    }
    match (entry.state, manifest) {
        (BackupState::Finished, Some(manifest)) => {
            let manifest = manifest.map_err(|error| match error {
                ManifestError::Unreadable | ManifestError::Contradiction => {
                    NotVerified::Bad(error.with_next_step())
                }
                error => NotVerified::Unknown(Halt::Refused(error.with_next_step())),
            })?;
            Ok(Origin::Ours(Box::new(manifest)))
        }
        (BackupState::Damaged, Some(Err(error @ ManifestError::S3(_)))) => {
            Err(NotVerified::Unknown(Halt::Refused(error.with_next_step())))
        }
        (BackupState::Damaged, _) => {
            let problems = catalog::describe(client, &entry.id).await?.problems;
            Err(NotVerified::Bad(format!(
                "{}; delete it and use another one",
                problems.join("; ")
            )))
        }
        (state, _) => Err(NotVerified::Unknown(Halt::Refused(format!(
            "{id} is not finished but {state}, so there is nothing to verify; list-backups shows the finished ones"
        )))),
    }
}

/// Whether the backup could be restored on this volume, by this image: what `restore-backup` asks before it begins.
async fn restorable(verified: &Verified, server_name: &str, container: &Client) -> String {
    let order = SurveyOrder {
        media_store: names::MEDIA_STORE.to_owned(),
        media: true,
        versions: true,
        ..SurveyOrder::default()
    };
    let survey = match moves::survey(container, &order, true).await {
        Ok(survey) => survey,
        Err(error) => return format!("cannot tell: {error}"),
    };
    let offer = Offer {
        compat_version: verified.compat_version,
        file_bytes: verified.file_bytes,
        entries: verified.entries,
        ..Offer::default()
    };
    let reasons = gates::refusals(&offer, &survey, Components::All, server_name);
    if reasons.is_empty() {
        "yes".to_owned()
    } else {
        format!("no: {}", reasons.join("; "))
    }
}

fn results(
    entry: &Entry,
    verified: &Verified,
    took: Duration,
    remarks: &[String],
) -> Vec<(String, String)> {
    let checked = "downloaded, decrypted, read to its end; the database passed its integrity check";
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let warnings: Vec<_> = [&verified.warnings, remarks].concat();
    let some = [
        ("result", Some("correct".to_owned())),
        ("backup-id", Some(entry.id.to_string())),
        ("checked", Some(checked.to_owned())),
        ("size-bytes", Some(entry.size_bytes.to_string())),
        ("entries", Some(verified.entries.to_string())),
        ("file-bytes", Some(verified.file_bytes.to_string())),
        ("users", verified.users.map(|users| users.to_string())),
        ("synapse-version", verified.synapse_version.clone()),
        ("schema-version", number(verified.schema_version)),
        ("compat-version", number(verified.compat_version)),
        ("duration-seconds", Some(took.as_secs().to_string())),
        (
            "warnings",
            (!warnings.is_empty()).then(|| warnings.join("; ")),
        ),
    ];
    some.into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}
