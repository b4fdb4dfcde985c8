//! HTTP over the daemon's unix socket or TCP: one connection a request, driven by whoever waits for it.
//!
//! Nothing is spawned: a request and the body of its answer own their connection, so dropping them ends it, which is
//! what makes the daemon give up a long poll.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::error::Failure;

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Where the daemon listens, and what every request says of its sender.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) address: Address,
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(socket) => write!(f, "{}", socket.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

impl fmt::Debug for Transport {
    // Not the authorization, which is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.address)
    }
}

/// What a request carries.
pub(crate) enum RequestBody {
    Empty,
    Whole(Option<Bytes>),
    /// Pieces as they come; the end of the channel is the end of the body.
    Pieces(mpsc::Receiver<Bytes>),
}

/// The head of an answer, and its body still to be read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: AnswerBody,
}

/// The body of an answer together with the connection it comes from.
pub(crate) struct AnswerBody {
    incoming: Incoming,
    connection: Option<Connection>,
}

impl Transport {
    /// Connects to the socket, for the websockets that only a socket has.
    pub(crate) async fn connect(&self) -> Result<UnixStream, Failure> {
        let connected = match &self.address {
            Address::Unix(socket) => UnixStream::connect(socket).await,
            Address::Tcp(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        connected.map_err(|source| self.not_connected(source))
    }

    pub(crate) async fn send(&self, mut request: Request<RequestBody>) -> Result<Answer, Failure> {
        if let Some(authorization) = &self.authorization {
            request
                .headers_mut()
                .insert(hyper::header::AUTHORIZATION, authorization.clone());
        }
        match &self.address {
            Address::Unix(_) => exchange(self.connect().await?, request).await,
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await;
                let stream = stream.map_err(|source| self.not_connected(source))?;
                exchange(stream, request).await
            }
        }
    }

    fn not_connected(&self, source: io::Error) -> Failure {
        Failure::Connect {
            address: self.address.clone(),
            source,
        }
    }
}

async fn exchange<S>(stream: S, request: Request<RequestBody>) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let mut connection: Option<Connection> = Some(Box::pin(connection));
    let mut response = std::pin::pin!(sender.send_request(request));
    let response = std::future::poll_fn(|context| {
        // The answer first: a daemon that refuses an upload early answers, then closes.
        if let Poll::Ready(result) = response.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        drive(&mut connection, context);
        response.as_mut().poll(context)
    })
    .await
    .map_err(lost)?;
    Ok(Answer::new(response, connection))
}

/// Lets the connection do its work; its own result shows in the answer or in its body.
fn drive(connection: &mut Option<Connection>, context: &mut Context<'_>) {
    if let Some(running) = connection
        && running.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}

pub(crate) fn lost(error: hyper::Error) -> Failure {
    Failure::Lost(Box::new(error))
}

impl Answer {
    fn new(response: Response<Incoming>, connection: Option<Connection>) -> Self {
        let content_type = response
            .headers()
            .get(hyper::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Self {
            status: response.status(),
            content_type,
            body: AnswerBody {
                incoming: response.into_body(),
                connection,
            },
        }
    }
}

impl AnswerBody {
    /// Returns the next piece, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        std::future::poll_fn(|context| self.poll_next(context))
            .await
            .map_err(lost)
    }

    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<hyper::Result<Option<Bytes>>> {
        loop {
            drive(&mut self.connection, context);
            let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(frame) => frame,
                // The connection may have put a piece in the pipe only after the first look, or may have to be told
                // that there is room again.
                Poll::Pending => {
                    drive(&mut self.connection, context);
                    ready!(Pin::new(&mut self.incoming).poll_frame(context))
                }
            };
            match frame.transpose()?.map(Frame::into_data) {
                None => return Poll::Ready(Ok(None)),
                Some(Ok(data)) => return Poll::Ready(Ok(Some(data))),
                Some(Err(_trailers)) => {}
            }
        }
    }

    /// Reads to the end, at most `limit_bytes`. The memory is overwritten when it is no longer needed, since a body
    /// may hold secrets.
    pub(crate) async fn collect(
        mut self,
        limit_bytes: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut whole = Zeroizing::new(Vec::new());
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > limit_bytes {
                return Err(Failure::TooLarge { limit_bytes });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match &mut *self {
            Self::Empty => None,
            Self::Whole(bytes) => bytes.take(),
            Self::Pieces(receiver) => ready!(receiver.poll_recv(context)),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let mut hint = hyper::body::SizeHint::default();
        match self {
            Self::Empty | Self::Whole(None) => hint.set_exact(0),
            Self::Whole(Some(bytes)) => hint.set_exact(bytes.len() as u64),
            Self::Pieces(_) => {}
        }
        hint
    }
}
