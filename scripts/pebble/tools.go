//go:build tools

// Package pebble pins the Pebble that tests and demo run.
package pebble

import _ "github.com/canonical/pebble/cmd/pebble"
