//! A dispatch is a transaction: what is buffered is written once, in one order, if it differs, or not at all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use jujuna::secrecy::{ExposeSecret, SecretString};
use jujuna::testing::{FakeJuju, Owner, Relation, Secret, State};
use jujuna::{ErrorKind, Juju, Port, RelationId, Revision, SecretOwner, Status, UnitName};

const ID: &str = "9m4e2mr0ui3e8a215n4g";

fn unit() -> UnitName {
    UnitName::new("hello", 0)
}

fn peers() -> RelationId {
    RelationId::new("peers", 0)
}

fn juju(fake: &FakeJuju) -> Juju {
    Juju::new(Box::new(fake.clone())).with_unit(unit())
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn content<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, SecretString> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

fn model() -> State {
    State::new("hello/0")
        .with_leader(true)
        .with_relation(Relation::new("peers", 0, "hello"))
}

fn write_everything(juju: &mut Juju) {
    let leader = juju.leader().unwrap().unwrap();
    juju.open_port(Port::tcp(8008));
    juju.state_set("k", "v");
    juju.relation_set_unit(&peers(), map([("u", "1")]));
    juju.relation_set_app(&leader, &peers(), map([("a", "1")]));
    juju.secret_ensure(
        SecretOwner::Application(&leader),
        "identity",
        content([("key-one", "1")]),
    );
    juju.action_set(map([("result", "correct")]));
}

#[test]
fn writes_reach_juju_at_the_flush_in_the_stated_order() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = juju(&fake);
    write_everything(&mut juju);
    assert_eq!(fake.call_names(), ["is-leader"]);
    juju.flush().unwrap();
    let order = [
        "is-leader",
        "secret-get",
        "secret-add",
        "relation-set",
        "relation-set",
        "state-set",
        "open-port",
        "action-set",
    ];
    assert_eq!(fake.call_names(), order);
    juju.flush().unwrap();
    assert_eq!(
        fake.call_names().len(),
        order.len(),
        "a second flush writes nothing"
    );

    fake.end(0);
    let state = fake.state();
    let relation = state.relation(&peers()).unwrap();
    assert_eq!(
        (&relation.unit_data, &relation.app_data),
        (&map([("u", "1")]), &map([("a", "1")]))
    );
    assert_eq!(state.state, map([("k", "v")]));
    assert_eq!(
        state.secret("identity").unwrap().latest(),
        map([("key-one", "1")])
    );
    assert!(state.opened_ports.contains(&Port::tcp(8008).into()));
}

#[test]
fn discarded_writes_never_reach_juju() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = juju(&fake);
    write_everything(&mut juju);
    juju.discard();
    juju.action_fail("no bucket");
    juju.flush().unwrap();
    assert_eq!(fake.call_names(), ["is-leader", "action-fail"]);
    fake.end(0);
    assert_eq!(fake.state(), model().with_action());
    assert_eq!(fake.action_failure().as_deref(), Some("no bucket"));
}

#[test]
fn flush_stops_at_the_first_failure_and_a_failed_hook_leaves_nothing() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = juju(&fake);
    write_everything(&mut juju);
    fake.fail_at(5, 1, "ERROR connection is shut down\n");
    let error = juju.flush().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write the application's data to relation peers:0"
    );
    assert_eq!(fake.call_names().last().unwrap(), "relation-set");
    juju.flush().unwrap();
    assert_eq!(
        fake.call_names().len(),
        5,
        "what follows a failure is forgotten"
    );
    fake.end(1);
    assert_eq!(fake.state(), model().with_action());
}

#[test]
fn what_is_so_already_is_not_written() {
    let mut relation = Relation::new("peers", 0, "hello");
    relation.unit_data = map([("same", "1"), ("other", "1")]);
    relation.app_data = map([("same", "1")]);
    let secret = Secret::owned(Owner::Application, ID, "identity", [("key-one", "1")]);
    let model = State::new("hello/0")
        .with_leader(true)
        .with_relation(relation)
        .with_secret(secret)
        .with_state("k", "v");
    let fake = FakeJuju::new(model.clone());
    let mut juju = juju(&fake);
    let leader = juju.leader().unwrap().unwrap();
    juju.relation_get_unit(&peers(), &unit()).unwrap();
    juju.relation_get_app(&peers(), "hello").unwrap();
    juju.state_get().unwrap();
    juju.secret_get_by_label("identity", Revision::Refresh)
        .unwrap();
    juju.opened_ports().unwrap();
    fake.forget_calls();

    juju.relation_set_unit(&peers(), map([("same", "1"), ("gone", "")]));
    juju.relation_set_app(&leader, &peers(), map([("same", "1")]));
    juju.state_set("k", "v");
    juju.state_delete("gone");
    juju.secret_ensure(
        SecretOwner::Application(&leader),
        "identity",
        content([("key-one", "1")]),
    );
    juju.close_port(Port::tcp(8008));
    juju.flush().unwrap();
    assert_eq!(fake.call_names(), [""; 0]);
    fake.end(0);
    assert_eq!(fake.state().state, model.state);
}

#[test]
fn only_the_differing_part_of_a_databag_is_written() {
    let mut relation = Relation::new("peers", 0, "hello");
    relation.unit_data = map([("same", "1"), ("other", "1"), ("gone", "1")]);
    let fake = FakeJuju::new(State::new("hello/0").with_relation(relation));
    let mut juju = juju(&fake);
    juju.relation_get_unit(&peers(), &unit()).unwrap();
    juju.relation_set_unit(&peers(), map([("same", "1"), ("other", "2"), ("gone", "")]));
    juju.flush().unwrap();
    let call = fake.calls().pop().unwrap();
    assert_eq!(call.stdin.as_deref(), Some(r#"{"gone": "", "other": "2"}"#));
    fake.end(0);
    let state = fake.state();
    assert_eq!(
        state.relation(&peers()).unwrap().unit_data,
        map([("same", "1"), ("other", "2")])
    );
}

#[test]
fn reads_see_what_is_buffered() {
    let fake = FakeJuju::new(model().with_state("old", "1"));
    let mut juju = juju(&fake);
    juju.state_set("new", "2");
    juju.state_delete("old");
    assert_eq!(juju.state_get().unwrap(), map([("new", "2")]));
    juju.relation_set_unit(&peers(), map([("k", "v")]));
    assert_eq!(
        juju.relation_get_unit(&peers(), &unit()).unwrap(),
        map([("k", "v")])
    );
    juju.discard();
    assert_eq!(juju.state_get().unwrap(), map([("old", "1")]));
}

#[test]
fn second_read_of_the_same_starts_no_hook_command() {
    let relation = Relation::new("db", 1, "pg").with_remote_unit_data(0, "host", "10.0.0.7");
    let fake = FakeJuju::new(
        State::new("hello/0")
            .with_relation(relation)
            .with_storage("data", 0, "/data"),
    );
    let juju = juju(&fake);
    let read_all = || {
        juju.config_get().unwrap();
        juju.leader().unwrap();
        let id = juju.relation_ids("db").unwrap().remove(0);
        let unit = juju.relation_list(&id).unwrap().remove(0);
        juju.relation_app(&id).unwrap();
        juju.relation_get_unit(&id, &unit).unwrap();
        juju.relation_get_app(&id, "pg").unwrap();
        juju.state_get().unwrap();
        juju.storage_list("data").unwrap();
        juju.goal_state().unwrap();
        juju.status_get().unwrap();
        juju.opened_ports().unwrap();
    };
    read_all();
    let calls = fake.calls().len();
    read_all();
    assert_eq!(fake.calls().len(), calls);
}

#[test]
fn unchanged_update_status_takes_four_hook_commands() {
    let fake = FakeJuju::new(
        model()
            .with_status("active", "no backups configured")
            .with_state("seen", "1"),
    );
    let mut juju = juju(&fake);
    juju.config_get().unwrap();
    juju.relation_ids("backup").unwrap();
    juju.state_get().unwrap();
    juju.state_set("seen", "1");
    juju.status_set(&Status::Active("no backups configured".to_owned()))
        .unwrap();
    juju.flush().unwrap();
    assert_eq!(
        fake.call_names(),
        ["config-get", "relation-ids", "state-get", "status-get"]
    );
}

#[test]
fn status_shows_at_once_even_if_the_hook_fails() {
    let fake = FakeJuju::new(model());
    let mut juju = juju(&fake);
    juju.status_set(&Status::Maintenance("restoring".to_owned()))
        .unwrap();
    juju.state_set("k", "v");
    juju.flush().unwrap();
    fake.end(1);
    let state = fake.state();
    assert_eq!(
        state.status,
        Status::Maintenance("restoring".to_owned()).into()
    );
    assert!(state.state.is_empty());
}

#[test]
fn changed_secret_gets_one_new_revision_and_keeps_its_id() {
    let secret = Secret::owned(Owner::Unit, ID, "identity", [("key-one", "1")]);
    let fake = FakeJuju::new(State::new("hello/0").with_secret(secret));
    let mut juju = juju(&fake);
    juju.secret_ensure(
        SecretOwner::Unit,
        "identity",
        content([("key-one", "2"), ("key-two", "x: #\n\u{85}")]),
    );
    juju.flush().unwrap();
    assert_eq!(
        fake.call_names(),
        ["secret-get", "secret-info-get", "secret-set"]
    );
    let arguments = fake.calls().pop().unwrap().arguments;
    assert_eq!(
        arguments[..2],
        [format!("secret:{ID}"), "--file".to_owned()]
    );
    fake.end(0);
    let state = fake.state();
    let secret = state.secret(ID).unwrap();
    assert_eq!((state.secrets.len(), secret.latest_revision()), (1, 2));
    assert_eq!(
        secret.latest(),
        map([("key-one", "2"), ("key-two", "x: #\n\u{85}")])
    );
    // The owner, too, reads the old revision until it refreshes.
    let juju = Juju::new(Box::new(fake.clone()));
    let latest = juju
        .secret_get_by_label("identity", Revision::Refresh)
        .unwrap();
    assert_eq!(latest["key-one"].expose_secret(), "2");
}

#[test]
fn every_unit_reads_the_applications_secret_by_label_but_only_the_leader_hears_about_it() {
    let secret = Secret::owned(Owner::Application, ID, "identity", [("key-one", "1")]);
    let fake = FakeJuju::new(State::new("hello/1").with_secret(secret));
    let juju = juju(&fake);
    assert!(juju.secret_get_by_label("identity", Revision::Peek).is_ok());
    assert!(
        juju.secret_info_get_by_label("identity")
            .unwrap_err()
            .is_not_found()
    );
    assert!(juju.secret_ids().unwrap().is_empty());
}

#[test]
fn secret_value_is_in_no_argument_and_no_stdin() {
    let fake = FakeJuju::new(State::new("hello/0"));
    let mut juju = juju(&fake);
    juju.secret_ensure(
        SecretOwner::Unit,
        "identity",
        content([("key-one", "hunter2")]),
    );
    juju.flush().unwrap();
    fake.end(0);
    assert!(!format!("{:?}", fake.calls()).contains("hunter2"));
    assert_eq!(
        fake.state().secret("identity").unwrap().latest()["key-one"],
        "hunter2"
    );
}

#[test]
fn leadership_lost_before_the_flush_is_told_as_such() {
    let fake = FakeJuju::new(model());
    let mut juju = juju(&fake);
    let leader = juju.leader().unwrap().unwrap();
    fake.change(|state| state.leader = false);
    juju.relation_set_app(&leader, &peers(), map([("a", "1")]));
    assert_eq!(juju.flush().unwrap_err().kind(), ErrorKind::NotLeader);
}

#[test]
fn result_that_juju_would_refuse_stops_the_flush_before_its_first_write() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = juju(&fake);
    juju.state_set("k", "v");
    juju.action_set(map([("not_a_key", "x")]));
    assert_eq!(juju.flush().unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(fake.call_names(), [""; 0]);
}

#[test]
fn state_value_that_juju_would_refuse_stops_the_flush_by_name() {
    let fake = FakeJuju::new(model());
    let mut juju = juju(&fake);
    juju.relation_set_unit(&peers(), map([("k", "v")]));
    juju.state_set("journal", "x".repeat(65_537));
    let error = juju.flush().unwrap_err();
    assert!(error.to_string().contains("\"journal\""), "{error}");
    assert_eq!(fake.call_names(), [""; 0]);
    juju.state_set("journal", "x".repeat(65_536));
    juju.flush().unwrap();
}

#[test]
fn many_results_go_in_calls_that_fit_the_system() {
    let fake = FakeJuju::new(model().with_action());
    let mut juju = juju(&fake);
    let results: BTreeMap<_, _> = (0..30)
        .map(|number| (format!("part-{number}"), "x".repeat(100_000)))
        .collect();
    juju.action_set(results.clone());
    juju.flush().unwrap();
    assert_eq!(fake.action_results(), results);
    for call in fake.calls() {
        assert!(call.arguments.iter().map(String::len).sum::<usize>() <= 1024 * 1024);
    }
}

#[test]
fn action_commands_in_a_hook_are_not_in_context() {
    let juju = juju(&FakeJuju::new(model()));
    assert_eq!(
        juju.action_get().unwrap_err().kind(),
        ErrorKind::NotInContext
    );
    assert_eq!(
        juju.action_log("x").unwrap_err().kind(),
        ErrorKind::NotInContext
    );
}

#[test]
fn hanging_juju_is_a_timeout() {
    let fake = FakeJuju::new(model());
    fake.hang_at(1);
    let error = juju(&fake).config_get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn mismatching_option_is_named_without_its_value() {
    #[derive(Debug, serde::Deserialize)]
    struct Options {
        #[expect(dead_code, reason = "never read: it does not fit")]
        port: u16,
    }
    let error_of = |state: State| {
        juju(&FakeJuju::new(state))
            .config::<Options>()
            .unwrap_err()
            .to_string()
    };
    let error = error_of(model().with_option("port", "hunter2"));
    assert!(
        error.contains("port: it is a text, not u16") && !error.contains("hunter2"),
        "{error}"
    );
    let error = error_of(model());
    assert!(error.contains("port: it is missing"), "{error}");
}

#[test]
fn secret_of_somebody_else_needs_a_grant() {
    let secret = Secret::granted(ID, [("passphrase", "x y")]).not_granted();
    let fake = FakeJuju::new(State::new("hello/0").with_secret(secret));
    let uri = ID.parse().unwrap();
    let error = juju(&fake).secret_get(&uri, Revision::Refresh).unwrap_err();
    assert!(error.is_permission_denied());
    fake.change(|state| state.secrets[0].granted = true);
    let read = juju(&fake).secret_get(&uri, Revision::Refresh).unwrap();
    assert_eq!(read["passphrase"].expose_secret(), "x y");
    let unknown = "aaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert!(
        juju(&fake)
            .secret_get(&unknown, Revision::Peek)
            .unwrap_err()
            .is_not_found()
    );
}
