//! The one error type: what went wrong, in which source, at which byte.
//!
//! A bad *flow* is not an error: it is counted as skipped and the rest is read. An [`Error`] says that a whole source,
//! an option or an answer could not be had.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a call failed, as one sentence that names the source and, where there is one, the byte offset.
///
/// ```
/// use api_patterns::{Captures, InputFormat};
///
/// let error = Captures::open(&["no-such-file.mitm"], InputFormat::Detect).unwrap_err();
/// assert!(error.is_io());
/// assert!(error.to_string().starts_with("no-such-file.mitm: "));
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: Kind,
    source_name: Option<String>,
    offset: Option<u64>,
    message: String,
    cause: Option<Arc<io::Error>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Io,
    Format,
    Foreign,
    Usage,
    Flow,
    Canceled,
}

impl Error {
    #[cold]
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        let inner =
            Inner { kind, source_name: None, offset: None, message: message.into(), cause: None };
        Self { inner: Box::new(inner) }
    }

    /// A file or stream that could not be opened or read.
    #[cold]
    pub(crate) fn io(source_name: &str, doing: &str, cause: io::Error) -> Self {
        let what = match cause.kind() {
            io::ErrorKind::NotFound => "there is no such file or folder; check the path".to_owned(),
            io::ErrorKind::PermissionDenied => {
                format!("no permission to {doing} it; check its owner and mode")
            }
            _ => format!("cannot {doing} it: {cause}"),
        };
        let mut error = Self::new(Kind::Io, what).in_source(source_name);
        error.inner.cause = Some(Arc::new(cause));
        error
    }

    /// A source that is no capture, or not one that can be read.
    #[cold]
    pub(crate) fn format(source_name: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Format, message).in_source(source_name)
    }

    /// A source that is known to be something else, which could be made into a capture.
    #[cold]
    pub(crate) fn foreign(source_name: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Foreign, message).in_source(source_name)
    }

    /// Is it known what the source is instead?
    pub(crate) fn is_foreign(&self) -> bool {
        self.inner.kind == Kind::Foreign
    }

    /// An option or argument that does not fit.
    #[cold]
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A flow that the asked answer cannot be given for.
    #[cold]
    pub(crate) fn flow(message: impl Into<String>) -> Self {
        Self::new(Kind::Flow, message)
    }

    /// The run was stopped by its monitor.
    #[cold]
    pub(crate) fn canceled() -> Self {
        Self::new(Kind::Canceled, "stopped before the end")
    }

    fn in_source(mut self, source_name: &str) -> Self {
        self.inner.source_name = Some(source_name.to_owned());
        self
    }

    /// The same error, with the byte offset in its source.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.inner.offset = Some(offset);
        self
    }

    /// Is it about reading or opening something?
    pub fn is_io(&self) -> bool {
        self.inner.kind == Kind::Io
    }

    /// Is it about bytes that are no capture of a kind that can be read?
    pub fn is_format(&self) -> bool {
        matches!(self.inner.kind, Kind::Format | Kind::Foreign)
    }

    /// Is it about an option or argument?
    pub fn is_usage(&self) -> bool {
        self.inner.kind == Kind::Usage
    }

    /// Is it about one flow for which the original tool raises (`--compat mitmproxy-mcp`)?
    pub fn is_flow(&self) -> bool {
        self.inner.kind == Kind::Flow
    }

    /// Did the [`Monitor`](crate::Monitor) ask to stop?
    pub fn is_canceled(&self) -> bool {
        self.inner.kind == Kind::Canceled
    }

    /// The name of the source it is about, as it was given.
    pub fn source_name(&self) -> Option<&str> {
        self.inner.source_name.as_deref()
    }

    /// The byte offset in that source, counted from 0.
    pub fn offset(&self) -> Option<u64> {
        self.inner.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.inner.source_name {
            write!(f, "{}: ", crate::flow::text::printable(name.as_bytes()))?;
        }
        if let Some(offset) = self.inner.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {self})", self.inner.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.cause.as_ref().map(|cause| &**cause as _)
    }
}
