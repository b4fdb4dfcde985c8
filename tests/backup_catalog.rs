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
use synapse_charm::backup::owner::Owner;
use synapse_charm::backup::{RawS3Parameters, S3Client, S3Parameters, delete_backup};

const BUCKET: &str = "backups";

fn client(server: &S3Server, endpoint: &str) -> S3Client {
    client_of(server.access_key(), server.secret_key(), endpoint)
}

fn client_of(access_key: &str, secret_key: &str, endpoint: &str) -> S3Client {
    let raw = RawS3Parameters {
        access_key: Some(access_key.into()),
        secret_key: Some(secret_key.into()),
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

/// An S3 server that SeaweedFS cannot stand for: it refuses to delete what an object lock keeps. It knows one backup, and
/// answers each request on a connection of its own.
fn locked_store(id: &str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let object = |name: &str| {
        format!(
            "<Contents><Key>synapse/{id}/{name}</Key><Size>2</Size><LastModified>2026-11-23T11:00:00Z</LastModified></Contents>"
        )
    };
    let objects = ["manifest-3-2.json", "media.tar.gpg", "state.tar.gpg"]
        .map(object)
        .concat();
    let listing =
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>");
    let error = |code: &str, message: &str| {
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    let missing = error("NoSuchKey", "");
    let locked = error(
        "AccessDenied",
        "Access Denied because object protected by object lock.",
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let (status, body) = match head.split(' ').collect::<Vec<_>>()[..] {
                ["GET", target, ..] if target.contains("list-type=2") => ("200 OK", &listing),
                ["DELETE", target, ..] if !target.contains("manifest-") => {
                    ("403 Forbidden", &locked)
                }
                ["DELETE", ..] => ("204 No Content", &String::new()),
                _ => ("404 Not Found", &missing),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    endpoint
}

#[tokio::test]
async fn deletion_of_locked_objects_says_what_a_lock_is_and_what_is_left() {
    let id = "backup-20261123-110000-00ff";
    let client = client_of("AK", "SK", &locked_store(id));
    let owner = Owner::new("x", "synapse", "a.example");
    let refused = delete_backup(&client, &id.parse().unwrap(), &owner, false).await;
    let message = refused.unwrap_err().with_next_step();
    for words in [
        "1 of 3 objects are gone, left is media.tar.gpg, 2 B; state.tar.gpg, 2 B",
        "kept by an object lock",
        "wait until its retention ends, or lift the retention or legal hold",
        "run delete-backup again: it goes on",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
}
