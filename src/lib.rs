//! The Synapse charm.

pub mod backup;
