//! Reading one file of the workload, as a stream or whole.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::Client;
use crate::client::{Operation, envelope_of, request, within};
use crate::envelope::{self, PathResult, single_path};
use crate::error::{Error, Failure};
use crate::files::multipart::{Event, Parser};
use crate::query::Target;
use crate::transport::{Answer, AnswerBody, RequestBody, lost};

/// The most that [`Client::read_file`] takes into memory.
pub(super) const READ_FILE_LIMIT_BYTES: usize = 64 << 20;

/// The most that the daemon may say about how a read went.
pub(super) const RESPONSE_LIMIT_BYTES: usize = 1 << 20;

/// The content of a file, as it comes.
///
/// Only the end tells whether it was read whole: an error that the daemon met midway is the last read's error, and
/// its inner error is an [`Error`].
///
/// [`Client::pull`] has an example.
pub struct Pull {
    path: String,
    body: AnswerBody,
    parser: Parser,
    stage: Stage,
    data: Bytes,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Stage {
    Content,
    BetweenParts,
    Response(Vec<u8>),
    End,
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Opens a file of the workload for reading. Nothing is buffered beyond what the caller has not yet read.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`PermissionDenied`](crate::ErrorKind::PermissionDenied), or
    /// [`GenericFile`](crate::ErrorKind::GenericFile), also for a path that is not absolute or not a regular file.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut content = client.pull("/data/media.tar").await?;
    /// let copied_bytes = tokio::io::copy(&mut content, &mut tokio::io::sink()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pull(&self, path: &str) -> Result<Pull, Error> {
        self.open(path).await.on_path("read file", path)
    }

    /// Returns the content of a file of at most 64 MiB; [`pull`](Self::pull) is for larger ones.
    ///
    /// # Errors
    ///
    /// As [`pull`](Self::pull), and [`TooLarge`](crate::ErrorKind::TooLarge).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let config = client.read_file("/data/homeserver.yaml").await?;
    /// let text = String::from_utf8_lossy(&config);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        let mut pull = self.pull(path).await?;
        let mut content = Vec::new();
        let limit = READ_FILE_LIMIT_BYTES as u64 + 1;
        let read = (&mut pull).take(limit).read_to_end(&mut content).await;
        let failure = match read {
            Ok(_) if content.len() <= READ_FILE_LIMIT_BYTES => return Ok(content),
            Ok(_) => Failure::TooLarge {
                limit_bytes: READ_FILE_LIMIT_BYTES,
            },
            Err(error) => match error.downcast::<Error>() {
                Ok(error) => return Err(error),
                Err(error) => Failure::Protocol(error.to_string()),
            },
        };
        Err(failure).on_path("read file", path)
    }

    async fn open(&self, path: &str) -> Result<Pull, Failure> {
        let answer = self.ask_for_files(&[path]).await?;
        let mut pull = Pull {
            path: path.to_owned(),
            parser: Parser::new(&answer.content_type)?,
            body: answer.body,
            stage: Stage::BetweenParts,
            data: Bytes::new(),
            idle: self.timeout(),
            timer: None,
        };
        // A file that cannot be read at all has no part of its own, so the reason comes before any content.
        std::future::poll_fn(|context| pull.poll_fill(context)).await?;
        Ok(pull)
    }

    /// Asks for the content of files. The answer is a multipart body.
    pub(super) async fn ask_for_files(&self, paths: &[&str]) -> Result<Answer, Failure> {
        let target = Target::new("/v1/files")
            .with("action", "read")
            .with_all("path", paths);
        let mut request = request(&Method::GET, &target, None, RequestBody::Empty)?;
        // The daemon compares the whole value.
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("multipart/form-data"));
        let answer = within(self.timeout(), self.transport().send(request)).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let status = answer.status;
        envelope_of::<serde::de::IgnoredAny>(answer).await?;
        Err(Failure::Protocol(format!(
            "answer of status {status} without an error"
        )))
    }
}

impl Pull {
    /// Goes on until there is data to give out, or the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.data.is_empty() && !matches!(self.stage, Stage::End) {
            let event = match self.parser.next()? {
                Event::NeedInput => {
                    let piece = ready!(self.poll_piece(context))?;
                    self.parser.feed(&piece);
                    continue;
                }
                event => event,
            };
            self.accept(event)?;
        }
        Poll::Ready(Ok(()))
    }

    fn accept(&mut self, event: Event) -> Result<(), Failure> {
        match (event, &mut self.stage) {
            (Event::Part(name), stage @ Stage::BetweenParts) => {
                *stage = if name == "response" {
                    Stage::Response(Vec::new())
                } else {
                    Stage::Content
                };
            }
            (Event::Data(data), Stage::Content) => self.data = data,
            (Event::Data(data), Stage::Response(json)) => {
                if json.len() + data.len() > RESPONSE_LIMIT_BYTES {
                    return Err(Failure::TooLarge {
                        limit_bytes: RESPONSE_LIMIT_BYTES,
                    });
                }
                json.extend_from_slice(&data);
            }
            (Event::PartEnd, stage @ Stage::Content) => *stage = Stage::BetweenParts,
            (Event::PartEnd, Stage::Response(json)) => {
                let envelope = envelope::parse::<Vec<PathResult>>(200, json)?;
                self.stage = Stage::End;
                single_path(envelope.result)?;
            }
            (event, stage) => {
                return Err(Failure::Protocol(format!(
                    "multipart {event:?} in stage {stage:?}"
                )));
            }
        }
        Ok(())
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Failure>> {
        if let Poll::Ready(piece) = self.body.poll_next(context) {
            self.timer = None;
            return Poll::Ready(match piece {
                Ok(Some(piece)) => Ok(piece),
                Ok(None) => Err(Failure::Protocol(String::from("the content was cut off"))),
                Err(error) => Err(lost(error)),
            });
        }
        let idle = self.idle;
        let timer = self.timer.get_or_insert_with(|| {
            let far = Instant::now() + Duration::from_secs(u64::from(u32::MAX));
            Box::pin(tokio::time::sleep_until(
                Instant::now().checked_add(idle).unwrap_or(far),
            ))
        });
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(Failure::Timeout(idle)))
    }
}

impl AsyncRead for Pull {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Err(failure) = ready!(self.poll_fill(context)) {
            let kind = match &failure {
                Failure::Timeout(_) => io::ErrorKind::TimedOut,
                Failure::Lost(_) => io::ErrorKind::ConnectionReset,
                _ => io::ErrorKind::Other,
            };
            let error = Error::new(format!("read file {}", self.path), failure).at_path(&self.path);
            return Poll::Ready(Err(io::Error::new(kind, error)));
        }
        let count = buffer.remaining().min(self.data.len());
        buffer.put_slice(&self.data[..count]);
        self.data.advance(count);
        Poll::Ready(Ok(()))
    }
}
