//! One opened capture: its name, its format, and where its flows come from.

use crate::capture::bytes::Bytes;
#[cfg(feature = "sqlite")]
use crate::capture::database::Database;

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

impl InputFormat {
    /// The format that was asked for; `None` where it is to be found out.
    pub(crate) fn exactly(self) -> Option<Format> {
        match self {
            Self::Detect => None,
            Self::Mitmproxy => Some(Format::Mitmproxy),
            Self::Har => Some(Format::Har),
            Self::JsonLines => Some(Format::JsonLines),
            Self::McpDatabase => Some(Format::McpDatabase),
        }
    }
}

/// The format of an opened capture. A new one is a line here, and the compiler then asks for each of its parts in
/// `capture/format.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Mitmproxy,
    Har,
    JsonLines,
    McpDatabase,
}

impl Format {
    /// True if a program that writes it adds records to the end of the file.
    fn is_appended(self) -> bool {
        match self {
            Self::Mitmproxy | Self::JsonLines => true,
            Self::Har | Self::McpDatabase => false,
        }
    }
}

/// One capture.
pub(crate) struct CaptureSource {
    pub(crate) name: String,
    pub(crate) format: Format,
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
    Database(Database),
}

impl CaptureSource {
    /// All of a capture.
    pub(super) fn new(name: String, format: Format, content: Content) -> Self {
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
        self.format.is_appended()
            && matches!(&self.content, Content::Bytes(bytes) if bytes.is_seekable())
    }

    /// What its places are counted in.
    pub(super) fn unit(&self) -> &'static str {
        match &self.content {
            Content::Bytes(_) => "byte",
            #[cfg(feature = "sqlite")]
            Content::Database(_) => "row",
        }
    }
}

/// How a file of captures changes while its writer is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrowthKind {
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
