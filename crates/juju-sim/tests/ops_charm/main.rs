//! A Python charm on the PyPI package `ops`: what juju-sim answers is read by somebody else's library too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use juju_sim::{AddModel, Deploy, Juju};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_mins(2);
const DATABASE: &str = "
name: postgres
endpoint: database
interface: database
application-data: {url: \"here:5432\", credentials: {secret: login}}
secrets: {login: {password: hunter22}}
";

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../.tools")
        .join(name)
}

/// The charm's folder with `ops` in it, as charmcraft would pack it.
fn charm(folder: &Path) -> PathBuf {
    let charm = folder.join("charm");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ops_charm/charm");
    for (from, to) in [(own, charm.clone()), (tool("ops"), charm.join("venv"))] {
        let copied = Command::new("cp")
            .arg("-rL")
            .arg(from)
            .arg(to)
            .status()
            .unwrap();
        assert!(copied.success());
    }
    charm
}

/// A model in which `snake/0` waits for a database.
fn deployed(folder: &Path) -> Juju {
    let image = folder.join("image.yaml");
    std::fs::write(
        &image,
        "users: [{name: web, uid: 991, gid: 991, home: /home/web}]\n",
    )
    .unwrap();
    let juju = Juju::add_model(AddModel {
        pebble: Some(tool("bin/pebble")),
        ..AddModel::default()
    })
    .unwrap();
    juju.deploy(&Deploy::new(charm(folder)).resource("web-image", image))
        .unwrap();
    juju.wait_for_unit("snake/0", "blocked", DEADLINE).unwrap();
    juju
}

#[test]
fn charm_on_ops_lives_through_relation_secret_action_notice_and_pod_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let juju = deployed(folder.path());
    juju.deploy_remote(DATABASE, None).unwrap();
    juju.integrate("snake", "postgres").unwrap();
    let status = juju.wait_for_unit("snake/0", "active", DEADLINE).unwrap();
    let unit = status.unit("snake/0").unwrap();
    assert_eq!(unit.workload.message, "here:5432 hunter22");
    assert_eq!(unit.open_ports, ["8080/tcp"]);
    let application = &status.applications["snake"];
    assert_eq!(application.version, "1.2.3");
    assert_eq!(application.status.message, "led");

    actions(&juju);
    notice(&juju, "snake/0");

    juju.config("snake", [("greeting", "moin")]).unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    let greeting = juju
        .storage_folder("snake/0", "data")
        .unwrap()
        .join("greeting");
    assert_eq!(std::fs::read_to_string(&greeting).unwrap(), "moin\n");

    juju.replace_pod("snake/0").unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    juju.wait_for_unit("snake/0", "active", DEADLINE).unwrap();
    juju.remove_relation("snake", "postgres").unwrap();
    juju.wait_for_unit("snake/0", "blocked", DEADLINE).unwrap();
    juju.remove_application("snake").unwrap();
    juju.wait_for(DEADLINE, |status| {
        !status.applications.contains_key("snake")
    })
    .unwrap();
}

fn actions(juju: &Juju) {
    let parameters = Map::from_iter([("to".to_owned(), json!(2))]);
    let counted = juju.run("snake/0", "count", parameters, DEADLINE).unwrap();
    assert_eq!(counted.status, "completed", "{counted:?}");
    assert_eq!(counted.result("counted"), Some("2"));
    assert_eq!(counted.result("own"), Some("made-here"));
    assert_eq!(counted.result("planned"), Some("1"));
    assert_eq!(counted.log.len(), 2);
    let failed = juju.run("snake/0", "fail", Map::new(), DEADLINE).unwrap();
    assert_eq!(
        (failed.status.as_str(), failed.message.as_str()),
        ("failed", "as asked")
    );
    let raised = juju.run("snake/0", "raise", Map::new(), DEADLINE).unwrap();
    assert_eq!(raised.message, "exit status 1");
    assert!(raised.result("stderr").unwrap().contains("a bug"));
}

fn notice(juju: &Juju, unit: &str) {
    let socket = juju.pebble_socket(unit, "web").unwrap();
    let notified = Command::new(tool("bin/pebble"))
        .args(["notify", "example.com/done"])
        .env("PEBBLE_SOCKET", socket)
        .output()
        .unwrap();
    assert!(notified.status.success(), "{notified:?}");
    until_friend_says(juju, unit, "noticed", "example.com/done");
}

/// Waits until a unit has written this into the databag of its peer relation, as another one sees it.
fn until_friend_says(juju: &Juju, unit: &str, key: &str, value: &str) {
    let said = || {
        let shown = juju.show_unit("snake/0").unwrap();
        let relations = shown["relation-info"].as_array().unwrap().clone();
        relations.iter().any(|relation| {
            relation["endpoint"] == "friends" && relation["units"][unit][key] == value
        })
    };
    juju.wait_for(DEADLINE, |_| said()).unwrap();
}

#[test]
fn two_units_on_ops_share_relation_secret_action_and_notice_though_one_leads() {
    let folder = tempfile::tempdir().unwrap();
    let juju = &deployed(folder.path());
    juju.deploy_remote(DATABASE, None).unwrap();
    juju.integrate("snake", "postgres").unwrap();
    juju.wait_for_unit("snake/0", "active", DEADLINE).unwrap();
    notice(juju, "snake/0");
    juju.add_unit("snake", 1).unwrap();
    let status = juju.wait_for_unit("snake/1", "active", DEADLINE).unwrap();
    assert_eq!(
        status.unit("snake/1").unwrap().workload.message,
        "here:5432 hunter22"
    );
    assert_eq!(status.unit("snake/1").unwrap().open_ports, ["8080/tcp"]);
    until_friend_says(juju, "snake/1", "heard", "snake/0");
    until_friend_says(juju, "snake/1", "own", "made-here");
    notice(juju, "snake/1");
    until_friend_says(juju, "snake/0", "heard", "snake/1");
    juju.wait_until_idle(DEADLINE).unwrap();

    let rotate = Map::from_iter([("rotate".to_owned(), json!("made-anew"))]);
    let rotated = juju.run("snake/0", "count", rotate, DEADLINE).unwrap();
    assert_eq!(rotated.result("own"), Some("made-anew"), "{rotated:?}");
    until_friend_says(juju, "snake/1", "told-of", "made-anew");

    let counted = juju.run("snake/1", "count", Map::new(), DEADLINE).unwrap();
    assert_eq!(counted.result("own"), Some("made-anew"), "{counted:?}");
    assert_eq!(counted.result("planned"), Some("2"));
    assert_eq!(counted.result("leads"), Some("False"));

    juju.set_leader("snake/1").unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    juju.remove_unit("snake/1").unwrap();
    juju.wait_for(DEADLINE, |status| status.unit("snake/1").is_none())
        .unwrap();
    until_friend_says(juju, "snake/0", "departed", "snake/1");
    juju.wait_until_idle(DEADLINE).unwrap();
}
