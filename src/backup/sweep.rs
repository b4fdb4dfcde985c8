//! Removing what dead jobs left on the volume.

use jiff::{SignedDuration, Timestamp};
use pebble_client::{Client, Error, ListOptions};

use super::command::{Folders, build_clean_command};
use super::limits::{CLEAN_UP, SWEEP_AFTER};
use super::paths::DATA_FOLDER;

/// How the folders of backups, and of looks at them, begin. A restore's are removed by the restore's own rules.
const OURS: [&str; 2] = [".backup-backup-", ".verify-backup-"];

/// Removes staging folders that are older than an hour, unless a job runs. Asks Pebble for one listing when there is
/// nothing to do. Returns whether something was swept.
///
/// # Errors
/// When the workload does not answer.
pub async fn sweep(container: &Client, now: Timestamp) -> Result<bool, Error> {
    let options = ListOptions {
        pattern: Some(".*-backup-*"),
        ..ListOptions::default()
    };
    let limit = SignedDuration::try_from(SWEEP_AFTER).unwrap_or(SignedDuration::MAX);
    let staging = match container.list_files_with(DATA_FOLDER, options).await {
        Ok(staging) => staging,
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    };
    let is_ours = |name: &str| OURS.iter().any(|ours| name.starts_with(ours));
    if !staging
        .iter()
        .any(|folder| is_ours(&folder.name) && now.duration_since(folder.last_modified) > limit)
    {
        return Ok(false);
    }
    let swept = build_clean_command(&Folders::default())
        .exec(container, CLEAN_UP)
        .output_limit_bytes(4096)
        .output()
        .await?;
    if !swept.status.success() {
        let said = String::from_utf8_lossy(&swept.stderr);
        tracing::warn!("old folders stay for now: {}", said.trim());
    }
    Ok(swept.status.success())
}
