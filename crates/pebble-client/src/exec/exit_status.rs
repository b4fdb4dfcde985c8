//! How a command ended.

use std::fmt;

use crate::changes::Change;

/// How a command ended. Only [`success`](Self::success) is success.
///
/// # Example
///
/// ```
/// use pebble_client::ExitStatus;
/// assert_eq!(ExitStatus::Exited(3).code(), Some(3));
/// assert_eq!(ExitStatus::Unknown.code(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It ended by itself with this code.
    Exited(i32),
    /// It was ended by this signal. Pebble reports 128 plus the signal, which a shell also returns when a command of
    /// its own was ended by one: the codes 129 to 192 are all taken for signals.
    Signaled(i32),
    /// It ran longer than its timeout and was killed.
    TimedOut,
    /// It was never run: the program cannot be executed, or not as that user.
    FailedToStart,
    /// [`Process::abort`](crate::Process::abort) ended it, or somebody aborted its change before it began. When somebody
    /// else aborts it while it runs, Pebble tells that as `Signaled(9)`.
    Aborted,
    /// It ended, but something it started still has its output open, so Pebble does not tell its exit code.
    StdioHeld,
    /// Pebble was stopped or restarted before it told the exit code.
    Unknown,
}

impl ExitStatus {
    /// Returns whether the command ended by itself with exit code 0.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::ExitStatus;
    /// assert!(ExitStatus::Exited(0).success());
    /// assert!(!ExitStatus::Exited(1).success() && !ExitStatus::Unknown.success());
    /// ```
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// Returns the exit code as Pebble reports it (128 plus the signal where it was a signal), where there is one.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::ExitStatus;
    /// assert_eq!(ExitStatus::Exited(3).code(), Some(3));
    /// assert_eq!(ExitStatus::Signaled(9).code(), Some(137));
    /// assert_eq!(ExitStatus::Unknown.code(), None);
    /// ```
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signaled(signal) => Some(128 + signal),
            Self::TimedOut
            | Self::FailedToStart
            | Self::Aborted
            | Self::StdioHeld
            | Self::Unknown => None,
        }
    }

    fn from_code(code: i32) -> Self {
        match code {
            129..=192 => Self::Signaled(code - 128),
            0.. => Self::Exited(code),
            _ => Self::Unknown,
        }
    }

    /// Returns what a change that ended as `Done` says. Without an exit code the daemon was restarted meanwhile.
    pub(crate) fn of_done(change: &Change) -> Self {
        let code = change
            .tasks
            .first()
            .and_then(|task| task.data.get("exit-code")?.as_i64());
        code.and_then(|code| i32::try_from(code).ok())
            .map_or(Self::Unknown, Self::from_code)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::FailedToStart => f.write_str("could not be started"),
            Self::Aborted => f.write_str("was aborted"),
            Self::StdioHeld => f.write_str("ended, but its output is still held open"),
            Self::Unknown => f.write_str("Pebble was restarted, the exit code is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitStatus;

    #[test]
    fn from_code_tells_signals_and_nonsense_from_exits() {
        for (code, expected) in [
            (0, ExitStatus::Exited(0)),
            (128, ExitStatus::Exited(128)),
            (137, ExitStatus::Signaled(9)),
            (193, ExitStatus::Exited(193)),
            (-1, ExitStatus::Unknown),
        ] {
            assert_eq!(ExitStatus::from_code(code), expected, "{code}");
        }
    }
}
