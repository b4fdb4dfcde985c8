//! Bringing what a reader reads to the input of a command.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use zeroize::Zeroizing;

use crate::exec::channel::Channel;

const PIECE_BYTES: usize = 128 << 10;

/// A reader and where its bytes go; what is between them is kept when nobody polls. Dropped early, it does not tell the
/// command that this was the end.
pub(crate) struct Feed {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    channel: Arc<Channel>,
    // What is read may be a secret.
    piece: Zeroizing<Vec<u8>>,
    filled: usize,
    sent: usize,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Fed {
    /// All was read and sent.
    All,
    /// The command does not read any more.
    Refused,
    /// The reader failed.
    Failed(io::Error),
}

impl Feed {
    pub(crate) fn new(reader: Pin<Box<dyn AsyncRead + Send>>, channel: Arc<Channel>) -> Self {
        Self {
            reader,
            channel,
            piece: Zeroizing::new(vec![0; PIECE_BYTES]),
            filled: 0,
            sent: 0,
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Fed> {
        loop {
            while self.sent < self.filled {
                let piece = &self.piece[self.sent..self.filled];
                match ready!(self.channel.poll_write(context, piece)) {
                    Ok(count) => self.sent += count,
                    Err(_) => return Poll::Ready(Fed::Refused),
                }
            }
            let mut buffer = ReadBuf::new(&mut self.piece);
            let read = ready!(self.reader.as_mut().poll_read(context, &mut buffer));
            self.filled = buffer.filled().len();
            self.sent = 0;
            match read {
                Ok(()) if self.filled == 0 => {
                    self.channel.end_input();
                    return Poll::Ready(Fed::All);
                }
                Ok(()) => {}
                Err(error) => return Poll::Ready(Fed::Failed(error)),
            }
        }
    }
}
