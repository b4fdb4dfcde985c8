//! Where Pebble listens, as `pebble` itself finds it.

use std::path::PathBuf;

/// Returns `$PEBBLE_SOCKET`, or the socket of `$PEBBLE`, or of Pebble's usual directory.
#[expect(clippy::disallowed_methods, reason = "a command line program")]
pub(crate) fn path() -> PathBuf {
    if let Some(socket) = std::env::var_os("PEBBLE_SOCKET") {
        return socket.into();
    }
    let directory = std::env::var_os("PEBBLE").unwrap_or_else(|| "/var/lib/pebble/default".into());
    PathBuf::from(directory).join(".pebble.socket")
}

/// All that an error says, down to its first cause.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
