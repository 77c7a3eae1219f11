//! The explorer: a report on the whole terminal, in which people look, and correct what was decided wrongly.
//!
//! [`ExplorerSession`](session::ExplorerSession) has the state of the traffic and the corrections, and decides anew after each of them. The
//! [`Explorer`](app::Explorer) is what is on the screen; [`keys`] changes it (by [`moves`] and [`edits`]) and [`view`] draws it, all without
//! a terminal.
//! [`screen`] is the terminal.

pub(crate) mod app;
mod correction;
mod detail;
mod edits;
mod keys;
mod moves;
pub(crate) mod screen;
pub(crate) mod session;
mod styles;
mod tree_rows;
mod view;

#[cfg(test)]
mod tests;
