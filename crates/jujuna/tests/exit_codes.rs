//! The table of outcome and event, as design and documentation have it.

use jujuna::{
    Event, Outcome, PebbleEvent, PebbleEventKind, RelationEvent, RelationEventKind, RelationId,
    exit_code,
};

fn hooks_that_juju_retries() -> Vec<Event> {
    let relation = RelationEvent {
        endpoint: "db".to_owned(),
        id: RelationId::new("db", 1),
        kind: RelationEventKind::Broken,
        remote_app: None,
        remote_unit: None,
        departing_unit: None,
    };
    vec![
        Event::Install,
        Event::Start,
        Event::Stop,
        Event::Remove,
        Event::ConfigChanged,
        Event::UpdateStatus,
        Event::UpgradeCharm,
        Event::LeaderElected,
        Event::LeaderSettingsChanged,
        Event::Relation(relation),
        Event::Unknown("new-in-juju-5".to_owned()),
    ]
}

fn events_that_must_not_fail() -> Vec<Event> {
    let pebble = |kind| {
        Event::Pebble(PebbleEvent {
            container: "app".to_owned(),
            kind,
        })
    };
    let text = || "x".to_owned();
    vec![
        Event::action("create-backup", "1"),
        Event::pebble_ready("app"),
        pebble(PebbleEventKind::CustomNotice {
            id: text(),
            key: text(),
        }),
        pebble(PebbleEventKind::CheckFailed { check: text() }),
        pebble(PebbleEventKind::CheckRecovered { check: text() }),
    ]
}

#[test]
fn failed_hook_exits_with_1_so_that_juju_drops_its_writes() {
    for event in hooks_that_juju_retries() {
        assert_eq!(exit_code(&event, &Outcome::Failed), 1, "{event}");
    }
}

#[test]
fn failed_action_or_pebble_event_exits_with_0() {
    for event in events_that_must_not_fail() {
        assert_eq!(exit_code(&event, &Outcome::Failed), 0, "{event}");
    }
}

#[test]
fn done_blocked_and_waiting_exit_with_0() {
    let why = || "why".to_owned();
    for outcome in [
        Outcome::Done,
        Outcome::Blocked(why()),
        Outcome::Waiting(why()),
    ] {
        for event in hooks_that_juju_retries()
            .iter()
            .chain(&events_that_must_not_fail())
        {
            assert_eq!(exit_code(event, &outcome), 0, "{event} {outcome:?}");
        }
    }
}
