//! Compares captured exchanges with a description, one by one, and groups what differs.

pub(crate) mod evaluate;
pub(crate) mod exchange;
mod parameters;
pub(crate) mod report;
pub(crate) mod rule;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod value;
