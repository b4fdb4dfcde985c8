//! What can go wrong between a charm and Juju, and of which kind it is.

use std::fmt;

use crate::{HookOutput, Problem};

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A read or write that Juju did not do.
///
/// The text is one sentence that names what was wanted; what Juju said is the
/// [`source`](std::error::Error::source). Neither holds a secret's value.
///
/// # Example
///
/// ```
/// # use jujuna::{ErrorKind, Juju, Refusal, testing::{FakeJuju, State}};
/// use std::error::Error as _;
///
/// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0"))));
/// let error = juju.network_get("db").unwrap_err();
/// assert_eq!(error.to_string(), "cannot read the addresses of binding db");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert!(error.is_not_found() && !error.is_permission_denied());
/// let refusal: &Refusal = error.source().unwrap().downcast_ref().unwrap();
/// assert_eq!((refusal.exit_code, refusal.kind()), (Some(1), ErrorKind::NotFound));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    text: String,
    source: Option<Source>,
    problems: Vec<Problem>,
}

/// Why Juju did not do what was asked, for charms that branch on it.
///
/// [`Error`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named relation, secret, storage, resource or binding does not exist (for this unit).
    NotFound,
    /// It exists, but this unit may not read or write it.
    PermissionDenied,
    /// Only the leader may do this, and this unit is not (or no longer) the leader.
    NotLeader,
    /// The arguments are wrong: a bug of the charm or of this crate.
    Usage,
    /// This Juju, or this kind of cloud, cannot do it.
    Unsupported,
    /// There is no such thing in this dispatch: action commands in a hook, or no dispatch at all.
    NotInContext,
    /// The hook command gave no answer within its deadline and was killed.
    Timeout,
    /// The hook command could not be started or talked to.
    Io,
    /// Juju's answer could not be understood.
    Protocol,
    /// The answer is well formed, but does not fit the type that the charm asked for.
    Mismatch,
    /// Juju failed for a reason of its own.
    Failed,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            source: None,
            problems: Vec::new(),
        }
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        text: impl Into<String>,
        source: impl Into<Source>,
    ) -> Self {
        Self {
            kind,
            text: text.into(),
            source: Some(source.into()),
            problems: Vec::new(),
        }
    }

    pub(crate) fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// Returns why it failed.
    ///
    /// [`Error`] has an example.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns each field that did not fit the charm's type, if that is what went wrong.
    ///
    /// [`Problem`] has an example.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns whether the thing that was asked for does not exist.
    ///
    /// [`Error`] has an example.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Returns whether it exists, but is not for this unit.
    ///
    /// [`Error`] has an example.
    pub fn is_permission_denied(&self) -> bool {
        self.kind == ErrorKind::PermissionDenied
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// How a hook command refused: the source of an [`Error`].
///
/// [`Error`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The hook command's name.
    pub command: String,
    /// Its exit code; absent when a signal ended it.
    pub exit_code: Option<i32>,
    /// What it wrote to stderr, without Juju's `ERROR` and surrounding space.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.command)?;
        match (self.message.as_str(), self.exit_code) {
            ("", Some(code)) => write!(f, "exit status {code}"),
            ("", None) => write!(f, "killed by a signal"),
            (message, _) => write!(f, "{message}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(crate) fn new(command: &str, output: &HookOutput) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Warnings (of --format with relation-set, of a log level) may come before the error.
        let message = match stderr.rfind("ERROR ") {
            Some(at) => &stderr[at + "ERROR ".len()..],
            None => &stderr,
        };
        Self {
            command: command.to_owned(),
            exit_code: output.exit_code,
            message: message.trim().to_owned(),
        }
    }

    /// Returns the kind that Juju's exit code and words amount to.
    ///
    /// Juju's commands exit with 2 for a usage error and 1 for a refusal, and an id that does not exist counts
    /// as usage where it stands behind an option; so the words decide first.
    ///
    /// [`Error`] has an example.
    pub fn kind(&self) -> ErrorKind {
        for (words, kind) in KINDS {
            if self.message.contains(words) {
                return *kind;
            }
        }
        match self.exit_code {
            Some(2) => ErrorKind::Usage,
            _ => ErrorKind::Failed,
        }
    }
}

/// Juju's words, most telling first: the first that occurs decides.
const KINDS: &[(&str, ErrorKind)] = &[
    ("not running an action", ErrorKind::NotInContext),
    ("when running an action", ErrorKind::NotInContext),
    ("no relation id specified", ErrorKind::NotInContext),
    ("no unit or application specified", ErrorKind::NotInContext),
    ("no storage instance specified", ErrorKind::NotInContext),
    ("wrong context ID", ErrorKind::NotInContext),
    ("JUJU_CONTEXT_ID", ErrorKind::NotInContext),
    ("JUJU_AGENT_SOCKET", ErrorKind::NotInContext),
    ("dial unix", ErrorKind::NotInContext),
    ("not the leader", ErrorKind::NotLeader),
    ("cannot write relation settings", ErrorKind::NotLeader),
    ("permission denied", ErrorKind::PermissionDenied),
    ("access denied", ErrorKind::PermissionDenied),
    ("unknown command", ErrorKind::Unsupported),
    ("unknown hook command", ErrorKind::Unsupported),
    ("not supported", ErrorKind::Unsupported),
    ("not implemented", ErrorKind::Unsupported),
    ("not valid", ErrorKind::Usage),
    ("max allowed", ErrorKind::Usage),
    ("not found", ErrorKind::NotFound),
    ("no network config", ErrorKind::NotFound),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32, stderr: &str) -> ErrorKind {
        let output = HookOutput::new(code, "", stderr);
        Refusal::new("relation-get", &output).kind()
    }

    #[test]
    fn unknown_relation_is_not_found_though_juju_exits_with_2() {
        let stderr = "ERROR invalid value \"db:99\" for option -r: relation not found\n";
        assert_eq!(kind(2, stderr), ErrorKind::NotFound);
    }

    #[test]
    fn missing_agent_socket_is_not_in_context() {
        let stderr = "ERROR dial unix /x/agent.socket: connect: no such file or directory\n";
        assert_eq!(kind(1, stderr), ErrorKind::NotInContext);
    }

    #[test]
    fn warning_before_the_error_is_not_part_of_the_message() {
        let output = HookOutput::new(
            1,
            "",
            "WARNING --format is deprecated\nERROR permission denied\n",
        );
        let refusal = Refusal::new("relation-set", &output);
        assert_eq!(refusal.to_string(), "relation-set: permission denied");
    }

    #[test]
    fn silent_failure_names_the_exit_status() {
        let refusal = Refusal::new("state-set", &HookOutput::new(3, "", ""));
        assert_eq!(refusal.to_string(), "state-set: exit status 3");
        assert_eq!(refusal.kind(), ErrorKind::Failed);
    }
}
