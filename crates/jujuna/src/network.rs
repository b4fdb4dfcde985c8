//! `network-get`, `unit-get`: under which addresses this unit is reached.

use serde::Deserialize;

use crate::{Error, HookCommand, Juju, RelationId};

/// The addresses of a binding.
///
/// [`Juju::network_get`](crate::Juju::network_get) has an example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Network {
    /// Where to listen; on Kubernetes the pod's address. Interfaces without an address are left out.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub bind_addresses: Vec<BindAddress>,
    /// From where this unit's connections come, as CIDRs.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub egress_subnets: Vec<String>,
    /// Where others reach this unit; on Kubernetes the service's address. May be host names.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub ingress_addresses: Vec<String>,
}

/// The addresses of an interface.
///
/// [`Juju::network_get`](crate::Juju::network_get) has an example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct BindAddress {
    /// The interface's MAC address; empty on Kubernetes.
    #[serde(default)]
    pub mac_address: String,
    /// The interface's name; empty on Kubernetes.
    #[serde(default)]
    pub interface_name: String,
    /// Its addresses.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub addresses: Vec<Address>,
}

/// One address.
///
/// [`Juju::network_get`](crate::Juju::network_get) has an example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Address {
    /// Its host name; may be empty.
    #[serde(default)]
    pub hostname: String,
    /// The address.
    #[serde(default)]
    pub value: String,
    /// Its subnet; may be empty.
    #[serde(default)]
    pub cidr: String,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One of the two addresses that unit-get knows.
///
/// # Example
///
/// ```
/// # use jujuna::{Juju, UnitAddress, testing::{FakeJuju, State}};
/// let mut state = State::new("hello/0");
/// state.public_address = Some("203.0.113.7".to_owned());
/// let juju = Juju::new(Box::new(FakeJuju::new(state)));
/// assert_eq!(juju.unit_get(UnitAddress::Public)?, "203.0.113.7");
/// # Ok::<(), jujuna::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnitAddress {
    /// Where other units of the cloud reach this one. On Kubernetes there is none.
    Private,
    /// Where everybody reaches it; on Kubernetes the service's.
    Public,
}

impl Juju {
    /// Returns the addresses of a binding: an endpoint's name, or `juju-info`.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such binding.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// # let mut state = State::new("hello/0");
    /// # state.networks.insert("db".to_owned(), serde_json::json!({
    /// #     "bind-addresses": [{"addresses": [{"value": "10.1.0.7"}]}],
    /// #     "ingress-addresses": ["10.152.0.9"], "egress-subnets": ["10.152.0.9/32"]}));
    /// # let juju = Juju::new(Box::new(FakeJuju::new(state)));
    /// let network = juju.network_get("db")?;
    /// assert_eq!(network.ingress_addresses, ["10.152.0.9"]);
    /// assert_eq!(network.bind_addresses[0].addresses[0].value, "10.1.0.7");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn network_get(&self, binding: &str) -> Result<Network, Error> {
        self.network(binding, None)
    }

    /// Returns the addresses of a binding as they count in one relation, which may lead into another model.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such relation.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, testing::{FakeJuju, Relation, State}};
    /// # let mut state = State::new("hello/0").with_relation(Relation::new("db", 3, "pg"));
    /// # state.networks.insert("db".to_owned(), serde_json::json!({"ingress-addresses": ["10.152.0.9"]}));
    /// # let juju = Juju::new(Box::new(FakeJuju::new(state)));
    /// let network = juju.network_get_in(&RelationId::new("db", 3))?;
    /// assert_eq!(network.ingress_addresses, ["10.152.0.9"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn network_get_in(&self, relation: &RelationId) -> Result<Network, Error> {
        self.network(relation.endpoint(), Some(relation))
    }

    fn network(&self, binding: &str, relation: Option<&RelationId>) -> Result<Network, Error> {
        let mut command = HookCommand::json("network-get");
        if let Some(id) = relation {
            command = command.args(["-r".to_owned(), id.to_string()]);
        }
        let mut network: Network = self.read(&command.arg(binding), &|| {
            format!("read the addresses of binding {binding}")
        })?;
        // Juju 4.0 on Kubernetes puts an interface without addresses first.
        network
            .bind_addresses
            .retain(|bound| !bound.addresses.is_empty());
        Ok(network)
    }

    /// Returns an address of this unit. [`network_get`](Juju::network_get) tells more, and tells it for each endpoint.
    ///
    /// [`UnitAddress`] has an example.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such address.
    pub fn unit_get(&self, address: UnitAddress) -> Result<String, Error> {
        let name = match address {
            UnitAddress::Private => "private-address",
            UnitAddress::Public => "public-address",
        };
        let output = self.run(&HookCommand::new("unit-get").arg(name), &|| {
            format!("read the unit's {name}")
        })?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
