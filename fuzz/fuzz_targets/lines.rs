//! JSON lines.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api_patterns::fuzzing::lines(bytes));
