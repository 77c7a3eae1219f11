//! One opened capture: its name, its format and its content.

use std::borrow::Cow;

use crate::capture::access_log::DEFAULT_LOG_HOST;
use crate::capture::bytes::Bytes;
#[cfg(feature = "sqlite")]
use crate::capture::database::Database;

/// The format of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// The format is detected from the first bytes. The name of a file has no influence.
    #[default]
    Detect,
    /// A mitmproxy dump (flow format versions 0.11 to 21).
    Mitmproxy,
    /// HAR 1.1 or 1.2, a list of entries alone, or a Charles session saved as JSON (`.chlsj`).
    Har,
    /// One flow per line, as JSON.
    JsonLines,
    /// An access log of a web server or proxy: common, combined, or the default of Envoy.
    AccessLog,
    /// The database of mitmproxy-mcp.
    McpDatabase,
}

impl InputFormat {
    /// The requested format; `None` if it is to be detected.
    pub(crate) fn exactly(self) -> Option<Format> {
        match self {
            Self::Detect => None,
            Self::Mitmproxy => Some(Format::Mitmproxy),
            Self::Har => Some(Format::Har),
            Self::JsonLines => Some(Format::JsonLines),
            Self::AccessLog => Some(Format::AccessLog),
            Self::McpDatabase => Some(Format::McpDatabase),
        }
    }
}

/// The format of an opened capture. For a new variant, the compiler then requires its parts in
/// `capture/format.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Mitmproxy,
    Har,
    JsonLines,
    AccessLog,
    McpDatabase,
}

impl Format {
    /// Returns `true` if programs write this format by adding records to the end of the file.
    fn is_appended(self) -> bool {
        match self {
            Self::Mitmproxy | Self::JsonLines | Self::AccessLog => true,
            Self::Har | Self::McpDatabase => false,
        }
    }
}

/// One capture.
pub(crate) struct CaptureSource {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) content: Content,
    /// Host of requests in logs that do not name it.
    pub(crate) log_host: Cow<'static, str>,
    /// The byte offset or row number at which reading begins.
    pub(crate) start: u64,
    /// Whether the capture is still being written, so that an incomplete record at its end is left
    /// for later.
    pub(crate) is_live: bool,
}

/// The content of a capture.
pub(crate) enum Content {
    Bytes(Bytes),
    #[cfg(feature = "sqlite")]
    Database(Database),
}

impl CaptureSource {
    /// Creates a source that is read completely.
    pub(super) fn new(name: String, format: Format, content: Content) -> Self {
        Self {
            name,
            format,
            content,
            log_host: Cow::Borrowed(DEFAULT_LOG_HOST),
            start: 0,
            is_live: false,
        }
    }

    /// The current length in bytes. `None` if it is not known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Bytes(bytes) => bytes.length(),
            #[cfg(feature = "sqlite")]
            Content::Database(database) => Some(database.length()),
        }
    }

    /// Returns `true` if it is a file whose writer adds to its end.
    pub(crate) fn is_appended(&self) -> bool {
        self.format.is_appended()
            && matches!(&self.content, Content::Bytes(bytes) if bytes.is_seekable())
    }

    /// The unit of its places: `byte` or `row`.
    pub(super) fn unit(&self) -> &'static str {
        match &self.content {
            Content::Bytes(_) => "byte",
            #[cfg(feature = "sqlite")]
            Content::Database(_) => "row",
        }
    }
}

/// The way in which a file of captures changes while it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrowthKind {
    /// Records are added at its end.
    AtEnd,
    /// Rows are added, and the newest rows are changed.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "without databases nothing has rows")
    )]
    InRows,
    /// The file is written again as a whole.
    AsWhole,
}
