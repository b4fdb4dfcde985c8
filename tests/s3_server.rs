//! The S3 server that tests and demo use behaves as the tests that rely on it assume.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/s3_server.rs"]
mod s3_server;

use s3_server::{Certificate, Object, S3Server};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const BIG: usize = 20 * 1024 * 1024;

#[test]
fn s3_server_keeps_what_is_put_refuses_wrong_keys_and_missing_buckets() {
    let server = S3Server::start();
    server.create_bucket("backups");
    server.put_object("backups", "some path/o'ne", b"1");
    let mut copy = server.aws();
    copy.args(["s3", "cp", "-", "s3://backups/some path/two"]);
    assert!(run(copy, &vec![7; BIG]).status.success());

    let expected = [("some path/o'ne", 1), ("some path/two", BIG as u64)];
    let expected = expected.map(|(key, size_bytes)| Object {
        key: key.into(),
        size_bytes,
    });
    assert_eq!(server.objects("backups", ""), expected);
    assert_eq!(server.objects("backups", "some path/"), expected);
    assert_eq!(
        server.object("backups", "some path/two").unwrap(),
        vec![7; BIG]
    );
    assert_eq!(server.object("backups", "some path/three"), None);
    assert_eq!(server.incomplete_uploads("backups"), 0);

    let mut listing = server.aws();
    listing.args(["s3api", "list-objects-v2", "--bucket", "backups"]);
    let listing = String::from_utf8(run(listing, b"").stdout).unwrap();
    assert!(listing.contains("\"some path/o'ne\""), "{listing}");

    let mut wrong = server.aws();
    wrong.env("AWS_SECRET_ACCESS_KEY", "wrong");
    wrong.args(["s3api", "list-objects-v2", "--bucket", "backups"]);
    assert!(error_of(wrong).contains("SignatureDoesNotMatch"));

    let mut reader = server.aws();
    reader.env("AWS_ACCESS_KEY_ID", server.reader_access_key());
    reader.env("AWS_SECRET_ACCESS_KEY", server.reader_secret_key());
    reader.args(["s3", "cp", "-", "s3://backups/three"]);
    assert!(error_of(reader).contains("AccessDenied"));

    let mut missing = server.aws();
    missing.args(["s3", "cp", "-", "s3://missing/three"]);
    assert!(error_of(missing).contains("NoSuchBucket"));

    server.remove("backups", "some path/");
    assert_eq!(server.objects("backups", ""), []);
}

#[test]
fn s3_server_with_its_own_authority_is_trusted_only_by_who_is_told_to() {
    let server = S3Server::start_with_https(Certificate::OwnAuthority);
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), server.ca_pem()).unwrap();
    let list = |ca: Option<&std::path::Path>| {
        let mut aws = server.aws();
        aws.args(["--endpoint-url", server.https_endpoint(), "s3", "ls"]);
        ca.map(|ca| aws.env("AWS_CA_BUNDLE", ca));
        aws
    };
    assert!(run(list(Some(ca.path())), b"").status.success());
    assert!(error_of(list(None)).contains("CERTIFICATE_VERIFY_FAILED"));
}

#[test]
fn s3_server_that_was_killed_comes_back_with_what_it_had() {
    let mut server = S3Server::start();
    server.create_bucket("backups");
    let big = vec![7; 3_000_000];
    for (key, content) in [("one", &b"1"[..]), ("folder/big", &big)] {
        server.put_object("backups", key, content);
    }
    let socket = server.socket();
    for _ in 0..2 {
        server.kill();
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_err());
        server.restart();
        assert_eq!(server.socket(), socket);
        assert_eq!(server.object("backups", "one").unwrap(), b"1");
        assert_eq!(server.object("backups", "folder/big").unwrap(), big);
        let mut put = server.aws();
        put.args(["s3", "cp", "-", "s3://backups/after"]);
        assert!(run(put, &big).status.success());
        assert_eq!(server.objects("backups", "").len(), 3);
        server.remove("backups", "after");
    }
}

#[test]
fn s3_server_is_gone_after_drop() {
    let server = S3Server::start_with_https(Certificate::SelfSigned);
    let (address, socket) = (server.address(), server.socket());
    assert!(socket.exists());
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(!socket.exists());
}

fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses at once does not read: that shows in its exit status.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn error_of(command: Command) -> String {
    let output = run(command, b"");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
