//! The client itself: builds requests, sends them, opens the envelope.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base64;
use crate::changes::ChangeId;
use crate::envelope::{self, Envelope};
use crate::error::{Error, Failure};
use crate::query::Target;
use crate::transport::{Address, Answer, RequestBody, Transport};

/// The most that a JSON answer may hold: a listing of some 200,000 files.
const ANSWER_LIMIT_BYTES: usize = 64 << 20;

/// How many commands are started at once. Pebble gives one up whose streams are not connected after five seconds, so
/// they are not asked for long before their streams' turn comes.
const MOST_STARTS: usize = 8;

/// How long the daemon may take for a plain request, unless [`Client::with_timeout`] says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// A client of one Pebble daemon. Cheap to clone; makes a connection for each request.
///
/// Needs a tokio runtime with I/O and time enabled; a current-thread one is enough, and no task is spawned.
/// A future that is dropped ends its request.
///
/// # Example
///
/// ```no_run
/// // no_run: needs a daemon
/// # async fn example() -> Result<(), pebble_client::Error> {
/// let client = pebble_client::Client::new("/charm/containers/synapse/pebble.socket");
/// let change = client.replan().await?;
/// client.wait_change(&change, std::time::Duration::from_mins(1)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    timeout: Duration,
    /// Commands that are being started.
    starts: Arc<Semaphore>,
}

impl Client {
    /// Makes a client of the daemon that listens on `socket`. Does no I/O.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Client;
    /// let client = Client::new("/charm/containers/web/pebble.socket");
    /// ```
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            transport: Arc::new(Transport {
                address: Address::Unix(socket.into()),
                authorization: None,
            }),
            timeout: DEFAULT_TIMEOUT,
            starts: Arc::new(Semaphore::new(MOST_STARTS)),
        }
    }

    /// Makes a client of the daemon that listens on the plain HTTP `address` (`127.0.0.1:4000`). Does no I/O.
    ///
    /// There Pebble answers [`system_info`](Self::system_info) and [`health`](Self::health), and
    /// [`metrics`](Self::metrics) for a [`with_basic_auth`](Self::with_basic_auth); everything else is
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied). HTTPS is not supported.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example() -> Result<(), pebble_client::Error> {
    /// let healthy = pebble_client::Client::tcp("127.0.0.1:4000").health(None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tcp(address: impl Into<String>) -> Self {
        Self {
            transport: Arc::new(Transport {
                address: Address::Tcp(address.into()),
                authorization: None,
            }),
            timeout: DEFAULT_TIMEOUT,
            starts: Arc::new(Semaphore::new(MOST_STARTS)),
        }
    }

    /// Sends the name of an identity of type `basic` and its password with each request, websockets excepted.
    ///
    /// On the unix socket a wrong password is no error: Pebble then goes by the user id of the process. A name that
    /// has a colon or a control character is sent to no avail.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Client;
    /// let password = "s3cret".into();
    /// let client = Client::tcp("127.0.0.1:4000").with_basic_auth("prometheus", &password);
    /// assert!(!format!("{client:?}").contains("s3cret"));
    /// ```
    #[must_use]
    pub fn with_basic_auth(mut self, name: &str, password: &SecretString) -> Self {
        let credentials = zeroize::Zeroizing::new(format!("{name}:{}", password.expose_secret()));
        let value =
            zeroize::Zeroizing::new(format!("Basic {}", base64::encode(credentials.as_bytes())));
        let mut value = HeaderValue::from_str(&value).ok();
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        let mut transport = Transport::clone(&self.transport);
        transport.authorization = value;
        self.transport = Arc::new(transport);
        self
    }

    /// Sets how long the daemon may take to answer a plain request; 60 s at first. Calls that wait for something
    /// (a change, a notice) have a timeout of their own, and transfers of file content count only the time in which
    /// the daemon does nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Client;
    /// use std::time::Duration;
    /// let client = Client::new("/charm/containers/web/pebble.socket").with_timeout(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns the path of the daemon's socket; empty for a client of [`tcp`](Self::tcp).
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Client;
    /// let client = Client::new("/charm/containers/web/pebble.socket");
    /// assert!(client.socket().ends_with("web/pebble.socket"));
    /// ```
    #[must_use]
    pub fn socket(&self) -> &Path {
        match &self.transport.address {
            Address::Unix(socket) => socket,
            Address::Tcp(_) => Path::new(""),
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Waits for one's turn to start a command.
    pub(crate) async fn turn_to_start(&self) -> Option<SemaphorePermit<'_>> {
        self.starts.acquire().await.ok()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        target: Target,
    ) -> Result<Envelope<T>, Failure> {
        self.get_within(target, self.timeout).await
    }

    pub(crate) async fn get_within<T: DeserializeOwned>(
        &self,
        target: Target,
        limit: Duration,
    ) -> Result<Envelope<T>, Failure> {
        within(
            limit,
            self.exchange(request(&Method::GET, &target, None, RequestBody::Empty)?),
        )
        .await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        target: Target,
        payload: &(impl Serialize + Sync),
    ) -> Result<Envelope<T>, Failure> {
        let payload =
            serde_json::to_vec(payload).map_err(|error| Failure::Refused(error.to_string()))?;
        self.post_bytes(target, Bytes::from(payload), self.timeout)
            .await
    }

    pub(crate) async fn post_bytes<T: DeserializeOwned>(
        &self,
        target: Target,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Envelope<T>, Failure> {
        let body = RequestBody::Whole(Some(payload));
        within(
            limit,
            self.exchange(request(
                &Method::POST,
                &target,
                Some("application/json"),
                body,
            )?),
        )
        .await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Envelope<T>, Failure> {
        envelope_of(self.transport.send(request).await?).await
    }
}

/// Reads an answer that is an envelope.
pub(crate) async fn envelope_of<T: DeserializeOwned>(
    answer: Answer,
) -> Result<Envelope<T>, Failure> {
    let status = answer.status.as_u16();
    let body = answer.body.collect(ANSWER_LIMIT_BYTES).await?;
    envelope::parse(status, &body)
}

pub(crate) fn request(
    method: &Method,
    target: &Target,
    content_type: Option<&str>,
    body: RequestBody,
) -> Result<Request<RequestBody>, Failure> {
    // Go's server refuses a request without a host.
    let mut builder = Request::builder()
        .method(method)
        .uri(target.as_str())
        .header("Host", "localhost");
    if let Some(content_type) = content_type {
        builder = builder.header("Content-Type", content_type);
    }
    builder
        .body(body)
        .map_err(|error| Failure::Refused(error.to_string()))
}

pub(crate) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout(limit)),
    }
}

impl<T> Envelope<T> {
    /// Returns the result of an operation that always has one.
    pub(crate) fn result(self) -> Result<T, Failure> {
        self.result
            .ok_or_else(|| Failure::Protocol(String::from("an answer without a result")))
    }

    /// Returns the change of an operation that goes on in the daemon.
    pub(crate) fn change(self) -> Result<ChangeId, Failure> {
        self.change
            .ok_or_else(|| Failure::Protocol(String::from("an answer without a change")))
    }
}

/// Puts the sentence of an operation on its failure.
pub(crate) trait Operation<T> {
    fn operation(self, operation: impl FnOnce() -> String) -> Result<T, Error>;

    /// For an operation on one path of the workload, which ends the sentence.
    fn on_path(self, operation: &str, path: &str) -> Result<T, Error>;
}

impl<T> Operation<T> for Result<T, Failure> {
    fn operation(self, operation: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|failure| Error::new(operation(), failure))
    }

    fn on_path(self, operation: &str, path: &str) -> Result<T, Error> {
        self.map_err(|failure| Error::new(format!("{operation} {path}"), failure).at_path(path))
    }
}

/// Names what a request is about: `things "a", "b"`.
pub(crate) fn named(verb: &str, things: &str, names: &[&str]) -> String {
    let mut sentence = format!("{verb} {things}");
    for (index, name) in names.iter().enumerate() {
        sentence.push_str(if index == 0 { " " } else { ", " });
        sentence.push_str(name);
    }
    sentence
}
