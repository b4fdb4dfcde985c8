//! `open-port`, `close-port`, `opened-ports`: what the model lets in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::{as_text, unreadable};
use crate::{Error, HookCommand, Juju};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Port {
    /// One TCP port.
    pub fn tcp(port: u16) -> Self {
        Self::Range {
            first: port,
            last: port,
            protocol: Protocol::Tcp,
        }
    }

    /// One UDP port.
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

as_text!(Port);

impl Juju {
    /// Returns what this unit has opened, on whatever endpoint. What this dispatch has buffered is not included.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    pub fn opened_ports(&self) -> Result<Vec<Port>, Error> {
        if let Some(ports) = &self.cache.borrow().ports {
            return Ok(ports.clone());
        }
        let ports: Option<Vec<Port>> = self.read(&HookCommand::json("opened-ports"), &|| {
            "list the opened ports".to_owned()
        })?;
        let ports = ports.unwrap_or_default();
        self.cache.borrow_mut().ports = Some(ports.clone());
        Ok(ports)
    }

    /// Buffers that a port is opened.
    pub fn open_port(&mut self, port: Port) {
        self.writes.ports.insert(port, true);
    }

    /// Buffers that a port is closed.
    pub fn close_port(&mut self, port: Port) {
        self.writes.ports.insert(port, false);
    }

    pub(crate) fn write_ports(&self, ports: &BTreeMap<Port, bool>) -> Result<(), Error> {
        let known = self.cache.borrow().ports.clone();
        for (port, open) in ports {
            if known
                .as_ref()
                .is_some_and(|known| known.contains(port) == *open)
            {
                continue;
            }
            let (name, word) = if *open {
                ("open-port", "open")
            } else {
                ("close-port", "close")
            };
            let command = HookCommand::new(name).arg(port.to_string());
            self.run(&command, &|| format!("{word} port {port}"))?;
        }
        if !ports.is_empty() {
            self.cache.borrow_mut().ports = None;
        }
        Ok(())
    }
}
