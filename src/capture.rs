//! Captures: finding out what a file is, and getting flows out of it.

pub(crate) mod batch;
pub(crate) mod bytes;
#[cfg(feature = "sqlite")]
mod database;
mod detect;
mod fields;
mod har;
mod json;
pub(crate) mod jsonl;
pub(crate) mod location;
mod mitmproxy;
mod open;
mod records;
pub mod time;
mod tnetstring;
mod unpack;

#[cfg(test)]
mod tests;

use std::io;

use crate::capture::batch::{Batch, GoesOn, Reader};
use crate::capture::bytes::Bytes;
use crate::flow::Flow;
use crate::skip::SkipReason;

#[cfg(all(feature = "fuzzing", feature = "sqlite"))]
pub(crate) use database::header_laws;
#[cfg(feature = "fuzzing")]
pub(crate) use json::laws as json_laws;
pub use open::Captures;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// Whatever the first bytes say; the name of a file says nothing.
    #[default]
    Detect,
    /// A mitmproxy dump (flow format versions 0.11 to 21).
    Mitmproxy,
    /// HAR 1.1 or 1.2; also the list of entries alone, and a Charles session saved as JSON (`.chlsj`).
    Har,
    /// One flow a line, as JSON.
    JsonLines,
    /// The database of mitmproxy-mcp.
    McpDatabase,
}

/// One capture.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) format: InputFormat,
    pub(crate) content: Content,
    /// Where reading begins: a byte, or a row.
    pub(crate) start: u64,
    /// Is it still being written, so that what is not whole at its end is waited for?
    pub(crate) is_live: bool,
}

/// Where flows come from.
pub(crate) enum Content {
    Bytes(Bytes),
    #[cfg(feature = "sqlite")]
    Database(database::Database),
}

impl Source {
    /// All of a capture.
    fn new(name: String, format: InputFormat, content: Content) -> Self {
        Self { name, format, content, start: 0, is_live: false }
    }

    /// The length in bytes now, where it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Bytes(bytes) => bytes.length(),
            #[cfg(feature = "sqlite")]
            Content::Database(database) => Some(database.length()),
        }
    }

    /// Is it a file whose writer adds to its end?
    pub(crate) fn is_appended(&self) -> bool {
        matches!(self.format, InputFormat::Mitmproxy | InputFormat::JsonLines)
            && matches!(&self.content, Content::Bytes(bytes) if bytes.is_seekable())
    }

    /// What its places are counted in.
    fn unit(&self) -> &'static str {
        match &self.content {
            Content::Bytes(_) => "byte",
            #[cfg(feature = "sqlite")]
            Content::Database(_) => "row",
        }
    }
}

/// How a file of captures changes while its writer is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Records are added at its end.
    AtEnd,
    /// Rows are added, and the newest are changed.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "without databases nothing has rows")
    )]
    InRows,
    /// It is written anew.
    AsWhole,
}

/// Which rows a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Option<i64>,
    pub(crate) last: u64,
    /// The id of the flow in the row that was asked for; `None` where there is no such row.
    pub(crate) id: Option<Vec<u8>>,
}

/// What came next in a capture.
pub(crate) enum Cut {
    /// Whole records, in the batch.
    Batch,
    /// Bytes that are none; they are stepped over.
    Damage(Damage),
    /// Nothing.
    End,
}

/// Something that could not be read.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) reason: SkipReason,
    pub(crate) offset: u64,
    pub(crate) message: String,
}

/// Cuts one capture into batches.
pub(crate) enum Cutter<'a> {
    Records(records::Records<'a>),
    Entries(har::Entries<'a>),
    Lines(jsonl::Lines<'a>),
    #[cfg(feature = "sqlite")]
    Rows(database::Rows<'a>),
}

impl<'a> Cutter<'a> {
    /// `goes_on` is asked now and then; once it says no, the capture ends.
    pub(crate) fn new(source: &'a Source, batch_bytes: usize, goes_on: GoesOn<'a>) -> Self {
        let mut reader = match &source.content {
            Content::Bytes(bytes) => Reader::new(bytes, goes_on),
            #[cfg(feature = "sqlite")]
            Content::Database(database) => return Self::Rows(database.rows(source.start)),
        };
        if source.start > 0 {
            reader.go_to(source.start);
        }
        match source.format {
            InputFormat::Har => Self::Entries(har::Entries::new(reader, batch_bytes)),
            InputFormat::JsonLines => {
                Self::Lines(jsonl::Lines::new(reader, batch_bytes, source.is_live))
            }
            _ => Self::Records(records::Records::new(reader, batch_bytes, source.is_live)),
        }
    }

    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, reason = "rows of a database have no reader")
    )]
    fn reader(&mut self) -> Option<&mut Reader<'a>> {
        match self {
            Self::Records(records) => Some(records.reader()),
            Self::Entries(entries) => Some(entries.reader()),
            Self::Lines(lines) => Some(lines.reader()),
            #[cfg(feature = "sqlite")]
            Self::Rows(_) => None,
        }
    }

    /// How far it has read, in bytes.
    pub(crate) fn position(&mut self) -> u64 {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.position(),
            _ => self.reader().map_or(0, |reader| reader.position()),
        }
    }

    /// Why the end came too soon.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.failure(),
            _ => self.reader().and_then(Reader::failure),
        }
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Cut {
        match self {
            Self::Records(records) => records.next(batch),
            Self::Entries(entries) => entries.next(batch),
            Self::Lines(lines) => lines.next(batch),
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.next(batch),
        }
    }
}

/// What a reader finds in a batch.
pub(crate) enum Found<'a> {
    Flow(&'a Flow<'a>),
    /// A flow whose URL was not asked over HTTP; the original tool counts it all the same.
    NotHttp(&'a Flow<'a>),
    /// Skipped on purpose, or damaged: then with a message.
    Skipped(SkipReason, String),
}

/// Decodes a batch of a source: every flow and everything skipped, in order, with its place (byte offset, or row).
/// `goes_on` is asked now and then where one batch may take long.
#[cfg_attr(not(feature = "sqlite"), expect(unused_variables, reason = "rows may take long"))]
pub(crate) fn decode(
    source: &Source,
    batch: &Batch,
    goes_on: GoesOn<'_>,
    found: &mut dyn FnMut(u64, Found<'_>),
) {
    #[cfg(feature = "sqlite")]
    if let Content::Database(database) = &source.content {
        return database.decode(batch, goes_on, found);
    }
    match source.format {
        InputFormat::Har => har::decode(batch, found),
        InputFormat::JsonLines => jsonl::decode(batch, found),
        _ => mitmproxy::decode_batch(batch, found),
    }
}
