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
