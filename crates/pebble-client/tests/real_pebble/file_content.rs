//! Reading and writing files.

use std::io::ErrorKind as IoErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::pin::Pin;
use std::task::{Context, Poll};

use pebble_client::{Error, ErrorKind, WriteFile};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::daemon::Daemon;

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .collect()
}

#[tokio::test]
async fn written_file_is_read_back() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    for length in [0, 1, 65_535, 65_536, 65_537, 1 << 20] {
        let content = bytes(length);
        daemon
            .client
            .write_file(WriteFile::new(&path), &content)
            .await
            .unwrap();
        assert!(
            std::fs::read(&path).unwrap() == content,
            "written: {length} bytes"
        );
        assert!(
            daemon.client.read_file(&path).await.unwrap() == content,
            "read: {length} bytes"
        );
    }
}

#[tokio::test]
async fn content_that_looks_like_the_wire_is_read_back() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    for content in [
        &b"\r\n"[..],
        b"\r\n--",
        b"\r\n--\r\n\r\n----\r\n",
        b"--pebble-client-\r\nContent-Disposition: form-data; name=\"response\"\r\n\r\n{}\r\n",
        b"line\n",
        b"\0\xff\xfe",
    ] {
        daemon
            .client
            .write_file(WriteFile::new(&path), content)
            .await
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content);
        assert_eq!(daemon.client.read_file(&path).await.unwrap(), content);
    }
}

#[tokio::test]
async fn names_with_odd_characters_are_written_and_read() {
    let daemon = Daemon::start().await;
    for name in [
        "with space ",
        " leading",
        "-dash",
        "quote\"d",
        "it's",
        "back\\slash",
        "\\\"",
        "line\nbreak",
        "carriage\rreturn",
        "tab\t",
        "percent%20%",
        "plus+&=?#",
        "semi;colon=\"x\"",
        "ünïcödé ☃ 🦀",
        "[brackets]",
        "$HOME`id`",
    ] {
        let path = daemon.path(name);
        daemon
            .client
            .write_file(WriteFile::new(&path), name.as_bytes())
            .await
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), name.as_bytes(), "{name:?}");
        assert_eq!(
            daemon.client.read_file(&path).await.unwrap(),
            name.as_bytes(),
            "{name:?}"
        );
        assert_eq!(daemon.client.file_info(&path).await.unwrap().name, name);
    }
    let count = std::fs::read_dir(daemon.dir.path()).unwrap().count();
    assert_eq!(
        daemon
            .client
            .list_files(&daemon.path(""))
            .await
            .unwrap()
            .len(),
        count
    );
}

#[tokio::test]
async fn permissions_are_set_whatever_the_umask() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    for permissions in [0o600, 0o777, 0o000, 0o644, 0o007] {
        let file = WriteFile::new(&path).permissions(permissions);
        daemon.client.write_file(file, b"x").await.unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            permissions
        );
        assert_eq!(
            daemon.client.file_info(&path).await.unwrap().permissions,
            permissions
        );
    }
    let file = WriteFile::new(&path).permissions(0o1000);
    let error = daemon.client.write_file(file, b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn owner_is_set() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    let own = std::fs::metadata(daemon.dir.path()).unwrap();
    let is_root = own.uid() == 0;
    let (user_id, group_id) = if is_root {
        (991, 992)
    } else {
        (own.uid(), own.gid())
    };
    let file = WriteFile::new(&path).user_id(user_id).group_id(group_id);
    daemon.client.write_file(file, b"x").await.unwrap();
    let info = daemon.client.file_info(&path).await.unwrap();
    assert_eq!(
        (info.user_id, info.group_id),
        (Some(user_id), Some(group_id))
    );

    let file = WriteFile::new(&path).user("no-such-user");
    let error = daemon.client.write_file(file, b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile, "{error:?}");
}

#[tokio::test]
async fn missing_parents_are_made_when_asked_for() {
    let daemon = Daemon::start().await;
    let path = daemon.path("a/b/file");
    let error = daemon
        .client
        .write_file(WriteFile::new(&path), b"x")
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    daemon
        .client
        .write_file(WriteFile::new(&path).make_dirs(true), b"x")
        .await
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"x");

    let below_file = format!("{path}/c");
    let error = daemon
        .client
        .write_file(WriteFile::new(&below_file), b"x")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile, "{error:?}");
}

#[tokio::test]
async fn relative_paths_are_refused() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .write_file(WriteFile::new("file"), b"x")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile, "{error:?}");
    assert_eq!(
        daemon.client.read_file("file").await.unwrap_err().kind(),
        ErrorKind::GenericFile
    );
}

#[tokio::test]
async fn symbolic_link_is_followed_by_read_and_replaced_by_write() {
    let daemon = Daemon::start().await;
    let (link, target) = (daemon.path("link"), daemon.path("target"));
    std::fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(daemon.client.read_file(&link).await.unwrap(), b"old");
    daemon
        .client
        .write_file(WriteFile::new(&link), b"new")
        .await
        .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_file());
}

#[tokio::test]
async fn reading_what_is_no_file_is_an_error_of_its_kind() {
    let daemon = Daemon::start().await;
    let missing = daemon.path("missing");
    let error = daemon.client.read_file(&missing).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot read file {missing}"));
    assert!(error.daemon_message().unwrap().contains(&missing));
    let error = daemon.client.read_file(&daemon.path("")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile);
    assert!(
        daemon
            .client
            .pull(&missing)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn read_that_fails_midway_ends_in_its_error() {
    let daemon = Daemon::start().await;
    // Opens as a regular file; reading address zero fails.
    let result = daemon.client.read_file("/proc/self/mem").await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::GenericFile);
}

#[tokio::test]
async fn pull_and_push_stream_a_large_file() {
    const LENGTH: usize = 80 << 20;
    let daemon = Daemon::start().await;
    let (path, copy) = (daemon.path("large"), daemon.path("copy"));
    let content = bytes(LENGTH);
    daemon
        .client
        .push(WriteFile::new(&path), &content[..])
        .await
        .unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
    assert_eq!(
        daemon.client.read_file(&path).await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );

    // Both at once, over two connections of one client.
    let pull = daemon.client.pull(&path).await.unwrap();
    daemon
        .client
        .push(WriteFile::new(&copy), pull)
        .await
        .unwrap();
    assert!(std::fs::read(&copy).unwrap() == content);
}

#[tokio::test]
async fn dropped_pull_leaves_the_client_usable() {
    let daemon = Daemon::start().await;
    let path = daemon.path("large");
    std::fs::write(&path, bytes(8 << 20)).unwrap();
    let mut pull = daemon.client.pull(&path).await.unwrap();
    let mut start = [0; 10];
    pull.read_exact(&mut start).await.unwrap();
    assert_eq!(start[..], bytes(10));
    drop(pull);
    assert_eq!(daemon.client.read_file(&path).await.unwrap().len(), 8 << 20);
}

#[tokio::test]
async fn early_refusal_of_a_large_push_is_told() {
    let daemon = Daemon::start().await;
    let path = daemon.path("missing/file");
    let endless = tokio::io::repeat(7).take(64 << 20);
    let error = daemon
        .client
        .push(WriteFile::new(&path), endless)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
}

#[tokio::test]
async fn push_from_a_failing_reader_writes_nothing() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    std::fs::write(&path, "old").unwrap();
    let content = tokio::io::repeat(7).take(300_000).chain(Failing);
    let error = daemon
        .client
        .push(WriteFile::new(&path), content)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalIo);
    crate::daemon::until("the daemon gives up", async || {
        std::fs::read_dir(daemon.dir.path()).unwrap().count() == 2
    })
    .await;
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[tokio::test]
async fn daemon_killed_midway_cuts_a_pull_off() {
    let mut daemon = Daemon::start().await;
    let path = daemon.path("large");
    std::fs::write(&path, bytes(32 << 20)).unwrap();
    let mut pull = daemon.client.pull(&path).await.unwrap();
    let mut start = [0; 10];
    pull.read_exact(&mut start).await.unwrap();
    daemon.kill();
    let error = pull.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_ne!(error.kind(), IoErrorKind::UnexpectedEof);
    let error = error.downcast::<Error>().unwrap();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionLost | ErrorKind::Protocol
        ),
        "{error:?}"
    );
}

/// A reader that can only fail.
struct Failing;

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(IoErrorKind::NotSeekable.into()))
    }
}
