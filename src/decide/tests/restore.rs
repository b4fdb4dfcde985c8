//! Restores: what a dispatch does about an open job and about kept data, and what the actions refuse.

use super::*;
use crate::backup::Components;
use crate::backup::catalog::BackupChoice;
use crate::backup::restore::journal::{self, Journal, Kind};
use crate::backup::restore::kept::Record;
use crate::backup::restore::on_volume::Folder;
use crate::backup::restore::renames::Rename;
use crate::event::Action;
use crate::plan::RestoreBackup;
use crate::state::{Busy, LastBackup, Request, StoreMemory};

fn act(mut state: State, request: Request) -> Plan {
    state.request = Some(Ok(request));
    decide(&Route::Action(Action::RestoreBackup), &state).unwrap()
}

fn restore(dry_run: bool) -> Request {
    Request::RestoreBackup {
        backup: BackupChoice::Latest,
        components: Components::All,
        dry_run,
    }
}

const UNDO: Request = Request::UndoRestore { restore: None };
const DISCARD: Request = Request::DiscardOldData { restore: None };

fn record(age_days: i64) -> Record {
    let restore = RestoreId::new(now(), 7);
    let mut journal = Journal::new(Kind::Restore, restore, "b".into(), NAME.into());
    journal.renames.push(Rename {
        live: names::DATABASE.into(),
        staged: true,
        had_live: true,
    });
    Record::new(
        &journal,
        now() - jiff::SignedDuration::from_hours(24 * age_days),
    )
}

fn keeping(record: Record) -> State {
    let mut state = with_backups(running_server());
    ready(&mut state).restores = vec![Folder::Kept(Box::new(record))];
    state
}

fn busy(step: journal::Step, begun: u32) -> State {
    let mut journal = Journal::new(
        Kind::Restore,
        RestoreId::new(now(), 7),
        "b".into(),
        NAME.into(),
    );
    journal.step = step;
    journal.attempts.insert(step, begun);
    with_backups(state(Workload::Busy(Box::new(Busy {
        journal: Ok(journal),
        run_as: RunAs::Synapse,
    }))))
}

#[test]
fn open_job_comes_before_everything_else_of_a_hook() {
    for step in journal::Step::ALL {
        let mut state = busy(step, 1);
        // What is wrong with the options must not keep Synapse from coming back.
        state.homeserver = Err(vec!["server_name is not set".into()]);
        let plan = decide(&Route::Reconcile, &state).unwrap();
        assert!(steps(&plan).contains(&"ResumeJob".to_owned()), "{step}");
    }
}

#[test]
fn actions_wait_for_an_open_job_and_say_when_it_is_taken_up() {
    for request in [
        restore(false),
        UNDO,
        DISCARD,
        Request::CreateBackup { take_over: false },
    ] {
        let plan = act(busy(journal::Step::Swap, 1), request);
        assert!(plan.steps.is_empty());
        let refusal = plan.refusal.unwrap();
        assert!(refusal.contains("taken up again within 15 s"), "{refusal}");
    }
}

#[test]
fn job_that_was_given_up_is_blocked_and_undo_restore_takes_it_back() {
    let given_up = || busy(journal::Step::SwapBack, 2);
    let plan = act(given_up(), restore(false));
    let refusal = plan.refusal.unwrap();
    assert!(refusal.contains("run undo-restore"), "{refusal}");
    assert!(
        plan.conditions
            .iter()
            .any(|one| one.level == Level::Blocked)
    );
    let plan = act(given_up(), UNDO);
    let [Step::ResumeJob(job)] = plan.steps.as_slice() else {
        panic!("{:?} {:?}", steps(&plan), plan.refusal);
    };
    assert!(job.go_back);
}

#[test]
fn journal_that_cannot_be_followed_is_blocked_and_nothing_is_done() {
    let state = with_backups(state(Workload::Busy(Box::new(Busy {
        journal: Err("it is damaged".into()),
        run_as: RunAs::Synapse,
    }))));
    let plan = decide(&Route::Reconcile, &state).unwrap();
    assert!(
        !steps(&plan).iter().any(|step| step != "ProbeStore"),
        "{:?}",
        steps(&plan)
    );
    assert!(plan.conditions[0].text.contains("it is damaged"));
}

#[test]
fn restore_lifts_the_refusal_of_an_empty_volume() {
    let mut state = with_backups(new_server());
    ready(&mut state).known.copy = Some((NAME.into(), Identity::generate().unwrap()));
    let plan = decide(&Route::Reconcile, &state).unwrap();
    let said = &plan.conditions[0].text;
    assert!(
        said.contains("run restore-backup, or start-empty confirm=a.example"),
        "{said}"
    );
    let plan = act(state, restore(false));
    let [Step::RestoreBackup(request)] = plan.steps.as_slice() else {
        panic!("{:?} {:?}", steps(&plan), plan.refusal);
    };
    let RestoreBackup { site, dry_run, .. } = &**request;
    assert!(site.own_volume && dry_run.is_none());
}

#[test]
fn restore_is_refused_for_all_reasons_at_once() {
    let mut state = with_backups(running_server());
    state.planned_units = Some(3);
    state.backup.passphrase = PassphraseSetting::Unset;
    let plan = act(state, restore(false));
    assert!(plan.steps.is_empty());
    let refusal = plan.refusal.unwrap();
    for reason in ["scale to 1", "no passphrase is set"] {
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn dry_run_of_what_cannot_even_be_looked_at_tells_why() {
    let mut state = state(Workload::NotConnectable);
    state.planned_units = Some(2);
    let plan = act(state, restore(true));
    let [Step::Tell(results)] = plan.steps.as_slice() else {
        panic!("{:?} {:?}", steps(&plan), plan.refusal);
    };
    let because = &results
        .iter()
        .find(|(key, _)| *key == "refused-because")
        .unwrap()
        .1;
    for reason in ["container", "no S3 store", "no passphrase", "scale to 1"] {
        assert!(because.contains(reason), "{because}");
    }
}

#[test]
fn other_units_name_the_right_one() {
    for request in [restore(false), UNDO, DISCARD] {
        let mut state = keeping(record(1));
        state.unit = UnitName::new("synapse", 1);
        let refusal = act(state, request).refusal.unwrap();
        assert!(
            refusal.contains("run this action on synapse/0"),
            "{refusal}"
        );
    }
}

#[test]
fn kept_data_can_be_undone_and_discarded_and_the_status_names_it() {
    let state = || keeping(record(1));
    assert_eq!(steps(&act(state(), UNDO)), ["UndoRestore"]);
    assert_eq!(steps(&act(state(), DISCARD)), ["DiscardOldData"]);
    let plan = decide(&Route::Reconcile, &state()).unwrap();
    let note = plan
        .conditions
        .iter()
        .find(|one| one.level == Level::Note)
        .unwrap();
    assert!(
        note.text.contains("restore-20261123-070000-0007"),
        "{note:?}"
    );
    for request in [UNDO, DISCARD] {
        let refusal = act(with_backups(running_server()), request)
            .refusal
            .unwrap();
        assert!(refusal.contains("is kept"), "{refusal}");
    }
}

#[test]
fn restore_onto_nothing_cannot_be_undone() {
    let mut nothing = record(1);
    nothing.renames[0].had_live = false;
    let refusal = act(keeping(nothing), UNDO).refusal.unwrap();
    assert!(refusal.contains("nothing to go back to"), "{refusal}");
}

#[test]
fn kept_data_is_freed_when_it_is_old_and_there_is_a_newer_backup() {
    for (age_days, backup_age_days, freed) in [
        (8, Some(1), true),
        (8, Some(9), false),
        (8, None, false),
        (6, Some(1), false),
    ] {
        let mut state = keeping(record(age_days));
        state.memory.store = backup_age_days.map(|days| StoreMemory {
            parameters: parameters().hash(),
            server_name: Some(NAME.into()),
            checked_at: now(),
            problem: None,
            last: Some(LastBackup {
                finished_at: now() - jiff::SignedDuration::from_hours(24 * days),
                size_bytes: 1,
            }),
            foreign: None,
        });
        let plan = decide(&Route::Reconcile, &state).unwrap();
        let frees = steps(&plan).contains(&"FreeOldData".to_owned());
        assert_eq!(frees, freed, "{age_days} {backup_age_days:?}");
    }
}

#[test]
fn what_a_job_left_is_swept_and_the_waker_is_stopped_when_synapse_was_told_to_start() {
    let mut state = running_server();
    ready(&mut state).restores = vec![Folder::Unrecorded(RestoreId::new(now(), 9))];
    ready(&mut state).waker = true;
    ready(&mut state).service.status = Some(ServiceStatus::Inactive);
    ready(&mut state).healthy = false;
    let plan = decide(&Route::Reconcile, &state).unwrap();
    let steps = steps(&plan);
    let at = |name: &str| steps.iter().position(|step| step == name).unwrap();
    assert!(
        at("Replan") < at("StopWaker") && at("StopWaker") < at("AwaitHealth"),
        "{steps:?}"
    );
    assert!(at("AwaitHealth") < at("SweepRestore"), "{steps:?}");
}

#[test]
fn setback_of_a_job_whose_action_was_gone_is_told_and_blocks_nothing() {
    let mut state = running_server();
    state.memory.setback = Some("the restore of b was not done".into());
    let plan = decide(&Route::Reconcile, &state).unwrap();
    assert!(plan.steps.is_empty(), "{:?}", steps(&plan));
    assert_eq!(plan.conditions.len(), 1);
    assert_eq!(plan.conditions[0].level, Level::Note);
}
