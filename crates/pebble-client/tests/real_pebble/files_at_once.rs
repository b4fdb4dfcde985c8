//! Several files in one request.

use pebble_client::{ErrorKind, MakeDir, WriteFile};

use crate::daemon::Daemon;

#[tokio::test]
async fn several_files_are_written_and_read_in_one_request() {
    let daemon = Daemon::start().await;
    let paths = [
        "a",
        "with \"quotes\"",
        "back\\slash",
        "new\nline",
        "ünï☃",
        "a%0Ab",
    ]
    .map(|name| daemon.path(name));
    let contents: Vec<Vec<u8>> = (0..6_u8)
        .map(|index| vec![index; usize::from(index) * 70_000])
        .collect();
    let files: Vec<_> = paths
        .iter()
        .zip(&contents)
        .map(|(path, content)| (WriteFile::new(path).permissions(0o640), &content[..]))
        .collect();
    let written = daemon.client.write_files(&files).await.unwrap();
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    let names: Vec<&str> = paths.iter().map(String::as_str).collect();
    let read = daemon.client.read_files(&names).await.unwrap();
    for ((path, content), read) in paths.iter().zip(&contents).zip(read) {
        assert!(read.unwrap() == *content, "{path:?}");
        assert!(std::fs::read(path).unwrap() == *content, "{path:?}");
    }
}

#[tokio::test]
async fn read_with_mixed_errors_gives_each_path_its_own() {
    let daemon = Daemon::start().await;
    for name in ["one", "two"] {
        std::fs::write(daemon.path(name), name).unwrap();
    }
    let (one, two, missing) = (daemon.path("one"), daemon.path("two"), daemon.path("no"));
    let paths = [&missing, &one, "/", &one, "relative", &two].map(|path: &str| path);
    let mut read = daemon.client.read_files(&paths).await.unwrap();
    assert_eq!(read.remove(5).unwrap(), b"two");
    assert_eq!(read.remove(3).unwrap(), b"one");
    assert_eq!(read.remove(1).unwrap(), b"one");
    let errors: Vec<_> = read.into_iter().map(Result::unwrap_err).collect();
    let kinds: Vec<_> = errors.iter().map(pebble_client::Error::kind).collect();
    let generic = ErrorKind::GenericFile;
    assert_eq!(kinds, [ErrorKind::NotFound, generic, generic]);
    assert_eq!(errors[0].path(), Some(&*missing));
    assert!(daemon.client.read_files(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn read_that_fails_midway_does_not_mix_files_up() {
    let daemon = Daemon::start().await;
    let file = daemon.path("file");
    std::fs::write(&file, "content").unwrap();
    // Opens like a file, and fails when it is read.
    let paths = ["/proc/self/mem", &file, "/proc/self/mem"];
    let mut read = daemon.client.read_files(&paths).await.unwrap();
    assert_eq!(read.remove(1).unwrap(), b"content");
    assert!(read.iter().all(Result::is_err), "{read:?}");
}

#[tokio::test]
async fn write_with_mixed_errors_gives_each_path_its_own() {
    let daemon = Daemon::start().await;
    let (good, missing) = (daemon.path("good"), daemon.path("no/such/file"));
    let files = [
        (WriteFile::new(&missing), &b"x"[..]),
        (WriteFile::new(&good), b"good"),
        (WriteFile::new("relative"), b"y"),
    ];
    let written = daemon.client.write_files(&files).await.unwrap();
    assert!(written[0].as_ref().unwrap_err().is_not_found());
    assert!(written[1].is_ok());
    let error = written[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GenericFile);
    assert_eq!(error.path(), Some("relative"));
    assert_eq!(std::fs::read(&good).unwrap(), b"good");

    let wrong = WriteFile::new(&good).permissions(0o1000);
    let files = [
        (WriteFile::new(&good), &b"changed"[..]),
        (wrong, b"changed"),
    ];
    let error = daemon.client.write_files(&files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(std::fs::read(&good).unwrap(), b"good");
}

#[tokio::test]
async fn directories_are_made_and_removed_in_one_request() {
    let daemon = Daemon::start().await;
    let [a, b, c] = ["a", "b/deep", "c"].map(|name| daemon.path(name));
    let directories = [
        MakeDir::new(&a),
        MakeDir::new(&b),
        MakeDir::new(&c).permissions(0o700),
    ];
    let made = daemon.client.make_dirs(&directories).await.unwrap();
    assert!(made[0].is_ok() && made[2].is_ok());
    let error = made[1].as_ref().unwrap_err();
    assert!(
        error.is_not_found() && error.path() == Some(&b),
        "{error:?}"
    );

    let removed = daemon.client.remove_paths(&[&b, &a, &c], false).await;
    let removed = removed.unwrap();
    assert!(removed[0].as_ref().unwrap_err().is_not_found());
    assert!(removed[1].is_ok() && removed[2].is_ok());
    assert!(!std::fs::exists(&a).unwrap() && !std::fs::exists(&c).unwrap());
}
