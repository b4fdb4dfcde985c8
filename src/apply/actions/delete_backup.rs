//! `delete-backup`.

use crate::apply::{Applied, Halt, Outside};
use crate::backup::catalog::{FindError, table::size};
use crate::backup::owner::Owner;
use crate::backup::{self, DeleteError, Deleted, S3Client};
use crate::plan::DeleteBackup;

pub(in crate::apply) async fn delete_backup(
    request: &DeleteBackup,
    outside: &Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let context = outside.context;
    let owner = Owner::new(
        &context.model_uuid,
        context.unit.app(),
        &request.server_name,
    );
    let client = S3Client::new(&request.parameters)?;
    let result = backup::delete_backup(&client, &request.id, &owner, request.take_over).await;
    // What was known of the last backup may be of this one; S3 is asked anew right after.
    if let Some(store) = &mut applied.memory.store {
        store.last = None;
    }
    let results = match result {
        Ok(deleted) => deleted_results(request.id.as_str(), deleted),
        // No failure, in the words of the Python charm: what is to be gone is not there.
        Err(DeleteError::Find(missing @ FindError::Missing(_))) => {
            vec![("result", missing.to_string())]
        }
        Err(error) => return Err(Halt::Refused(error.with_next_step())),
    };
    let results = results.into_iter();
    let results = results.map(|(key, value)| (key.to_owned(), value));
    applied.results.extend(results);
    Ok(())
}

fn deleted_results(id: &str, deleted: Deleted) -> Vec<(&'static str, String)> {
    const HIDDEN: &str = "hidden, not gone: the bucket keeps versions, and what was deleted takes its room until its \
                          versions are removed by the S3 server's own tools or a lifecycle rule";
    let data = if deleted.hidden { HIDDEN } else { "gone" };
    vec![
        ("result", "correct".to_owned()),
        ("backup-id", id.to_owned()),
        ("objects", deleted.objects.to_string()),
        ("size-bytes", deleted.size_bytes.to_string()),
        ("size", size(deleted.size_bytes)),
        ("data", data.to_owned()),
    ]
}
