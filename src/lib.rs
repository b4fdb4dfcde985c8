//! The Synapse charm.
