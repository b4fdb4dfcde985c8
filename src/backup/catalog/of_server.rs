//! Which finished backups of a path are a server's own. A listing does not tell: their manifests do.

use std::collections::BTreeSet;
use std::iter;

use tokio::task::JoinSet;

use super::id::AnyBackupId;
use super::manifest::{Manifest, ManifestError};
use super::{Catalog, Entry, list};
use crate::backup::owner::Owner;
use crate::backup::s3_client::S3Client;
use crate::backup::s3_error::S3Error;

/// How many manifests are read at once where the newest is another server's.
const AT_ONCE: usize = 8;

/// What is made of a backup whose manifest cannot be read or understood: nobody knows whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// It is taken for the server's own.
    IsOwn,
    /// It is passed over.
    IsOthers,
}

/// What was found of a server among the finished backups of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest<'a> {
    /// Its newest one.
    pub entry: Option<&'a Entry>,
    /// The servers of those that are newer.
    pub others: BTreeSet<String>,
}

/// The newest finished backup of this server. Where it is the newest of all, that costs one request.
///
/// # Errors
/// When S3 does not answer before it is found.
pub async fn newest_of<'a>(
    s3_client: &S3Client,
    catalog: &'a Catalog,
    server_name: &str,
    unclear: Unclear,
) -> Result<Newest<'a>, S3Error> {
    let finished = catalog.finished();
    let (first, rest) = finished.split_at(finished.len().min(1));
    let mut newest = Newest::default();
    for batch in iter::once(first).chain(rest.chunks(AT_ONCE)) {
        for (entry, server) in batch.iter().zip(servers(s3_client, batch).await) {
            let is_own = match server? {
                Some(server) if server == server_name => true,
                Some(server) => {
                    newest.others.insert(server);
                    false
                }
                None => unclear == Unclear::IsOwn,
            };
            if is_own {
                newest.entry = Some(entry);
                return Ok(newest);
            }
        }
    }
    Ok(newest)
}

/// Whether the path holds a finished backup of this server: then an empty volume is no new server. What cannot be read or
/// understood is no proof of newness.
///
/// # Errors
/// When the listing cannot be had, or S3 does not answer what else must be asked.
pub async fn has_finished_backup_of(
    s3_client: &S3Client,
    server_name: &str,
) -> Result<bool, S3Error> {
    let catalog = list(s3_client).await?;
    if catalog.finished().is_empty() {
        return Ok(false);
    }
    // Each create rewrites the owner, so another server's name tells nothing of the backups before.
    match Owner::read(s3_client).await {
        Ok(Some(Ok(owner))) if owner.server_name != server_name => {
            let newest = newest_of(s3_client, &catalog, server_name, Unclear::IsOwn).await?;
            Ok(newest.entry.is_some())
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind().is_outage() => Err(error),
        Err(error) => {
            tracing::warn!("{error}; the backups there count as those of {server_name}");
            Ok(true)
        }
    }
}

/// The server of each backup, none where its manifest does not say.
async fn servers(s3_client: &S3Client, batch: &[&Entry]) -> Vec<Result<Option<String>, S3Error>> {
    let mut servers: Vec<_> = batch.iter().map(|_| Ok(None)).collect();
    let mut reads = JoinSet::new();
    for (index, entry) in batch.iter().enumerate() {
        if let (AnyBackupId::Ours(id), Some(marker)) = (&entry.id, entry.marker) {
            let (s3_client, id) = (s3_client.clone(), id.clone());
            reads.spawn(async move { (index, Manifest::read(&s3_client, &id, marker).await) });
        }
    }
    while let Some(read) = reads.join_next().await {
        match read {
            Ok((index, Ok(manifest))) => servers[index] = Ok(Some(manifest.server_name)),
            Ok((index, Err(ManifestError::S3(error)))) if error.kind().is_outage() => {
                servers[index] = Err(error);
            }
            Ok((index, Err(error))) => {
                tracing::warn!("nobody knows whose {} is: {error}", batch[index].id);
            }
            Err(error) => tracing::warn!("a manifest was not read to its end: {error}"),
        }
    }
    servers
}
