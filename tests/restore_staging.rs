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
