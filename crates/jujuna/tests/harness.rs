//! Whole dispatches under the harness: what is left behind, and at what price.

use std::collections::BTreeMap;

use jujuna::testing::{Charm, Fault, Harness, Owner, Relation, Secret, State};
use jujuna::{
    BoxError, Context, Event, Juju, Outcome, Port, RelationEvent, RelationEventKind, RelationId,
    Rotate, SecretOwner, SecretSpec, Status, Statuses, UnitName,
};

const SECRET: &str = "9m4e2mr0ui3e8a215n4g";

fn charm() -> Charm {
    Charm::parse(
        "{name: web, containers: {web: {}}, requires: {db: {interface: pg, limit: 1}},
          provides: {login: {interface: login}}, peers: {mates: {interface: mates}},
          storage: {cache: {type: filesystem, multiple: {range: 0-}}}}",
        "{options: {port: {type: int, default: 8008}}}",
        "{all: {params: {fail: {type: boolean, default: false}}}}",
    )
}

fn mates() -> RelationId {
    RelationId::new("mates", 0)
}

fn login() -> RelationId {
    RelationId::new("login", 4)
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Writes one of everything that Juju takes over at the end.
fn write_everything(_context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    let leader = juju.leader()?.ok_or("not the leader")?;
    let owner = SecretOwner::Application(&leader);
    let old = SecretSpec::new("old", [("key-one", "2")])
        .description("changed")
        .rotate(Rotate::Daily);
    juju.secret_declare(owner, old);
    juju.secret_declare(
        owner,
        SecretSpec::new("new", [("key-one", "1")]).grant_to(&login()),
    );
    let uri = juju.secret_uri("new")?;
    juju.relation_set_app(&leader, &login(), map([("login", &uri.to_string())]));
    juju.relation_set_unit(&mates(), map([("ready", "yes"), ("gone", "")]));
    juju.state_set("count", "2");
    juju.state_delete("obsolete");
    juju.ports_ensure([Port::tcp(8008).into(), Port::tcp(9000).on(["login"])]);
    juju.action_set(match juju.action_get() {
        Ok(_) => map([("result", "correct")]),
        Err(_) => BTreeMap::new(),
    });
    Ok(Outcome::Active("written".to_owned()))
}

fn model(harness: &Harness) -> State {
    let mut state = harness
        .state("web/0")
        .with_leader(true)
        .with_relation(Relation::new("login", 4, "client"))
        .with_secret(Secret::owned(
            Owner::Application,
            SECRET,
            "old",
            [("key-one", "1")],
        ))
        .with_state("count", "1")
        .with_state("obsolete", "1");
    state.relations[0].unit_data = map([("gone", "soon")]);
    state.opened_ports.insert(Port::tcp(80).into());
    state
}

fn every_event() -> [Event; 3] {
    [
        Event::ConfigChanged,
        Event::pebble_ready("web"),
        Event::action("all", "1"),
    ]
}

#[test]
fn everything_is_written_by_hook_pebble_event_and_action_alike() {
    for event in every_event() {
        let harness = Harness::new(charm(), write_everything);
        let before = model(&harness);
        let end = harness.run(&event, &before);
        let id = end.state.secret("new").unwrap().id.clone();
        let uri = format!("secret://00000000-0000-4000-8000-000000000000/{id}");
        let mut expected = vec![
            "- port 80/tcp (*): open".to_owned(),
            "+ port 8008/tcp (*): open".to_owned(),
            "+ port 9000/tcp (login): open".to_owned(),
            format!("+ relation login:4 own application login: {uri}"),
            "- relation mates:0 own unit gone: soon".to_owned(),
            "+ relation mates:0 own unit ready: yes".to_owned(),
            "+ secret new: Application".to_owned(),
            "+ secret new 1 key-one: 1".to_owned(),
            "+ secret new about: [\"\", \"\", \"\"]".to_owned(),
            "+ secret new grant application-client: view".to_owned(),
            "+ secret new granted: false".to_owned(),
            "+ secret old 2 key-one: 2".to_owned(),
            "- secret old about: [\"\", \"\", \"\"]".to_owned(),
            "+ secret old about: [\"changed\", \"daily\", \"\"]".to_owned(),
            "- state count: 1".to_owned(),
            "+ state count: 2".to_owned(),
            "- state obsolete: 1".to_owned(),
        ];
        if !matches!(event, Event::Action(_)) {
            expected.push("- status: unknown".to_owned());
            expected.push("+ status: active written".to_owned());
        }
        assert_eq!(before.diff(&end.state), expected, "{event}");
        let again = harness.run(&event, &end.state);
        assert_eq!(end.state.diff(&again.state), [""; 0], "{event}");
    }
}

#[test]
fn dispatch_cut_short_anywhere_leaves_nothing_and_ends_the_same() {
    for event in every_event() {
        let harness = Harness::new(charm(), write_everything);
        let tried = harness
            .converges_from_every_crash_point(&event, &model(&harness))
            .unwrap();
        assert!(tried > 60, "{event}: {tried}");
    }
}

#[test]
fn failed_action_keeps_its_message_and_takes_back_what_it_had_flushed() {
    let harness = Harness::new(charm(), |context, juju| {
        write_everything(context, juju)?;
        juju.flush()?;
        Err("the disk is full".into())
    });
    let before = model(&harness);
    for event in every_event() {
        let end = harness.run(&event, &before);
        let diff: Vec<String> = before.diff(&end.state);
        match event {
            Event::Action(_) => {
                assert_eq!(diff, [""; 0]);
                assert_eq!(end.exit_code, Some(0));
                assert_eq!(end.action_failure.as_deref(), Some("the disk is full"));
            }
            Event::Pebble(_) => {
                assert_eq!(end.exit_code, Some(0));
                let shown = "+ status: blocked internal error, see juju debug-log";
                assert_eq!(diff, ["- status: unknown", shown]);
            }
            _ => {
                assert_eq!(end.exit_code, Some(1));
                assert_eq!(diff, [""; 0]);
            }
        }
    }
}

#[test]
fn panicking_charm_fails_as_any_other() {
    let harness = Harness::new(charm(), |_, juju| {
        juju.state_set("half", "done");
        let empty: Vec<u8> = Vec::new();
        let _ = empty[juju.config_get()?.len()];
        Ok(Outcome::Done)
    });
    let end = harness.run(&Event::action("all", "1"), &model(&harness));
    let message = Some("internal error, see juju debug-log");
    assert_eq!(
        (end.exit_code, end.action_failure.as_deref()),
        (Some(0), message)
    );
    let end = harness.run(&Event::Start, &model(&harness));
    assert_eq!(end.exit_code, Some(1));
    assert_eq!(model(&harness).diff(&end.state), [""; 0]);
}

#[test]
fn unknown_hook_ends_with_0_and_does_nothing() {
    let harness = Harness::new(charm(), write_everything);
    let event = Event::Unknown("collect-moonlight".to_owned());
    let end = harness.run(&event, &model(&harness)).within(0);
    assert_eq!(end.exit_code, Some(0));
}

#[test]
fn failing_status_get_does_not_keep_the_status_from_being_set() {
    let harness = Harness::new(charm(), |_, _| Ok(Outcome::Waiting("storage".to_owned())));
    let end = harness.run_with_fault(&Event::Start, &model(&harness), Fault::Fail(1));
    assert_eq!(end.exit_code, Some(0));
    assert_eq!(
        end.state.status,
        Status::Waiting("storage".to_owned()).into()
    );
}

#[test]
#[should_panic(expected = "there is no relation db:7")]
fn event_that_juju_could_not_fire_is_refused() {
    let harness = Harness::new(charm(), write_everything);
    let event = Event::Relation(RelationEvent {
        endpoint: "db".to_owned(),
        id: RelationId::new("db", 7),
        kind: RelationEventKind::Created,
        remote_app: Some("pg".to_owned()),
        remote_unit: None,
        departing_unit: None,
    });
    harness.run(&event, &model(&harness));
}

#[test]
fn state_is_never_emptied_on_the_juju_that_cannot_stand_that() {
    let handle = |_: &Context, juju: &mut Juju| {
        juju.state_delete("only");
        juju.flush()?;
        assert!(juju.state_get()?.is_empty());
        Ok(Outcome::Done)
    };
    for (version, left) in [("3.6.11", 0), ("4.0.5", 1), ("4.1.0", 0)] {
        let harness = Harness::new(charm(), handle).on_juju(version);
        let state = harness.state("web/0").with_state("only", "1");
        let end = harness.run(&Event::Start, &state);
        assert_eq!(end.state.state.len(), left, "{version}");
        assert!(!end.state.state.contains_key("only"));
    }
}

#[test]
fn revision_of_a_secret_that_is_gone_is_not_removed_once_more() {
    let harness = Harness::new(charm(), |_, _| Ok(Outcome::Done));
    let event = Event::Secret(jujuna::SecretEvent {
        id: SECRET.parse().unwrap(),
        kind: jujuna::SecretEventKind::Remove,
        label: None,
        revision: Some(1),
    });
    let end = harness.run(&event, &harness.state("web/0"));
    assert_eq!(
        (end.exit_code, end.call_names()),
        (Some(0), vec!["secret-info-get"])
    );
}

/// What ops needs 19 hook commands for (`scripts/bench_ops/reconcile.py`): options, a relation with two units, the own databag
/// among peers, a port, the workload's version, the status.
///
/// What ops cannot leave out is left out here: to look which ports are open before one is opened, and to say the version in a
/// hook in which it cannot be another one.
fn reconcile(context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    reconcile_and(juju, |juju, port| {
        juju.open_port(port);
        if context.event.may_change_workload() {
            juju.application_version_set("1.2.3")?;
        }
        Ok(())
    })
}

/// The same with nothing left out: whatever else is open is closed, and the version is said each time.
fn reconcile_and_leave_nothing_out(_: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    reconcile_and(juju, |juju, port| {
        juju.ports_ensure([port.into()]);
        juju.application_version_set("1.2.3")
    })
}

fn reconcile_and(
    juju: &mut Juju,
    open_and_say_version: impl FnOnce(&mut Juju, Port) -> Result<(), jujuna::Error>,
) -> Result<Outcome, BoxError> {
    #[derive(serde::Deserialize)]
    struct Options {
        port: u16,
    }
    #[derive(serde::Deserialize)]
    struct Database {
        name: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Server {
        host: String,
    }
    let options: Options = juju.config()?;
    let mut statuses = Statuses::new();
    let Some(db) = juju.relation("db")? else {
        statuses.add("database", Status::Waiting("no relation".to_owned()));
        return Ok(statuses.compose().into());
    };
    let app = juju.relation_app(&db)?.unwrap_or_default();
    let database: Database = juju.relation_get_app_as(&db, &app)?;
    let mut hosts = Vec::new();
    for unit in juju.relation_list(&db)? {
        let server: Server = juju.relation_get_unit_as(&db, &unit)?;
        hosts.push(server.host);
    }
    if let Some(mates) = juju.relation("mates")? {
        let name = database.name.unwrap_or_default();
        juju.relation_set_unit(&mates, map([("hosts", &hosts.join(",")), ("name", &name)]));
    }
    open_and_say_version(juju, Port::tcp(options.port))?;
    Ok(Outcome::Active(String::new()))
}

#[test]
fn reconcile_that_takes_ops_19_hook_commands_takes_9() {
    let relation = Relation::new("db", 3, "pg")
        .with_remote_app("name", "web")
        .with_remote_unit_data(0, "host", "10.0.0.7")
        .with_remote_unit_data(1, "host", "10.0.0.8");
    let harness = Harness::new(charm(), reconcile);
    let mut state = harness
        .state("web/0")
        .with_relation(relation)
        .with_status("active", "");
    // As the hook `start` left it.
    state.workload_version = "1.2.3".to_owned();
    let event = Event::Relation(RelationEvent {
        endpoint: "db".to_owned(),
        id: RelationId::new("db", 3),
        kind: RelationEventKind::Changed,
        remote_app: Some("pg".to_owned()),
        remote_unit: Some(UnitName::new("pg", 1)),
        departing_unit: None,
    });
    let end = harness.run(&event, &state).within(9);
    let relation = end.state.relation(&mates()).unwrap();
    assert_eq!(
        relation.unit_data,
        map([("hosts", "10.0.0.7,10.0.0.8"), ("name", "web")])
    );
    assert!(end.state.opened_ports.contains(&Port::tcp(8008).into()));

    let thorough = Harness::new(charm(), reconcile_and_leave_nothing_out);
    let same = thorough.run(&event, &state).within(11);
    assert_eq!(same.state, end.state);

    // The dispatch that may see another workload says the version without being asked to.
    state.workload_version = String::new();
    let end = harness.run(&Event::Start, &state);
    assert_eq!(end.state.workload_version, "1.2.3");
}

#[test]
#[should_panic(
    expected = "4 hook commands, at most 3 were expected: config-get, relation-ids, status-get, status-set"
)]
fn budget_that_is_not_kept_names_the_hook_commands() {
    let harness = Harness::new(charm(), reconcile);
    let _ = harness
        .run(&Event::Start, &harness.state("web/0"))
        .within(3);
}
