//! A Juju model on one machine.

pub mod pod;
