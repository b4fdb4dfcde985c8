//! Exec: what goes in and what comes out.

use std::time::Duration;

use pebble_client::{ErrorKind, ExitStatus, Stdin};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::daemon::Daemon;

/// Bytes of every value, without a period that fits a buffer's size.
fn bytes(length: u32) -> Vec<u8> {
    (0..length)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .collect()
}

#[tokio::test]
async fn output_has_status_and_both_streams() {
    let daemon = Daemon::start().await;
    let script = "echo out; echo err >&2; exit 42";
    let output = daemon
        .client
        .exec(["sh", "-c", script])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status, ExitStatus::Exited(42));
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"out\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn combined_output_keeps_the_order() {
    let daemon = Daemon::start().await;
    let script = "echo 1; echo 2 >&2; echo 3";
    let output = daemon
        .client
        .exec(["sh", "-c", script])
        .combine_stderr()
        .output()
        .await
        .unwrap();
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"1\n2\n3\n"[..], &b""[..])
    );
}

#[tokio::test]
async fn stdin_null_is_at_its_end() {
    let daemon = Daemon::start().await;
    let output = daemon.client.exec(["cat"]).output().await.unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
}

#[tokio::test]
async fn stdin_bytes_arrive_as_they_are() {
    let daemon = Daemon::start().await;
    for input in [&b""[..], b"\0\xff\n", "{\"command\":\"end\"}".as_bytes()] {
        let exec = daemon
            .client
            .exec(["cat"])
            .stdin(Stdin::Bytes(input.to_vec()));
        assert_eq!(exec.output().await.unwrap().stdout, input);
    }
}

#[tokio::test]
async fn ten_mebibytes_go_both_ways_without_a_deadlock() {
    let daemon = Daemon::start().await;
    let content = bytes(10 << 20);
    let exec = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Bytes(content.clone()));
    let output = exec.output().await.unwrap();
    assert!(output.status.success());
    assert!(
        output.stdout == content,
        "{} bytes came back",
        output.stdout.len()
    );
}

#[tokio::test]
async fn ten_mebibytes_on_both_outputs_arrive_whole() {
    let daemon = Daemon::start().await;
    let content = bytes(10 << 20);
    let exec = daemon
        .client
        .exec(["tee", "/dev/stderr"])
        .stdin(Stdin::Bytes(content.clone()));
    let output = exec.output().await.unwrap();
    assert!(output.status.success());
    assert!(output.stdout == content && output.stderr == content);
}

#[tokio::test]
async fn ten_mebibytes_go_both_ways_by_hand() {
    let daemon = Daemon::start().await;
    let content = bytes(10 << 20);
    let mut process = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Piped)
        .spawn()
        .await
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let mut received = Vec::new();
    let (written, read, status) = tokio::join!(
        async {
            let written = stdin.write_all(&content).await;
            drop(stdin);
            written
        },
        stdout.read_to_end(&mut received),
        process.wait()
    );
    written.unwrap();
    read.unwrap();
    assert!(status.unwrap().success());
    assert!(received == content);
}

#[tokio::test]
async fn stdin_bytes_are_fed_by_reading_alone() {
    let daemon = Daemon::start().await;
    let content = bytes(4 << 20);
    let exec = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Bytes(content.clone()));
    let mut process = exec.spawn().await.unwrap();
    assert!(process.stdin.is_none());
    let mut received = Vec::new();
    process
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut received)
        .await
        .unwrap();
    assert!(received == content);
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn piped_stdin_is_answered_line_by_line() {
    let daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Piped)
        .spawn()
        .await
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for line in ["one", "zwei", "três"] {
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line);
    }
    stdin.shutdown().await.unwrap();
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert!(stdin.write_all(b"more").await.is_err());
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn piped_stdin_that_is_held_keeps_the_process_waiting() {
    let daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Piped)
        .spawn()
        .await
        .unwrap();
    let stdin = process.stdin.take().unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), process.wait()).await;
    assert!(early.is_err(), "{early:?}");
    drop(stdin);
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn wait_ends_a_stdin_that_nobody_took() {
    let daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Piped)
        .spawn()
        .await
        .unwrap();
    assert!(process.wait().await.unwrap().success());
    assert!(
        daemon
            .client
            .exec(["cat"])
            .stdin(Stdin::Piped)
            .output()
            .await
            .unwrap()
            .status
            .success()
    );
}

#[tokio::test]
async fn stdin_stream_is_read_to_its_end() {
    let daemon = Daemon::start().await;
    let content = bytes(10 << 20);
    let stdin = Stdin::stream(std::io::Cursor::new(content.clone()));
    let output = daemon.client.exec(["cat"]).stdin(stdin).output().await;
    let output = output.unwrap();
    assert!(output.status.success());
    assert!(output.stdout == content);

    let stdin = Stdin::stream(tokio::io::repeat(7));
    let exec = daemon.client.exec(["head", "-c", "3"]).stdin(stdin);
    assert_eq!(exec.output().await.unwrap().stdout, [7; 3]);
}

#[tokio::test]
async fn stdin_stream_goes_on_over_waits_that_were_dropped() {
    let daemon = Daemon::start().await;
    let content = bytes(4 << 20);
    let stdin = Stdin::stream(std::io::Cursor::new(content.clone()));
    let mut process = daemon
        .client
        .exec(["cat"])
        .stdin(stdin)
        .spawn()
        .await
        .unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let mut received = Vec::new();
    let (read, ()) = tokio::join!(stdout.read_to_end(&mut received), async {
        while tokio::time::timeout(Duration::from_millis(1), process.wait())
            .await
            .is_err()
        {}
    });
    read.unwrap();
    assert!(received == content);
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn stdin_stream_that_fails_is_no_end_of_the_input() {
    let daemon = Daemon::start().await;
    let marker = daemon.path("marker");
    let script = "while read -r line; do echo \"$line\"; done; touch \"$MARKER\"";
    let exec = daemon.client.exec(["sh", "-c", script]);
    let exec = exec.environment("MARKER", marker.as_str());
    let broken = failing_reader();
    let error = exec.stdin(broken).output().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalIo, "{error:?}");
    assert!(!std::fs::exists(&marker).unwrap());
}

/// Gives a line and then fails.
fn failing_reader() -> Stdin {
    let (mut near, far) = tokio::io::duplex(64);
    tokio::spawn(async move {
        near.write_all(b"line\n").await.unwrap();
    });
    Stdin::stream(far.chain(Broken))
}

struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
    }
}

#[tokio::test]
async fn stdin_larger_than_what_is_read_does_not_block_the_end() {
    let daemon = Daemon::start().await;
    let exec = daemon
        .client
        .exec(["head", "-c", "3"])
        .stdin(Stdin::Bytes(bytes(10 << 20)));
    let output = exec.output().await.unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, bytes(3));

    let mut process = daemon
        .client
        .exec(["true"])
        .stdin(Stdin::Piped)
        .spawn()
        .await
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let content = bytes(10 << 20);
    let (written, status) = tokio::join!(stdin.write_all(&content), process.wait());
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn wait_drains_streams_that_nobody_reads() {
    let daemon = Daemon::start().await;
    let script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 5";
    let mut process = daemon
        .client
        .exec(["sh", "-c", script])
        .spawn()
        .await
        .unwrap();
    assert_eq!(process.wait().await.unwrap(), ExitStatus::Exited(5));

    let mut process = daemon
        .client
        .exec(["sh", "-c", script])
        .spawn()
        .await
        .unwrap();
    let taken = (process.stdout.take(), process.stderr.take());
    let (status, ()) = tokio::join!(process.wait(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(taken);
    });
    assert_eq!(status.unwrap(), ExitStatus::Exited(5));
}

#[tokio::test]
async fn output_can_be_read_after_wait() {
    let daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["sh", "-c", "echo out; echo err >&2"])
        .spawn()
        .await
        .unwrap();
    let (mut stdout, mut stderr) = (
        process.stdout.take().unwrap(),
        process.stderr.take().unwrap(),
    );
    assert!(process.wait().await.unwrap().success());
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).await.unwrap();
    stderr.read_to_string(&mut err).await.unwrap();
    assert_eq!((&*out, &*err), ("out\n", "err\n"));
}

#[tokio::test]
async fn process_waits_while_its_output_is_not_read() {
    let daemon = Daemon::start().await;
    let marker = daemon.path("marker");
    let script = "head -c 8000000 /dev/zero; touch \"$MARKER\"";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .environment("MARKER", marker.as_str());
    let mut process = exec.spawn().await.unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let early = tokio::time::timeout(Duration::from_millis(500), process.wait()).await;
    assert!(early.is_err(), "{early:?}");
    assert!(!std::fs::exists(&marker).unwrap());
    let mut received = Vec::new();
    let (read, status) = tokio::join!(stdout.read_to_end(&mut received), process.wait());
    assert_eq!(read.unwrap(), 8_000_000);
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn output_limit_keeps_the_first_and_the_last() {
    let daemon = Daemon::start().await;
    let script = "echo first; head -c 9000000 /dev/zero; echo last; echo short >&2";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .output_limit_bytes(100);
    let output = exec.output().await.unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"first\n\0") && output.stdout.ends_with(b"\0last\n"));
    assert_eq!(
        (output.stdout.len(), output.stdout_dropped_bytes),
        (100, 9_000_011 - 100)
    );
    assert_eq!(
        (&*output.stderr, output.stderr_dropped_bytes),
        (&b"short\n"[..], 0)
    );
}

#[tokio::test]
async fn output_without_a_limit_stops_at_64_mebibytes() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .exec(["cat", "/dev/zero"])
        .output()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}
