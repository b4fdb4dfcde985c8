//! When secrets are to be rotated and when they expire.

use super::secret::Secret;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Unit};

/// How long Juju waits before it asks a charm again that has not done what the hook was for.
const RETRY: SignedDuration = SignedDuration::from_mins(5);

/// When a revision expires, and when its owner is told next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expiry {
    pub(crate) at: Timestamp,
    told_at: Timestamp,
}

impl Expiry {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { at, told_at: at }
    }
}

/// How often a policy rotates; `never` and what is none does not.
fn interval(policy: &str) -> Option<Span> {
    let span = Span::new();
    Some(match policy {
        "hourly" => span.hours(1),
        "daily" => span.days(1),
        "weekly" => span.days(7),
        "monthly" => span.months(1),
        "quarterly" => span.months(3),
        "yearly" => span.years(1),
        _ => return None,
    })
}

/// When a secret of this policy is rotated next, from `last` on.
pub(super) fn next_rotation(policy: Option<&str>, last: Timestamp) -> Option<Timestamp> {
    let next = last
        .to_zoned(TimeZone::UTC)
        .checked_add(interval(policy?)?)
        .ok()?;
    Some(next.timestamp())
}

/// Juju looks at whole minutes.
fn is_over(at: Timestamp) -> bool {
    at.round(
        jiff::TimestampRound::new()
            .smallest(Unit::Minute)
            .mode(jiff::RoundMode::Trunc),
    )
    .unwrap_or(at)
        < Timestamp::now()
}

impl Secret {
    /// A revision whose time is over and whose owner is to be told.
    pub(crate) fn expired(&self) -> Option<u32> {
        let over = |(revision, expiry): (&u32, &Expiry)| {
            (self.revisions.contains_key(revision) && is_over(expiry.told_at)).then_some(*revision)
        };
        self.expiries.iter().find_map(over)
    }

    pub(crate) fn is_to_be_rotated(&self) -> bool {
        self.rotates_at.is_some_and(is_over)
    }

    /// Notes that the owner was told of a revision's end; it hears of it again while the revision is there.
    pub(crate) fn told_expired(&mut self, revision: u32) {
        if let Some(expiry) = self.expiries.get_mut(&revision) {
            expiry.told_at += RETRY;
        }
    }

    /// Notes that the owner was told to rotate, while `before` was the latest revision.
    pub(crate) fn told_rotate(&mut self, before: u32) {
        let last = self.rotates_at.unwrap_or_else(Timestamp::now);
        let Some(next) = next_rotation(self.attributes.rotate.as_deref(), last) else {
            self.rotates_at = None;
            return;
        };
        let soon = last + RETRY;
        let expiry = self.expiries.get(&self.latest()).map(|expiry| expiry.at);
        let expires_first = expiry.is_some_and(|at| at < next && soon < at);
        let is_as_before = self.latest() == before;
        self.rotates_at = Some(if expires_first || is_as_before {
            soon
        } else {
            next
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_the_calendars() {
        let last: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        let next = |policy| next_rotation(Some(policy), last).map(|next| next.to_string());
        assert_eq!(next("hourly").unwrap(), "2026-01-31T11:00:00Z");
        assert_eq!(next("weekly").unwrap(), "2026-02-07T10:00:00Z");
        assert_eq!(next("quarterly").unwrap(), "2026-04-30T10:00:00Z");
        assert_eq!(next("never"), None);
    }
}
