//! Results of framers and decoders: chunks of a capture, and the items found in them.

use crate::flow::Flow;
use crate::skip::SkipReason;

/// The next part of a capture.
pub(crate) enum Chunk {
    /// The batch holds whole records.
    Batch,
    /// Bytes that are not a record were skipped.
    Damage(Damage),
    /// The capture has ended.
    End,
}

/// A part of a capture that could not be read.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) reason: SkipReason,
    pub(crate) offset: u64,
    pub(crate) message: String,
}

/// One result of decoding a batch.
pub(crate) enum CaptureItem<'a> {
    /// An exchange. [`Flow::is_http`] tells whether it is HTTP.
    Flow(&'a Flow<'a>),
    /// An exchange in a row of mitmproxy-mcp's database, with columns that a flow does not hold
    /// completely.
    #[cfg(feature = "sqlite")]
    Row(&'a Flow<'a>, &'a RowColumns<'a>),
    /// A skipped record, and a message if it is damaged.
    Skipped(SkipReason, String),
}

/// The columns of a row of mitmproxy-mcp's database as they are stored, for the compat answer.
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowColumns<'a> {
    /// The status as text; `None` if there was no response. SQLite stores any text as a status.
    pub(crate) status: Option<&'a [u8]>,
    pub(crate) has_method: bool,
    pub(crate) has_url: bool,
    pub(crate) request_headers: Option<&'a [u8]>,
    pub(crate) response_headers: Option<&'a [u8]>,
}

impl<'a> CaptureItem<'a> {
    /// The exchange; `None` if the record was skipped.
    pub(crate) fn flow(&self) -> Option<&'a Flow<'a>> {
        match self {
            Self::Flow(flow) => Some(flow),
            #[cfg(feature = "sqlite")]
            Self::Row(flow, _) => Some(flow),
            Self::Skipped(..) => None,
        }
    }
}

/// The range of the rows of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowExtent {
    pub(crate) first: Option<i64>,
    pub(crate) last: u64,
    /// The id of the flow in the requested row; `None` if the row does not exist.
    pub(crate) id: Option<Vec<u8>>,
}

/// Whether a run needs the bodies of messages. Bodies that are part of a record that is read anyway
/// are always available, and cost nothing until they are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// Bodies are not read if that saves time.
    #[default]
    Skip,
    Read,
}
