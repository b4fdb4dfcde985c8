//! What Juju's programs are really given: arguments, stdin, environment, files. Each hook command is a script on PATH.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod folder;
mod processes;
mod reads;
mod writes;

use std::collections::BTreeMap;

use jujuna::{RelationId, SecretUri};

fn relation() -> RelationId {
    RelationId::new("db", 3)
}

fn uri() -> SecretUri {
    "9m4e2mr0ui3e8a215n4g".parse().unwrap()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
