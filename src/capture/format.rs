//! Table of the formats: how each is cut into batches, and how a batch is decoded.

use std::io;

use crate::capture::batch::{Batch, CaptureReader, KeepGoing};
use crate::capture::chunk::Bodies;
use crate::capture::chunk::{CaptureItem, Chunk};
#[cfg(feature = "sqlite")]
use crate::capture::database;
use crate::capture::source::{CaptureSource, Content, Format};
use crate::capture::{access_log, dump_framing, har, jsonl, mitmproxy};

/// Cuts one capture into batches.
pub(crate) enum Framer<'a> {
    Records(dump_framing::DumpFramer<'a>),
    Entries(har::HarFramer<'a>),
    Lines(jsonl::LineFramer<'a>),
    #[cfg(feature = "sqlite")]
    Rows(database::RowRanges<'a>),
}

impl<'a> Framer<'a> {
    /// Creates the framer of a source. `goes_on` is called at intervals; the capture ends as soon
    /// as it returns `false`.
    pub(crate) fn new(
        source: &'a CaptureSource,
        batch_bytes: usize,
        goes_on: KeepGoing<'a>,
    ) -> Self {
        let mut reader = match &source.content {
            Content::Bytes(bytes) => CaptureReader::new(bytes, goes_on),
            #[cfg(feature = "sqlite")]
            Content::Database(database) => return Self::Rows(database.rows(source.start)),
        };
        if source.start > 0 {
            reader.go_to(source.start);
        }
        match source.format {
            Format::Har => Self::Entries(har::HarFramer::new(reader, batch_bytes)),
            Format::JsonLines | Format::AccessLog => {
                Self::Lines(jsonl::LineFramer::new(reader, batch_bytes, source.is_live))
            }
            // The rows of databases are handled above. Bytes are never decoded as a database.
            Format::Mitmproxy | Format::McpDatabase => {
                Self::Records(dump_framing::DumpFramer::new(reader, batch_bytes, source.is_live))
            }
        }
    }

    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, reason = "rows of a database have no reader")
    )]
    fn reader(&mut self) -> Option<&mut CaptureReader<'a>> {
        match self {
            Self::Records(records) => Some(records.reader()),
            Self::Entries(entries) => Some(entries.reader()),
            Self::Lines(lines) => Some(lines.reader()),
            #[cfg(feature = "sqlite")]
            Self::Rows(_) => None,
        }
    }

    /// Number of bytes that were read.
    pub(crate) fn position(&mut self) -> u64 {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.position(),
            _ => self.reader().map_or(0, |reader| reader.position()),
        }
    }

    /// Takes the error that ended the reading early. `None` if there was none.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.failure(),
            _ => self.reader().and_then(CaptureReader::failure),
        }
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Chunk {
        match self {
            Self::Records(records) => records.next(batch),
            Self::Entries(entries) => entries.next(batch),
            Self::Lines(lines) => lines.next(batch),
            #[cfg(feature = "sqlite")]
            Self::Rows(rows) => rows.next(batch),
        }
    }
}

/// Decodes a batch of a source: reports every flow and every skipped item, in order, with its place
/// (byte offset, or row number). `goes_on` is called at intervals in batches that may take long.
#[cfg_attr(not(feature = "sqlite"), expect(unused_variables, reason = "only rows may take long"))]
pub(crate) fn decode(
    source: &CaptureSource,
    batch: &Batch,
    bodies: Bodies,
    goes_on: KeepGoing<'_>,
    found: &mut dyn FnMut(u64, CaptureItem<'_>),
) {
    #[cfg(feature = "sqlite")]
    if let Content::Database(database) = &source.content {
        return database.decode(batch, bodies, goes_on, found);
    }
    match source.format {
        Format::Har => har::decode(batch, found),
        Format::JsonLines => jsonl::decode(batch, &source.log_host, found),
        Format::AccessLog => access_log::decode(batch, &source.log_host, found),
        Format::Mitmproxy | Format::McpDatabase => mitmproxy::decode_batch(batch, found),
    }
}
