//! A URL: the fast splitter and the crate `url` agree.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api_patterns::fuzzing::url(bytes));
