//! Daemons that are killed at random moments while everything goes on. `SOAK_KILLS` and `SOAK_SEED` change how often
//! and when; the seed is printed, so that a run can be had again as far as timing allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pebble_client::{
    Client, Error, ErrorKind, ExitStatus, LayerMode, NoticeFilter, Stdin, WriteFile,
};
use tokio::task::JoinSet;

use crate::daemon::Daemon;

/// Longer than any call may take once its daemon is gone, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

const LAYER: &str = "\
services:
  talker:
    override: replace
    command: sh -c 'while :; do echo line; sleep 0.01; done'
";

/// What one call came to.
type Outcome = Result<(), String>;

#[expect(clippy::disallowed_methods, reason = "a setting of this test")]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

fn open_descriptors() -> BTreeSet<String> {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links
        .map(|link| link.to_string_lossy().into_owned())
        .filter(|link| !link.starts_with("/proc/"))
        .collect()
}

/// Good, or an error that says that the daemon is gone.
fn judge<T>(what: &str, result: Result<T, Error>) -> Outcome {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_connection_problem() => Ok(()),
        // The file was cut off by a daemon that had still closed the connection.
        Err(error) if error.kind() == ErrorKind::Protocol && what == "pull" => Ok(()),
        Err(error) => Err(format!("{what}: {error:?}")),
    }
}

async fn execute(client: &Client, size: usize) -> Outcome {
    let content = vec![b'x'; size];
    let exec = client.exec(["sh", "-c", "sleep 0.02; cat"]);
    match exec.stdin(Stdin::Bytes(content.clone())).output().await {
        Ok(output) if output.status == ExitStatus::Unknown => Ok(()),
        Ok(output) if output.status.success() && output.stdout == content => Ok(()),
        Ok(output) => Err(format!("exec: {output:?}")),
        Err(error) => judge("exec", Err::<(), _>(error)),
    }
}

async fn wait_for_end(client: &Client) -> Outcome {
    let process = match client.exec(["sleep", "0.3"]).spawn().await {
        Ok(process) => process,
        Err(error) => return judge("spawn", Err::<(), _>(error)),
    };
    let waited = client.wait_change(process.change_id(), DEADLINE).await;
    judge("wait", waited)
}

async fn one_of_all(client: &Client, kind: u64, big: &str, target: &str) -> Outcome {
    match kind {
        0 => execute(client, 10).await,
        1 => execute(client, 300_000).await,
        2 => wait_for_end(client).await,
        3 => {
            let wait = client.wait_notices(NoticeFilter::default(), DEADLINE);
            judge("notices", wait.await)
        }
        4 => {
            let mut stream = client.follow_logs(&["talker"], 1);
            loop {
                match stream.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(()),
                    Err(error) => return judge("logs", Err::<(), _>(error)),
                }
            }
        }
        5 => judge("pull", client.read_file(big).await),
        6 => {
            let content = vec![7; 500_000];
            let written = client.write_file(WriteFile::new(target), &content);
            judge("push", written.await)
        }
        _ => {
            let mut tail = client
                .tail_logs(&["talker"], 1)
                .give_up_after(Duration::ZERO);
            loop {
                if let Err(error) = tail.next().await {
                    return judge("tail", Err::<(), _>(error));
                }
            }
        }
    }
}

#[tokio::test]
#[expect(
    clippy::print_stderr,
    reason = "the seed is needed when the test fails"
)]
async fn daemon_killed_at_random_moments_ends_every_call() {
    let kills = setting("SOAK_KILLS", 30);
    let seed = setting("SOAK_SEED", u64::from(std::process::id()));
    eprintln!("SOAK_SEED={seed} SOAK_KILLS={kills}");
    let mut state = seed;
    let mut daemon = Daemon::start().await;
    let big = daemon.path("big");
    std::fs::write(&big, vec![7; 20_000_000]).unwrap();
    let target = daemon.path("target");
    let before = open_descriptors();
    let metrics = tokio::runtime::Handle::current().metrics();
    let tasks_before = metrics.num_alive_tasks();
    for kill in 0..kills {
        let added = daemon.client.add_layer("x", LAYER, LayerMode::Combine);
        added.await.unwrap();
        daemon.client.start(&["talker"]).await.unwrap();
        let mut calls = JoinSet::new();
        for kind in (0..8).chain(0..4) {
            let (client, big, target) = (daemon.client.clone(), big.clone(), target.clone());
            calls.spawn(async move {
                let call = one_of_all(&client, kind, &big, &target);
                let ended = tokio::time::timeout(DEADLINE, call).await;
                ended.unwrap_or_else(|_| Err(format!("call {kind} does not end")))
            });
        }
        let pause = random(&mut state, 120);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        daemon.kill();
        while let Some(ended) = calls.join_next().await {
            assert_eq!(ended.unwrap(), Ok(()), "kill {kill} of seed {seed}");
        }
        daemon.start_again().await;
    }
    assert_eq!(metrics.num_alive_tasks(), tasks_before);
    let left: Vec<_> = open_descriptors().difference(&before).cloned().collect();
    assert!(left.is_empty(), "left open: {left:?}");
}

#[tokio::test]
async fn two_hundred_commands_at_once_each_get_their_own() {
    let daemon = Daemon::start().await;
    let before = open_descriptors();
    let mut commands = JoinSet::new();
    for number in 0..200_i32 {
        let exec = daemon
            .client
            .exec(["sh", "-c", "cat; echo \"$N\" >&2; exit $((N % 100))"])
            .environment("N", number.to_string())
            .stdin(Stdin::Bytes(format!("in {number}").into_bytes()));
        commands.spawn(async move { (number, exec.output().await) });
    }
    let mut ended = BTreeMap::new();
    while let Some(command) = commands.join_next().await {
        let (number, output) = command.unwrap();
        ended.insert(number, output.unwrap());
    }
    assert_eq!(ended.len(), 200);
    for (number, output) in ended {
        assert_eq!(output.status, ExitStatus::Exited(number % 100));
        assert_eq!(output.stdout, format!("in {number}").into_bytes());
        assert_eq!(output.stderr, format!("{number}\n").into_bytes());
    }
    let left: Vec<_> = open_descriptors().difference(&before).cloned().collect();
    assert!(left.is_empty(), "left open: {left:?}");
}
