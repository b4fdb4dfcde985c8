//! Listing, making directories, removing.

use std::os::unix::fs::PermissionsExt;

use pebble_client::{ErrorKind, FileType, ListOptions, MakeDir, WriteFile};

use crate::daemon::Daemon;

async fn names(daemon: &Daemon, options: ListOptions<'_>) -> Vec<String> {
    let files = daemon
        .client
        .list_files_with(&daemon.path("tree"), options)
        .await
        .unwrap();
    files.into_iter().map(|file| file.name).collect()
}

#[tokio::test]
async fn listing_tells_all_there_is_to_know() {
    let daemon = Daemon::start().await;
    let path = daemon.path("tree/file");
    let file = WriteFile::new(&path).make_dirs(true).permissions(0o620);
    daemon.client.write_file(file, b"12345").await.unwrap();
    std::os::unix::fs::symlink("file", daemon.path("tree/link")).unwrap();
    std::fs::create_dir(daemon.path("tree/directory")).unwrap();
    std::os::unix::net::UnixListener::bind(daemon.path("tree/socket")).unwrap();

    let files = daemon
        .client
        .list_files(&daemon.path("tree"))
        .await
        .unwrap();
    let types: Vec<_> = files
        .iter()
        .map(|file| (&*file.name, file.file_type.clone()))
        .collect();
    assert_eq!(
        types,
        [
            ("directory", FileType::Directory),
            ("file", FileType::File),
            ("link", FileType::Symlink),
            ("socket", FileType::Socket)
        ]
    );
    let file = &files[1];
    assert_eq!(
        (file.size_bytes, file.permissions, &file.path),
        (Some(5), 0o620, &path)
    );
    assert!(file.last_modified.as_second() > 1_500_000_000);
    assert!(file.user_id.is_some() && file.group_id.is_some());
    assert!(files[0].is_directory() && files[0].size_bytes.is_none());
    assert_eq!(
        daemon
            .client
            .list_files(&daemon.path("tree/"))
            .await
            .unwrap(),
        files
    );
}

#[tokio::test]
async fn name_that_is_not_utf_8_is_listed_with_replacements() {
    let daemon = Daemon::start().await;
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xffb");
    std::fs::create_dir(daemon.path("tree")).unwrap();
    std::fs::write(daemon.dir.path().join("tree").join(name), "").unwrap();
    assert_eq!(names(&daemon, ListOptions::default()).await, ["a\u{fffd}b"]);
}

#[tokio::test]
async fn pattern_and_itself_narrow_the_list() {
    let daemon = Daemon::start().await;
    std::fs::create_dir(daemon.path("tree")).unwrap();
    for name in ["one.gz", "two.gz", "three.txt"] {
        std::fs::write(daemon.path("tree") + "/" + name, "").unwrap();
    }
    let pattern = ListOptions {
        pattern: Some("*.gz"),
        itself: false,
    };
    assert_eq!(names(&daemon, pattern).await, ["one.gz", "two.gz"]);
    assert_eq!(
        names(
            &daemon,
            ListOptions {
                pattern: Some("*.none"),
                itself: false
            }
        )
        .await,
        [""; 0]
    );
    assert_eq!(
        names(
            &daemon,
            ListOptions {
                pattern: None,
                itself: true
            }
        )
        .await,
        ["tree"]
    );
    let root = daemon.client.file_info("/").await.unwrap();
    assert_eq!((&*root.name, &*root.path), ("/", "/"));
    let info = daemon
        .client
        .file_info(&daemon.path("tree//"))
        .await
        .unwrap();
    assert_eq!(
        (info.name, info.path),
        (String::from("tree"), daemon.path("tree"))
    );
}

#[tokio::test]
async fn listing_what_is_not_there_is_not_found() {
    let daemon = Daemon::start().await;
    let missing = daemon.path("missing");
    for error in [
        daemon.client.list_files(&missing).await.unwrap_err(),
        daemon.client.file_info(&missing).await.unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error:?}");
        assert_eq!(error.http_status(), Some(404));
    }
    assert_eq!(
        daemon
            .client
            .list_files("relative")
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::BadRequest
    );
}

#[tokio::test]
async fn directories_are_made_with_their_mode() {
    let daemon = Daemon::start().await;
    for (name, permissions) in [("a", 0o700), ("b", 0o777)] {
        let path = daemon.path(name);
        daemon
            .client
            .make_dir(MakeDir::new(&path).permissions(permissions))
            .await
            .unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            permissions
        );
    }
    let path = daemon.path("c");
    let error = daemon
        .client
        .make_dir(MakeDir::new(&path).permissions(0o1000))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn parents_are_made_when_asked_for() {
    let daemon = Daemon::start().await;
    let path = daemon.path("x/y/z");
    assert!(
        daemon
            .client
            .make_dir(MakeDir::new(&path))
            .await
            .unwrap_err()
            .is_not_found()
    );
    daemon
        .client
        .make_dir(MakeDir::new(&path).make_parents(true))
        .await
        .unwrap();
    assert!(std::fs::metadata(&path).unwrap().is_dir());
    daemon
        .client
        .make_dir(MakeDir::new(&path).make_parents(true))
        .await
        .unwrap();
    let error = daemon
        .client
        .make_dir(MakeDir::new(&path))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile);
}

#[tokio::test]
async fn directory_below_a_file_or_at_a_relative_path_is_refused() {
    let daemon = Daemon::start().await;
    let file = daemon.path("file");
    std::fs::write(&file, "").unwrap();
    let below = format!("{file}/x");
    for path in [&*below, "relative"] {
        for make_parents in [false, true] {
            let directory = MakeDir::new(path).make_parents(make_parents);
            let error = daemon.client.make_dir(directory).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::GenericFile, "{path}: {error:?}");
        }
    }
}

#[tokio::test]
async fn remove_takes_files_and_empty_directories() {
    let daemon = Daemon::start().await;
    std::fs::write(daemon.path("file"), "").unwrap();
    std::fs::create_dir_all(daemon.path("full/empty")).unwrap();
    daemon
        .client
        .remove_path(&daemon.path("file"), false)
        .await
        .unwrap();
    daemon
        .client
        .remove_path(&daemon.path("full/empty"), false)
        .await
        .unwrap();
    assert!(!std::fs::exists(daemon.path("file")).unwrap());

    std::fs::write(daemon.path("full/file"), "").unwrap();
    let error = daemon
        .client
        .remove_path(&daemon.path("full"), false)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile);
    daemon
        .client
        .remove_path(&daemon.path("full"), true)
        .await
        .unwrap();
    assert!(!std::fs::exists(daemon.path("full")).unwrap());
}

#[tokio::test]
async fn remove_of_what_is_missing_is_an_error_unless_recursive() {
    let daemon = Daemon::start().await;
    let missing = daemon.path("missing");
    let error = daemon
        .client
        .remove_path(&missing, false)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot remove {missing}"));
    daemon.client.remove_path(&missing, true).await.unwrap();
}
