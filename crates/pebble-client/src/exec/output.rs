//! Running a command to its end and keeping what it wrote.

use std::collections::VecDeque;
use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{Error, Failure};
use crate::exec::exit_status::ExitStatus;
use crate::exec::process::Process;

/// The most that is kept of a stream when nothing else is said.
const DEFAULT_LIMIT_BYTES: usize = 64 << 20;

const READ_BYTES: usize = 64 << 10;

/// What a command wrote, and how it ended.
///
/// [`ExecBuilder::output`](crate::ExecBuilder::output) has an example.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output; where bytes were dropped, the first and the last of it.
    pub stdout: Vec<u8>,
    /// Its standard error; where bytes were dropped, the first and the last of it. Empty where the two were combined.
    pub stderr: Vec<u8>,
    /// How many bytes in the middle of the standard output were dropped.
    pub stdout_dropped_bytes: u64,
    /// How many bytes in the middle of the standard error were dropped.
    pub stderr_dropped_bytes: u64,
    /// Pebble's own words of why it failed, as [`Process::failure`] has them.
    pub failure: Option<String>,
}

impl fmt::Debug for ExecOutput {
    // Not the content: nobody knows what a command prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecOutput")
            .field("status", &self.status)
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr_bytes", &self.stderr.len())
            .finish_non_exhaustive()
    }
}

/// What is kept of one stream.
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// The most that `head` and `tail` hold each; `None`: all in `head`, up to the default limit.
    half_bytes: Option<usize>,
    dropped_bytes: u64,
    whole: bool,
}

pub(crate) async fn run(
    mut process: Process,
    limit_bytes: Option<usize>,
) -> Result<ExecOutput, Error> {
    drop(process.stdin.take());
    let stdout = process.stdout.take();
    let stderr = process.stderr.take();
    let program = process.program().to_owned();
    let captured = tokio::try_join!(
        async { Ok(process.wait().await) },
        Kept::of(stdout, limit_bytes),
        Kept::of(stderr, limit_bytes)
    );
    let (status, stdout, stderr) =
        captured.map_err(|failure| Error::new(format!("run {program}"), failure))?;
    let mut status = status?;
    if status.code().is_some() && !(stdout.whole && stderr.whole) {
        // Pebble tells an exit code only after it has sent the end of the output.
        status = ExitStatus::Unknown;
    }
    Ok(ExecOutput {
        status,
        failure: process.failure().map(str::to_owned),
        stdout_dropped_bytes: stdout.dropped_bytes,
        stderr_dropped_bytes: stderr.dropped_bytes,
        stdout: stdout.into_bytes(),
        stderr: stderr.into_bytes(),
    })
}

impl Kept {
    fn new(limit_bytes: Option<usize>) -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            half_bytes: limit_bytes.map(|limit| limit / 2),
            dropped_bytes: 0,
            whole: true,
        }
    }

    async fn of(
        stream: Option<impl AsyncRead + Unpin>,
        limit_bytes: Option<usize>,
    ) -> Result<Self, Failure> {
        let mut kept = Self::new(limit_bytes);
        let Some(mut stream) = stream else {
            return Ok(kept);
        };
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return Ok(kept),
                Ok(count) => kept.push(&buffer[..count])?,
                Err(_) => {
                    kept.whole = false;
                    return Ok(kept);
                }
            }
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<(), Failure> {
        let Some(half) = self.half_bytes else {
            if self.head.len() + data.len() > DEFAULT_LIMIT_BYTES {
                return Err(Failure::TooLarge {
                    limit_bytes: DEFAULT_LIMIT_BYTES,
                });
            }
            self.head.extend_from_slice(data);
            return Ok(());
        };
        let (first, rest) = data.split_at(data.len().min(half - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(half);
        self.tail.drain(..excess);
        self.dropped_bytes += excess as u64;
        Ok(())
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        bytes.extend(self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Kept};

    #[test]
    fn kept_has_the_first_and_the_last_bytes() -> Result<(), Failure> {
        for piece in 1..=12 {
            let mut kept = Kept::new(Some(6));
            for data in b"abcdefghijkl".chunks(piece) {
                kept.push(data)?;
            }
            assert_eq!(kept.dropped_bytes, 6, "in pieces of {piece}");
            assert_eq!(kept.into_bytes(), b"abcjkl", "in pieces of {piece}");
        }
        Ok(())
    }

    #[test]
    fn kept_under_its_limit_is_whole() -> Result<(), Failure> {
        let mut kept = Kept::new(Some(8));
        kept.push(b"abcdefg")?;
        assert_eq!(kept.dropped_bytes, 0);
        assert_eq!(kept.into_bytes(), b"abcdefg");
        Ok(())
    }
}
