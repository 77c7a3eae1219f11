//! What the tools share: the programs are those of src/bin.

pub mod score;
