//! Whatever the environment and the hook commands say, the readers answer or refuse: they do not panic, and do not tell a
//! secret.
//!
//! The corpus is what Juju answered in the recording, and `corpus/` for what it did not. It is changed at random, the same
//! way each time. Without more, a few thousand times; `JUJUNA_FUZZ_SECONDS=60` at build time, as in `.ci/fuzz`, lets each
//! target run that long, each time from another point.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use mutate::Mutator;

/// How often a target runs when nothing else is said.
const ROUNDS: u64 = 4_000;

/// Feeds a target what becomes of the corpus. What made it fail is printed, to be put into the corpus.
fn fuzz(name: &str, corpus: &[String], target: impl Fn(&str)) {
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let seconds: Option<u64> = option_env!("JUJUNA_FUZZ_SECONDS").map(|text| text.parse().unwrap());
    let seed = match seconds {
        Some(_) => seed_of_the_moment(),
        None => 1,
    };
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut mutator = Mutator::new(seed, corpus);
    let mut round = 0;
    while end.map_or(round < ROUNDS, |end| Instant::now() < end) {
        let input = match corpus.get(usize::try_from(round).unwrap()) {
            Some(whole) => whole.clone(),
            None => mutator.next(),
        };
        let ran = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(ran.is_ok(), "{name}: seed {seed}, round {round}: {input:?}");
        round += 1;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the longer runs shall differ from one another"
)]
fn seed_of_the_moment() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}
