//! The event of a dispatch, from variables as Juju sets them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jujuna::{
    Context, Error, ErrorKind, Event, PebbleEvent, PebbleEventKind, RelationEvent,
    RelationEventKind, RelationId, SecretEvent, SecretEventKind, StorageEvent, StorageEventKind,
    StorageId, UnitName,
};

fn context(path: &str, more: &[(&str, &str)]) -> Result<Context, Error> {
    let common = [
        ("JUJU_DISPATCH_PATH", path),
        ("JUJU_UNIT_NAME", "hello/1"),
        ("JUJU_MODEL_NAME", "m"),
        ("JUJU_MODEL_UUID", "5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad"),
        ("JUJU_VERSION", "3.6.11"),
        ("JUJU_CHARM_DIR", "/charm"),
        ("JUJU_MACHINE_ID", ""),
        ("PATH", "/bin"),
    ];
    Context::from_vars(
        common
            .iter()
            .chain(more)
            .map(|(name, value)| (*name, *value)),
    )
}

fn event(path: &str, more: &[(&str, &str)]) -> Event {
    context(path, more).unwrap().event
}

#[test]
fn empty_variable_is_as_good_as_absent() {
    let broken = event(
        "hooks/db-relation-broken",
        &[
            ("JUJU_RELATION", "db"),
            ("JUJU_RELATION_ID", "db:1"),
            ("JUJU_REMOTE_APP", "remote"),
            ("JUJU_REMOTE_UNIT", ""),
        ],
    );
    let expected = RelationEvent {
        endpoint: "db".to_owned(),
        id: RelationId::new("db", 1),
        kind: RelationEventKind::Broken,
        remote_app: Some("remote".to_owned()),
        remote_unit: None,
        departing_unit: None,
    };
    assert_eq!(broken, Event::Relation(expected));
    assert_eq!(context("hooks/start", &[]).unwrap().machine_id, None);
}

#[test]
fn departed_tells_who_leaves() {
    let departed = event(
        "hooks/db-relation-departed",
        &[
            ("JUJU_RELATION", "db"),
            ("JUJU_RELATION_ID", "db:1"),
            ("JUJU_REMOTE_UNIT", "remote/0"),
            ("JUJU_DEPARTING_UNIT", "hello/1"),
        ],
    );
    let Event::Relation(departed) = departed else {
        unreachable!("{departed:?}")
    };
    assert_eq!(departed.departing_unit, Some(UnitName::new("hello", 1)));
    assert_eq!(departed.remote_unit, Some(UnitName::new("remote", 0)));
}

#[test]
fn endpoint_named_like_a_hook_is_read_from_its_variable() {
    let changed = event(
        "hooks/a-relation-changed-relation-created",
        &[
            ("JUJU_RELATION", "a-relation-changed"),
            ("JUJU_RELATION_ID", "a-relation-changed:7"),
        ],
    );
    let Event::Relation(changed) = changed else {
        unreachable!("{changed:?}")
    };
    assert_eq!(
        (changed.endpoint.as_str(), changed.kind),
        ("a-relation-changed", RelationEventKind::Created)
    );
}

#[test]
fn action_named_like_a_hook_is_an_action() {
    let action = event(
        "actions/config-changed",
        &[("JUJU_ACTION_UUID", "2"), ("JUJU_HOOK_NAME", "")],
    );
    assert_eq!(action, Event::action("config-changed", "2"));
}

#[test]
fn pebble_tells_container_and_cause() {
    let pebble = |kind| {
        Event::Pebble(PebbleEvent {
            container: "my-app".to_owned(),
            kind,
        })
    };
    let workload = ("JUJU_WORKLOAD_NAME", "my-app");
    assert_eq!(
        event("hooks/my-app-pebble-ready", &[workload]),
        pebble(PebbleEventKind::Ready)
    );
    let notice = [
        workload,
        ("JUJU_NOTICE_ID", "12"),
        ("JUJU_NOTICE_TYPE", "custom"),
        ("JUJU_NOTICE_KEY", "example.com/due"),
    ];
    let (id, key) = ("12".to_owned(), "example.com/due".to_owned());
    assert_eq!(
        event("hooks/my-app-pebble-custom-notice", &notice),
        pebble(PebbleEventKind::CustomNotice { id, key })
    );
    let check = [workload, ("JUJU_PEBBLE_CHECK_NAME", "up")];
    let up = || "up".to_owned();
    assert_eq!(
        event("hooks/my-app-pebble-check-failed", &check),
        pebble(PebbleEventKind::CheckFailed { check: up() })
    );
    assert_eq!(
        event("hooks/my-app-pebble-check-recovered", &check),
        pebble(PebbleEventKind::CheckRecovered { check: up() })
    );
}

#[test]
fn storage_tells_instance_and_place() {
    let attached = event(
        "hooks/data-storage-attached",
        &[
            ("JUJU_STORAGE_ID", "data/0"),
            ("JUJU_STORAGE_LOCATION", "/data"),
            ("JUJU_STORAGE_KIND", "filesystem"),
        ],
    );
    let expected = StorageEvent {
        id: StorageId::new("data", 0),
        kind: StorageEventKind::Attached,
        location: Some("/data".into()),
    };
    assert_eq!(attached, Event::Storage(expected));
}

#[test]
fn expired_secret_has_a_bare_id_and_a_revision() {
    let expired = event(
        "hooks/secret-expired",
        &[
            ("JUJU_SECRET_ID", "9m4e2mr0ui3e8a215n4g"),
            ("JUJU_SECRET_LABEL", ""),
            ("JUJU_SECRET_REVISION", "3"),
        ],
    );
    let expected = SecretEvent {
        id: "secret:9m4e2mr0ui3e8a215n4g".parse().unwrap(),
        kind: SecretEventKind::Expired,
        label: None,
        revision: Some(3),
    };
    assert_eq!(expired, Event::Secret(expected));
}

#[test]
fn unknown_hook_is_carried_by_name() {
    for name in [
        "meter-status-changed",
        "my-app-pebble-melted",
        "db-relation-renamed",
        "x",
    ] {
        let more = [
            ("JUJU_RELATION", "db"),
            ("JUJU_RELATION_ID", "db:1"),
            ("JUJU_WORKLOAD_NAME", "my-app"),
        ];
        assert_eq!(
            event(&format!("hooks/{name}"), &more),
            Event::Unknown(name.to_owned())
        );
    }
}

#[test]
fn program_not_started_by_juju_says_so() {
    let error = Context::from_vars([("PATH", "/bin")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotInContext);
    let error = context("hooks/start", &[("JUJU_UNIT_NAME", "hello")]).unwrap_err();
    assert_eq!(error.to_string(), "cannot read \"hello\" as a unit name");
}
