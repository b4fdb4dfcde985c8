//! The one error type of the crate: what was tried, why it failed, and of which kind the failure is.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::changes::Change;
use crate::transport::Address;

/// A failed call.
///
/// The text is one sentence, "cannot list services"; the reason is in [`source`](StdError::source), so print the
/// whole chain for a person. Code branches on [`kind`](Self::kind).
///
/// # Example
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use pebble_client::{Client, ErrorKind};
///
/// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotConnectable);
/// assert_eq!(error.to_string(), "cannot get system info");
/// # })
/// ```
pub struct Error {
    operation: String,
    path: Option<String>,
    failure: Box<Failure>,
}

/// What a caller can branch on.
///
/// [`Error::kind`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no socket, nobody listens on it, or it may not be used: Pebble is not up (yet).
    NotConnectable,
    /// The connection broke before the answer was complete; the request may or may not have been carried out.
    ConnectionLost,
    /// The named thing (file, change, service of a 404, executable of an exec) does not exist.
    NotFound,
    /// The daemon or its operating system refused this user.
    PermissionDenied,
    /// A file operation failed for another reason than `NotFound` or `PermissionDenied`.
    GenericFile,
    /// The request was refused as wrong: by the daemon, or here, before it was sent.
    BadRequest,
    /// `autostart` was asked for and no service is enabled.
    NoDefaultServices,
    /// A change ended in another status than `Done`.
    ChangeFailed,
    /// The deadline of the call passed.
    Timeout,
    /// This daemon does not have the endpoint: it is too old.
    Unsupported,
    /// More data came than the call was allowed to keep.
    TooLarge,
    /// The daemon answered with an error of no particular kind.
    Daemon,
    /// What was received is not what the Pebble API says.
    Protocol,
    /// The caller's own reader failed during an upload.
    LocalIo,
}

/// Why Pebble could not be reached at all; of an error of kind [`NotConnectable`](ErrorKind::NotConnectable).
///
/// [`Error::connect_failure`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// There is no socket: Pebble was never started, or the path is wrong.
    Missing,
    /// There is a socket that nobody listens on: Pebble has ended, or is about to be started again.
    Refused,
    /// The socket may not be used by this user.
    Denied,
    /// Something else; the chain of sources says what.
    Other,
}

/// The reason, below the sentence of [`Error`].
#[derive(Debug)]
pub(crate) enum Failure {
    Connect {
        address: Address,
        source: io::Error,
    },
    Lost(Box<dyn StdError + Send + Sync>),
    Daemon {
        kind: ErrorKind,
        status: u16,
        message: String,
    },
    Refused(String),
    Change(Box<Change>),
    Timeout(Duration),
    TooLarge {
        limit_bytes: usize,
    },
    Protocol(String),
    LocalIo(io::Error),
}

impl Error {
    pub(crate) fn new(operation: impl Into<String>, failure: Failure) -> Self {
        Self {
            operation: operation.into(),
            path: None,
            failure: Box::new(failure),
        }
    }

    pub(crate) fn at_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Returns what kind of failure this is.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::{Client, ErrorKind};
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotConnectable);
    /// # })
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.failure {
            Failure::Connect { .. } => ErrorKind::NotConnectable,
            Failure::Lost(_) => ErrorKind::ConnectionLost,
            Failure::Daemon { kind, .. } => *kind,
            Failure::Refused(_) => ErrorKind::BadRequest,
            Failure::Change(_) => ErrorKind::ChangeFailed,
            Failure::Timeout(_) => ErrorKind::Timeout,
            Failure::TooLarge { .. } => ErrorKind::TooLarge,
            Failure::Protocol(_) => ErrorKind::Protocol,
            Failure::LocalIo(_) => ErrorKind::LocalIo,
        }
    }

    /// Returns the daemon's own words, where it sent some; for a failed change that is its `err`.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert_eq!(error.daemon_message(), None);
    /// # })
    /// ```
    #[must_use]
    pub fn daemon_message(&self) -> Option<&str> {
        match &*self.failure {
            Failure::Daemon { message, .. } => Some(message),
            Failure::Change(change) => change.err.as_deref(),
            _ => None,
        }
    }

    /// Returns the HTTP status of the daemon's answer, where that was an error. An error that concerns one path of a
    /// file operation comes with status 200.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert_eq!(error.http_status(), None);
    /// # })
    /// ```
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match &*self.failure {
            Failure::Daemon { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns the path in the workload that the call was about, where it was about one.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").read_file("/data/homeserver.yaml").await.unwrap_err();
    /// assert_eq!(error.path(), Some("/data/homeserver.yaml"));
    /// # })
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns why Pebble could not be reached, where that is the reason.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::{Client, ConnectFailure};
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert_eq!(error.connect_failure(), Some(ConnectFailure::Missing));
    /// # })
    /// ```
    #[must_use]
    pub fn connect_failure(&self) -> Option<ConnectFailure> {
        match &*self.failure {
            Failure::Connect { source, .. } => Some(match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ConnectFailure::Missing,
                io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
                io::ErrorKind::PermissionDenied => ConnectFailure::Denied,
                _ => ConnectFailure::Other,
            }),
            _ => None,
        }
    }

    /// Returns the change that did not end well, with its tasks and their logs.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::time::Duration;
    /// let change = client.start(&["web"]).await?;
    /// if let Err(error) = client.wait_change(&change, Duration::from_secs(30)).await {
    ///     let said = error.change().map(|change| change.tasks.iter().flat_map(|task| &task.log).collect::<Vec<_>>());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        match &*self.failure {
            Failure::Change(change) => Some(change),
            _ => None,
        }
    }

    /// Returns whether the named thing does not exist.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(!error.is_not_found());
    /// # })
    /// ```
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Returns whether the daemon or its operating system refused this user.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(!error.is_permission_denied());
    /// # })
    /// ```
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.kind() == ErrorKind::PermissionDenied
    }

    /// Returns whether a deadline passed.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(!error.is_timeout());
    /// # })
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns whether this daemon is too old for the call.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(!error.is_unsupported());
    /// # })
    /// ```
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
    }

    /// Returns whether Pebble cannot be reached at all; nothing was sent.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(error.is_not_connectable());
    /// # })
    /// ```
    #[must_use]
    pub fn is_not_connectable(&self) -> bool {
        self.kind() == ErrorKind::NotConnectable
    }

    /// Returns whether a daemon that is started, or started again, could answer better.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_connection_problem() && self.connect_failure() != Some(ConnectFailure::Denied)
    }

    /// Returns whether the daemon was not there, or went away before it answered.
    ///
    /// # Example
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pebble_client::Client;
    ///
    /// let error = Client::new("/nowhere/pebble.socket").system_info().await.unwrap_err();
    /// assert!(error.is_connection_problem());
    /// # })
    /// ```
    #[must_use]
    pub fn is_connection_problem(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::NotConnectable | ErrorKind::ConnectionLost
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind())
            .field("operation", &self.operation)
            .field("path", &self.path)
            .field("failure", &format_args!("{}", self.failure))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.failure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, .. } => write!(f, "cannot connect to Pebble at {address}"),
            Self::Lost(_) => f.write_str("the connection to Pebble broke"),
            Self::Daemon { message, .. } | Self::Refused(message) => f.write_str(message),
            Self::Change(change) => change.write_failure(f),
            Self::Timeout(after) => write!(f, "no answer within {after:?}"),
            Self::TooLarge { limit_bytes } => write!(f, "more than {limit_bytes} bytes came"),
            Self::Protocol(what) => write!(f, "Pebble's answer is not understood: {what}"),
            Self::LocalIo(_) => f.write_str("the content cannot be read"),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect { source, .. } | Self::LocalIo(source) => Some(source),
            Self::Lost(source) => Some(&**source),
            _ => None,
        }
    }
}

impl Failure {
    /// Sorts an error answer of the daemon by its `kind`, its status and, where these say nothing, its words.
    pub(crate) fn from_daemon(status: u16, kind: Option<&str>, message: String) -> Self {
        let kind = match (kind, status) {
            (Some("not-found"), _) => ErrorKind::NotFound,
            (Some("permission-denied" | "login-required"), _) => ErrorKind::PermissionDenied,
            (Some("generic-file-error"), _) => ErrorKind::GenericFile,
            (Some("no-default-services"), _) => ErrorKind::NoDefaultServices,
            (_, 400) if message.starts_with("cannot find executable") => ErrorKind::NotFound,
            (_, 404) if message.starts_with("invalid API endpoint") => ErrorKind::Unsupported,
            (_, 405) => ErrorKind::Unsupported,
            (_, 404) => ErrorKind::NotFound,
            (_, 401 | 403) => ErrorKind::PermissionDenied,
            (_, 400) => ErrorKind::BadRequest,
            (_, 504) => ErrorKind::Timeout,
            _ => ErrorKind::Daemon,
        };
        Self::Daemon {
            kind,
            status,
            message,
        }
    }
}
