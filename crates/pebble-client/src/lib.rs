//! A client of the Pebble API.
