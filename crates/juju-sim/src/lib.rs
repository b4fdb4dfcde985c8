//! A Juju model on one machine.
