//! Looks for signs of an earlier life beside the volume: unit state, the application's secret, and,
//! when nothing else tells, the backups in S3.

use anyhow::Context as _;
use jujuna::{Juju, Revision};
use tokio::time::timeout;

use super::{IDENTITY_LABEL, KnownIdentity, Volume};
use crate::backup::limits::PROBE;
use crate::backup::{S3Client, S3Error, S3Parameters, catalog};
use crate::state::Memory;
use crate::synapse::identity::Identity;

pub(super) async fn read(
    server_name: &str,
    volume: &Volume,
    memory: &Memory,
    store: Option<&S3Parameters>,
    juju: &Juju,
) -> anyhow::Result<KnownIdentity> {
    let mut known = KnownIdentity {
        existed: memory.existed.clone(),
        ..KnownIdentity::default()
    };
    let whole = volume.identity.iter().all(Option::is_some);
    let digest = whole_identity(volume).map(|identity| identity.digest(server_name));
    if digest.is_none() || digest != memory.identity_copy {
        known.leads = juju.leader()?.is_some();
    }
    if whole && volume.has_database {
        return Ok(known);
    }
    known.copy = read_copy(juju)?;
    if !whole {
        known.fresh = Some(Identity::generate().context("cannot make an identity")?);
    }
    let lived = known.copy.is_some()
        || volume.has_database
        || known.existed.as_deref() == Some(server_name);
    if let (false, Some(store)) = (lived, store) {
        match has_backups(store, server_name).await {
            Ok(has_backups) => known.has_backups = has_backups,
            Err(reason) => known.unanswered = Some(reason),
        }
    }
    Ok(known)
}

/// Fails with a sentence when S3 cannot be asked just now. A store that refuses counts as one
/// without backups: a fault of the backups' settings never keeps Synapse from starting
/// (`docs/decisions/0006-signs-of-an-earlier-life.md`).
async fn has_backups(store: &S3Parameters, server_name: &str) -> Result<bool, String> {
    match timeout(PROBE, ask(store, server_name)).await {
        Ok(Ok(has_backups)) => Ok(has_backups),
        Ok(Err(error)) if error.kind().is_outage() => Err(error.with_next_step()),
        Ok(Err(error)) => {
            tracing::warn!("cannot ask S3 whether {server_name} existed: {error}");
            Ok(false)
        }
        Err(_) => Err(format!(
            "{} could not be looked through within {} s",
            store.place(),
            PROBE.as_secs()
        )),
    }
}

async fn ask(store: &S3Parameters, server_name: &str) -> Result<bool, S3Error> {
    catalog::has_finished_backup_of(&S3Client::new(store)?, server_name).await
}

fn whole_identity(volume: &Volume) -> Option<Identity> {
    let [signing, macaroon, form, registration] = volume.identity.clone();
    Some(Identity::from_parts([
        signing?,
        macaroon?,
        form?,
        registration?,
    ]))
}

fn read_copy(juju: &Juju) -> anyhow::Result<Option<(String, Identity)>> {
    // The owner tracks a revision like anyone else: the newest is wanted.
    match juju.secret_get_by_label(IDENTITY_LABEL, Revision::Refresh) {
        Ok(content) => match Identity::from_secret(&content) {
            Ok(copy) => Ok(Some(copy)),
            Err(field) => {
                anyhow::bail!("the application's secret {IDENTITY_LABEL:?} has no field {field}")
            }
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
