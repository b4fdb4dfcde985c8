use jujuna::testing::{Charm, Harness, Relation, Secret};
use jujuna::{Event, RelationId, Status};

use super::*;

const SECRET: &str = "9m4e2mr0ui3e8a215n4g";

fn charm() -> Charm {
    Charm::read(concat!(env!("CARGO_MANIFEST_DIR"), "/visitor"))
}

fn greeted() -> Relation {
    Relation::new("host", 3, "greeter")
        .with_remote_app("phrase", "Moin")
        .with_remote_app("known", "2")
        .with_remote_app("word", &format!("secret:{SECRET}"))
}

#[test]
fn endpoint_is_that_of_metadata_yaml() {
    charm().check_endpoint("host", "greeting").unwrap();
}

#[test]
fn greeting_is_shown_without_the_word() {
    let harness = Harness::new(charm(), handle);
    let state = harness
        .state("visitor/1")
        .with_relation(greeted())
        .with_secret(Secret::granted(SECRET, [("word", "sesame")]));
    let end = harness.run(&Event::UpdateStatus, &state);
    let status = Status::Active("Moin: 2 known, a word of 6 letters".into());
    assert_eq!(end.state.status, status.into());
    let said = &end
        .state
        .relation(&RelationId::new("host", 3))
        .unwrap()
        .unit_data;
    assert_eq!(said["nickname"], "number 1");
}

#[test]
fn word_that_is_not_granted_yet_is_waited_for() {
    let harness = Harness::new(charm(), handle);
    let secret = Secret::granted(SECRET, [("word", "sesame")]).not_granted();
    let state = harness
        .state("visitor/1")
        .with_relation(greeted())
        .with_secret(secret);
    let end = harness.run(&Event::UpdateStatus, &state);
    assert_eq!(
        end.state.status,
        Status::Waiting("to be told the word".into()).into()
    );
}
