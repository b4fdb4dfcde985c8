//! What `tracing` records reaches juju-log, if it matters, and nothing else starts a process.

use jujuna::testing::{FakeJuju, State};
use tracing::level_filters::LevelFilter;

#[derive(Debug)]
struct Outer(std::io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot read /data")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn log(most_detailed: LevelFilter, record: impl FnOnce()) -> FakeJuju {
    let fake = FakeJuju::new(State::new("hello/0"));
    tracing::subscriber::with_default(jujuna::log::subscriber(fake.clone(), most_detailed), record);
    fake
}

#[test]
fn details_are_dropped_before_a_process_is_started() {
    let fake = log(LevelFilter::INFO, || {
        tracing::trace!("t");
        tracing::debug!("d");
        tracing::info!(n = 3, "i {}", "x");
        tracing::warn!("w");
        tracing::error!("e");
    });
    assert_eq!(fake.log_lines(), ["INFO i x n=3", "WARNING w", "ERROR e"]);
    assert_eq!(fake.calls().len(), 3);
}

#[test]
fn error_is_logged_with_its_causes() {
    let fake = log(LevelFilter::INFO, || {
        let error = Outer(std::io::Error::other("no such device"));
        tracing::error!(error = &error as &dyn std::error::Error, "stopped");
    });
    assert_eq!(
        fake.log_lines(),
        ["ERROR stopped error=cannot read /data: no such device"]
    );
}

#[test]
fn secret_is_not_logged() {
    let fake = log(LevelFilter::TRACE, || {
        let secret = jujuna::secrecy::SecretString::from("hunter2");
        tracing::info!(?secret, "read");
    });
    assert!(!fake.log_lines().concat().contains("hunter2"));
}
