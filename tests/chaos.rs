//! Random kills of the charm, Pebble, the S3 server and stages of the pipeline while backups are made, restored, undone,
//! verified and deleted: no invariant breaks.
//!
//! `make chaos N=200 SEED=7` runs more of them, with `FROM=100` not the first 100. The seed decides what is killed when; what that meets depends on the
//! machine too.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "it is told how much to do by the environment, tells its seed, and a test fails by panicking"
)]

#[path = "support/aftermath.rs"]
mod aftermath;
#[path = "support/chaos.rs"]
mod chaos;
#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use chaos::Chaos;

/// Of both tests together.
const KILLS: u32 = 15;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

/// Every other kill, beginning with `first`, on an image of its own.
fn random_kills(first: u32, image: &str) {
    let kills = number("CHAOS_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = number("CHAOS_SEED").unwrap_or(u64::from(clock.subsec_nanos()) + clock.as_secs());
    eprintln!("CHAOS_KILLS={kills} CHAOS_SEED={seed}");
    let from = number("CHAOS_FROM").map_or(0, |from| u32::try_from(from).unwrap());
    let mut chaos = Chaos::begin(seed, image);
    for number in (first..kills).step_by(2).filter(|it| *it >= from) {
        chaos.kill(number);
    }
}

#[test]
fn random_kills_on_our_image_break_no_invariant() {
    random_kills(0, "ours");
}

#[test]
fn random_kills_on_upstreams_image_break_no_invariant() {
    random_kills(1, "upstream");
}
