//! Code that the programs in src/bin share.

pub mod score;
