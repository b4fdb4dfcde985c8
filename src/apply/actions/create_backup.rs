//! `create-backup`.

use jiff::Timestamp;
use jujuna::Juju;

use crate::apply::{Applied, Halt, Outside};
use crate::backup::limits::ACTION_LOG_LINES;
use crate::backup::{self, CreateJob, Progress, Receipt, workload_tools};
use crate::decide::status;
use crate::plan::{Condition, CreateBackup};
use crate::state::{LastBackup, StoreMemory};
use crate::synapse::names;

pub(in crate::apply) async fn create_backup(
    request: CreateBackup,
    outside: &Outside<'_>,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let Outside {
        juju,
        pebble,
        context,
    } = outside;
    let job = CreateJob {
        server_name: request.server_name,
        model_uuid: context.model_uuid.clone(),
        application: context.unit.app().to_owned(),
        unit: context.unit.to_string(),
        database_path: names::DATABASE.to_owned(),
        media_store_path: names::MEDIA_STORE.to_owned(),
        extra_paths: request.extra_paths,
        take_over: request.take_over,
        max_duration: request.max_duration,
        tools: workload_tools::probe(pebble).await?,
    };
    let mut told = Told {
        juju,
        lines: 0,
        conditions: &applied.conditions,
    };
    told.show("backing up");
    let made = backup::create_backup(
        pebble,
        &request.parameters,
        &request.id,
        &request.passphrase,
        &job,
        &mut told,
    );
    let receipt = made.await?;
    applied.memory.store = Some(StoreMemory {
        parameters: request.parameters.hash(),
        checked_at: Timestamp::now(),
        problem: None,
        last: Some(LastBackup {
            finished_at: receipt.manifest.finished,
            size_bytes: receipt.size_bytes,
        }),
    });
    applied.results.extend(receipt_results(&receipt));
    Ok(())
}

fn receipt_results(receipt: &Receipt) -> Vec<(String, String)> {
    const KEEP: &str = "KEEP THE BACKUP PASSPHRASE OUTSIDE JUJU, beside the S3 address and keys: with Juju lost, no \
                        backup can be read without it.";
    let mut results = vec![
        ("result", "correct".to_owned()),
        ("backup-id", receipt.backup_id.to_string()),
        ("size-bytes", receipt.size_bytes.to_string()),
        ("duration-seconds", receipt.duration.as_secs().to_string()),
        ("contents", receipt.contents.to_string()),
        ("keep-outside-juju", KEEP.to_owned()),
        ("restore-in-place", receipt.restore_in_place.to_string()),
    ];
    if !receipt.warnings.is_empty() {
        results.push(("warnings", receipt.warnings.join("; ")));
    }
    results
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Tells the action's log and the status how far a backup is.
struct Told<'a> {
    juju: &'a Juju,
    lines: usize,
    /// What else is to be said of the unit, for hours maybe.
    conditions: &'a [Condition],
}

impl Told<'_> {
    fn show(&self, text: &str) {
        let status = status::compose_during(self.conditions, text);
        // A backup does not end because a word about it was not taken.
        if let Err(error) = self.juju.status_set(&status) {
            tracing::warn!("{error}");
        }
    }
}

impl Progress for Told<'_> {
    fn log(&mut self, line: &str) {
        self.lines += 1;
        if self.lines > ACTION_LOG_LINES {
            return;
        }
        if let Err(error) = self.juju.action_log(line) {
            tracing::warn!("{error}");
        }
        if let Some((percent, _)) = line.split_once(" %: ") {
            self.show(&format!("backing up {percent} %"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jujuna::testing::{FakeJuju, State};

    #[test]
    fn progress_is_told_in_at_most_200_lines() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let mut told = Told {
            juju: &juju,
            lines: 0,
            conditions: &[],
        };
        for percent in 0..300 {
            told.log(&format!("{percent} %: 1 of 2 read"));
        }
        assert_eq!(fake.action_log().len(), 200);
        assert_eq!(fake.state().status.message, "backing up 199 %");
    }

    #[test]
    fn progress_hides_nothing_that_is_wrong() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let conditions = [Condition::waiting("synapse: stopped")];
        let mut told = Told {
            juju: &juju,
            lines: 0,
            conditions: &conditions,
        };
        told.log("43 %: 1 of 2 read");
        let status = fake.state().status;
        assert_eq!(
            (status.status.as_str(), status.message.as_str()),
            ("waiting", "synapse: stopped; backing up 43 %")
        );
    }
}
