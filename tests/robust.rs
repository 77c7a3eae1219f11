//! Damaged and hostile captures: no panic, no hang, bounded memory, and all that is whole is read.
//!
//! A binary of its own, because it limits the memory of the whole process.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    unsafe_code,
    reason = "tests fail by unwrapping; small random numbers are cut to fit"
)]

use std::alloc::System;

use cap::Cap;

/// Whatever comes in, an analysis must do with this; more is refused and ends the test.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 200 << 20);

/// Bombs, nesting, claimed lengths, and too much of everything.
#[path = "robust/hostile.rs"]
mod hostile;
/// Every fixture, damaged in ten thousand ways.
#[path = "robust/mutations.rs"]
mod mutations;
