//! Looks whether a job can be done, before anything is stopped or written; finds all reasons why not at once.

use pebble_client::Client;

use crate::backup::catalog::manifest::Manifest;
use crate::backup::catalog::{self, AnyBackupId, BackupState, Entry};
use crate::backup::restore::gates::{self, Offer};
use crate::backup::restore::kept::Record;
use crate::backup::restore::moves::{self, Survey, SurveyOrder};
use crate::backup::restore::renames;
use crate::backup::staging::Origin;
use crate::backup::workload_tools::WorkloadTools;
use crate::backup::{Components, S3Client};
use crate::plan::RestoreBackup;
use crate::synapse::{identity, names};

/// A backup that can be restored here, and what is here.
pub(super) struct Seen {
    pub(super) backup: AnyBackupId,
    pub(super) origin: Origin,
    pub(super) offer: Offer,
    pub(super) survey: Survey,
}

/// What was found although it will not do.
pub(super) struct Refused {
    pub(super) reasons: Vec<String>,
    pub(super) backup: Option<AnyBackupId>,
    pub(super) offer: Option<Offer>,
    pub(super) survey: Option<Survey>,
}

impl Refused {
    pub(super) fn join(&self, separator: &str) -> String {
        self.reasons.join(separator)
    }
}

pub(super) async fn look(
    request: &RestoreBackup,
    tools: &WorkloadTools,
    pebble: &Client,
) -> Result<Seen, Refused> {
    let mut reasons = Vec::new();
    if !tools.missing.is_empty() {
        reasons.push(format!(
            "the workload's image cannot run {}: use an image that has these programs",
            tools.missing.join(", ")
        ));
    }
    let order = SurveyOrder {
        paths: replaced(&request.site.server_name, Components::All),
        counted: replaced(&request.site.server_name, request.components),
        media_store: names::MEDIA_STORE.to_owned(),
        media: request.components.media(),
        versions: true,
        database: None,
    };
    let (found, survey) = tokio::join!(find(request), moves::survey(pebble, &order, false));
    let survey = survey
        .map_err(|error| reasons.push(error.with_next_step()))
        .ok();
    let (backup, found) = match found {
        Ok((entry, found)) => (Some(entry.id), found.map_err(|why| reasons.push(why)).ok()),
        Err(why) => {
            reasons.push(why);
            (None, None)
        }
    };
    if let (Some((_, offer)), Some(survey)) = (&found, &survey) {
        let name = &request.site.server_name;
        reasons.extend(gates::refusals(offer, survey, request.components, name));
    }
    match (backup, found, survey) {
        (Some(backup), Some((origin, offer)), Some(survey)) if reasons.is_empty() => Ok(Seen {
            backup,
            origin,
            offer,
            survey,
        }),
        (backup, found, survey) => Err(Refused {
            reasons,
            backup,
            offer: found.map(|(_, offer)| offer),
            survey,
        }),
    }
}

/// What a restore of these parts replaces for certain: media and extra paths are as they are found.
pub(super) fn replaced(server_name: &str, components: Components) -> Vec<String> {
    let keys = identity::files(server_name).map(|file| file.path);
    let keys = if components.keys() { &keys[..] } else { &[] };
    renames::candidates(keys, components, &[])
}

/// The backup that is meant, and what it offers or why it cannot be restored.
async fn find(request: &RestoreBackup) -> Result<(Entry, Result<(Origin, Offer), String>), String> {
    let client = S3Client::new(&request.parameters).map_err(|error| error.with_next_step())?;
    let checked = client.check_bucket().await;
    checked.map_err(|error| error.with_next_step())?;
    let name = &request.site.server_name;
    let found = catalog::find(&client, &request.backup, name).await;
    let entry = found.map_err(|error| error.with_next_step())?;
    let offer = offer(&client, &entry, request.components).await;
    Ok((entry, offer))
}

async fn offer(
    client: &S3Client,
    entry: &Entry,
    components: Components,
) -> Result<(Origin, Offer), String> {
    let id = match &entry.id {
        AnyBackupId::Legacy(id) => {
            let origin = Origin::legacy(id, entry);
            let offer = Offer {
                file_bytes: entry.size_bytes,
                ..Offer::default()
            };
            return Ok((origin, offer));
        }
        AnyBackupId::Ours(id) => id,
    };
    let marker = match (entry.state, entry.marker) {
        (BackupState::Finished, Some(marker)) => marker,
        (state, _) => {
            return Err(format!(
                "{id} is {state}, only a finished backup can be restored: list-backups shows them"
            ));
        }
    };
    let manifest = Manifest::read(client, id, marker).await;
    let manifest = manifest.map_err(|error| error.with_next_step())?;
    Ok((
        Origin::Ours(Box::new(manifest.clone())),
        offer_of(&manifest, components),
    ))
}

fn offer_of(manifest: &Manifest, components: Components) -> Offer {
    let archives = [
        Some(&manifest.state),
        components.media().then_some(&manifest.media),
    ];
    Offer {
        server_name: Some(manifest.server_name.clone()),
        engine: Some(manifest.engine.clone()),
        compat_version: manifest.compat_version,
        file_bytes: archives.iter().flatten().map(|one| one.file_bytes).sum(),
        entries: archives.iter().flatten().map(|one| one.entries).sum(),
    }
}

/// Returns how many bytes an undo puts aside.
pub(super) async fn look_for_undo(record: &Record, pebble: &Client) -> Result<u64, Vec<String>> {
    let live: Vec<String> = (record.renames.iter())
        .map(|rename| rename.live.clone())
        .collect();
    let order = SurveyOrder {
        paths: live.clone(),
        counted: live,
        media_store: names::MEDIA_STORE.to_owned(),
        media: record.parts().is_some_and(Components::media),
        ..SurveyOrder::default()
    };
    let survey = moves::survey(pebble, &order, false).await;
    let survey = survey.map_err(|error| vec![error.with_next_step()])?;
    let elsewhere = survey.elsewhere.iter().map(|path| gates::elsewhere(path));
    let mut reasons: Vec<String> = elsewhere.collect();
    let parts = record.parts().unwrap_or_default();
    reasons.extend(gates::too_many(&order.paths, &survey, parts));
    if reasons.is_empty() {
        Ok(survey.bytes)
    } else {
        Err(reasons)
    }
}
