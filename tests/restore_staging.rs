//! Backups brought back to a folder of the volume by real aws, gpg, zstd and Python, from a real S3 server.
#![expect(
    clippy::disallowed_methods,
    reason = "it looks at what was brought with programs of the host"
)]
#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test fails by panicking"
)]

#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "support/staging.rs"]
mod staging;
#[path = "support/workload.rs"]
mod workload;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use staging::{new_data, restoring, stage_with};
use synapse_charm::backup::Components;
use synapse_charm::backup::staging::{Origin, Purpose};
use workload::{Kind, Workload, run};

const PASSPHRASE: &str = "geheimes-wort-4711";
fn same(one: &Path, other: &Path) {
    run(Command::new("diff").arg("-r").arg(one).arg(other));
}

fn add_odd_media(workload: &Workload) {
    let long = [b'n'; 255];
    let names: [&[u8]; 7] = [
        b"-rf",
        b"two\nlines",
        b"quote's \"double\" $(id) `id`",
        b"back\\slash\\n",
        b"not-utf8-\xff\xfe",
        b" spaces and tab\t",
        &long,
    ];
    for name in names {
        let mut path = b"media_store/local_content/aa/bb/".to_vec();
        path.extend_from_slice(name);
        workload.write(OsStr::from_bytes(&path), name);
    }
    let deep = format!("media_store/local_thumbnails/{}", ["d"; 90].join("/"));
    workload.write(&deep, b"deep");
    workload.write("media_store/local_content/big", &vec![7; 9_000_000]);
    workload.write("media_store/local_content/empty", b"");
    workload.write("media_store/remote_content/r", b"to be had again");
    workload.write("templates/my page.html", b"extra");
}

#[tokio::test]
async fn staged_backup_has_every_file_as_it_was() {
    for kind in [Kind::Ours, Kind::Upstream] {
        let workload = Workload::start(kind).await;
        workload.fill(3_000_000);
        add_odd_media(&workload);
        let mut job = workload.job();
        job.extra_paths = vec!["/data/templates".to_owned()];
        let receipt = workload
            .create_with(&workload.parameters(), PASSPHRASE, &job)
            .await
            .unwrap();
        let job = restoring(&workload, &receipt.manifest, Components::All);
        let staged = stage_with(&workload, PASSPHRASE, &job).await.unwrap();

        let paths = [
            "a.example.macaroon.key",
            "a.example.signing.key",
            "homeserver.db",
            "media_store/local_content",
            "media_store/local_thumbnails",
            "templates",
        ];
        let live: Vec<_> = paths.iter().map(|path| format!("/data/{path}")).collect();
        assert_eq!(staged.paths, live);
        for path in paths.iter().filter(|path| **path != "homeserver.db") {
            same(&workload.data().join(path), &new_data(&workload).join(path));
        }
        let facts =
            fs::metadata(new_data(&workload).join("media_store/local_content/big")).unwrap();
        let was = fs::metadata(workload.data().join("media_store/local_content/big")).unwrap();
        assert_eq!((facts.mode() & 0o7777, facts.mtime()), (0o600, was.mtime()));
        assert!(!new_data(&workload).join("homeserver.yaml").exists());
        assert_eq!(staged.users, Some(3));
        assert_eq!(
            (staged.schema_version, staged.compat_version),
            (Some(92), Some(90))
        );
        let manifest = &receipt.manifest;
        assert_eq!(
            staged.entries,
            manifest.state.entries + manifest.media.entries
        );
        assert_eq!(
            staged.file_bytes,
            manifest.state.file_bytes + manifest.media.file_bytes
        );
    }
}

/// Adds the rows of two uploads, of which one has its file, and a one-time key.
fn add_rows(workload: &Workload) {
    let program = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute('CREATE TABLE local_media_repository (media_id TEXT, url_cache TEXT)')
database.executemany('INSERT INTO local_media_repository VALUES (?, ?)',
                     [('aabbkept', None), ('ccddlost', None), ('2026-11-23_preview', 'https://x')])
database.execute('CREATE TABLE e2e_one_time_keys_json (key_json TEXT)')
database.execute('INSERT INTO e2e_one_time_keys_json VALUES (1)')
database.commit()
";
    let database = workload.data().join("homeserver.db");
    run(Command::new("python3").args(["-c", program]).arg(database));
    workload.write("media_store/local_content/aa/bb/kept", b"kept");
}

#[tokio::test]
async fn parts_of_a_backup_are_staged_alone_and_a_verified_one_leaves_nothing() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_rows(&workload);
    let receipt = workload.create(PASSPHRASE).await.unwrap();
    let manifest = &receipt.manifest;
    let remove = || fs::remove_dir_all(new_data(&workload)).unwrap();

    let job = restoring(&workload, manifest, Components::Database);
    let staged = stage_with(&workload, PASSPHRASE, &job).await.unwrap();
    assert_eq!(staged.paths, ["/data/homeserver.db"]);
    assert_eq!(staged.one_time_keys_removed, 1);
    assert_eq!(staged.media_rows_without_file, Some(1));
    assert_eq!(staged.entries, manifest.state.entries);
    remove();

    let job = restoring(&workload, manifest, Components::Keys);
    let staged = stage_with(&workload, PASSPHRASE, &job).await.unwrap();
    let keys = [
        "/data/a.example.macaroon.key",
        "/data/a.example.signing.key",
    ];
    assert_eq!(staged.paths, keys);
    assert_eq!((staged.users, staged.media_rows_without_file), (None, None));
    remove();

    let folder = format!("/data/.verify-{}", receipt.backup_id);
    // What a dead one left does not stop it.
    workload.write(folder.trim_start_matches("/data/").to_owned() + "/x", b"");
    let origin = Origin::Ours(Box::new(manifest.clone()));
    let job = staging::job(&workload, origin, Purpose::Verify { folder });
    let staged = stage_with(&workload, PASSPHRASE, &job).await.unwrap();
    assert_eq!((staged.users, staged.one_time_keys_removed), (Some(3), 0));
    assert_eq!(
        staged.entries,
        manifest.state.entries + manifest.media.entries
    );
    assert!(
        !workload
            .data()
            .join(format!(".verify-{}", receipt.backup_id))
            .exists()
    );
    workload.assert_clean("three jobs");
}

#[tokio::test]
async fn backup_that_cannot_be_brought_is_named_and_leaves_nothing() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    workload.write("media_store/local_content/aa/bb/kept", &vec![7; 100_000]);
    let receipt = workload.create(PASSPHRASE).await.unwrap();
    let job = restoring(&workload, &receipt.manifest, Components::All);
    let error = stage_with(&workload, "another", &job).await.unwrap_err();
    assert!(!error.blames_backup());
    assert_eq!(
        error.with_next_step(),
        "nothing was restored (gpg): the passphrase is not the one that this backup was made with; \
         set that passphrase, then run restore-backup again"
    );

    let mut other = job.clone();
    other.server_name = "other.example".to_owned();
    let error = stage_with(&workload, PASSPHRASE, &other).await.unwrap_err();
    assert!(
        error.to_string().contains("its server_name is 'a.example'"),
        "{error}"
    );

    let mut full = job.clone();
    let Origin::Ours(manifest) = &mut full.origin else {
        unreachable!("it is ours");
    };
    manifest.media.file_bytes = 1 << 60;
    let error = stage_with(&workload, PASSPHRASE, &full).await.unwrap_err();
    assert!(
        error.to_string().contains("of free space on the volume"),
        "{error}"
    );

    workload
        .server
        .remove("backups", &format!("{}/media.tar.gpg", receipt.backup_id));
    let error = stage_with(&workload, PASSPHRASE, &job).await.unwrap_err();
    assert!(error.blames_backup(), "{error}");
    assert!(error.to_string().contains("does not have"), "{error}");
    assert!(!new_data(&workload).exists());
    workload.assert_clean("four jobs");
}
