//! What actions do, and what they refuse.

use super::*;
use crate::backup::catalog::BackupChoice;
use crate::event::Action;
use crate::state::Request;

const CREATE: Request = Request::CreateBackup { take_over: false };

fn act(mut state: State, request: Request) -> Plan {
    state.request = Some(Ok(request));
    decide(&Route::Action(Action::CreateBackup), &state).unwrap()
}

fn refusal(state: State, request: Request) -> String {
    let plan = act(state, request);
    assert!(plan.steps.is_empty(), "{:?}", steps(&plan));
    plan.refusal.unwrap()
}

fn start_empty(name: &str) -> Request {
    Request::StartEmpty {
        confirm: name.into(),
    }
}

fn list() -> Request {
    Request::ListBackups {
        limit: 5,
        before: None,
    }
}

fn show() -> Request {
    Request::ShowBackup {
        choice: BackupChoice::Latest,
    }
}

fn verify() -> Request {
    Request::VerifyBackup {
        choice: BackupChoice::Latest,
    }
}

fn delete() -> Request {
    Request::DeleteBackup {
        id: "backup-20261123-110000-00ff".parse().unwrap(),
        take_over: false,
    }
}

fn register() -> Request {
    Request::RegisterUser {
        username: "alice".into(),
        admin: false,
    }
}

fn lost_volume() -> State {
    let mut state = with_backups(new_server());
    ready(&mut state).known.copy = Some((NAME.into(), Identity::generate().unwrap()));
    state
}

#[test]
fn actions_on_a_whole_server_are_done() {
    for (request, step) in [
        (CREATE, "CreateBackup"),
        (list(), "ListBackups"),
        (show(), "ShowBackup"),
        (verify(), "VerifyBackup"),
        (register(), "RegisterUser"),
    ] {
        let plan = act(with_backups(running_server()), request);
        assert_eq!(steps(&plan), [step]);
        assert_eq!(plan.refusal, None);
    }
}

#[test]
fn every_action_on_another_unit_names_the_right_one() {
    for request in [
        CREATE,
        list(),
        show(),
        verify(),
        delete(),
        register(),
        start_empty(NAME),
    ] {
        let mut state = with_backups(running_server());
        state.unit = UnitName::new("synapse", 1);
        assert!(refusal(state, request).contains("run this action on synapse/0"));
    }
}

#[test]
fn container_that_is_not_up_is_said() {
    for request in [CREATE, verify(), register(), start_empty(NAME)] {
        assert!(
            refusal(with_backups(state(Workload::NotConnectable)), request).contains("container")
        );
    }
}

#[test]
fn volume_that_is_not_attached_is_said() {
    let mut state = with_backups(state(Workload::Unread));
    state.storage_attached = false;
    assert!(refusal(state, CREATE).contains("not attached"));
}

#[test]
fn no_backup_of_a_lost_volume() {
    assert!(refusal(lost_volume(), CREATE).contains("start-empty confirm=a.example"));
}

#[test]
fn no_backup_before_there_is_a_database() {
    assert!(refusal(with_backups(new_server()), CREATE).contains("not started yet"));
}

#[test]
fn backup_without_store_or_passphrase_says_what_to_set() {
    let mut state = with_backups(running_server());
    state.backup.passphrase = PassphraseSetting::Unset;
    assert!(refusal(state, CREATE).contains("backup_passphrase_secret"));
    assert!(refusal(running_server(), CREATE).contains("s3-integrator"));
    for request in [list(), show(), verify(), delete()] {
        assert!(refusal(running_server(), request).contains("s3-integrator"));
    }
    let mut state = with_backups(running_server());
    state.backup.passphrase = PassphraseSetting::Unset;
    assert!(refusal(state, verify()).contains("backup_passphrase_secret"));
    let mut state = running_server();
    state.backup.store = Store::Faulty(vec!["one".into(), "two".into()]);
    assert_eq!(refusal(state, CREATE), "one; two");
}

#[test]
fn looking_and_deleting_need_neither_passphrase_nor_container() {
    for (request, planned) in [
        (list(), vec!["ListBackups"]),
        (show(), vec!["ShowBackup"]),
        (delete(), vec!["DeleteBackup", "ProbeStore"]),
    ] {
        let mut state = with_backups(state(Workload::Unread));
        state.backup.passphrase = PassphraseSetting::Unset;
        assert_eq!(steps(&act(state, request)), planned);
    }
}

#[test]
fn open_job_refuses_what_writes_and_lets_looking_go_on() {
    let busy = || {
        with_backups(state(Workload::Busy(Box::new(Busy {
            journal: Err("it is cut".into()),
            run_as: RunAs::Synapse,
        }))))
    };
    for request in [CREATE, verify(), delete(), register()] {
        let refusal = refusal(busy(), request);
        assert!(refusal.contains("cannot be followed"), "{refusal}");
    }
    for (request, planned) in [(list(), "ListBackups"), (show(), "ShowBackup")] {
        assert_eq!(steps(&act(busy(), request)), [planned]);
    }
}

#[test]
fn backup_is_verified_before_there_is_a_server_to_restore_it_to() {
    for state in [lost_volume(), with_backups(new_server())] {
        assert_eq!(steps(&act(state, verify())), ["VerifyBackup"]);
    }
}

#[test]
fn registration_waits_for_synapse_to_answer() {
    let mut state = running_server();
    ready(&mut state).healthy = false;
    assert!(refusal(state, register()).contains("does not answer"));
}

#[test]
fn empty_start_needs_the_name_and_an_empty_volume() {
    assert!(
        refusal(lost_volume(), start_empty("b.example"))
            .contains("run start-empty confirm=a.example")
    );
    assert!(refusal(running_server(), start_empty(NAME)).contains("not empty"));
}

#[test]
fn confirmed_empty_start_goes_all_the_way() {
    let plan = act(lost_volume(), start_empty(NAME));
    let steps = steps(&plan);
    assert!(
        steps.contains(&"Replan".to_owned()) && steps.contains(&"RequireDatabase".to_owned()),
        "{steps:?}"
    );
    assert!(plan.conditions.is_empty());
}

#[test]
fn empty_start_stops_a_synapse_that_runs_on_files_that_are_gone() {
    let mut state = running_server();
    ready(&mut state).volume = Volume::default();
    ready(&mut state).known.existed = Some(NAME.into());
    ready(&mut state).known.fresh = Some(Identity::generate().unwrap());
    let steps = steps(&act(state, start_empty(NAME)));
    let at = |name: &str| steps.iter().position(|step| step == name).unwrap();
    assert_eq!(at("StopService"), 0);
    assert!(at("StopService") < at("Replan") && at("Replan") < at("RequireDatabase"));
}

#[test]
fn refused_action_says_of_the_unit_what_a_hook_says() {
    let mut other = with_backups(running_server());
    other.unit = UnitName::new("synapse", 1);
    let mut unnamed = running_server();
    unnamed.homeserver = Err(vec!["server_name is not set".into()]);
    let mut no_storage = state(Workload::Unread);
    no_storage.storage_attached = false;
    for make in [
        lost_volume,
        || state(Workload::NotConnectable),
        || {
            let mut state = with_backups(running_server());
            state.backup.passphrase = PassphraseSetting::Unset;
            state
        },
    ] {
        let hook = reconcile(&make());
        let plan = act(make(), CREATE);
        assert!(plan.refusal.is_some() && plan.steps.is_empty());
        assert!(!plan.conditions.is_empty());
        assert_eq!(plan.conditions, hook.conditions);
    }
    for state in [other, unnamed, no_storage] {
        let hook = reconcile(&state);
        let plan = act(state, CREATE);
        assert!(plan.refusal.is_some());
        assert!(!plan.conditions.is_empty());
        assert_eq!(plan.conditions, hook.conditions);
    }
}

#[test]
fn backup_of_a_stopped_synapse_does_not_say_that_all_is_well() {
    for (status, level) in [
        (None, Level::Waiting),
        (Some(ServiceStatus::Inactive), Level::Waiting),
        (Some(ServiceStatus::Error), Level::Blocked),
        (Some(ServiceStatus::Backoff), Level::Blocked),
    ] {
        let mut state = with_backups(running_server());
        ready(&mut state).service.status = status;
        ready(&mut state).healthy = false;
        let plan = act(state, CREATE);
        assert_eq!(steps(&plan), ["CreateBackup"]);
        assert!(texts(&plan, level)[0].starts_with("synapse: "), "{plan:?}");
    }
    // Started a moment ago: the hook would wait for it.
    let mut state = with_backups(running_server());
    ready(&mut state).healthy = false;
    assert!(texts(&act(state, CREATE), Level::Waiting)[0].contains("does not answer"));
}

#[test]
fn registration_on_a_stopped_synapse_says_that_it_is_stopped() {
    let mut state = running_server();
    ready(&mut state).service.status = Some(ServiceStatus::Inactive);
    assert_eq!(
        refusal(state, register()),
        "synapse: stopped; the next hook starts it"
    );
}

#[test]
fn wrong_parameter_is_refused_with_its_reason() {
    let mut state = running_server();
    state.request = Some(Err("username \"A\" is not allowed".into()));
    let plan = decide(&Route::Action(Action::RegisterUser), &state).unwrap();
    assert_eq!(
        plan.refusal.as_deref(),
        Some("username \"A\" is not allowed")
    );
}

#[test]
fn unknown_action_is_refused_by_name() {
    let plan = decide(&Route::UnknownAction("x".into()), &running_server()).unwrap();
    assert!(plan.refusal.unwrap().contains("\"x\""));
}
