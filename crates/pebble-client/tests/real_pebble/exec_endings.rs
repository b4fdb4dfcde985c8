//! Exec: how commands end, and what happens when something else ends first.

use std::time::{Duration, Instant};

use pebble_client::{ErrorKind, ExitStatus, OnDrop, Process, Stdin};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::daemon::{Daemon, until};

/// The promise for a lost daemon and for held output, with room for a busy machine.
const PROMPT: Duration = Duration::from_secs(30);

/// Reads the process's own id, which its script prints first.
async fn process_id(process: &mut Process) -> u32 {
    let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap().parse().unwrap()
}

fn is_alive(process_id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[tokio::test]
async fn exit_codes_are_told() {
    let daemon = Daemon::start().await;
    for code in [0, 1, 42, 127, 128, 255] {
        let output = daemon
            .client
            .exec(["sh", "-c", &format!("exit {code}")])
            .output()
            .await
            .unwrap();
        assert_eq!(output.status, ExitStatus::Exited(code));
        assert_eq!(output.status.success(), code == 0);
    }
}

#[tokio::test]
async fn signal_ends_the_process() {
    let daemon = Daemon::start().await;
    for (name, number) in [("SIGINT", 2), ("SIGTERM", 15), ("SIGKILL", 9)] {
        let mut process = daemon.client.exec(["sleep", "1000"]).spawn().await.unwrap();
        process.signal(name).await.unwrap();
        assert_eq!(process.wait().await.unwrap(), ExitStatus::Signaled(number));
        process.signal(name).await.unwrap();
        assert_eq!(process.wait().await.unwrap().code(), Some(128 + number));
    }
}

#[tokio::test]
async fn signal_may_come_between_two_waits() {
    let daemon = Daemon::start().await;
    let mut process = daemon.client.exec(["sleep", "1000"]).spawn().await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), process.wait()).await;
    assert!(early.is_err(), "{early:?}");
    process.signal("SIGNONSENSE").await.unwrap();
    process.signal("SIGTERM").await.unwrap();
    assert_eq!(process.wait().await.unwrap(), ExitStatus::Signaled(15));
}

#[tokio::test]
async fn timeout_kills_and_is_told() {
    let daemon = Daemon::start().await;
    for timeout in [
        Duration::ZERO,
        Duration::from_micros(400),
        Duration::from_millis(100),
    ] {
        let exec = daemon.client.exec(["sleep", "1000"]).timeout(timeout);
        let status = exec.output().await.unwrap().status;
        assert_eq!(status, ExitStatus::TimedOut, "{timeout:?}");
        assert!(!status.success() && status.code().is_none());
    }
    let exec = daemon
        .client
        .exec(["echo", "quick"])
        .timeout(Duration::from_mins(1));
    assert!(exec.output().await.unwrap().status.success());
}

#[tokio::test]
async fn timeout_with_held_output_is_told_all_the_same() {
    let daemon = Daemon::start().await;
    let script = "sleep 1000 & echo $!; wait";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .timeout(Duration::from_millis(300));
    let output = tokio::time::timeout(PROMPT, exec.stdio_grace(Duration::from_secs(1)).output());
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status, ExitStatus::TimedOut);
    let grandchild = String::from_utf8(output.stdout).unwrap();
    end(grandchild.trim());
}

#[tokio::test]
async fn held_output_does_not_keep_the_end_back() {
    let daemon = Daemon::start().await;
    let script = "sleep 1000 & echo $!; exit 0";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .stdio_grace(Duration::from_secs(1));
    let output = tokio::time::timeout(PROMPT, exec.output())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(output.status, ExitStatus::StdioHeld);
    assert!(!output.status.success());
    end(String::from_utf8(output.stdout).unwrap().trim());
}

#[tokio::test]
async fn held_output_ends_for_whoever_reads_it() {
    let daemon = Daemon::start().await;
    let script = "sleep 1000 & echo $!; exit 0";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .stdio_grace(Duration::from_millis(200));
    let mut process = exec.spawn().await.unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let mut text = Vec::new();
    let both = async { tokio::join!(stdout.read_to_end(&mut text), process.wait()) };
    let (read, status) = tokio::time::timeout(PROMPT, both).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(status.unwrap(), ExitStatus::StdioHeld);
    end(String::from_utf8(text).unwrap().trim());
}

#[tokio::test]
async fn held_output_is_given_the_end_of_the_input() {
    let daemon = Daemon::start().await;
    let file = daemon.path("file");
    let script = "exec 3<&0; (cat <&3; echo end > \"$FILE\") & exit 0";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .environment("FILE", file.as_str());
    let exec = exec
        .stdin(Stdin::Piped)
        .stdio_grace(Duration::from_millis(200));
    let mut process = exec.spawn().await.unwrap();
    let stdin = process.stdin.take();
    let status = tokio::time::timeout(PROMPT, process.wait()).await.unwrap();
    assert_eq!(status.unwrap(), ExitStatus::StdioHeld);
    until("the rest ends", async || std::fs::exists(&file).unwrap()).await;
    drop(stdin);
}

#[tokio::test]
async fn output_that_goes_on_after_the_process_is_not_held() {
    let daemon = Daemon::start().await;
    let script = "(for i in 1 2 3 4 5 6; do sleep 0.2; echo $i; done) & exit 7";
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .stdio_grace(Duration::from_secs(1));
    let output = exec.output().await.unwrap();
    assert_eq!(output.status, ExitStatus::Exited(7));
    assert_eq!(output.stdout, b"1\n2\n3\n4\n5\n6\n");
}

#[tokio::test]
async fn output_that_nobody_reads_yet_is_not_held() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec(["head", "-c", "150000", "/dev/zero"]);
    let mut process = exec
        .stdio_grace(Duration::from_millis(50))
        .spawn()
        .await
        .unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let early = tokio::time::timeout(Duration::from_millis(500), process.wait()).await;
    assert!(early.is_err() || early.unwrap().unwrap().success());
    let mut received = Vec::new();
    let (read, status) = tokio::join!(stdout.read_to_end(&mut received), process.wait());
    assert_eq!(read.unwrap(), 150_000);
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn dropped_process_is_killed() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec([
        "sh",
        "-c",
        "trap '' TERM HUP PIPE; echo $$; while :; do sleep 0.1; done",
    ]);
    let mut process = exec.spawn().await.unwrap();
    let id = process_id(&mut process).await;
    assert!(is_alive(id));
    drop(process);
    until("the process is killed", async || !is_alive(id)).await;
}

#[tokio::test]
async fn dropped_output_future_kills_the_process() {
    let daemon = Daemon::start().await;
    let file = daemon.path("id");
    let exec = daemon
        .client
        .exec(["sh", "-c", "echo $$ > \"$FILE\"; exec sleep 1000"]);
    let exec = exec
        .environment("FILE", file.as_str())
        .stdin(Stdin::Bytes(vec![0; 1 << 20]));
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    tokio::select! {
        _ = exec.output() => panic!("it sleeps"),
        () = until("the process tells its id", async || read().ends_with('\n')) => {}
    }
    let id = read().trim().parse().unwrap();
    until("the process is killed", async || !is_alive(id)).await;
}

#[tokio::test]
async fn detached_process_lives_on() {
    let daemon = Daemon::start().await;
    let script = "echo $$; while ! [ -e \"$FILE\" ]; do sleep 0.02; done; exit 4";
    let file = daemon.path("go");
    let exec = daemon
        .client
        .exec(["sh", "-c", script])
        .environment("FILE", file.as_str());
    let mut process = exec.spawn().await.unwrap();
    let id = process_id(&mut process).await;
    let change = process.detach().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_alive(id));
    std::fs::write(&file, "").unwrap();
    let change = daemon.client.wait_change(&change, PROMPT).await.unwrap();
    assert_eq!(change.tasks[0].data["exit-code"], 4);
}

#[tokio::test]
async fn aborted_change_kills_the_process() {
    let daemon = Daemon::start().await;
    let mut process = daemon.client.exec(["sleep", "1000"]).spawn().await.unwrap();
    daemon
        .client
        .abort_change(process.change_id())
        .await
        .unwrap();
    // Pebble does not tell this from a signal of somebody else's.
    let result = tokio::time::timeout(PROMPT, process.wait()).await.unwrap();
    assert_eq!(result.unwrap(), ExitStatus::Signaled(9));

    let mut process = daemon.client.exec(["sleep", "1000"]).spawn().await.unwrap();
    process.abort().await.unwrap();
    assert_eq!(process.wait().await.unwrap(), ExitStatus::Aborted);
    let error = process.abort().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
}

#[tokio::test]
async fn process_dropped_with_on_drop_detach_lives_on() {
    let daemon = Daemon::start().await;
    let exec = daemon.client.exec(["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut process = exec.on_drop(OnDrop::Detach).spawn().await.unwrap();
    let id = process_id(&mut process).await;
    let change = process.change_id().clone();
    drop(process);
    // Whoever is killed is gone before the next command has begun and ended.
    let output = daemon.client.exec(["sleep", "0.3"]).output().await.unwrap();
    assert!(output.status.success() && is_alive(id));
    assert!(!daemon.client.change(&change).await.unwrap().ready);
    end(&id.to_string());
}

#[tokio::test]
async fn output_does_not_outlast_the_timeout_when_the_daemon_hangs() {
    let daemon = Daemon::start().await;
    let file = daemon.path("running");
    let script = "touch \"$FILE\"; exec sleep 1000";
    let exec = daemon.client.exec(["sh", "-c", script]);
    let exec = exec.environment("FILE", file.as_str());
    let exec = exec.timeout(Duration::from_secs(3));
    let (output, ()) = tokio::join!(exec.output(), async {
        until("it runs", async || std::fs::exists(&file).unwrap()).await;
        daemon.freeze();
    });
    assert_eq!(output.unwrap().status, ExitStatus::TimedOut);
}

#[tokio::test]
async fn daemon_killed_midway_is_an_unknown_end() {
    let mut daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["sh", "-c", "echo $$; exec sleep 1000"])
        .spawn()
        .await
        .unwrap();
    let id = process_id(&mut process).await;
    let begin = Instant::now();
    let (status, ()) = tokio::join!(process.wait(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        daemon.kill();
    });
    assert_eq!(status.unwrap(), ExitStatus::Unknown);
    assert!(begin.elapsed() < PROMPT);
    let mut rest = String::new();
    let read = process
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    end(&id.to_string());
}

#[tokio::test]
async fn daemon_killed_midway_ends_output_with_what_came() {
    let mut daemon = Daemon::start().await;
    let exec = daemon.client.exec(["sh", "-c", "echo $$; exec sleep 1000"]);
    let (output, ()) = tokio::join!(exec.output(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        daemon.kill();
    });
    let output = output.unwrap();
    assert_eq!(output.status, ExitStatus::Unknown);
    end(String::from_utf8(output.stdout).unwrap().trim());
}

#[tokio::test]
async fn restarted_daemon_with_the_same_change_ids_is_an_unknown_end() {
    let mut daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["sh", "-c", "echo $$; exec sleep 1000"])
        .spawn()
        .await
        .unwrap();
    let id = process_id(&mut process).await;
    daemon.kill();
    daemon.start_again().await;
    let mut other = daemon.client.exec(["true"]).spawn().await.unwrap();
    assert_eq!(other.change_id(), process.change_id());
    assert!(other.wait().await.unwrap().success());
    assert_eq!(process.wait().await.unwrap(), ExitStatus::Unknown);
    end(&id.to_string());
}

#[tokio::test]
async fn stopped_daemon_is_no_success() {
    let daemon = Daemon::start().await;
    let mut process = daemon
        .client
        .exec(["sh", "-c", "echo $$; exec sleep 1000"])
        .spawn()
        .await
        .unwrap();
    let id = process_id(&mut process).await;
    daemon.ask_to_stop();
    let result = tokio::time::timeout(PROMPT, process.wait()).await.unwrap();
    assert!(
        !result.as_ref().is_ok_and(|status| status.success()),
        "{result:?}"
    );
    end(&id.to_string());
}

#[tokio::test]
async fn daemon_that_hangs_does_not_outlast_the_timeout() {
    let daemon = Daemon::start().await;
    let exec = daemon
        .client
        .exec(["sleep", "1000"])
        .timeout(Duration::from_millis(500));
    let mut process = exec.spawn().await.unwrap();
    daemon.freeze();
    let status = tokio::time::timeout(PROMPT, process.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status, ExitStatus::TimedOut);
}

#[tokio::test]
async fn exec_without_a_daemon_is_not_connectable() {
    let mut daemon = Daemon::start().await;
    daemon.kill();
    let error = daemon.client.exec(["true"]).output().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnectable);
}

/// Ends what a test has left behind; that it is gone already is fine.
fn end(process_id: &str) {
    crate::daemon::send_signal("KILL", process_id);
}
