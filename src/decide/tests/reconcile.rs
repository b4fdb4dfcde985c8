//! What hooks do.

use jiff::SignedDuration;

use super::*;
use crate::plan::{Answer, Condition};
use crate::state::{StoreMemory, StoreProblem};

const FIRST_START: [&str; 12] = [
    "OwnVolume",
    "push /data/a.example.signing.key",
    "push /data/a.example.macaroon.key",
    "push /data/a.example.form.key",
    "push /data/a.example.registration.key",
    "push /data/log.config",
    "push /data/homeserver.yaml",
    "AddLayer",
    "Replan",
    "AwaitHealth",
    "ShowVersion",
    "CopyIdentity",
];

#[test]
fn new_server_is_made_and_started() {
    let plan = reconcile(&new_server());
    assert_eq!(steps(&plan), FIRST_START);
    assert!(plan.conditions.is_empty());
    assert!(plan.memory.storage_attached);
}

#[test]
fn nothing_changed_means_nothing_to_do() {
    let plan = reconcile(&running_server());
    assert!(steps(&plan).is_empty(), "{:?}", steps(&plan));
    assert!(plan.conditions.is_empty());
}

#[test]
fn container_without_root_gets_no_owner() {
    let mut state = new_server();
    ready(&mut state).run_as = RunAs::Unchanged;
    assert_eq!(steps(&reconcile(&state)), FIRST_START[1..]);
}

#[test]
fn changed_option_restarts_synapse() {
    let mut state = running_server();
    state.homeserver = Ok(Settings {
        report_stats: true,
        ..settings()
    });
    let expected = [
        "push /data/log.config",
        "push /data/homeserver.yaml",
        "AddLayer",
        "Replan",
        "AwaitHealth",
        "ShowVersion",
    ];
    assert_eq!(steps(&reconcile(&state)), expected);
}

#[test]
fn crash_between_push_and_replan_is_made_good() {
    let mut state = running_server();
    // The files are new, Pebble's plan is still the old one.
    ready(&mut state).plan =
        CurrentPlan::parse(&Layer::new("old", RunAs::Synapse).to_yaml().unwrap()).unwrap();
    assert!(steps(&reconcile(&state)).contains(&"Replan".to_owned()));
}

#[test]
fn crash_between_layer_and_replan_is_made_good_once() {
    let mut state = running_server();
    // Pebble's plan is new, what runs is old.
    let digest = state.memory.replanned.replace("old".into()).unwrap();
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), ["Replan", "AwaitHealth", "ShowVersion"]);
    match &plan.steps[0] {
        Step::Replan(replan) => assert_eq!((&replan.digest, replan.restarts), (&digest, false)),
        other => panic!("{other:?}"),
    }
    state.memory.replanned = Some(digest);
    assert!(steps(&reconcile(&state)).is_empty());
}

#[test]
fn lost_file_is_written_again_without_a_restart() {
    let mut state = running_server();
    ready(&mut state)
        .volume
        .sizes
        .remove(names::HOMESERVER_YAML);
    assert_eq!(steps(&reconcile(&state)), ["push /data/homeserver.yaml"]);
}

#[test]
fn stopped_service_is_started() {
    for status in [
        None,
        Some(ServiceStatus::Inactive),
        Some(ServiceStatus::Error),
    ] {
        let mut state = running_server();
        ready(&mut state).service.status = status;
        assert_eq!(
            steps(&reconcile(&state)),
            ["Replan", "AwaitHealth", "ShowVersion"]
        );
    }
}

#[test]
fn restarted_synapse_is_asked_for_its_version_again() {
    let mut state = running_server();
    ready(&mut state).service.since = Some(now() + SignedDuration::from_secs(1));
    assert_eq!(steps(&reconcile(&state)), ["ShowVersion"]);
}

#[test]
fn synapse_that_does_not_answer_is_waited_for() {
    let mut state = running_server();
    ready(&mut state).healthy = false;
    assert_eq!(steps(&reconcile(&state)), ["AwaitHealth", "ShowVersion"]);
    ready(&mut state).service.since = Some(now() - SignedDuration::from_mins(2));
    let plan = reconcile(&state);
    assert!(steps(&plan).is_empty());
    assert!(texts(&plan, Level::Waiting)[0].contains("does not answer on port 8008"));
}

#[test]
fn synapse_that_keeps_ending_is_blocked() {
    let mut state = running_server();
    ready(&mut state).service.status = Some(ServiceStatus::Backoff);
    ready(&mut state).healthy = false;
    assert!(texts(&reconcile(&state), Level::Blocked)[0].starts_with("synapse: ends by itself"));
}

#[test]
fn without_storage_nothing_is_done() {
    let mut state = new_server();
    state.storage_attached = false;
    state.workload = Workload::Unread;
    let plan = reconcile(&state);
    assert!(steps(&plan).is_empty());
    assert_eq!(
        texts(&plan, Level::Waiting),
        ["storage: waiting for the volume data"]
    );
    assert!(!plan.memory.storage_attached);
}

#[test]
fn container_that_is_not_up_is_waited_for() {
    let plan = reconcile(&state(Workload::NotConnectable));
    assert!(steps(&plan).is_empty());
    assert_eq!(
        texts(&plan, Level::Waiting),
        ["synapse: waiting for the container"]
    );
}

#[test]
fn faulty_option_blocks_and_changes_nothing() {
    let mut state = running_server();
    state.homeserver = Err(vec!["server_name is not set".into()]);
    state.workload = Workload::Bystander { running: true };
    let plan = reconcile(&state);
    assert!(steps(&plan).is_empty());
    assert_eq!(texts(&plan, Level::Blocked), ["server_name is not set"]);
}

#[test]
fn changed_server_name_rewrites_nothing() {
    let mut state = running_server();
    state.homeserver = Ok(Settings {
        server_name: "b.example".into(),
        ..settings()
    });
    ready(&mut state).volume.identity = [const { None }; 4];
    let plan = reconcile(&state);
    assert!(steps(&plan).is_empty());
    assert!(texts(&plan, Level::Blocked)[0].contains("set it back to a.example"));
}

#[test]
fn lost_volume_stops_synapse_until_it_is_confirmed() {
    let mut state = running_server();
    let identity = Identity::generate().unwrap();
    ready(&mut state).volume = Volume::default();
    ready(&mut state).known.copy = Some((NAME.into(), identity));
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), ["StopService"]);
    assert!(texts(&plan, Level::Blocked)[0].contains("start-empty confirm=a.example"));

    ready(&mut state).service.status = Some(ServiceStatus::Inactive);
    assert!(steps(&reconcile(&state)).is_empty());
}

#[test]
fn server_that_ran_is_remembered_and_not_started_without_its_data() {
    // Without a copy of the identity: this unit does not lead.
    let mut state = running_server();
    state.memory.existed = None;
    state.memory.identity_copy = None;
    let plan = reconcile(&state);
    assert_eq!(plan.memory.existed.as_deref(), Some(NAME));

    ready(&mut state).volume = Volume::default();
    ready(&mut state).known.existed = plan.memory.existed;
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), ["StopService"]);
    assert!(texts(&plan, Level::Blocked)[0].contains("start-empty confirm=a.example"));
}

#[test]
fn backups_that_were_seen_once_are_remembered() {
    let mut state = new_server();
    ready(&mut state).known.has_backups = true;
    assert_eq!(reconcile(&state).memory.existed.as_deref(), Some(NAME));
    ready(&mut state).known.has_backups = false;
    assert_eq!(reconcile(&state).memory.existed, None);
    // A changed name is a fault of the option, not of the memory.
    let mut state = running_server();
    state.homeserver = Ok(Settings {
        server_name: "b.example".into(),
        ..settings()
    });
    assert_eq!(reconcile(&state).memory.existed.as_deref(), Some(NAME));
}

#[test]
fn new_server_waits_for_an_s3_that_is_set_up_and_does_not_answer() {
    let mut state = with_backups(new_server());
    ready(&mut state).known.unanswered = Some("S3 is down".into());
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), ["ProbeStore"]);
    assert!(texts(&plan, Level::Waiting)[0].contains("S3 is down"));
    assert!(texts(&plan, Level::Blocked).is_empty());
}

#[test]
fn pebble_that_hangs_is_waited_for_and_one_that_refuses_is_not() {
    for condition in [
        Condition::waiting("synapse: slow"),
        Condition::blocked("synapse: no"),
    ] {
        let plan = reconcile(&state(Workload::Unreadable(condition.clone())));
        assert!(steps(&plan).is_empty());
        assert_eq!(plan.conditions, [condition]);
    }
}

#[test]
fn what_the_provider_does_not_get_is_a_remark() {
    let mut state = with_backups(running_server());
    state.backup.notes = vec!["attributes from s3 is not used".into()];
    assert_eq!(
        texts(&reconcile(&state), Level::Note),
        ["backup: attributes from s3 is not used"]
    );
}

#[test]
fn other_units_keep_synapse_stopped() {
    let mut state = state(Workload::Bystander { running: true });
    state.unit = UnitName::new("synapse", 1);
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), ["StopService"]);
    assert_eq!(
        texts(&plan, Level::Blocked),
        ["only synapse/0 runs Synapse; scale to 1"]
    );
}

#[test]
fn leader_answers_the_provider_on_whatever_unit_it_is() {
    let mut state = state(Workload::Bystander { running: false });
    state.unit = UnitName::new("synapse", 2);
    let relation = jujuna::RelationId::new("backup", 3);
    state.answer = Some(Answer {
        relation,
        key: "bucket",
        value: "relation-3".into(),
    });
    assert_eq!(steps(&reconcile(&state)), ["answer bucket"]);
}

#[test]
fn copy_of_the_identity_waits_for_a_database_and_for_leadership() {
    let mut state = running_server();
    state.memory.identity_copy = None;
    assert_eq!(
        texts(&reconcile(&state), Level::Note),
        ["identity copy waits for synapse/0 to lead"]
    );
    ready(&mut state).known.leads = true;
    assert_eq!(steps(&reconcile(&state)), ["CopyIdentity"]);
    // The first start is under way: its identity must not look like that of an earlier life.
    ready(&mut state).volume.has_database = false;
    assert!(steps(&reconcile(&state)).is_empty());
}

#[test]
fn store_is_asked_when_its_parameters_change_or_after_an_hour() {
    let mut state = with_backups(running_server());
    assert_eq!(steps(&reconcile(&state)), ["ProbeStore"]);
    let answer = |minutes_ago: i64, parameters: &str| StoreMemory {
        parameters: parameters.into(),
        server_name: Some(NAME.into()),
        checked_at: now() - SignedDuration::from_mins(minutes_ago),
        problem: None,
        last: None,
        foreign: None,
    };
    let hash = parameters().hash();
    for (answer, asked) in [
        (answer(59, &hash), false),
        (answer(60, &hash), true),
        (answer(-1, &hash), true),
        (answer(1, "other"), true),
        (
            StoreMemory {
                server_name: None,
                ..answer(1, &hash)
            },
            true,
        ),
    ] {
        state.memory.store = Some(answer);
        assert_eq!(!steps(&reconcile(&state)).is_empty(), asked);
    }
}

#[test]
fn what_a_backup_or_its_verification_left_is_swept() {
    for left in ["/data/.backup-backup-x", "/data/.verify-backup-x"] {
        let mut state = running_server();
        ready(&mut state).volume.sizes.insert(left.into(), 0);
        assert_eq!(steps(&reconcile(&state)), ["Sweep"], "{left}");
    }
}

#[test]
fn fault_of_the_backups_alone_does_not_keep_synapse_from_starting() {
    let mut state = new_server();
    state.backup.store = Store::Faulty(vec!["s3_bucket: is missing".into()]);
    state.backup.passphrase = PassphraseSetting::Faulty("two lines".into());
    state.backup.max_duration = Err("backup_max_duration is \"x\"".into());
    let plan = reconcile(&state);
    assert_eq!(steps(&plan), FIRST_START);
    let expected = [
        "backup: s3_bucket: is missing",
        "backup: two lines",
        "backup: backup_max_duration is \"x\"",
    ];
    assert_eq!(texts(&plan, Level::Blocked), expected);
}

#[test]
fn store_without_passphrase_is_a_fault_and_no_store_is_none() {
    let mut state = with_backups(running_server());
    state.backup.passphrase = PassphraseSetting::Unset;
    assert!(texts(&reconcile(&state), Level::Blocked)[0].contains("backup_passphrase"));
    state.backup.store = Store::Unset;
    assert!(reconcile(&state).conditions.is_empty());
}

#[test]
fn store_taken_away_is_forgotten() {
    let mut state = running_server();
    state.memory.store = Some(StoreMemory {
        parameters: "x".into(),
        server_name: None,
        checked_at: now(),
        problem: Some(StoreProblem {
            text: "x".into(),
            passing: false,
        }),
        last: None,
        foreign: None,
    });
    assert_eq!(reconcile(&state).memory.store, None);
}

#[test]
fn teardown_stops_synapse_and_forgets_a_volume_that_goes() {
    let mut state = state(Workload::Bystander { running: true });
    state.memory.storage_attached = true;
    state.storage_attached = false;
    let plan = decide(&Route::Teardown, &state).unwrap();
    assert_eq!(steps(&plan), ["StopService"]);
    assert!(!plan.memory.storage_attached);
    state.workload = Workload::NotConnectable;
    assert!(decide(&Route::Teardown, &state).unwrap().steps.is_empty());
}
