//! What `debug-log` shows.

use jiff::Timestamp;
use std::collections::VecDeque;

/// Lines kept; older ones are dropped.
const KEPT_LINES: usize = 50_000;

#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) unit: String,
    pub(crate) level: String,
    pub(crate) module: String,
    pub(crate) text: String,
}

impl LogLine {
    /// As `juju debug-log` writes a line.
    pub(crate) fn text(&self) -> String {
        let time = self.time.strftime("%H:%M:%S");
        format!(
            "{}: {time} {} {} {}",
            self.unit, self.level, self.module, self.text
        )
    }
}

#[derive(Debug, Default)]
pub(crate) struct DebugLog {
    pub(crate) lines: VecDeque<LogLine>,
    next: u64,
}

impl DebugLog {
    pub(crate) fn write(&mut self, unit: &str, level: &str, module: &str, text: &str) {
        self.next += 1;
        self.lines.push_back(LogLine {
            number: self.next,
            time: Timestamp::now(),
            unit: unit.to_owned(),
            level: level.to_owned(),
            module: module.to_owned(),
            text: text.to_owned(),
        });
        if self.lines.len() > KEPT_LINES {
            self.lines.pop_front();
        }
    }
}
