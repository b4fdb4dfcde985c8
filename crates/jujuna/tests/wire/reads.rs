//! What is asked, and how the answer is understood.

use std::fmt::Debug;
use std::path::Path;

use jujuna::{Error, Juju, Port, RelationId, Revision, UnitAddress, UnitName};

use crate::folder::Wire;
use crate::{map, relation, uri};

const MODEL_UUID: &str = "5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad";

/// Reads once, from a hook command that prints `stdout`, and compares what it was called with.
fn expect_read<T: Debug>(
    stdout: &str,
    argv: &[&str],
    read: impl Fn(&Juju) -> Result<T, Error>,
) -> T {
    let wire = Wire::new().answering(stdout);
    let value = read(&wire.juju()).unwrap();
    assert_eq!(wire.argv(), argv);
    assert_eq!(wire.note("stdin"), "", "{argv:?}");
    value
}

#[test]
fn reads_ask_for_json_and_are_understood() {
    let config = expect_read(
        "{\"port\":8008}\n",
        &["config-get", "--format=json"],
        Juju::config_get,
    );
    assert_eq!(config["port"], 8008);
    assert!(expect_read("true\n", &["is-leader", "--format=json"], Juju::leader).is_some());
    assert!(expect_read("false\n", &["is-leader", "--format=json"], Juju::leader).is_none());
    let params = expect_read(
        "{\"who\":\"x\"}\n",
        &["action-get", "--format=json"],
        Juju::action_get,
    );
    assert_eq!(params["who"], "x");
    let state = expect_read("null\n", &["state-get", "--format=json"], Juju::state_get);
    assert!(state.is_empty());
    let argv = ["storage-list", "--format=json", "data"];
    let ids = expect_read("[\"data/0\"]\n", &argv, |juju| juju.storage_list("data"));
    let argv = ["storage-get", "--format=json", "-s", "data/0"];
    let stdout = "{\"kind\":\"filesystem\",\"location\":\"/data\"}\n";
    let storage = expect_read(stdout, &argv, |juju| juju.storage_get(&ids[0]));
    assert_eq!(storage.location, Path::new("/data"));
    let argv = ["status-get", "--include-data", "--format=json"];
    let stdout = "{\"message\":\"x\",\"status\":\"error\",\"status-data\":{\"hook\":\"start\"}}\n";
    let status = expect_read(stdout, &argv, Juju::status_get);
    assert_eq!(
        (status.status.as_str(), status.data["hook"].as_str()),
        ("error", Some("start"))
    );
    let argv = ["resource-get", "image"];
    let path = expect_read("/var/resources/image", &argv, |juju| {
        juju.resource_get("image")
    });
    assert_eq!(path, Path::new("/var/resources/image"));
    let argv = ["opened-ports", "--format=json", "--endpoints"];
    let stdout = "[\"8008/tcp (*)\",\"8009/tcp (db, web)\"]\n";
    assert_eq!(
        expect_read(stdout, &argv, Juju::opened_ports),
        [Port::tcp(8008).into(), Port::tcp(8009).on(["db", "web"])]
    );
}

#[test]
fn rarer_reads_give_what_juju_says() {
    let argv = ["unit-get", "public-address"];
    let address = expect_read("10.152.0.9\n", &argv, |juju| {
        juju.unit_get(UnitAddress::Public)
    });
    assert_eq!(address, "10.152.0.9");
    let id = RelationId::new("db", 3);
    let argv = ["relation-model-get", "--format=json", "-r", "db:3"];
    let uuid = expect_read("{\"uuid\":\"u-1\"}\n", &argv, |juju| {
        juju.relation_model_get(&id)
    });
    assert_eq!(uuid, "u-1");
    let argv = ["network-get", "--format=json", "-r", "db:3", "db"];
    let stdout = "{\"ingress-addresses\":[\"10.0.0.9\"]}\n";
    let network = expect_read(stdout, &argv, |juju| juju.network_get_in(&id));
    assert_eq!(network.ingress_addresses, ["10.0.0.9"]);
    let stdout = r#"{"type":"kubernetes","name":"k","region":"","endpoint":"https://10.0.0.1","credential":
        {"auth-type":"oauth2","attrs":{"Token":"hunter22"},"redacted":[]},"is-controller-cloud":true}"#;
    let argv = ["credential-get", "--format=json"];
    let cloud = expect_read(stdout, &argv, Juju::credential_get);
    assert!(cloud.is_controller_cloud);
    assert_eq!(cloud.credential.auth_type, "oauth2");
}

#[test]
fn network_get_leaves_out_interfaces_without_an_address() {
    let stdout = r#"{"bind-addresses":[{"interface-name":"eth0","addresses":null},{"interface-name":"eth1",
        "addresses":[{"value":"10.0.0.2"}]}],"ingress-addresses":["10.0.0.9"]}"#;
    let argv = ["network-get", "--format=json", "db"];
    let network = expect_read(stdout, &argv, |juju| juju.network_get("db"));
    let names: Vec<_> = network
        .bind_addresses
        .iter()
        .map(|bound| bound.interface_name.as_str())
        .collect();
    assert_eq!(names, ["eth1"]);
    assert_eq!(
        (network.ingress_addresses, network.egress_subnets),
        (vec!["10.0.0.9".to_owned()], vec![])
    );
}

#[test]
fn relation_reads_name_relation_and_member() {
    let argv = ["relation-ids", "--format=json", "db"];
    let ids = expect_read("[\"db:10\",\"db:3\"]\n", &argv, |juju| {
        juju.relation_ids("db")
    });
    assert_eq!(ids, [relation(), RelationId::new("db", 10)]);
    let argv = ["relation-list", "--format=json", "-r", "db:3"];
    let units = expect_read("[\"pg/1\",\"pg/0\"]\n", &argv, |juju| {
        juju.relation_list(&relation())
    });
    assert_eq!(units, [UnitName::new("pg", 0), UnitName::new("pg", 1)]);
    let argv = ["relation-list", "--format=json", "--app", "-r", "db:3"];
    let app = expect_read("\"pg\"\n", &argv, |juju| juju.relation_app(&relation()));
    assert_eq!(app.as_deref(), Some("pg"));
    let argv = [
        "relation-get",
        "--format=json",
        "-r",
        "db:3",
        "--app",
        "-",
        "pg",
    ];
    let data = expect_read("{\"k\":\"v\"}\n", &argv, |juju| {
        juju.relation_get_app(&relation(), "pg")
    });
    assert_eq!(data, map([("k", "v")]));
    let argv = ["relation-get", "--format=json", "-r", "db:3", "-", "pg/0"];
    expect_read("{}\n", &argv, |juju| {
        juju.relation_get_unit(&relation(), &units[0])
    });
}

#[test]
fn secret_reads_name_secret_and_revision() {
    let short = "secret:9m4e2mr0ui3e8a215n4g";
    let content = "{\"password\":\"x\"}\n";
    let argv = ["secret-get", "--format=json", short];
    expect_read(content, &argv, |juju| {
        juju.secret_get(&uri(), Revision::Tracked)
    });
    let argv = ["secret-get", "--format=json", short, "--refresh"];
    expect_read(content, &argv, |juju| {
        juju.secret_get(&uri(), Revision::Refresh)
    });
    let argv = [
        "secret-get",
        "--format=json",
        "--label",
        "identity",
        "--peek",
    ];
    expect_read(content, &argv, |juju| {
        juju.secret_get_by_label("identity", Revision::Peek)
    });
    let long = format!("secret://{MODEL_UUID}/9m4e2mr0ui3e8a215n4g");
    let argv = ["secret-get", "--format=json", &long];
    expect_read(content, &argv, |juju| {
        juju.secret_get(&long.parse()?, Revision::Tracked)
    });
    let stdout = "{\"9m4e2mr0ui3e8a215n4g\":{\"revision\":2,\"label\":\"identity\",\"owner\":\"application\"}}\n";
    let argv = ["secret-info-get", "--format=json", short];
    let info = expect_read(stdout, &argv, |juju| juju.secret_info_get(&uri()));
    assert_eq!((info.uri, info.revision), (uri(), 2));
    assert!(expect_read("null\n", &["secret-ids", "--format=json"], Juju::secret_ids).is_empty());
}
