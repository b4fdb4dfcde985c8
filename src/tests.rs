//! Whole dispatches on a Juju in memory, with no container up.

use std::path::Path;

use jujuna::testing::{FakeJuju, Owner, Relation, Secret, State as Model};

use super::*;

fn context(path: &str) -> Context {
    let vars = [
        ("JUJU_UNIT_NAME", "synapse/0"),
        ("JUJU_DISPATCH_PATH", path),
        ("JUJU_ACTION_NAME", "register-user"),
        ("JUJU_ACTION_UUID", "2"),
        ("JUJU_WORKLOAD_NAME", "synapse"),
        ("JUJU_MODEL_UUID", "u"),
        ("JUJU_MODEL_NAME", "m"),
        ("JUJU_VERSION", "3.6.11"),
        ("JUJU_CHARM_DIR", "/charm"),
    ];
    Context::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
}

fn model() -> Model {
    Model::new("synapse/0")
        .with_option("server_name", "a.example")
        .with_storage("data", 0, "/data")
}

fn dispatched(path: &str, model: Model) -> (u8, FakeJuju) {
    let fake = FakeJuju::new(model);
    let context = context(path);
    let mut juju = Juju::new(Box::new(fake.clone())).with_unit(context.unit.clone());
    let pebble = Client::new(Path::new("/there/is/no/socket"));
    let route = Route::of(&context.event);
    let ended = block_on(dispatch(&context, &route, &mut juju, &pebble));
    let code = report::report(&context.event, &route, ended, &mut juju);
    fake.end(code);
    (code, fake)
}

#[test]
fn container_that_is_not_up_is_waited_for_without_an_error() {
    for path in [
        "hooks/install",
        "hooks/config-changed",
        "hooks/synapse-pebble-ready",
    ] {
        let (code, fake) = dispatched(path, model());
        assert_eq!(code, 0, "{path}");
        assert_eq!(fake.state().status.status, "waiting");
        assert_eq!(
            fake.state().status.message,
            "synapse: waiting for the container"
        );
    }
}

#[test]
fn update_status_in_which_nothing_changed_runs_four_hook_commands() {
    let (_, first) = dispatched("hooks/config-changed", model());
    let (_, fake) = dispatched("hooks/update-status", first.state());
    assert_eq!(fake.call_names().len(), 4, "{:?}", fake.call_names());
}

#[test]
fn update_status_with_relation_and_secret_runs_at_most_ten() {
    let model = model()
        .with_relation(Relation::new("backup", 1, "s3-integrator"))
        .with_option("backup_passphrase_secret", "secret:cqxabc12345678901234");
    let (_, first) = dispatched("hooks/config-changed", model);
    let (_, fake) = dispatched("hooks/update-status", first.state());
    assert!(fake.call_names().len() <= 10, "{:?}", fake.call_names());
}

#[test]
fn failing_hook_command_fails_a_hook_but_not_pebbles_events_or_an_action() {
    for (path, code) in [
        ("hooks/config-changed", 1),
        ("hooks/synapse-pebble-ready", 0),
        ("actions/register-user", 0),
    ] {
        let fake = FakeJuju::new(model().with_action());
        fake.fail_at(1, 1, "ERROR the controller is gone");
        let context = context(path);
        let mut juju = Juju::new(Box::new(fake.clone())).with_unit(context.unit.clone());
        let route = Route::of(&context.event);
        let pebble = Client::new(Path::new("/there/is/no/socket"));
        let ended = block_on(dispatch(&context, &route, &mut juju, &pebble));
        assert_eq!(
            report::report(&context.event, &route, ended, &mut juju),
            code,
            "{path}"
        );
        if path.starts_with("actions") {
            assert!(
                fake.action_failure()
                    .unwrap()
                    .contains("the controller is gone")
            );
        } else if code == 0 {
            assert_eq!(
                fake.state().status.message,
                "internal error, see juju debug-log"
            );
        }
    }
}

#[test]
fn panic_in_an_action_is_an_action_that_failed() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = Juju::new(Box::new(fake.clone()));
    let context = context("actions/register-user");
    let route = Route::of(&context.event);
    juju.state_set("half", "done");
    assert_eq!(report::report_panic(&context.event, &route, &mut juju), 0);
    fake.end(0);
    assert_eq!(
        fake.action_failure().as_deref(),
        Some("internal error, see juju debug-log")
    );
    assert!(fake.state().state.is_empty());
}

#[test]
fn panic_in_a_backup_ends_the_status_that_it_set() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = Juju::new(Box::new(fake.clone()));
    juju.status_set(&jujuna::Status::Active("backing up 43 %".into()))
        .unwrap();
    let mut context = context("actions/create-backup");
    context.event = jujuna::Event::action("create-backup", "2");
    let route = Route::of(&context.event);
    assert_eq!(report::report_panic(&context.event, &route, &mut juju), 0);
    let status = fake.state().status;
    assert_eq!(
        (status.status.as_str(), status.message.as_str()),
        ("blocked", "internal error, see juju debug-log")
    );
}

#[test]
fn refused_action_leaves_the_status_as_a_hook_would_say_it() {
    for action in ["create-backup", "start-empty"] {
        let (_, hook) = dispatched("hooks/config-changed", model());
        let before = hook.state().status;
        let fake = FakeJuju::new(hook.state().with_action());
        let mut context = context(&format!("actions/{action}"));
        context.event = jujuna::Event::action(action, "2");
        let mut juju = Juju::new(Box::new(fake.clone())).with_unit(context.unit.clone());
        let route = Route::of(&context.event);
        let pebble = Client::new(Path::new("/there/is/no/socket"));
        let ended = block_on(dispatch(&context, &route, &mut juju, &pebble));
        let code = report::report(&context.event, &route, ended, &mut juju);
        fake.end(code);
        assert!(fake.action_failure().unwrap().contains("is not up"));
        assert_eq!(fake.state().status, before);
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
        let fake = FakeJuju::new(model().with_leader(leads).with_secret(secret));
        let mut context = context("hooks/update-status");
        context.event = jujuna::Event::Secret(jujuna::SecretEvent {
            id: uri.parse().unwrap(),
            kind: jujuna::SecretEventKind::Remove,
            label: Some(label.into()),
            revision: Some(3),
        });
        let mut juju = Juju::new(Box::new(fake.clone())).with_unit(context.unit.clone());
        let route = Route::of(&context.event);
        let pebble = Client::new(Path::new("/there/is/no/socket"));
        let ended = block_on(dispatch(&context, &route, &mut juju, &pebble));
        report::report(&context.event, &route, ended, &mut juju);
        assert_eq!(
            fake.call_names().iter().any(|name| name == "secret-remove"),
            removed
        );
    }
}

#[test]
fn teardown_writes_no_status_and_forgets_the_volume() {
    let (_, first) = dispatched("hooks/config-changed", model());
    assert!(first.state().state.contains_key("storage"));
    let before = first.state().status;
    let (code, fake) = dispatched("hooks/remove", first.state());
    assert_eq!((code, fake.state().status), (0, before));
}
