//! What a listing of a real S3 server tells, and what it costs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/s3_server.rs"]
mod s3_server;

use counting::Counting;
use s3_server::S3Server;
use serde_json::json;
use synapse_charm::backup::catalog::{self, BackupChoice, BackupState};
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
    put_with(server, id, "{}");
}

fn put_backup_of(server: &S3Server, id: &str, server_name: &str) {
    put_with(server, id, &manifest(id, server_name));
}

fn manifest(id: &str, server_name: &str) -> String {
    let archive = |bytes: u64| json!({"object": "x", "size_bytes": bytes, "sha256": "", "entries": 2, "file_bytes": 0});
    let manifest = json!({
        "format": 1, "id": id, "server_name": server_name, "engine": "sqlite", "synapse_version": null,
        "schema_version": null, "compat_version": null, "started": "2026-11-23T11:00:00Z",
        "finished": "2026-11-23T11:00:01Z", "changed_while_read": 0, "state": archive(3), "media": archive(2),
    });
    manifest.to_string()
}

fn put_owner(server: &S3Server, server_name: &str) {
    let owner =
        json!({"format": 1, "model_uuid": "x", "application": "x", "server_name": server_name});
    server.put_object(BUCKET, "synapse/owner.json", owner.to_string().as_bytes());
}

fn put_with(server: &S3Server, id: &str, manifest: &str) {
    for (name, content) in [
        ("state.tar.gpg", "abc"),
        ("media.tar.gpg", "de"),
        ("manifest-3-2.json", manifest),
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
    put_backup_of(&server, "backup-20261123-110000-00ff", "b.example");
    put_owner(&server, "b.example");
    assert!(!lived().await);
    server.deny(BUCKET, &[("s3:GetObject", "synapse/owner.json")]);
    assert!(lived().await);
    server.deny(BUCKET, &[]);
    assert!(!lived().await);
}

fn id(number: u32) -> String {
    format!("backup-20261123-11{number:04}-00ff")
}

#[tokio::test]
async fn backups_before_another_servers_take_over_are_a_sign_of_an_earlier_life() {
    let server = S3Server::start();
    server.create_bucket(BUCKET);
    let client = client(&server, server.endpoint());
    let lived = async || {
        catalog::has_finished_backup_of(&client, "a.example")
            .await
            .unwrap()
    };
    put_owner(&server, "b.example");
    for number in 1..=20 {
        put_backup_of(&server, &id(number), "b.example");
    }
    assert!(!lived().await);

    // One that does not say whose it is proves nothing.
    let key = format!("synapse/{}/manifest-3-2.json", id(5));
    for unclear in ["{}", &manifest(&id(6), "b.example")] {
        server.put_object(BUCKET, &key, unclear.as_bytes());
        assert!(lived().await, "{unclear}");
    }
    server.put_object(BUCKET, &key, manifest(&id(5), "b.example").as_bytes());
    assert!(!lived().await);
    server.deny(BUCKET, &[("s3:GetObject", &key)]);
    assert!(lived().await);
    server.deny(BUCKET, &[]);

    // The oldest of all.
    server.put_object(
        BUCKET,
        &format!("synapse/{}/manifest-3-2.json", id(1)),
        manifest(&id(1), "a.example").as_bytes(),
    );
    assert!(lived().await);
}

#[tokio::test]
async fn server_that_does_not_answer_for_a_manifest_is_no_sign_of_a_new_server() {
    let id = id(1);
    let owner = r#"{"format":1,"model_uuid":"x","application":"x","server_name":"b.example"}"#;
    let broken = fake_store(&id, move |method, target| match method {
        "GET" if target.contains("owner.json") => ("200 OK", owner.to_owned()),
        _ => ("503 Service Unavailable", String::new()),
    });
    let client = client_of("AK", "SK", &broken);
    let asked = catalog::has_finished_backup_of(&client, "a.example").await;
    let error = asked.unwrap_err();
    assert!(error.kind().is_outage(), "{error}");
}

#[tokio::test]
async fn latest_is_the_newest_of_this_server_and_costs_one_manifest_where_that_is_the_newest_of_all()
 {
    let server = S3Server::start();
    server.create_bucket(BUCKET);
    let counting = Counting::before(server.address());
    let client = client(&server, &counting.endpoint());
    let latest = async |name: &str| {
        let found = catalog::find(&client, &BackupChoice::Latest, name).await;
        found
            .map(|entry| entry.id.to_string())
            .map_err(|error| error.with_next_step())
    };
    let place = format!("path synapse in bucket backups at {}", counting.endpoint());
    assert!(
        latest("a.example")
            .await
            .unwrap_err()
            .starts_with(&format!("there is no finished backup in {place}; "))
    );
    let names = [
        "a.example",
        "a.example",
        "b.example",
        "c.example",
        "d.example",
        "e.example",
    ];
    for (number, name) in (1..).zip(names) {
        put_backup_of(&server, &id(number), name);
    }
    assert_eq!(latest("a.example").await, Ok(id(2)));
    assert_eq!(latest("b.example").await, Ok(id(3)));
    counting.asked();
    assert_eq!(latest("e.example").await, Ok(id(6)));
    let asked = counting.asked();
    assert_eq!(asked.len(), 2, "a listing and a manifest: {asked:?}");
    let none = latest("z.example").await.unwrap_err();
    assert!(
        none.starts_with(&format!(
            "there is no finished backup of z.example in {place}, those there are of other servers: a.example, b.example, \
             c.example and 2 more; "
        )),
        "{none}"
    );
    // Nobody takes an older one in silence.
    put_finished(&server, &id(7));
    assert_eq!(latest("a.example").await, Ok(id(7)));
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

/// An S3 server that SeaweedFS cannot stand for: it refuses to delete what an object lock keeps.
fn locked_store(id: &str) -> String {
    let error = |code: &str, message: &str| {
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    let missing = error("NoSuchKey", "");
    let locked = error(
        "AccessDenied",
        "Access Denied because object protected by object lock.",
    );
    fake_store(id, move |method, target| match method {
        "DELETE" if !target.contains("manifest-") => ("403 Forbidden", locked.clone()),
        "DELETE" => ("204 No Content", String::new()),
        _ => ("404 Not Found", missing.clone()),
    })
}

/// An S3 server that lists one backup, answers anything else as `answer` says, and each request on a connection of its own.
fn fake_store(
    id: &str,
    answer: impl Fn(&str, &str) -> (&'static str, String) + Send + 'static,
) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let object = |(name, size)| {
        format!(
            "<Contents><Key>synapse/{id}/{name}</Key><Size>{size}</Size><LastModified>2026-11-23T11:00:00Z</LastModified></Contents>"
        )
    };
    let objects = [
        ("manifest-3-2.json", 2),
        ("media.tar.gpg", 2),
        ("state.tar.gpg", 3),
    ];
    let objects = objects.map(object).concat();
    let listing =
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let (status, body) = match head.split(' ').collect::<Vec<_>>()[..] {
                ["GET", target, ..] if target.contains("list-type=2") => {
                    ("200 OK", listing.clone())
                }
                [method, target, ..] => answer(method, target),
                _ => ("400 Bad Request", String::new()),
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
        "1 of 3 objects are gone, left is media.tar.gpg, 2 B; state.tar.gpg, 3 B",
        "kept by an object lock",
        "wait until its retention ends, or lift the retention or legal hold",
        "run delete-backup again: it goes on",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
}
