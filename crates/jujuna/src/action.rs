//! `action-get`, `action-set`, `action-log`, `action-fail`: what an operator asked for and is told.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::hook_tools::MAX_ARGUMENT_BYTES;
use crate::juju::{Writes, shorten};
use crate::typed::{Fields, Input, fit};
use crate::{Error, ErrorKind, HookCommand, Juju};

/// How many bytes of results go into one call: all arguments together must stay under 2 MiB.
const CALL_BYTES: usize = 1024 * 1024;

/// Keys that Juju keeps for what the action's process wrote.
const RESERVED: [&str; 4] = ["stdout", "stdout-encoding", "stderr", "stderr-encoding"];

impl Juju {
    /// Returns the action's parameters, defaults included.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotInContext`] in a hook.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let state = State::new("hello/0").with_action().with_param("who", "Ann");
    /// let juju = Juju::new(Box::new(FakeJuju::new(state)));
    /// assert_eq!(juju.action_get()?["who"], "Ann");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_get(&self) -> Result<Map<String, Value>, Error> {
        if let Some(params) = &self.cache.borrow().action_params {
            return Ok(params.clone());
        }
        let purpose = || "read the action's parameters".to_owned();
        let params: Option<Map<String, Value>> =
            self.read(&HookCommand::json("action-get"), &purpose)?;
        let params = params.unwrap_or_default();
        self.cache.borrow_mut().action_params = Some(params.clone());
        Ok(params)
    }

    /// Returns the action's parameters as the charm's own type.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Mismatch`], naming the parameter but not its value, when they do not fit, and
    /// [`ErrorKind::NotInContext`] in a hook.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "kebab-case")]
    /// struct Params {
    ///     take_over: bool,
    /// }
    /// let state = State::new("hello/0").with_action().with_param("take-over", true);
    /// let params: Params = Juju::new(Box::new(FakeJuju::new(state))).action_params()?;
    /// assert!(params.take_over);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_params<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let params = self.action_get()?;
        let fields = params
            .iter()
            .map(|(name, value)| (name.as_str(), Input::Json(value)));
        fit(&Fields::new(fields), "parameters")
    }

    /// Shows a line to the operator who waits for the action, at once.
    ///
    /// Juju keeps about 1,000 lines of an action and drops the rest.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotInContext`] in a hook.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_action());
    /// let juju = Juju::new(Box::new(fake.clone()));
    /// juju.action_log("43 %")?;
    /// assert_eq!(fake.action_log(), ["43 %"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_log(&self, text: &str) -> Result<(), Error> {
        let command = HookCommand::new("action-log").text(&shorten(text));
        self.run(&command, &|| "log a line of the action".to_owned())
            .map(drop)
    }

    /// Adds results, to be written by [`flush`](Juju::flush); one of the same key replaces an earlier one.
    ///
    /// Keys are lower-case letters, digits and inner hyphens; dots nest. A value stays under 128 KiB.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// # use std::collections::BTreeMap;
    /// let fake = FakeJuju::new(State::new("hello/0").with_action());
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.action_set(BTreeMap::from([("backup-id".to_owned(), "backup-1".to_owned())]));
    /// juju.flush()?;
    /// assert_eq!(fake.action_results()["backup-id"], "backup-1");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_set(&mut self, results: BTreeMap<String, String>) {
        self.writes.action_results.extend(results);
    }

    /// Marks the action as failed, with a message for the operator, by [`flush`](Juju::flush).
    ///
    /// Juju shows the message only if the charm exits with 0, and then takes over what else was flushed: so
    /// [`discard`](Juju::discard) first.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_action());
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.action_fail("there is no bucket");
    /// juju.flush()?;
    /// assert_eq!(fake.action_failure().as_deref(), Some("there is no bucket"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn action_fail(&mut self, message: impl Into<String>) {
        self.writes.action_failure = Some(message.into());
    }

    pub(crate) fn write_action(&self, writes: &Writes) -> Result<(), Error> {
        let mut room_bytes = 0;
        let mut command = HookCommand::new("action-set");
        for (key, value) in &writes.action_results {
            let argument = argument(key, value);
            if room_bytes + argument.len() > CALL_BYTES {
                self.run_action_set(&command)?;
                room_bytes = 0;
                command = HookCommand::new("action-set");
            }
            room_bytes += argument.len();
            command = command.arg(argument);
        }
        if !command.arguments().is_empty() {
            self.run_action_set(&command)?;
        }
        let Some(message) = &writes.action_failure else {
            return Ok(());
        };
        let command = HookCommand::new("action-fail").text(&shorten(message));
        self.run(&command, &|| "mark the action as failed".to_owned())
            .map(drop)
    }

    fn run_action_set(&self, command: &HookCommand) -> Result<(), Error> {
        self.run(command, &|| "write the action's results".to_owned())
            .map(drop)
    }
}

fn argument(key: &str, value: &str) -> String {
    format!("{key}={}", value.replace('\0', "\u{fffd}"))
}

/// Refuses what Juju would refuse, before anything is written.
pub(crate) fn check_results(results: &BTreeMap<String, String>) -> Result<(), Error> {
    for (key, value) in results {
        let reserved = RESERVED.contains(&key.as_str());
        if reserved || !key.split('.').all(is_key) {
            let text = format!("cannot use {key:?} as the key of an action's result");
            return Err(Error::new(ErrorKind::Usage, text));
        }
        if argument(key, value).len() >= MAX_ARGUMENT_BYTES {
            let text = format!("cannot write the action's result {key:?}: it has 128 KiB or more");
            return Err(Error::new(ErrorKind::Usage, text));
        }
    }
    Ok(())
}

fn is_key(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = segment.as_bytes();
    let ends_plain =
        matches!((bytes.first(), bytes.last()), (Some(a), Some(z)) if plain(*a) && plain(*z));
    ends_plain && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_refused_as_juju_refuses_them() {
        let allowed =
            |key: &str| check_results(&BTreeMap::from([(key.to_owned(), String::new())])).is_ok();
        for key in ["a", "backup-id", "a.b", "0", "size-bytes", "a.b-c.d2"] {
            assert!(allowed(key), "{key}");
        }
        for key in [
            "",
            "Upper",
            "under_score",
            "-dash",
            "dash-",
            "sp ace",
            "a..b",
            ".a",
            "a.",
            "stdout",
            "stderr-encoding",
        ] {
            assert!(!allowed(key), "{key}");
        }
    }

    #[test]
    fn value_too_large_for_an_argument_is_refused_by_name() {
        let results = BTreeMap::from([("formatted".to_owned(), "x".repeat(128 * 1024))]);
        let error = check_results(&results).unwrap_err();
        assert!(error.to_string().contains("\"formatted\""), "{error}");
    }
}
