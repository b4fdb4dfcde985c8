//! The standard streams of a command, as a caller holds them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exec::channel::Channel;

/// The standard input of a [`Process`](crate::Process). Dropping it, like shutting it down, is its end for the process.
///
/// Writing waits while the process does not read. When the process has ended, writing fails with `BrokenPipe` as
/// soon as [`Process::wait`](crate::Process::wait) has returned.
///
/// [`ExecBuilder::spawn`](crate::ExecBuilder::spawn) has an example.
pub struct ProcessStdin(Arc<Channel>);

impl ProcessStdin {
    pub(crate) fn new(channel: Arc<Channel>) -> Self {
        Self(channel)
    }
}

impl AsyncWrite for ProcessStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_end_input(context)
    }
}

impl Drop for ProcessStdin {
    fn drop(&mut self) {
        self.0.end_input();
    }
}

impl fmt::Debug for ProcessStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessStdin").finish_non_exhaustive()
    }
}

macro_rules! output_stream {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        ///
        /// The process waits while this is not read. A clean end means that the process, and whatever it started,
        /// closed the stream; when the connection breaks before that, reading fails with `UnexpectedEof`. Once this
        /// is dropped, [`Process::wait`](crate::Process::wait) reads what still comes and drops it.
        pub struct $name(Arc<Channel>);

        impl $name {
            pub(crate) fn new(channel: Arc<Channel>) -> Self {
                Self(channel)
            }
        }

        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let data = ready!(self.0.poll_read(context, buffer.remaining()))?;
                buffer.put_slice(&data);
                Poll::Ready(Ok(()))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.reader_gone();
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

output_stream! {
    /// The standard output of a [`Process`](crate::Process); the standard error too where the two are combined.
    ProcessStdout
}

output_stream! {
    /// The standard error of a [`Process`](crate::Process).
    ProcessStderr
}
