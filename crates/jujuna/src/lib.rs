//! Bindings for Juju charms.
