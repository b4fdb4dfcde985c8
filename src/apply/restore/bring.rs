//! The step `stage`: the backup is brought to the volume. Only the action can take it, because it needs S3 and the passphrase.

use pebble_client::Client;

use super::drive::Broken;
use crate::backup::restore::gates;
use crate::backup::restore::journal::Journal;
use crate::backup::restore::renames::{self, Rename};
use crate::backup::staging::{Staged, StagingJob, stage};
use crate::backup::{Passphrase, Progress, S3Parameters};

/// What is needed to bring a backup, and what came of it.
pub(super) struct Bring<'a> {
    pub(super) parameters: &'a S3Parameters,
    pub(super) passphrase: &'a Passphrase,
    pub(super) job: StagingJob,
    /// Which schema of a database the image's Synapse knows, if it says so.
    pub(super) schema_version: Option<i64>,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) staged: Option<Staged>,
}

impl Bring<'_> {
    pub(super) async fn run(
        &mut self,
        pebble: &Client,
        journal: &mut Journal,
    ) -> Result<(), Broken> {
        let staging = stage(
            pebble,
            self.parameters,
            self.passphrase,
            &self.job,
            self.progress,
        );
        let mut staged = Box::pin(staging).await.map_err(|error| {
            if !error.log_tail().is_empty() {
                tracing::warn!("{error}; the tools said: {}", error.log_tail());
            }
            Broken::Failed(error.with_next_step())
        })?;
        // What the bucket said of it is not proven, and of a backup of the Python charm it says nothing.
        if journal.components.database()
            && let Some(why) = gates::schema(staged.compat_version, self.schema_version)
        {
            return Err(Broken::Failed(why));
        }
        journal.users = staged.users.filter(|_| journal.components.database());
        let (renames, left_out) = to_rename(&staged.paths);
        staged.warnings.extend(left_out);
        journal.plan(renames).map_err(Broken::Failed)?;
        self.staged = Some(staged);
        Ok(())
    }
}

/// What was brought as renames, and of what cannot be renamed a warning each. What was there is seen once Synapse has been
/// stopped.
fn to_rename(paths: &[String]) -> (Vec<Rename>, Vec<String>) {
    let mut renames = Vec::new();
    let mut left_out = Vec::new();
    for path in paths {
        match renames::check(path) {
            Ok(()) => renames.push(Rename {
                live: path.clone(),
                staged: true,
                had_live: false,
            }),
            Err(why) => left_out.push(format!("{path:?} was left out of the restore: {why}")),
        }
    }
    (renames, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backup_holds_and_a_restore_leaves_out_is_named() {
        let paths = [
            "/data/homeserver.db",
            "/data/a\nb",
            "/data/media_store/remote_content",
        ];
        let (renames, left_out) = to_rename(&paths.map(String::from));
        let live: Vec<_> = renames.iter().map(|rename| rename.live.as_str()).collect();
        assert_eq!(live, [paths[0], paths[2]]);
        let [said] = left_out.try_into().unwrap();
        assert!(said.contains(r"/data/a\nb"), "{said}");
    }
}
