//! What services wrote to their output.

pub(crate) mod tail;

use std::fmt;
use std::pin::Pin;

use bytes::BytesMut;
use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;

use crate::Client;
use crate::client::{Operation, envelope_of, named, request, within};
use crate::error::{Error, Failure};
use crate::query::Target;
use crate::transport::{Answer, AnswerBody, RequestBody};

/// The longest entry that is taken; the daemon cuts lines at about 4 KiB.
const ENTRY_LIMIT_BYTES: usize = 1 << 20;

/// One line of a service's output; the daemon gives a long line as several.
///
/// [`Client::logs`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// When it was written, in whole milliseconds.
    pub time: Timestamp,
    /// The service that wrote it.
    pub service: String,
    /// The line without its end.
    pub message: String,
}

/// Log entries as they come; see [`Client::follow_logs`].
///
/// [`Client::follow_logs`] has an example.
pub struct LogStream {
    client: Client,
    source: Source,
    buffer: BytesMut,
}

enum Source {
    NotAsked(String),
    /// Kept, so that a call that is dropped does not ask twice.
    Asked(Pin<Box<dyn Future<Output = Result<AnswerBody, Failure>> + Send>>),
    Open(AnswerBody),
    Ended,
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream").finish_non_exhaustive()
    }
}

impl Client {
    /// Returns the last `count` entries of the named services, or of all for an empty slice, oldest first. The
    /// daemon keeps 100 KiB a service. A service that was never started has none.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// for entry in client.logs(&["web"], 30).await? {
    ///     let line = format!("{} [{}] {}", entry.time, entry.service, entry.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logs(&self, services: &[&str], count: u32) -> Result<Vec<LogEntry>, Error> {
        self.logs_up_to(services, i64::from(count))
            .await
            .operation(|| named("read logs of", "services", services))
    }

    /// Returns all entries that the daemon has kept for `-1`, otherwise the last `count`.
    async fn logs_up_to(&self, services: &[&str], count: i64) -> Result<Vec<LogEntry>, Failure> {
        let mut stream = self.log_stream(&logs_target(services, count));
        within(self.timeout(), stream.collect()).await
    }

    /// Returns the last `count` entries and then each new one, until the daemon ends;
    /// [`tail_logs`](Self::tail_logs) goes on after that. Services that are started for the first time after
    /// this call are not in it. The request is made at the first [`LogStream::next`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let mut entries = client.follow_logs(&[], 10);
    /// while let Some(entry) = entries.next().await? {
    ///     let line = format!("[{}] {}", entry.service, entry.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn follow_logs(&self, services: &[&str], count: u32) -> LogStream {
        self.follow_up_to(services, i64::from(count))
    }

    fn follow_up_to(&self, services: &[&str], count: i64) -> LogStream {
        self.log_stream(&logs_target(services, count).with("follow", "true"))
    }

    fn log_stream(&self, target: &Target) -> LogStream {
        LogStream {
            client: self.clone(),
            source: Source::NotAsked(target.as_str().to_owned()),
            buffer: BytesMut::new(),
        }
    }
}

fn logs_target(services: &[&str], count: i64) -> Target {
    Target::new("/v1/logs")
        .with_all("services", services)
        .with("n", &count.to_string())
}

impl LogStream {
    /// Returns the next entry, waiting for it as long as it takes; `None` when the daemon has ended the stream.
    /// May be dropped and called again without losing an entry.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// [`Client::follow_logs`] has an example.
    pub async fn next(&mut self) -> Result<Option<LogEntry>, Error> {
        self.next_entry()
            .await
            .operation(|| String::from("follow logs"))
    }

    async fn collect(&mut self) -> Result<Vec<LogEntry>, Failure> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next_entry().await? {
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn next_entry(&mut self) -> Result<Option<LogEntry>, Failure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                let entry = serde_json::from_slice(&line);
                return entry
                    .map(Some)
                    .map_err(|error| Failure::Protocol(format!("no log entry: {error}")));
            }
            if self.buffer.len() > ENTRY_LIMIT_BYTES {
                return Err(Failure::TooLarge {
                    limit_bytes: ENTRY_LIMIT_BYTES,
                });
            }
            match &mut self.source {
                // The daemon sends the head of its answer with the first entry, so asking may take for ever.
                Source::NotAsked(target) => {
                    let opening = open(self.client.clone(), Target::new(target));
                    self.source = Source::Asked(Box::pin(opening));
                }
                Source::Asked(opening) => {
                    let opened = opening.await;
                    self.source = Source::Ended;
                    self.source = Source::Open(opened?);
                }
                Source::Open(body) => match body.next().await? {
                    Some(piece) => self.buffer.extend_from_slice(&piece),
                    None => self.source = Source::Ended,
                },
                Source::Ended => return Ok(None),
            }
        }
    }
}

async fn open(client: Client, target: Target) -> Result<AnswerBody, Failure> {
    let answer: Answer = client
        .transport()
        .send(request(&Method::GET, &target, None, RequestBody::Empty)?)
        .await?;
    // An error comes as JSON, which would otherwise read like an entry without its fields.
    if answer.status.is_success() && answer.content_type.starts_with("application/x-ndjson") {
        return Ok(answer.body);
    }
    let status = answer.status;
    envelope_of::<serde::de::IgnoredAny>(answer).await?;
    Err(Failure::Protocol(format!(
        "answer of status {status} without log entries"
    )))
}
