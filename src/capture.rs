//! Captures: detection of the format of a file, and readers that give its flows.

mod access_log;
pub(crate) mod batch;
pub(crate) mod bytes;
mod chunk;
#[cfg(feature = "sqlite")]
mod database;
mod detect;
mod dump_framing;
mod fields;
mod format;
mod har;
mod json;
pub(crate) mod jsonl;
pub(crate) mod location;
mod log_fields;
mod mitmproxy;
mod open;
mod source;
pub mod time;
mod tnetstring;

#[cfg(test)]
mod tests;

pub(crate) use chunk::Bodies;
#[cfg(feature = "sqlite")]
pub(crate) use chunk::RowColumns;
pub(crate) use chunk::{CaptureItem, Chunk};
#[cfg(all(feature = "fuzzing", feature = "sqlite"))]
pub(crate) use database::header_laws;
#[cfg(feature = "sqlite")]
pub(crate) use database::header_problem;
pub(crate) use format::{Framer, decode};
#[cfg(feature = "fuzzing")]
pub(crate) use json::laws as json_laws;
pub(crate) use mitmproxy::decode_records;
pub use open::Captures;
pub use source::InputFormat;
pub(crate) use source::{Content, GrowthKind};
