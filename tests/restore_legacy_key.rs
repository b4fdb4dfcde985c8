//! A backup that the Python charm made without a path: its key begins with a slash, to the byte.
#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/exact_store.rs"]
mod exact_store;
#[path = "support/legacy.rs"]
mod legacy;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{BUCKET, ENDPOINT, Model, PASSPHRASE, UNIT, rows, shipped};
use exact_store::ExactStore;
use juju_sim::pod::{Forward, ForwardTarget};
use serde_json::json;

const ID: &str = "backup-20250102030405123456";
const MEDIA: &str = "media_store/local_content/aa/bb/cc";

fn deployed(store: &ExactStore) -> Model {
    let model = Model::empty(vec![Forward {
        listen: 8333,
        to: ForwardTarget::Tcp(store.address()),
    }]);
    let settings = [
        ("s3_endpoint", ENDPOINT),
        ("s3_bucket", BUCKET),
        ("s3_access_key", "AK"),
        ("s3_secret_key", "SK"),
        ("backup_passphrase", PASSPHRASE),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned()));
    model.deploy("synapse", &shipped("python-charm"), &settings);
    model.wait_active(UNIT);
    model
}

#[test]
fn legacy_backup_whose_key_begins_with_a_slash_is_shown_verified_restored_and_deleted() {
    let store = ExactStore::start(BUCKET);
    let model = deployed(&store);
    model.done("register-user", json!({"username": "alice"}));
    model.write(MEDIA, b"as it was");
    let key = format!("/{ID}");
    store.put(&key, legacy::archive_of(&model));
    store.put("/another/object", b"of somebody else".to_vec());

    let listed = model.done("list-backups", json!({}));
    assert_eq!(
        rows(listed.result("formatted").unwrap()),
        [(ID.to_owned(), "legacy".to_owned())]
    );
    let this = json!({ "backup-id": ID });
    model.done("show-backup", this.clone());
    let verified = model.done("verify-backup", this.clone());
    assert_eq!(verified.result("users"), Some("1"));
    let listed = model.done("list-backups", json!({}));
    let word = listed.results["backups"][ID]["verified"].clone();
    assert!(word.as_str().unwrap().starts_with("ok 20"), "{listed:?}");

    model.write(MEDIA, b"changed");
    model.done("restore-backup", this.clone());
    model.wait_active(UNIT);
    let media = fs::read(model.data().join(MEDIA)).unwrap();
    assert_eq!(media, b"as it was");

    assert!(store.keys().contains(&key));
    model.done("delete-backup", this);
    let mut left = store.keys();
    left.retain(|key| key != "owner.json");
    assert_eq!(left, ["/another/object"]);
}
