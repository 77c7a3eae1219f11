//! What framers and decoders of captures give: chunks of a capture, and what is found in them.

use crate::flow::Flow;
use crate::skip::SkipReason;

/// What came next in a capture.
pub(crate) enum Chunk {
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

/// One result of decoding a batch.
pub(crate) enum CaptureItem<'a> {
    /// An exchange. Whether it was HTTP at all, [`Flow::is_http`] says.
    Flow(&'a Flow<'a>),
    /// An exchange in a row of mitmproxy-mcp's database, with the columns of which a flow does not hold everything.
    #[cfg(feature = "sqlite")]
    Row(&'a Flow<'a>, &'a RowColumns<'a>),
    /// Skipped on purpose, or damaged: then with a message.
    Skipped(SkipReason, String),
}

/// The columns of a row of mitmproxy-mcp's database as they are stored, for the answer of the original tool.
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowColumns<'a> {
    /// The status as text, if there was a response: SQLite stores any text as a status.
    pub(crate) status: Option<&'a [u8]>,
    pub(crate) has_method: bool,
    pub(crate) has_url: bool,
    pub(crate) request_headers: Option<&'a [u8]>,
    pub(crate) response_headers: Option<&'a [u8]>,
}

impl<'a> CaptureItem<'a> {
    /// The exchange, unless something was skipped.
    pub(crate) fn flow(&self) -> Option<&'a Flow<'a>> {
        match self {
            Self::Flow(flow) => Some(flow),
            #[cfg(feature = "sqlite")]
            Self::Row(flow, _) => Some(flow),
            Self::Skipped(..) => None,
        }
    }
}

/// Which rows a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowExtent {
    pub(crate) first: Option<i64>,
    pub(crate) last: u64,
    /// The id of the flow in the row that was asked for; `None` where there is no such row.
    pub(crate) id: Option<Vec<u8>>,
}

/// Whether a run asks for the bodies of messages. Where they are part of the record that is read anyway, they are always
/// offered, and cost nothing until they are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// Bodies are left where they are, if that saves reading them.
    #[default]
    Left,
    Read,
}
