use jujuna::testing::{Charm, Harness, State};

use super::*;

fn harness(folder: &std::path::Path) -> Harness {
    let charm = Charm::read(concat!(env!("CARGO_MANIFEST_DIR"), "/hello-machine"));
    let folder = folder.to_owned();
    Harness::new(charm, move |context, juju| {
        let mut context = context.clone();
        context.charm_dir.clone_from(&folder);
        handle(&context, juju)
    })
}

fn model(harness: &Harness) -> State {
    let mut state = harness.state("hello-machine/0");
    let network = serde_json::json!({"ingress-addresses": ["10.0.0.7"]});
    state.networks.insert("juju-info".into(), network);
    state
}

#[test]
fn options_are_those_of_config_yaml() {
    let charm = Charm::read(concat!(env!("CARGO_MANIFEST_DIR"), "/hello-machine"));
    charm.check_config::<Options>().unwrap();
}

#[test]
fn nobody_to_greet_blocks_and_the_network_is_told_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let harness = harness(folder.path());
    let end = harness.run(&Event::Install, &model(&harness));
    let status = Status::Blocked("greeting: set the option name".into());
    assert_eq!(end.state.status, status.into());
}

#[test]
fn greeting_is_written_once_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let harness = harness(folder.path());
    let state = model(&harness).with_option("name", "Ann");
    let end = harness.run(&Event::Start, &state);
    let again = harness.run(&Event::UpdateStatus, &end.state).within(3);
    assert_eq!(again.state.state["changes"], "1");
    assert_eq!(
        again.state.status,
        Status::Active("network: 10.0.0.7".into()).into()
    );
    let file = std::fs::read_to_string(folder.path().join("greeting.txt"));
    assert_eq!(file.unwrap(), "Hello, Ann!\n");
}
