//! `network-get`: under which addresses this unit is reached.

use serde::Deserialize;

use crate::{Error, HookCommand, Juju};

/// The addresses of a binding.
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

impl Juju {
    /// Returns the addresses of a binding: an endpoint's name, or `juju-info`.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such binding.
    pub fn network_get(&self, binding: &str) -> Result<Network, Error> {
        let command = HookCommand::json("network-get").arg(binding);
        let mut network: Network = self.read(&command, &|| {
            format!("read the addresses of binding {binding}")
        })?;
        // Juju 4.0 on Kubernetes puts an interface without addresses first.
        network
            .bind_addresses
            .retain(|bound| !bound.addresses.is_empty());
        Ok(network)
    }
}
