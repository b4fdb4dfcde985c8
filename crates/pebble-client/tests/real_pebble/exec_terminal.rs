//! Exec in a terminal.

use pebble_client::{ErrorKind, ExitStatus, ProcessStdout, Stdin, TerminalSize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::Daemon;

const SIZE: TerminalSize = TerminalSize {
    width: 100,
    height: 40,
};

/// Reads until `wanted` has come, and returns all that came.
async fn read_until(stdout: &mut ProcessStdout, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut buffer = [0; 1000];
        let count = stdout.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    text
}

#[tokio::test]
async fn terminal_has_its_size_and_takes_both_outputs() {
    let daemon = Daemon::start().await;
    let script = "stty size <&1; test -t 1 && test -t 2 && echo both >&2; test -t 0 || echo pipe";
    let exec = daemon.client.exec(["sh", "-c", script]).terminal(SIZE);
    let output = exec.output().await.unwrap();
    assert_eq!(output.status, ExitStatus::Exited(0));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "40 100\r\nboth\r\npipe\r\n"
    );
    assert!(output.stderr.is_empty());
}

#[tokio::test]
async fn terminal_with_separate_stderr_keeps_it_apart() {
    let daemon = Daemon::start().await;
    let script = "test -t 1 && echo out; test -t 2 || echo err >&2; exit 3";
    let exec = daemon.client.exec(["sh", "-c", script]).terminal(SIZE);
    let output = exec.separate_stderr().output().await.unwrap();
    assert_eq!(output.status, ExitStatus::Exited(3));
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"out\r\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn resize_reaches_the_process() {
    let daemon = Daemon::start().await;
    let script = "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done";
    let exec = daemon.client.exec(["sh", "-c", script]).interactive(SIZE);
    let mut process = exec.stdin(Stdin::Piped).spawn().await.unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let _stdin = process.stdin.take();
    read_until(&mut stdout, "40 100").await;
    let size = TerminalSize {
        width: 77,
        height: 22,
    };
    process.resize(size).await.unwrap();
    let (text, status) = tokio::join!(read_until(&mut stdout, "22 77"), process.wait());
    assert!(text.contains("22 77"));
    assert_eq!(status.unwrap(), ExitStatus::Exited(0));
    process.resize(size).await.unwrap();
}

#[tokio::test]
async fn end_of_the_input_is_control_d_in_a_terminal() {
    let daemon = Daemon::start().await;
    let script = "test -t 0 && cat; echo done";
    let exec = daemon.client.exec(["sh", "-c", script]).interactive(SIZE);
    let mut process = exec.stdin(Stdin::Piped).spawn().await.unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = process.stdout.take().unwrap();
    stdin.write_all(b"hello\n").await.unwrap();
    // Once by the terminal's echo, once by cat.
    read_until(&mut stdout, "hello\r\nhello\r\n").await;
    drop(stdin);
    let (text, status) = tokio::join!(read_until(&mut stdout, "done"), process.wait());
    assert!(text.ends_with("done\r\n"), "{text:?}");
    assert!(status.unwrap().success());

    let exec = daemon.client.exec(["cat"]).interactive(SIZE);
    assert!(exec.output().await.unwrap().status.success());
}

#[tokio::test]
async fn control_c_in_a_terminal_is_a_signal() {
    let daemon = Daemon::start().await;
    let script = "echo ready; exec sleep 1000";
    let exec = daemon.client.exec(["sh", "-c", script]).interactive(SIZE);
    let mut process = exec.stdin(Stdin::Piped).spawn().await.unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = process.stdout.take().unwrap();
    read_until(&mut stdout, "ready").await;
    stdin.write_all(b"\x03").await.unwrap();
    let mut rest = Vec::new();
    let (_, status) = tokio::join!(stdout.read_to_end(&mut rest), process.wait());
    assert_eq!(status.unwrap(), ExitStatus::Signaled(2));
}

#[tokio::test]
async fn large_output_of_a_terminal_arrives_whole() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec(["seq", "200000"]).terminal(SIZE);
    let output = exec.output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.split_terminator("\r\n");
    assert!(lines.eq((1..=200_000).map(|number| number.to_string())));
}

#[tokio::test]
async fn resize_without_a_terminal_does_nothing() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec(["cat"]).stdin(Stdin::Piped);
    let mut process = exec.spawn().await.unwrap();
    process.resize(SIZE).await.unwrap();
    assert!(process.wait().await.unwrap().success());
    let error = daemon.client.exec(["no-such-program"]).interactive(SIZE);
    let error = error.output().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
