//! A server that says what a test tells it to say.

use std::sync::Arc;
use std::time::Duration;

use pebble_client::Client;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request, as far as a test looks at it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    head: String,
}

/// What is sent back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// How long before each byte.
    pub(crate) pace: Duration,
    /// The connection stays open behind it.
    pub(crate) hold: bool,
}

impl Reply {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::default()
        }
    }

    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::new(format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    pub(crate) fn and_hold(mut self) -> Self {
        self.hold = true;
        self
    }

    pub(crate) fn cut(mut self, length: usize) -> Self {
        self.bytes.truncate(length);
        self
    }
}

impl Request {
    /// Opens the websocket that was asked for, and sends frames.
    pub(crate) fn websocket(&self, frames: &[u8]) -> Reply {
        let key = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let mut bytes = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(frames);
        Reply::new(bytes)
    }
}

/// A frame of a server.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let length = u16::try_from(payload.len()).unwrap();
    if length < 126 {
        frame.push(length.to_le_bytes()[0]);
    } else {
        frame.push(126);
        frame.extend(length.to_be_bytes());
    }
    frame.extend_from_slice(payload);
    frame
}

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) client: Client,
    task: tokio::task::JoinHandle<()>,
    _dir: TempDir,
}

impl Server {
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&reply)));
            }
        });
        Self {
            client: Client::new(socket).with_timeout(Duration::from_secs(20)),
            task,
            _dir: dir,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: UnixStream, reply: Arc<impl Fn(&Request) -> Reply>) {
    let Some(head) = read_request(&mut stream).await else {
        return;
    };
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = reply(&Request { target, head });
    if reply.pace.is_zero() {
        let _ = stream.write_all(&reply.bytes).await;
    }
    for byte in reply.bytes.iter().filter(|_| !reply.pace.is_zero()) {
        tokio::time::sleep(reply.pace).await;
        let _ = stream.write_all(&[*byte]).await;
    }
    if reply.hold {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

/// Reads a request with all of its body; returns its head.
async fn read_request(stream: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let lower = head.to_ascii_lowercase();
    if lower.contains("transfer-encoding: chunked") {
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(stream.read_u8().await.ok()?);
        }
    }
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(head)
}
