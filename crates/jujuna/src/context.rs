//! What a dispatch is about, from its environment alone.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::event::{Event, event};
use crate::{Error, ErrorKind, UnitName};

/// Who and where the charm is, and why it was woken.
///
/// Reading it starts no process.
///
/// # Example
///
/// ```
/// use jujuna::{Context, Event};
///
/// let variables = [
///     ("JUJU_DISPATCH_PATH", "hooks/config-changed"),
///     ("JUJU_UNIT_NAME", "synapse/0"),
///     ("JUJU_MODEL_NAME", "matrix"),
///     ("JUJU_MODEL_UUID", "5f9ab0f5-6a1c-4d39-8a4c-4c5a4dcd41ad"),
///     ("JUJU_VERSION", "3.6.11"),
///     ("JUJU_CHARM_DIR", "/var/lib/juju/agents/unit-synapse-0/charm"),
/// ];
/// let context = Context::from_vars(variables)?;
/// assert_eq!(context.event, Event::ConfigChanged);
/// assert_eq!(context.unit.app(), "synapse");
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// This unit.
    pub unit: UnitName,
    /// The model's uuid.
    pub model_uuid: String,
    /// The model's name.
    pub model_name: String,
    /// The agent's version.
    pub juju_version: JujuVersion,
    /// Where the charm was unpacked; also the working directory.
    pub charm_dir: PathBuf,
    /// Why Juju woke the charm.
    pub event: Event,
    /// The machine's id, such as `0/lxd/1`; absent on Kubernetes.
    pub machine_id: Option<String>,
    /// The principal's unit, of a subordinate charm.
    pub principal_unit: Option<UnitName>,
    /// The availability zone, where the cloud has such.
    pub availability_zone: Option<String>,
    /// The model's proxies, which a charm must apply itself.
    pub proxies: Proxies,
}

/// The model's proxy settings, each absent when not set.
///
/// # Example
///
/// ```
/// # let variables = [("JUJU_UNIT_NAME", "web/0"), ("JUJU_MODEL_NAME", "m"), ("JUJU_MODEL_UUID", "u"),
/// #     ("JUJU_VERSION", "3.6.11"), ("JUJU_CHARM_DIR", "/charm"), ("JUJU_DISPATCH_PATH", "hooks/start"),
/// #     ("JUJU_CHARM_HTTP_PROXY", "http://proxy:3128")];
/// let context = jujuna::Context::from_vars(variables)?;
/// assert_eq!(context.proxies.http.as_deref(), Some("http://proxy:3128"));
/// assert_eq!(context.proxies.https, None);
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxies {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// For ftp.
    pub ftp: Option<String>,
    /// Hosts to reach without a proxy, separated by commas.
    pub no_proxy: Option<String>,
}

impl Context {
    /// Reads the context from this process's environment.
    ///
    /// # Errors
    ///
    /// As of [`Context::from_vars`].
    ///
    /// # Example
    ///
    /// ```
    /// // Nobody but Juju sets what is needed.
    /// let error = jujuna::Context::from_env().unwrap_err();
    /// assert_eq!(error.kind(), jujuna::ErrorKind::NotInContext);
    /// ```
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("JUJU_")
                .then(|| (name, value.to_string_lossy().into_owned()))
        }))
    }

    /// Reads the context from variables. One that is set but empty counts as absent.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotInContext`] when a variable is missing that Juju always sets (the program was not
    /// started by Juju), and [`ErrorKind::Protocol`] when one cannot be understood.
    ///
    /// [`Context`] has an example.
    pub fn from_vars<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<Self, Error>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let variables = Variables::new(variables);
        let owned = |name: &str| variables.get(name).map(str::to_owned);
        Ok(Self {
            event: event(&variables)?,
            unit: variables.required("JUJU_UNIT_NAME")?.parse()?,
            model_uuid: variables.required("JUJU_MODEL_UUID")?.to_owned(),
            model_name: variables.required("JUJU_MODEL_NAME")?.to_owned(),
            juju_version: JujuVersion::new(variables.required("JUJU_VERSION")?),
            charm_dir: variables.required("JUJU_CHARM_DIR")?.into(),
            machine_id: owned("JUJU_MACHINE_ID"),
            principal_unit: variables
                .get("JUJU_PRINCIPAL_UNIT")
                .map(str::parse)
                .transpose()?,
            availability_zone: owned("JUJU_AVAILABILITY_ZONE"),
            proxies: Proxies {
                http: owned("JUJU_CHARM_HTTP_PROXY"),
                https: owned("JUJU_CHARM_HTTPS_PROXY"),
                ftp: owned("JUJU_CHARM_FTP_PROXY"),
                no_proxy: owned("JUJU_CHARM_NO_PROXY"),
            },
        })
    }
}

/// Environment variables; an empty one is as good as absent, because Juju sets some that have no value.
#[derive(Debug)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    fn new<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(
            pairs
                .filter(|(_, value): &(String, String)| !value.is_empty())
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| {
            let text =
                format!("cannot find the variable {name}, which Juju sets for hooks and actions");
            Error::new(ErrorKind::NotInContext, text)
        })
    }
}

/// A version of Juju, such as `3.6.11` or `4.0-beta2`.
///
/// # Example
///
/// ```
/// let version = jujuna::JujuVersion::new("3.6.11");
/// assert!(version.is_at_least(3, 6) && !version.is_at_least(4, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JujuVersion {
    text: String,
    major: u32,
    minor: u32,
}

impl JujuVersion {
    /// Reads a version; a part that is no number counts as 0.
    ///
    /// [`JujuVersion`] has an example.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut numbers = text.split(|character: char| !character.is_ascii_digit());
        let mut next = || {
            numbers
                .next()
                .and_then(|part| part.parse().ok())
                .unwrap_or(0)
        };
        let (major, minor) = (next(), next());
        Self { text, major, minor }
    }

    /// Returns whether this is the given version or a later one.
    ///
    /// [`JujuVersion`] has an example.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Returns the version as Juju wrote it.
    ///
    /// [`JujuVersion`] has an example.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for JujuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
