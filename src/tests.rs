//! Whole dispatches on a Juju in memory, with no container up.

use std::path::Path;

use jujuna::testing::{Charm, End, Fault, Harness, Owner, Relation, Secret, State as Model};
use jujuna::{Event, SecretEvent, SecretEventKind};

use super::*;

/// What is told of a bug.
const INTERNAL_ERROR: &str = "internal error, see juju debug-log";

/// The charm as [`run`] runs it, with no Pebble that answers.
fn harness() -> Harness {
    let charm = Charm::read(env!("CARGO_MANIFEST_DIR"));
    Harness::with_workload(charm, |context, fake, ()| {
        let mut juju = Juju::for_context(Box::new(fake.clone()), context);
        let pebble = Client::new(Path::new("/there/is/no/socket"));
        let route = Route::of(&context.event);
        let ended = block_on(dispatch(context, &route, &mut juju, &pebble));
        report::report(&context.event, &route, ended, &mut juju)
    })
}

/// The charm with a bug: it panics after `half` of its work.
fn harness_that_panics(half: impl Fn(&mut Juju) + 'static) -> Harness {
    let charm = Charm::read(env!("CARGO_MANIFEST_DIR"));
    Harness::with_workload(charm, move |context, fake, ()| {
        let mut juju = Juju::for_context(Box::new(fake.clone()), context);
        half(&mut juju);
        report::report_panic(&context.event, &Route::of(&context.event), &mut juju)
    })
}

fn model() -> Model {
    harness()
        .state("synapse/0")
        .with_option("server_name", "a.example")
        .with_storage("data", 0, "/data")
}

fn dispatched(event: &Event, model: &Model) -> End {
    harness().run(event, model)
}

fn action(name: &str) -> Event {
    Event::action(name, "2")
}

#[test]
fn options_endpoints_and_actions_are_those_of_the_yaml_files() {
    let charm = Charm::read(env!("CARGO_MANIFEST_DIR"));
    charm.check_config::<state::config::Options>().unwrap();
    charm
        .check_actions(&event::Action::ALL.map(event::Action::name))
        .unwrap();
    charm.check_endpoint("backup", "s3").unwrap();
    charm.check_container(synapse::names::CONTAINER).unwrap();
    charm.check_storage(synapse::names::STORAGE).unwrap();
}

#[test]
fn container_that_is_not_up_is_waited_for_without_an_error() {
    for event in [
        Event::Install,
        Event::ConfigChanged,
        Event::pebble_ready("synapse"),
    ] {
        let end = dispatched(&event, &model());
        assert_eq!(end.exit_code, Some(0), "{event}");
        assert_eq!(end.state.status.status, "waiting");
        assert_eq!(
            end.state.status.message,
            "synapse: waiting for the container"
        );
    }
}

#[test]
fn update_status_in_which_nothing_changed_runs_four_hook_commands() {
    let first = dispatched(&Event::ConfigChanged, &model());
    let end = dispatched(&Event::UpdateStatus, &first.state).within(4);
    assert_eq!(first.state.diff(&end.state), [""; 0]);
}

#[test]
fn update_status_with_relation_and_secret_runs_at_most_ten() {
    let model = model()
        .with_relation(Relation::new("backup", 1, "s3-integrator"))
        .with_option("backup_passphrase_secret", "secret:cqxabc12345678901234");
    let first = dispatched(&Event::ConfigChanged, &model);
    let _ = dispatched(&Event::UpdateStatus, &first.state).within(10);
}

#[test]
fn dispatch_that_is_cut_short_anywhere_ends_the_same_when_run_again() {
    let led = model()
        .with_leader(true)
        .with_relation(Relation::new("backup", 1, "s3-integrator"));
    for model in [model(), led] {
        for event in [
            Event::ConfigChanged,
            Event::UpdateStatus,
            Event::pebble_ready("synapse"),
            Event::Stop,
        ] {
            harness()
                .converges_from_every_crash_point(&event, &model)
                .unwrap_or_else(|divergence| panic!("{event}: {divergence}"));
        }
    }
}

#[test]
fn failing_hook_command_fails_a_hook_but_not_pebbles_events_or_an_action() {
    let register = model().with_param("username", "ann");
    for (event, model, code) in [
        (Event::ConfigChanged, model(), 1),
        (Event::pebble_ready("synapse"), model(), 0),
        (action("register-user"), register, 0),
    ] {
        let end = harness().run_with_fault(&event, &model, Fault::Fail(1));
        assert_eq!(end.exit_code, Some(code), "{event}");
        if let Event::Action(_) = event {
            let failure = end.action_failure.unwrap();
            assert!(failure.contains("connection is shut down"), "{failure}");
        } else if code == 0 {
            assert_eq!(end.state.status.message, INTERNAL_ERROR);
        }
    }
}

#[test]
fn panic_in_an_action_is_an_action_that_failed() {
    let harness = harness_that_panics(|juju| juju.state_set("half", "done"));
    let end = harness.run(
        &action("register-user"),
        &model().with_param("username", "ann"),
    );
    assert_eq!(end.exit_code, Some(0));
    assert_eq!(end.action_failure.as_deref(), Some(INTERNAL_ERROR));
    assert!(end.state.state.is_empty());
}

#[test]
fn panic_in_a_backup_ends_the_status_that_it_set() {
    let harness = harness_that_panics(|juju| {
        let status = jujuna::Status::Active("backing up 43 %".into());
        juju.status_set(&status).unwrap();
    });
    let end = harness.run(&action("create-backup"), &model());
    assert_eq!(end.exit_code, Some(0));
    let status = end.state.status;
    assert_eq!(
        (status.status.as_str(), status.message.as_str()),
        ("blocked", INTERNAL_ERROR)
    );
}

#[test]
fn refused_action_leaves_the_status_as_a_hook_would_say_it() {
    let hook = dispatched(&Event::ConfigChanged, &model());
    let start_empty = hook.state.clone().with_param("confirm", "a.example");
    for (name, model) in [
        ("create-backup", &hook.state),
        ("start-empty", &start_empty),
    ] {
        let end = dispatched(&action(name), model);
        assert!(end.action_failure.unwrap().contains("is not up"));
        assert_eq!(end.state.status, hook.state.status);
    }
}

#[test]
fn dispatch_does_not_wait_for_what_it_gave_up_waiting_for() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let ended = block_on(async move {
        tokio::task::spawn_blocking(move || {
            // Such as a look-up of a host's name that no server answers.
            let _ = released.recv_timeout(std::time::Duration::from_secs(20));
            let _ = tell.send(());
        });
        Ok(())
    });
    ended.unwrap();
    assert!(told.try_recv().is_err());
    drop(release);
}

#[test]
fn revision_of_the_identity_that_nobody_reads_is_removed_by_the_leader() {
    let uri = "secret:9m4e2mr0ui3e8a215n4g";
    for (label, leads, removed) in [
        ("identity", true, true),
        ("identity", false, false),
        ("other", true, false),
    ] {
        let secret = Secret::owned(Owner::Application, &uri[7..], label, [("key", "x")]);
        let model = model().with_leader(leads).with_secret(secret);
        let event = Event::Secret(SecretEvent {
            id: uri.parse().unwrap(),
            kind: SecretEventKind::Remove,
            label: Some(label.into()),
            revision: Some(3),
        });
        let end = dispatched(&event, &model);
        assert_eq!(end.call_names().contains(&"secret-remove"), removed);
    }
}

#[test]
fn teardown_writes_no_status_and_forgets_the_volume() {
    let first = dispatched(&Event::ConfigChanged, &model());
    assert!(first.state.state.contains_key("storage"));
    let end = dispatched(&Event::Remove, &first.state);
    assert_eq!(
        (end.exit_code, end.state.status),
        (Some(0), first.state.status)
    );
}
