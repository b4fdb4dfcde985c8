//! Log entries as they come, also from a daemon that was restarted, and from services that start later.
//!
//! Pebble has no cursor for logs, and a request covers only services that had been started before it. So each request
//! asks for all that is kept, what was given out before is left out, and the list of services is looked at meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::Client;
use crate::client::Operation;
use crate::error::Error;
use crate::logs::{LogEntry, LogStream};
use crate::services::ServiceStatus;
use crate::wait::Outage;

/// How often it is looked for services that have been started.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

const ALL: i64 = -1;

/// Log entries as they come; see [`Client::tail_logs`].
///
/// [`Client::tail_logs`] has an example.
pub struct LogTail {
    client: Client,
    services: Vec<String>,
    /// How many old entries are wanted; `None` when they were given out.
    count: Option<u32>,
    stream: Option<LogStream>,
    /// The services that the stream covers.
    covered: BTreeSet<String>,
    next_look: Instant,
    come: VecDeque<LogEntry>,
    seen: BTreeMap<String, Seen>,
    outage: Outage,
}

/// What was given out of one service.
#[derive(Debug)]
struct Seen {
    last: Timestamp,
    /// What was written at that time, which is in whole milliseconds.
    messages: Vec<String>,
    /// Of these, what is still to come again; `None` when all that comes is new.
    replayed: Option<Vec<String>>,
}

impl fmt::Debug for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTail")
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Returns the last `count` entries of the named services, or of all for an empty slice, and then each new one,
    /// for as long as it is asked. Unlike [`follow_logs`](Self::follow_logs) it goes on when Pebble is restarted, and
    /// has services that are started for the first time later on (up to a second later). No entry comes twice, and
    /// none is missed that Pebble still has: it keeps 100 KiB a service, and nothing over a restart of its own.
    ///
    /// Entries of one service come in their order. The clock of the machine is taken to go forward over restarts.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let mut tail = client.tail_logs(&["web"], 10);
    /// loop {
    ///     let entry = tail.next().await?;
    ///     let line = format!("{} {}", entry.service, entry.message);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn tail_logs(&self, services: &[&str], count: u32) -> LogTail {
        LogTail {
            client: self.clone(),
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            count: Some(count),
            stream: None,
            covered: BTreeSet::new(),
            next_look: Instant::now(),
            come: VecDeque::new(),
            seen: BTreeMap::new(),
            outage: Outage::new(),
        }
    }
}

impl LogTail {
    /// Sets how long Pebble may be away before [`next`](Self::next) gives up; at first that may last for ever.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use std::time::Duration;
    /// let followed = client.tail_logs(&["web"], 10).give_up_after(Duration::from_mins(5));
    /// ```
    #[must_use]
    pub fn give_up_after(mut self, outage: Duration) -> Self {
        self.outage.set_longest(outage);
        self
    }

    /// Returns the next entry, waiting for it as long as it takes. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) and other refusals; what concerns the connection only
    /// after [`give_up_after`](Self::give_up_after), or when the socket may not be used.
    ///
    /// [`Client::tail_logs`] has an example.
    pub async fn next(&mut self) -> Result<LogEntry, Error> {
        loop {
            if let Some(entry) = self.come.pop_front() {
                return Ok(entry);
            }
            if let Err(error) = self.go_on().await {
                self.stream = None;
                self.outage.after(error).await?;
            }
        }
    }

    async fn go_on(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else {
            return self.open().await;
        };
        tokio::select! {
            biased;
            entry = stream.next() => match entry? {
                Some(entry) => {
                    self.outage.is_over();
                    self.take(entry);
                }
                None => self.stream = None,
            },
            () = tokio::time::sleep_until(self.next_look) => {
                self.next_look = Instant::now() + LOOK_PERIOD;
                if !started(&self.client, &self.services).await?.is_subset(&self.covered) {
                    self.stream = None;
                }
            }
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<(), Error> {
        // Before the request: what is started in between is covered by it, and looked at once more.
        self.covered = started(&self.client, &self.services).await?;
        self.outage.is_over();
        self.next_look = Instant::now() + LOOK_PERIOD;
        let names: Vec<&str> = self.services.iter().map(String::as_str).collect();
        if let Some(count) = self.count {
            let logs = self.client.logs_up_to(&names, ALL).await;
            let entries = logs.operation(|| String::from("follow logs"))?;
            let old = entries.len().saturating_sub(count as usize);
            for (index, entry) in entries.into_iter().enumerate() {
                self.take(entry);
                if index < old {
                    self.come.clear();
                }
            }
            self.count = None;
        }
        for seen in self.seen.values_mut() {
            seen.replayed = Some(seen.messages.clone());
        }
        let names: Vec<&str> = self.services.iter().map(String::as_str).collect();
        self.stream = Some(self.client.follow_up_to(&names, ALL));
        Ok(())
    }

    /// Keeps an entry that was not given out before.
    fn take(&mut self, entry: LogEntry) {
        if let Some(seen) = self.seen.get_mut(&entry.service) {
            if !seen.is_new(&entry) {
                return;
            }
            seen.add(&entry);
        } else {
            let seen = Seen {
                last: entry.time,
                messages: vec![entry.message.clone()],
                replayed: None,
            };
            self.seen.insert(entry.service.clone(), seen);
        }
        self.come.push_back(entry);
    }
}

/// Returns the services of which there may be logs.
async fn started(client: &Client, services: &[String]) -> Result<BTreeSet<String>, Error> {
    let names: Vec<&str> = services.iter().map(String::as_str).collect();
    let services = client.services(&names).await?;
    let started = services.into_iter().filter(|service| {
        service.current != ServiceStatus::Inactive || service.current_since.is_some()
    });
    Ok(started.map(|service| service.name).collect())
}

impl Seen {
    fn is_new(&mut self, entry: &LogEntry) -> bool {
        let Some(replayed) = &mut self.replayed else {
            return true;
        };
        if entry.time < self.last {
            return false;
        }
        if entry.time == self.last
            && let Some(index) = replayed.iter().position(|old| *old == entry.message)
        {
            replayed.remove(index);
            return false;
        }
        self.replayed = None;
        true
    }

    fn add(&mut self, entry: &LogEntry) {
        if entry.time != self.last {
            self.last = entry.time;
            self.messages.clear();
        }
        self.messages.push(entry.message.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::{LogEntry, LogTail};
    use crate::Client;

    /// Feeds `(milliseconds, message)` pairs and returns what is new.
    fn new_of(tail: &mut LogTail, entries: &[(i64, &str)]) -> Vec<String> {
        for seen in tail.seen.values_mut() {
            seen.replayed = Some(seen.messages.clone());
        }
        for (time, message) in entries {
            tail.take(LogEntry {
                time: jiff::Timestamp::from_millisecond(*time).unwrap_or_default(),
                service: String::from("s"),
                message: String::from(*message),
            });
        }
        tail.come.drain(..).map(|entry| entry.message).collect()
    }

    #[test]
    fn what_was_given_out_is_left_out_when_it_comes_again() {
        let mut tail = Client::new("/nowhere").tail_logs(&[], 0);
        let first = [(1, "a"), (2, "b"), (2, "b"), (2, "c")];
        assert_eq!(new_of(&mut tail, &first), ["a", "b", "b", "c"]);
        assert!(new_of(&mut tail, &first).is_empty());
        // More of the same millisecond, also the same words once more.
        let more = [(1, "a"), (2, "b"), (2, "b"), (2, "c"), (2, "b"), (3, "d")];
        assert_eq!(new_of(&mut tail, &more), ["b", "d"]);
        // The beginning is not kept any more.
        assert_eq!(new_of(&mut tail, &[(3, "d"), (4, "e")]), ["e"]);
        // A new daemon begins anew.
        assert_eq!(new_of(&mut tail, &[(5, "f")]), ["f"]);
    }

    #[test]
    fn clock_that_goes_back_in_one_daemon_loses_nothing() {
        let mut tail = Client::new("/nowhere").tail_logs(&[], 0);
        assert_eq!(
            new_of(&mut tail, &[(5, "a"), (3, "b"), (4, "c")]),
            ["a", "b", "c"]
        );
    }
}
