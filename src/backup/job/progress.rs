//! Telling how far a job is, in few lines.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backup::catalog::table::size;
use crate::backup::limits::ACTION_LOG_LINES;

/// Where a job's progress is told; at most 200 lines are sent.
pub trait Progress {
    /// Takes one line without a line end.
    fn log(&mut self, line: &str);
}

/// Progress for nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn log(&mut self, _line: &str) {}
}

/// What one pipeline has done so far.
#[derive(Debug, Default)]
pub(in crate::backup) struct Counters {
    pub(in crate::backup) read_bytes: AtomicU64,
    pub(in crate::backup) sent_bytes: AtomicU64,
    /// Grows with each sign of life that is no byte.
    pub(in crate::backup) signs: AtomicU64,
    /// All bytes were given to aws.
    pub(in crate::backup) all_sent: AtomicBool,
    pub(in crate::backup) ended: AtomicBool,
}

/// What a job has done so far.
#[derive(Debug, Default)]
pub(in crate::backup) struct JobCounters {
    pub(in crate::backup) prepare: Counters,
    pub(in crate::backup) state: Counters,
    pub(in crate::backup) media: Counters,
    /// What both archives will have; 0 until it is measured.
    pub(in crate::backup) total_bytes: AtomicU64,
}

impl Counters {
    /// Any change of this is life.
    pub(in crate::backup) fn life(&self) -> u64 {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        load(&self.read_bytes)
            .wrapping_add(load(&self.sent_bytes))
            .wrapping_add(load(&self.signs))
    }

    pub(in crate::backup) fn read(&self) -> u64 {
        // What tar wrote last, in less than a checkpoint, shows downstream first, except where zstd makes it smaller.
        self.read_bytes.load(Ordering::Relaxed)
    }
}

/// Turns counters into lines: one a percent at most, not more than one in two seconds, never more than the limit.
#[derive(Debug)]
pub(in crate::backup) struct Teller {
    total_bytes: u64,
    began: Instant,
    last: Option<(u64, Instant)>,
    lines: usize,
}

const BETWEEN_LINES: Duration = Duration::from_secs(2);

impl Teller {
    pub(in crate::backup) fn new(total_bytes: u64, now: Instant) -> Self {
        Self {
            total_bytes: total_bytes.max(1),
            began: now,
            last: None,
            lines: 0,
        }
    }

    /// The line to log now, if one is due.
    pub(in crate::backup) fn line(&mut self, read_bytes: u64, now: Instant) -> Option<String> {
        let percent = (u128::from(read_bytes) * 100 / u128::from(self.total_bytes)).min(99);
        let percent = u64::try_from(percent).unwrap_or(99);
        let due = match self.last {
            None => percent > 0,
            Some((told, at)) => percent > told && now.duration_since(at) >= BETWEEN_LINES,
        };
        if !due || self.lines >= ACTION_LOG_LINES / 2 {
            return None;
        }
        self.last = Some((percent, now));
        self.lines += 1;
        let read = size(read_bytes.min(self.total_bytes));
        Some(format!(
            "{percent} %: {read} of {} read, {}",
            size(self.total_bytes),
            self.time_left(read_bytes, now)
        ))
    }

    fn time_left(&self, read_bytes: u64, now: Instant) -> String {
        let spent = now.duration_since(self.began).as_millis();
        let left = u128::from(self.total_bytes.saturating_sub(read_bytes));
        let millis = spent.saturating_mul(left) / u128::from(read_bytes.max(1));
        let seconds = u64::try_from(millis / 1000).unwrap_or(u64::MAX);
        match seconds {
            0..=90 => format!("about {} s left", seconds.max(1)),
            91..=5400 => format!("about {} min left", seconds.div_ceil(60)),
            _ => format!("about {} h left", seconds.div_ceil(3600)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_bytes_percent_and_time_left() {
        let began = Instant::now();
        let mut teller = Teller::new(1_000_000_000, began);
        assert_eq!(teller.line(0, began), None);
        let line = teller.line(250_000_000, began + Duration::from_secs(10));
        assert_eq!(
            line.as_deref(),
            Some("25 %: 250.0 MB of 1.0 GB read, about 30 s left")
        );
        assert_eq!(
            teller.line(260_000_000, began + Duration::from_secs(11)),
            None
        );
        assert!(
            teller
                .line(260_000_000, began + Duration::from_secs(12))
                .is_some()
        );
    }

    #[test]
    fn even_the_longest_job_stays_under_the_limit_of_lines() {
        let began = Instant::now();
        let mut teller = Teller::new(1_000_000, began);
        let told = (0..2_000_000_u64)
            .step_by(100)
            .filter_map(|read| teller.line(read, began + Duration::from_secs(read)));
        assert!(told.count() <= ACTION_LOG_LINES / 2);
    }
}
