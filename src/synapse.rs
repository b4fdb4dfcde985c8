//! The workload's own formats: the names of its files, `homeserver.yaml`, the Pebble layer,
//! the identity of a server, and the part of the admin API that the charm uses.
//!
//! Nothing here talks to Juju. Only [`admin_api`] and [`listing`] ask anything.

pub mod admin_api;
pub mod homeserver_yaml;
pub mod identity;
pub mod layer;
pub mod listing;
pub mod names;
