use jujuna::testing::{Charm, Harness};

use super::*;

fn charm() -> Charm {
    Charm::read(concat!(env!("CARGO_MANIFEST_DIR"), "/hello-k8s"))
}

#[test]
fn types_are_those_of_the_yaml_files() {
    charm().check_config::<Options>().unwrap();
    charm().check_action::<Greet>("greet").unwrap();
    charm().check_actions(&["greet"]).unwrap();
    charm().check_container("web").unwrap();
}

#[test]
fn container_that_is_not_up_is_waited_for_with_the_port_open() {
    let harness = Harness::new(charm(), handle);
    let before = harness.state("hello-k8s/0");
    let end = harness.run(&Event::Install, &before).within(5);
    let expected = [
        "+ port 8080/tcp (*): open",
        "- status: unknown",
        "+ status: waiting for the container",
    ];
    assert_eq!(before.diff(&end.state), expected);
    let again = harness.run(&Event::UpdateStatus, &end.state).within(3);
    assert_eq!(end.state, again.state);
    harness
        .converges_from_every_crash_point(&Event::Install, &before)
        .unwrap();
}

#[test]
fn greeting_is_the_actions_result() {
    let harness = Harness::new(charm(), handle);
    let state = harness.state("hello-k8s/0").with_param("name", "Ann");
    let end = harness.run(&Event::action("greet", "1"), &state);
    assert_eq!(end.action_results["greeting"], "Hello, world! Ann");
}
