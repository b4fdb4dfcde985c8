//! `open-port`, `close-port`, `opened-ports`: what the model lets in.

mod opened;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
use crate::names::{as_text, unreadable};

pub use opened::OpenedPort;
pub(crate) use opened::PortWrites;

/// A port, a range of ports, or ICMP.
///
/// On Kubernetes Juju takes single ports only.
///
/// # Example
///
/// ```
/// use jujuna::{Port, Protocol};
///
/// let port: Port = "8000-8100/udp".parse()?;
/// assert_eq!(port, Port::Range { first: 8000, last: 8100, protocol: Protocol::Udp });
/// assert_eq!(Port::tcp(8008).to_string(), "8008/tcp");
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Ports from the first to the last, both included; one port if they are equal.
    Range {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// Pings and the like.
    Icmp,
}

/// A protocol that has ports.
///
/// [`Port`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Port {
    /// Returns the same port for connections to these endpoints alone.
    ///
    /// # Example
    ///
    /// ```
    /// let port = jujuna::Port::tcp(9000).on(["metrics"]);
    /// assert_eq!(port.to_string(), "9000/tcp (metrics)");
    /// ```
    #[must_use]
    pub fn on<E: Into<String>>(self, endpoints: impl IntoIterator<Item = E>) -> OpenedPort {
        OpenedPort {
            port: self,
            endpoints: endpoints.into_iter().map(Into::into).collect(),
        }
    }

    /// One TCP port.
    ///
    /// [`Port`] has an example.
    pub fn tcp(port: u16) -> Self {
        Self::Range {
            first: port,
            last: port,
            protocol: Protocol::Tcp,
        }
    }

    /// One UDP port.
    ///
    /// [`Port`] has an example.
    pub fn udp(port: u16) -> Self {
        Self::Range {
            first: port,
            last: port,
            protocol: Protocol::Udp,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Range {
            first,
            last,
            protocol,
        } = self
        else {
            return f.write_str("icmp");
        };
        let protocol = match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        if first == last {
            write!(f, "{first}/{protocol}")
        } else {
            write!(f, "{first}-{last}/{protocol}")
        }
    }
}

impl FromStr for Port {
    type Err = Error;

    /// Reads a port; without a protocol it is TCP.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "icmp" {
            return Ok(Self::Icmp);
        }
        let unreadable = || unreadable("port", text);
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(unreadable()),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first = first.parse().map_err(|_| unreadable())?;
        let last = last.parse().map_err(|_| unreadable())?;
        Ok(Self::Range {
            first,
            last,
            protocol,
        })
    }
}

as_text!(Port: "port");
