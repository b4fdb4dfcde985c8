#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pebble_client::fuzzing::envelope(bytes));
