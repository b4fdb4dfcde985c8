//! What a listing of a real S3 server tells, and what it costs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/s3_server.rs"]
mod s3_server;

use counting::Counting;
use s3_server::S3Server;
use serde_json::json;
use synapse_charm::backup::catalog::{self, BackupState};
use synapse_charm::backup::{RawS3Parameters, S3Client, S3Parameters};

const BUCKET: &str = "backups";

fn client(server: &S3Server, endpoint: &str) -> S3Client {
    let raw = RawS3Parameters {
        access_key: Some(server.access_key().into()),
        secret_key: Some(server.secret_key().into()),
        bucket: Some(BUCKET.into()),
        endpoint: Some(endpoint.into()),
        path: Some("synapse".into()),
        s3_uri_style: Some("path".into()),
        ..RawS3Parameters::default()
    };
    S3Client::new(&S3Parameters::new(raw).unwrap()).unwrap()
}

fn put_finished(server: &S3Server, id: &str) {
    for (name, content) in [
        ("state.tar.gpg", "abc"),
        ("media.tar.gpg", "de"),
        ("manifest-3-2.json", "{}"),
    ] {
        server.put_object(BUCKET, &format!("synapse/{id}/{name}"), content.as_bytes());
    }
}

#[tokio::test]
async fn backups_whose_owner_may_not_be_read_are_a_sign_of_an_earlier_life() {
    let server = S3Server::start();
    server.create_bucket(BUCKET);
    let client = client(&server, server.endpoint());
    let lived = async || {
        catalog::has_finished_backup_of(&client, "a.example")
            .await
            .unwrap()
    };
    assert!(!lived().await);
    put_finished(&server, "backup-20261123-110000-00ff");
    let owner =
        json!({"format": 1, "model_uuid": "x", "application": "x", "server_name": "b.example"});
    server.put_object(BUCKET, "synapse/owner.json", owner.to_string().as_bytes());
    assert!(!lived().await);
    server.deny(BUCKET, &[("s3:GetObject", "synapse/owner.json")]);
    assert!(lived().await);
    server.deny(BUCKET, &[]);
    assert!(!lived().await);
}

#[tokio::test]
async fn listing_asks_once_for_a_thousand_objects_and_never_for_a_backup() {
    let server = S3Server::start();
    server.create_bucket(BUCKET);
    for second in 0..400 {
        let id = format!(
            "backup-20261123-11{:02}{:02}-00ff",
            second / 60,
            second % 60
        );
        put_finished(&server, &id);
        if second % 2 == 0 {
            let record = format!("synapse/{id}/verified-20261123-120000-ok.json");
            server.put_object(BUCKET, &record, b"{}");
        }
    }
    let counting = Counting::before(server.address());
    let catalog = catalog::list(&client(&server, &counting.endpoint()))
        .await
        .unwrap();
    assert_eq!(catalog.entries.len(), 400);
    for (index, entry) in catalog.entries.iter().enumerate() {
        assert_eq!(entry.state, BackupState::Finished, "{entry:?}");
        assert_eq!(entry.verified.len(), index % 2, "{entry:?}");
    }
    let asked = counting.asked();
    assert_eq!(asked.len(), 2, "1,400 objects are two pages: {asked:?}");
    assert!(
        asked
            .iter()
            .all(|line| line.starts_with("GET /backups") && line.contains("list-type=2")),
        "{asked:?}"
    );
}
