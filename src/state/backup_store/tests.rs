//! Where the parameters come from, and what is said when they cannot be had.

use jujuna::testing::{FakeJuju, State};
use serde_json::json;

use super::*;

fn options(values: serde_json::Value) -> Options {
    serde_json::from_value::<Options>(values)
        .unwrap()
        .without_empty()
}

fn context() -> Context {
    let vars = [
        ("JUJU_UNIT_NAME", "synapse/0"),
        ("JUJU_DISPATCH_PATH", "hooks/config-changed"),
        ("JUJU_MODEL_UUID", "u"),
        ("JUJU_MODEL_NAME", "m"),
        ("JUJU_VERSION", "3.6.11"),
        ("JUJU_CHARM_DIR", "/charm"),
    ];
    Context::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
}

fn read_with(state: State, values: serde_json::Value) -> BackupSettings {
    let juju = Juju::new(Box::new(FakeJuju::new(state)));
    read(&options(values), &context(), &juju).unwrap().0
}

fn unit() -> State {
    State::new("synapse/0")
}

fn complete() -> serde_json::Value {
    json!({
        "s3_endpoint": "http://127.0.0.1:8333", "s3_bucket": "backups",
        "s3_access_key": "AK", "s3_secret_key": "SK",
    })
}

fn faults(settings: &BackupSettings) -> String {
    match &settings.store {
        Store::Faulty(faults) => faults.join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_set_means_no_backups() {
    let settings = read_with(unit(), json!({"s3_bucket": "", "backup_passphrase": ""}));
    assert!(matches!(settings.store, Store::Unset));
    assert!(matches!(settings.passphrase, PassphraseSetting::Unset));
}

#[test]
fn complete_options_are_ready() {
    assert!(matches!(
        read_with(unit(), complete()).store,
        Store::Ready(_)
    ));
}

#[test]
fn half_a_set_names_what_is_missing_by_its_option() {
    let text = faults(&read_with(
        unit(),
        json!({"s3_endpoint": "http://127.0.0.1:8333"}),
    ));
    for option in ["s3_bucket", "s3_access_key", "s3_secret_key"] {
        assert!(text.contains(option), "{text}");
    }
}

#[test]
fn two_sources_of_keys_are_named() {
    let mut values = complete();
    values["s3_credentials"] = json!("secret:cqxabc12345678901234");
    let text = faults(&read_with(unit(), values));
    assert!(
        text.contains("s3_credentials") && text.contains("s3_access_key and s3_secret_key"),
        "{text}"
    );
}

#[test]
fn relation_and_options_at_once_name_both() {
    let state = unit().with_relation(jujuna::testing::Relation::new("backup", 1, "s3-integrator"));
    let text = faults(&read_with(state, json!({"s3_bucket": "b"})));
    assert!(
        text.contains("relation with s3-integrator") && text.contains("s3_bucket"),
        "{text}"
    );
}

#[test]
fn secret_that_is_not_there_says_what_to_do() {
    let values = json!({"s3_bucket": "b", "s3_credentials": "secret:cqxabc12345678901234"});
    let text = faults(&read_with(unit(), values));
    assert!(text.contains("juju add-secret"), "{text}");
}

#[test]
fn secret_without_a_field_names_all_that_an_update_must_give() {
    let uri = "secret:9m4e2mr0ui3e8a215n4g";
    for (content, missing) in [
        ([("access-key", "AK")], "has no field secret-key: "),
        ([("secret-key", "SK")], "has no field access-key: "),
        (
            [("other", "x")],
            "no field access-key and no field secret-key: ",
        ),
    ] {
        let secret = jujuna::testing::Secret::granted("9m4e2mr0ui3e8a215n4g", content);
        let values = json!({"s3_bucket": "b", "s3_endpoint": "http://a", "s3_credentials": uri});
        let text = faults(&read_with(unit().with_secret(secret), values));
        assert!(text.contains(missing), "{text}");
        assert!(text.contains("access-key=... secret-key=..."), "{text}");
    }
}

#[test]
fn text_that_is_no_secret_is_refused_by_the_option() {
    let settings = read_with(unit(), json!({"backup_passphrase_secret": "hunter2"}));
    match settings.passphrase {
        PassphraseSetting::Faulty(text) => {
            assert!(text.starts_with("backup_passphrase_secret is"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn passphrase_of_two_lines_or_two_sources_is_refused() {
    for (values, named) in [
        (json!({"backup_passphrase": "a\nb"}), "backup_passphrase: "),
        (
            json!({"backup_passphrase": "a", "backup_passphrase_secret": "secret:x"}),
            "both backup_passphrase and",
        ),
    ] {
        match read_with(unit(), values).passphrase {
            PassphraseSetting::Faulty(text) => assert!(text.starts_with(named), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}
