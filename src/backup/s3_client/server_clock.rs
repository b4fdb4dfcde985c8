//! The S3 server's clock, from the date of its answers: ages of objects are told by it, not by ours.

use std::sync::Mutex;
use std::time::Instant;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use jiff::{SignedDuration, Timestamp};

#[derive(Debug, Clone, Copy)]
struct Reading {
    server: Timestamp,
    ours: Timestamp,
    at: Instant,
}

/// The last date seen.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    last: Mutex<Option<Reading>>,
}

impl ServerClock {
    pub(super) fn now(&self) -> Option<Timestamp> {
        let reading = self.reading()?;
        let since = SignedDuration::try_from(reading.at.elapsed()).ok()?;
        reading.server.checked_add(since).ok()
    }

    pub(super) fn skew(&self) -> Option<SignedDuration> {
        let reading = self.reading()?;
        Some(reading.server.duration_since(reading.ours))
    }

    fn reading(&self) -> Option<Reading> {
        self.last.lock().map_or(None, |last| *last)
    }

    fn see(&self, date: &str) {
        let Ok(server) = jiff::fmt::rfc2822::parse(date) else {
            return;
        };
        let reading = Reading {
            server: server.timestamp(),
            ours: Timestamp::now(),
            at: Instant::now(),
        };
        if let Ok(mut last) = self.last.lock() {
            *last = Some(reading);
        }
    }
}

/// Hooks the clock into each answer.
#[derive(Debug)]
pub(super) struct ReadDate(pub(super) std::sync::Arc<ServerClock>);

impl Intercept for ReadDate {
    fn name(&self) -> &'static str {
        "ReadDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.see(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers_give_time_and_skew() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None);
        clock.see("not a date");
        assert_eq!(clock.now(), None);
        clock.see("Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(clock.now().unwrap() >= "1994-11-06T08:49:37Z".parse().unwrap());
        assert!(clock.skew().unwrap() < SignedDuration::from_hours(-24));
    }
}
