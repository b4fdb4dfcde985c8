//! The terminal that this program runs in.

use std::fs::File;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;

use pebble_client::TerminalSize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Takes the keys as they are pressed until it is dropped.
pub(crate) struct RawMode(Termios);

impl RawMode {
    /// Changes the terminal of the standard input; `None` where that is none.
    pub(crate) fn enter() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Returns the size of the terminal that shows the output, or what one usually has.
pub(crate) fn size() -> TerminalSize {
    let usual = TerminalSize {
        width: 80,
        height: 24,
    };
    tcgetwinsize(std::io::stdout()).map_or(usual, |size| TerminalSize {
        width: size.ws_col,
        height: size.ws_row,
    })
}

pub(crate) fn stdin_is_one() -> bool {
    std::io::stdin().is_terminal()
}

pub(crate) fn stdout_is_one() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns whether output and errors go to the same place, so that their order matters.
pub(crate) fn outputs_are_one() -> bool {
    let of = |descriptor: &str| {
        let file = File::open(format!("/proc/self/fd/{descriptor}")).ok()?;
        let metadata = file.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    of("1").is_some() && of("1") == of("2")
}
