//! Exec: what goes in and what comes out.

use pebble_client::{ExitStatus, Stdin};

use crate::daemon::Daemon;

#[tokio::test]
async fn output_has_status_and_both_streams() {
    let daemon = Daemon::start().await;
    let output = daemon
        .client
        .exec(["sh", "-c", "echo out; echo err >&2; exit 42"])
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
async fn ten_mebibytes_go_both_ways_without_a_deadlock() {
    let daemon = Daemon::start().await;
    let content: Vec<u8> = (0..10_u32 << 20)
        .map(|index| index.to_le_bytes()[(index % 3) as usize])
        .collect();
    let output = daemon
        .client
        .exec(["cat"])
        .stdin(Stdin::Bytes(content.clone()))
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    assert!(output.stdout == content);
}
