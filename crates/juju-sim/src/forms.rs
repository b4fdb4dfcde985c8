//! Small forms of text that operators write.

use crate::pod::{Forward, ForwardTarget};
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::time::Duration;

/// `2h`, `1m30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let read: jiff::SignedDuration = text
        .parse()
        .with_context(|| format!("invalid duration {text:?}, such as 90s or 2h"))?;
    Duration::try_from(read).with_context(|| format!("invalid duration {text:?}"))
}

/// `PORT=ADDRESS:PORT` or `PORT=/path`.
pub(crate) fn forward(text: &str) -> Result<Forward> {
    let (listen, to) = text
        .split_once('=')
        .with_context(|| format!("invalid forward {text:?}, such as 8333=127.0.0.1:8333"))?;
    let to = if to.starts_with('/') {
        ForwardTarget::Unix(PathBuf::from(to))
    } else {
        ForwardTarget::Tcp(
            to.parse()
                .with_context(|| format!("invalid address {to:?}"))?,
        )
    };
    Ok(Forward {
        listen: listen
            .parse()
            .with_context(|| format!("invalid port {listen:?}"))?,
        to,
    })
}
