//! The two charms that say hello, deployed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/charms.rs"]
mod charms;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use charms::{DEADLINE, Model};
use pebble_client::{Client, LayerMode};

/// What the unit serves; nothing while nobody answers.
fn served(model: &Model, unit: &str, port: u16) -> String {
    let address = model.juju.expose(unit, port).unwrap();
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    // The way into the pod may end a connection that nobody takes without a word.
    drop(asked);
    answer.lines().last().unwrap_or_default().to_owned()
}

fn wait_until_served(model: &Model, unit: &str, port: u16, text: &str) {
    let deadline = Instant::now() + DEADLINE;
    while served(model, unit, port) != text {
        assert!(Instant::now() < deadline, "{text:?} was never served");
        std::thread::yield_now();
    }
}

#[test]
fn hello_k8s_serves_what_the_option_says_and_greets_by_action() {
    let model = Model::new();
    let image = model.image();
    model.deploy("hello-k8s", env!("CARGO_BIN_EXE_hello-k8s"), |deploy| {
        deploy.resource("web-image", image)
    });
    let unit = "hello-k8s/0";
    model.wait(unit, "active", "on port 8080");
    wait_until_served(&model, unit, 8080, "Hello, world!");
    let options = [("greeting", "Moin!"), ("port", "8081")];
    model.juju.config("hello-k8s", options).unwrap();
    model.wait(unit, "active", "on port 8081");
    wait_until_served(&model, unit, 8081, "Moin!");
    let status = model.juju.status().unwrap();
    assert_eq!(status.unit(unit).unwrap().open_ports, ["8081/tcp"]);

    let greeted = model.run(unit, "greet", &[("name", "Ann".into())]);
    assert_eq!(greeted.result("greeting"), Some("Moin! Ann"));

    // What was pushed and added is lost with the pod; the charm brings it back.
    model.juju.replace_pod(unit).unwrap();
    model.wait(unit, "active", "on port 8081");
    wait_until_served(&model, unit, 8081, "Moin!");
    let options = [("port", "70000")];
    model.juju.config("hello-k8s", options).unwrap();
    let failed = model.juju.wait_for(DEADLINE, |status| {
        status
            .unit(unit)
            .is_some_and(|unit| unit.workload.current == "error")
    });
    failed.unwrap();
    let log = model.juju.debug_log().unwrap().join("\n");
    assert!(
        log.contains("cannot read the options: port: it is not u16"),
        "{log}"
    );
}

#[tokio::test]
async fn hello_k8s_is_woken_by_a_failing_check_and_leaves_no_error() {
    let model = Model::new();
    let image = model.image();
    model.deploy("hello-k8s", env!("CARGO_BIN_EXE_hello-k8s"), |deploy| {
        deploy.resource("web-image", image)
    });
    let unit = "hello-k8s/0";
    model.wait(unit, "active", "on port 8080");
    let pebble = Client::new(model.juju.pebble_socket(unit, "web").unwrap());
    let check = "checks: {online: {override: replace, period: 100ms, timeout: 90ms, threshold: 1, http: {url: 'http://127.0.0.1:8080/'}}}";
    let stopped = pebble.stop(&["web"]).await.unwrap();
    pebble.wait_change(&stopped, DEADLINE).await.unwrap();
    pebble
        .add_layer("test", check, LayerMode::Combine)
        .await
        .unwrap();
    pebble.start_checks(&["online"]).await.unwrap();
    model.wait_hook("web-pebble-check-failed");
    pebble.start(&["web"]).await.unwrap();
    model.wait_hook("web-pebble-check-recovered");
    model.wait(unit, "active", "on port 8080");
}

#[test]
fn hello_machine_lives_from_install_to_remove() {
    let model = Model::new();
    model.deploy(
        "hello-machine",
        env!("CARGO_BIN_EXE_hello-machine"),
        |deploy| deploy,
    );
    let unit = "hello-machine/0";
    model.wait(unit, "blocked", "greeting: set the option name");
    model
        .juju
        .config("hello-machine", [("name", "Ann")])
        .unwrap();
    let active = model.juju.wait_for_unit(unit, "active", DEADLINE).unwrap();
    let message = &active.unit(unit).unwrap().workload.message;
    assert!(message.starts_with("network: 127."), "{message}");
    assert_eq!(active.applications["hello-machine"].version, "1.0");
    assert_eq!(model.juju.show_unit(unit).unwrap()["state"]["changes"], "1");
    model.juju.remove_application("hello-machine").unwrap();
    let gone = model
        .juju
        .wait_for(DEADLINE, |status| status.applications.is_empty());
    gone.unwrap();
}
