//! What is done about jobs that are open, or over, on the main unit's volume.

use jiff::{SignedDuration, Timestamp};

use crate::backup::catalog::table::size;
use crate::backup::restore::journal::Journal;
use crate::backup::restore::machine::{self, Next, Observation};
use crate::backup::restore::on_volume::Folder;
use crate::plan::{Condition, Plan, ResumeJob, Step};
use crate::state::{Busy, Ready};
use crate::synapse::names;

/// Goes on with the open job.
pub(super) fn resume(busy: &Busy, plan: &mut Plan) {
    match &busy.journal {
        Ok(journal) => plan.steps.push(Step::ResumeJob(Box::new(ResumeJob {
            journal: journal.clone(),
            run_as: busy.run_as,
            go_back: false,
        }))),
        Err(why) => plan.conditions.push(Condition::blocked(unreadable(why))),
    }
}

/// What is said of an open job where nothing is done about it.
pub(super) fn is_open(journal: &Journal) -> Condition {
    match given_up(journal) {
        Some(why) => Condition::blocked(stuck(journal, &why)),
        None => Condition::waiting(format!(
            "{} is at the step {} and is taken up again within 15 s",
            journal.called(),
            journal.step
        )),
    }
}

/// Why an action is refused while a job is open.
pub(super) fn refusal(busy: &Busy) -> String {
    match &busy.journal {
        Ok(journal) => is_open(journal).text,
        Err(why) => unreadable(why),
    }
}

/// Why nobody goes on with a job, if so.
pub(crate) fn given_up(journal: &Journal) -> Option<String> {
    match machine::next(journal, &Observation::Found) {
        Next::Blocked(why) => Some(why),
        _ => None,
    }
}

/// What an admin is told of a job that nobody goes on with.
pub(crate) fn stuck(journal: &Journal, why: &str) -> String {
    let why = match &journal.trouble {
        Some(trouble) => format!("{why} ({trouble})"),
        None => why.to_owned(),
    };
    format!(
        "{} stands still: {why}; the data from before is whole, partly in {}: mend what is named, then run undo-restore \
         to make it live again",
        journal.called(),
        journal.old_root()
    )
}

fn unreadable(why: &str) -> String {
    format!(
        "the journal of a restore, {}, cannot be followed, so Synapse is not started: {why}",
        names::JOURNAL
    )
}

/// A job that is over needs nobody to be woken.
pub(super) fn stop_waker(ready: &Ready, plan: &mut Plan) {
    if ready.waker {
        plan.steps.push(Step::StopWaker);
    }
}

/// Says what is kept, frees what need not be kept any longer, and removes what jobs left that did not go well.
pub(super) fn plan_old_data(ready: &Ready, now: Timestamp, plan: &mut Plan) {
    let last_backup = plan
        .memory
        .store
        .as_ref()
        .and_then(|store| store.last.as_ref())
        .map(|last| last.finished_at);
    let setback = plan.memory.setback.iter().map(Condition::note);
    plan.conditions.extend(setback);
    for folder in &ready.restores {
        match folder {
            Folder::Kept(record) if record.is_due(now, last_backup) => {
                plan.steps.push(Step::FreeOldData(record.restore.clone()));
            }
            Folder::Kept(record) => {
                let left = record.until().duration_since(now);
                let until = if left > SignedDuration::ZERO {
                    format!("for {} more days", left.as_hours() / 24 + 1)
                } else {
                    "until the next backup".to_owned()
                };
                plan.conditions.push(Condition::note(format!(
                    "data from before {} is kept {until} ({}; undo-restore, discard-old-data)",
                    record.restore,
                    size(record.bytes)
                )));
            }
            Folder::Unrecorded(restore) => plan.steps.push(Step::SweepRestore(restore.clone())),
        }
    }
}
