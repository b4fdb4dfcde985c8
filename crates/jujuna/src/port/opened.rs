//! What is open, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Port;
use crate::names::{as_text, unreadable};
use crate::{Error, HookCommand, Juju};

/// A port that is open, or shall be, for connections to some endpoints or to all.
///
/// # Example
///
/// ```
/// use jujuna::{OpenedPort, Port};
///
/// let port: OpenedPort = "8008/tcp (web, metrics)".parse()?;
/// assert_eq!((port.port, port.endpoints.len()), (Port::tcp(8008), 2));
/// assert!(OpenedPort::from(Port::tcp(80)).endpoints.is_empty()); // for all
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenedPort {
    /// The port.
    pub port: Port,
    /// The endpoints; none means all.
    pub endpoints: BTreeSet<String>,
}

impl From<Port> for OpenedPort {
    fn from(port: Port) -> Self {
        Self {
            port,
            endpoints: BTreeSet::new(),
        }
    }
}

impl fmt::Display for OpenedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<&str> = self.endpoints.iter().map(String::as_str).collect();
        match endpoints.join(", ").as_str() {
            "" => write!(f, "{} (*)", self.port),
            endpoints => write!(f, "{} ({endpoints})", self.port),
        }
    }
}

impl FromStr for OpenedPort {
    type Err = Error;

    /// Reads a port; without endpoints it is open for all.
    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((port, endpoints)) = text.split_once(" (") else {
            return Ok(Self::from(text.parse::<Port>()?));
        };
        let endpoints = endpoints
            .strip_suffix(')')
            .ok_or_else(|| unreadable("port", text))?;
        let endpoints = endpoints.split(',').map(str::trim);
        Ok(Self {
            port: port.parse()?,
            endpoints: endpoints
                .filter(|endpoint| !["", "*"].contains(endpoint))
                .map(str::to_owned)
                .collect(),
        })
    }
}

as_text!(OpenedPort: "port");

/// Ports to be opened and closed.
#[derive(Debug, Default)]
pub(crate) struct PortWrites {
    /// What alone shall be open.
    only: Option<BTreeSet<OpenedPort>>,
    /// True opens, false closes.
    changes: BTreeMap<OpenedPort, bool>,
}

impl Juju {
    /// Returns what this unit has opened, on whatever endpoint. What this dispatch has buffered is not included.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let juju = Juju::new(Box::new(FakeJuju::new(State::new("hello/0"))));
    /// assert!(juju.opened_ports()?.is_empty());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn opened_ports(&self) -> Result<Vec<OpenedPort>, Error> {
        if let Some(ports) = &self.cache.borrow().ports {
            return Ok(ports.clone());
        }
        let command = opened_ports();
        let ports: Option<Vec<OpenedPort>> =
            self.read(&command, &|| "list the opened ports".to_owned())?;
        let ports = ports.unwrap_or_default();
        self.cache.borrow_mut().ports = Some(ports.clone());
        Ok(ports)
    }

    /// Buffers that exactly these ports are open: others that this unit has opened are closed.
    ///
    /// Which ones are open is asked from here on, beside whatever the charm does until the flush.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Port, testing::{FakeJuju, State}};
    /// # let mut state = State::new("hello/0");
    /// state.opened_ports.insert("80/tcp".parse()?);
    /// let fake = FakeJuju::new(state);
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.ports_ensure([Port::tcp(8008).into(), Port::tcp(9000).on(["metrics"])]);
    /// juju.flush()?;
    /// assert_eq!(fake.call_names(), ["opened-ports", "close-port", "open-port", "open-port"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn ports_ensure(&mut self, ports: impl IntoIterator<Item = OpenedPort>) {
        self.writes.ports = PortWrites {
            only: Some(ports.into_iter().collect()),
            changes: BTreeMap::new(),
        };
        if self.cache.borrow().ports.is_none() {
            self.begin(&opened_ports());
        }
    }

    /// Buffers that a port is opened, for all endpoints or for some ([`Port::on`]).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Port, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.open_port(Port::tcp(8008));
    /// juju.flush()?;
    /// fake.end(0);
    /// assert!(fake.state().opened_ports.contains(&Port::tcp(8008).into()));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn open_port(&mut self, port: impl Into<OpenedPort>) {
        self.writes.ports.changes.insert(port.into(), true);
    }

    /// Buffers that a port is closed. [`open_port`](Juju::open_port) has an example.
    pub fn close_port(&mut self, port: impl Into<OpenedPort>) {
        self.writes.ports.changes.insert(port.into(), false);
    }

    pub(crate) fn write_ports(&self, writes: &PortWrites) -> Result<(), Error> {
        let mut wanted = writes.changes.clone();
        if let Some(only) = &writes.only {
            for port in only {
                wanted.entry(port.clone()).or_insert(true);
            }
            for port in self.opened_ports()? {
                wanted.entry(port).or_insert(false);
            }
        }
        if self.must_undo() && !wanted.is_empty() {
            self.opened_ports()?;
        }
        let known = self.cache.borrow().ports.clone();
        let differs = |port: &OpenedPort, open: bool| {
            known
                .as_ref()
                .is_none_or(|known| known.contains(port) != open)
        };
        // What is closed first cannot be in the way of what is opened.
        for open in [false, true] {
            for (port, _) in wanted.iter().filter(|(_, wanted)| **wanted == open) {
                if differs(port, open) {
                    self.switch_port(port, open)?;
                    let port = port.clone();
                    self.undo_later(move |juju| juju.switch_port(&port, !open));
                }
            }
        }
        Ok(())
    }

    fn switch_port(&self, port: &OpenedPort, open: bool) -> Result<(), Error> {
        let (name, word) = if open {
            ("open-port", "open")
        } else {
            ("close-port", "close")
        };
        let endpoints: Vec<&str> = port.endpoints.iter().map(String::as_str).collect();
        let mut command = HookCommand::new(name);
        if !endpoints.is_empty() {
            command = command.args(["--endpoints", &endpoints.join(",")]);
        }
        let command = command.arg(port.port.to_string());
        self.run(&command, &|| format!("{word} port {}", port.port))?;
        self.cache.borrow_mut().ports = None;
        self.forget_begun(&opened_ports());
        Ok(())
    }
}

fn opened_ports() -> HookCommand {
    HookCommand::json("opened-ports").arg("--endpoints")
}
