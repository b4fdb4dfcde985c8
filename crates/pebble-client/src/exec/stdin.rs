//! What a command reads from its standard input.

use std::fmt;
use std::pin::Pin;

use tokio::io::AsyncRead;
use zeroize::Zeroizing;

/// What a command reads from its standard input.
///
/// # Example
///
/// ```no_run
/// // no_run: needs a daemon
/// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
/// use pebble_client::Stdin;
/// let count = client.exec(["wc", "-l"]).stdin(Stdin::Bytes(b"one\ntwo\n".to_vec())).output().await?;
/// assert_eq!(count.stdout, b"2\n");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing: it is at its end from the beginning.
    #[default]
    Null,
    /// These bytes, then the end. They are overwritten in memory when they have been sent.
    Bytes(Vec<u8>),
    /// What is written to [`Process::stdin`](crate::Process::stdin), until that is dropped or shut down.
    Piped,
    /// What this reads, to its end; see [`Stdin::stream`]. It is read while [`Process::wait`](crate::Process::wait) is waited for.
    Stream(Pin<Box<dyn AsyncRead + Send>>),
}

impl Stdin {
    /// Lets the command read what `reader` reads, to its end. When reading fails, the command is not told that this was
    /// the end: [`Process::wait`](crate::Process::wait) fails with [`LocalIo`](crate::ErrorKind::LocalIo).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pebble_client::Stdin;
    /// let stdin = Stdin::stream(tokio::io::stdin());
    /// let output = client.exec(["wc", "-c"]).stdin(stdin).output().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Stream(Box::pin(reader))
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Piped => f.write_str("Piped"),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// As [`Stdin`], in memory that is overwritten also when the command is never run.
pub(crate) enum Input {
    Null,
    Bytes(Zeroizing<Vec<u8>>),
    Piped,
    Stream(Pin<Box<dyn AsyncRead + Send>>),
}

impl From<Stdin> for Input {
    fn from(stdin: Stdin) -> Self {
        match stdin {
            Stdin::Null => Self::Null,
            Stdin::Bytes(bytes) => Self::Bytes(Zeroizing::new(bytes)),
            Stdin::Piped => Self::Piped,
            Stdin::Stream(reader) => Self::Stream(reader),
        }
    }
}
