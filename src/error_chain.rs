//! What a person reads of an error.

use std::error::Error;
use std::fmt::Write as _;

/// Returns an error's sentence with those of its causes.
pub(crate) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
