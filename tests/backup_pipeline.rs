//! Backups made in a container with a real Pebble, by real tar, gpg, zstd and aws, against a real S3 server.
#![expect(
    clippy::disallowed_methods,
    reason = "it looks at what was made with programs of the host"
)]
#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test fails by panicking"
)]

#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "support/workload.rs"]
mod workload;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use synapse_charm::backup::catalog::BackupState;
use synapse_charm::backup::catalog::manifest::Manifest;
use synapse_charm::backup::{RawS3Parameters, Receipt, S3Parameters};
use workload::{Kind, Workload, run};

const ODD_NAMES: [&[u8]; 6] = [
    b"-rf",
    b"two\nlines",
    b"quote's \"double\" $(id) `id`",
    b"back\\slash\\n",
    b"not-utf8-\xff\xfe",
    b" spaces and tab\t",
];

fn media_name(name: &[u8]) -> std::ffi::OsString {
    let mut path = b"media_store/local_content/aa/bb/".to_vec();
    path.extend_from_slice(name);
    OsStr::from_bytes(&path).to_owned()
}

fn same(one: &Path, other: &Path) {
    let mut diff = Command::new("diff");
    run(diff.arg("-r").arg(one).arg(other));
}

fn assert_database(file: &Path, rows: &str) {
    let program = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
assert database.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
assert database.execute('SELECT count(*) FROM events').fetchone() == (int(sys.argv[2]),)
";
    run(Command::new("python3")
        .args(["-c", program])
        .arg(file)
        .arg(rows));
}

async fn odd_volume() -> Workload {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(3_000_000);
    for name in ODD_NAMES {
        workload.write(media_name(name), name);
    }
    workload.write("media_store/local_content/big", &vec![7; 9_000_000]);
    workload.write("media_store/local_thumbnails/t", b"thumbnail");
    workload.write("media_store/remote_content/r", b"to be had again");
    workload.write("media_store/url_cache/u", b"to be had again");
    workload.write("templates/my page.html", b"extra");
    // A second name, and a path below another one: neither may become a link in the archive.
    let templates = workload.data().join("templates");
    fs::hard_link(templates.join("my page.html"), templates.join("again.html")).unwrap();
    workload
}

#[tokio::test]
async fn backup_of_odd_names_and_passphrase_decrypts_with_plain_tools() {
    let workload = odd_volume().await;
    let passphrase = " it's $HOME \"é\\n\\ ";
    let mut job = workload.job();
    job.extra_paths = ["/data/templates", "/data/templates/my page.html"]
        .map(String::from)
        .to_vec();
    let parameters = workload.parameters();
    let given = format!("{passphrase}\n");
    let receipt = workload
        .create_with(&parameters, &given, &job)
        .await
        .unwrap();

    let catalog = workload.catalog(&parameters).await;
    assert_eq!(catalog.entries.len(), 1);
    let entry = &catalog.entries[0];
    assert_eq!(entry.state, BackupState::Finished);
    assert_eq!(entry.id.as_str(), receipt.backup_id.as_str());
    assert_eq!(entry.size_bytes, receipt.size_bytes);
    assert_eq!(receipt.restore_in_place.to_string(), "yes");
    let contents = receipt.contents.to_string();
    assert!(
        contents.starts_with("database with 3 users (3."),
        "{contents}"
    );
    assert!(
        contents.contains(", 4 files of keys and settings, 10 files of media"),
        "{contents}"
    );
    workload.assert_clean("a finished job");

    let id = receipt.backup_id.as_str();
    let state = workload.manual_recovery(passphrase, &format!("{id}/state.tar.zst.gpg"));
    assert_state(&workload, &state);
    let media = workload.manual_recovery(passphrase, &format!("{id}/media.tar.gpg"));
    assert_media(&workload, &media);
    assert_own_members(&state, "state", id);
    assert_own_members(&media, "media", id);
    let canary = workload.manual_recovery_of_file(passphrase, &format!("{id}/canary.gpg"));
    assert_eq!(canary, format!("canary of {id}\n").into_bytes());
    assert_manifest(&workload, &receipt);
}

fn assert_state(workload: &Workload, state: &Path) {
    assert_database(&state.join("data/homeserver.db"), "30");
    for name in [
        "a.example.signing.key",
        "a.example.macaroon.key",
        "homeserver.yaml",
        "log.config",
    ] {
        same(&workload.data().join(name), &state.join("data").join(name));
    }
}

fn assert_media(workload: &Workload, media: &Path) {
    for folder in [
        "media_store/local_content",
        "media_store/local_thumbnails",
        "templates",
    ] {
        same(
            &workload.data().join(folder),
            &media.join("data").join(folder),
        );
    }
    let restored: Vec<_> = fs::read_dir(media.join("data/media_store"))
        .unwrap()
        .collect();
    assert_eq!(restored.len(), 2, "{restored:?}");
    let names = fs::metadata(media.join("data/templates/again.html")).unwrap();
    assert_eq!(names.nlink(), 1);
}

fn assert_own_members(folder: &Path, archive: &str, id: &str) {
    let text = fs::read(folder.join(".synapse-backup/manifest.json")).unwrap();
    let inner: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(inner["format"], 1);
    assert_eq!(inner["id"], id);
    assert_eq!(inner["archive"], archive);
    assert_eq!(inner["server_name"], "a.example");
    let end = fs::read_to_string(folder.join(".synapse-backup/end.json")).unwrap();
    assert!(end.contains(id) && end.contains("\"end\": true"), "{end}");
}

fn assert_manifest(workload: &Workload, receipt: &Receipt) {
    let id = &receipt.backup_id;
    let objects = workload.server.objects("backups", &format!("{id}/"));
    let marker = objects
        .iter()
        .find(|object| object.key.contains("/manifest-"))
        .unwrap();
    let content = workload.server.object("backups", &marker.key).unwrap();
    let manifest: Manifest = serde_json::from_slice(&content).unwrap();
    assert_eq!(manifest, receipt.manifest);
    assert_eq!(manifest.schema_version, Some(92));
    assert!(manifest.synapse_version.is_some());
    let media = workload
        .server
        .object("backups", &format!("{id}/media.tar.gpg"))
        .unwrap();
    assert_eq!(manifest.media.sha256, workload::sha256(&media));
}

#[tokio::test]
async fn image_like_upstream_and_every_form_of_path_work() {
    let workload = Workload::start(Kind::Upstream).await;
    assert_eq!(workload.tools.aws.as_deref(), Some("/aws/dist/aws"));
    assert_eq!(workload.tools.zstd, None);
    workload.fill(200_000);
    for (path, folder) in [
        ("", ""),
        ("/", ""),
        ("//a//b/", "a/b/"),
        ("with space/$(id) 'q'", "with space/$(id) 'q'/"),
    ] {
        let raw = RawS3Parameters {
            path: Some(path.to_owned()),
            ..workload.raw()
        };
        let parameters = S3Parameters::new(raw).unwrap();
        // There is no media folder at all.
        let receipt = workload
            .create_with(&parameters, "geheim", &workload.job())
            .await
            .unwrap();
        assert_eq!(receipt.contents.media_files, 0);
        let catalog = workload.catalog(&parameters).await;
        assert!(
            catalog
                .entries
                .iter()
                .all(|entry| entry.state == BackupState::Finished),
            "{catalog:?}"
        );
        let key = format!("{folder}{}/state.tar.gpg", receipt.backup_id);
        let state = workload.manual_recovery("geheim", &key);
        assert_database(&state.join("data/homeserver.db"), "2");
    }
    workload.assert_clean("four jobs");
}
