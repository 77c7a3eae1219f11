//! Damaged and hostile captures: no panic, no hang, bounded memory, and every intact flow is read.
//!
//! These tests have their own binary because they limit the memory of the whole process.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    unsafe_code,
    reason = "tests fail by unwrapping; small random numbers are cut to fit"
)]

use std::alloc::System;

use cap::Cap;

/// Memory limit of the process in bytes, whatever the input. An allocation beyond it fails and ends the test.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 200 << 20);

/// Decompression bombs, deep nesting, false lengths, and excessive counts.
#[path = "robust/hostile.rs"]
mod hostile;
/// Every fixture, damaged in 10,000 ways.
#[path = "robust/mutations.rs"]
mod mutations;
