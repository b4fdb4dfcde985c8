use jujuna::testing::{Charm, Harness, Relation, State};
use jujuna::{Event, RelationId};

use super::*;

fn charm() -> Charm {
    Charm::read(concat!(env!("CARGO_MANIFEST_DIR"), "/greeter"))
}

fn model(harness: &Harness) -> State {
    let visitor =
        Relation::new("visitors", 3, "visitor").with_remote_unit_data(0, "nickname", "Ann");
    harness
        .state("greeter/0")
        .with_leader(true)
        .with_relation(visitor.with_remote_unit(1))
}

#[test]
fn types_are_those_of_the_yaml_files() {
    charm().check_config::<Options>().unwrap();
    charm().check_endpoint("visitors", "greeting").unwrap();
}

#[test]
fn visitor_is_greeted_and_given_a_word_that_it_may_read() {
    let harness = Harness::new(charm(), handle);
    let end = harness.run(&Event::ConfigChanged, &model(&harness));
    let told = &end
        .state
        .relation(&RelationId::new("visitors", 3))
        .unwrap()
        .app_data;
    assert_eq!(
        (told["phrase"].as_str(), told["known"].as_str()),
        ("Welcome", "1")
    );
    let secret = end.state.secret("word-3").unwrap();
    assert!(secret.grants.contains("application-visitor"));
    assert!(told["word"].ends_with(&secret.id));
    let again = harness.run(&Event::UpdateStatus, &end.state);
    assert_eq!(end.state.diff(&again.state), [""; 0]);
}

#[test]
fn greeter_ends_the_same_wherever_it_is_cut_short() {
    let harness = Harness::new(charm(), handle);
    harness
        .converges_from_every_crash_point(&Event::ConfigChanged, &model(&harness))
        .unwrap();
}

#[test]
fn unit_that_does_not_lead_writes_nothing() {
    let harness = Harness::new(charm(), handle);
    let state = model(&harness).with_leader(false);
    let end = harness.run(&Event::ConfigChanged, &state);
    assert_eq!(end.state.relations, state.relations);
}
