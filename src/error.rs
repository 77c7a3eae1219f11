//! The error type of the crate: a message, and the source and byte offset that it concerns.
//!
//! A damaged *flow* is not an error: it is counted as skipped, and reading continues. An [`Error`]
//! means that a whole source, an option or an answer failed.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A function that passes one sentence on to the operator.
#[cfg(feature = "gateway")]
pub(crate) type OperatorMessages = Arc<dyn Fn(&str) + Send + Sync>;

/// An error: one sentence for users that names the source and, if known, the byte offset.
///
/// The type is opaque. Use [`is_io`](Self::is_io), [`is_format`](Self::is_format),
/// [`is_usage`](Self::is_usage), [`is_flow`](Self::is_flow) and [`is_canceled`](Self::is_canceled)
/// to tell causes apart. Cloning is cheap. [`source`](std::error::Error::source) returns the
/// underlying I/O error, if there is one.
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

/// Contents of an [`Error`], boxed to keep `Result` small.
#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    source_name: Option<String>,
    offset: Option<u64>,
    message: String,
    cause: Option<Arc<io::Error>>,
}

/// The cause of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorKind {
    Io,
    Format,
    Foreign,
    Usage,
    Flow,
    Canceled,
}

impl Error {
    #[cold]
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let inner =
            Inner { kind, source_name: None, offset: None, message: message.into(), cause: None };
        Self { inner: Box::new(inner) }
    }

    /// An I/O error. `doing` is the verb that failed, such as `open` or `read`.
    #[cold]
    pub(crate) fn io(source_name: &str, doing: &str, cause: io::Error) -> Self {
        let what = match cause.kind() {
            io::ErrorKind::NotFound => "there is no such file or folder; check the path".to_owned(),
            io::ErrorKind::PermissionDenied => {
                format!("no permission to {doing} it; check its owner and mode")
            }
            _ => format!("cannot {doing} it: {cause}"),
        };
        let mut error = Self::new(ErrorKind::Io, what).in_source(source_name);
        error.inner.cause = Some(Arc::new(cause));
        error
    }

    /// A source that is not a capture, or not a capture that can be read.
    #[cold]
    pub(crate) fn format(source_name: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Format, message).in_source(source_name)
    }

    /// A source that was recognised as another kind of file, which could be converted to a capture.
    #[cold]
    pub(crate) fn foreign(source_name: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Foreign, message).in_source(source_name)
    }

    /// Returns `true` if the source was recognised as another kind of file: see
    /// [`foreign`](Self::foreign).
    pub(crate) fn is_foreign(&self) -> bool {
        self.inner.kind == ErrorKind::Foreign
    }

    /// An invalid option or argument.
    #[cold]
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A flow for which the requested compat answer does not exist, because the original tool
    /// raises an exception.
    #[cold]
    pub(crate) fn flow(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Flow, message)
    }

    /// A run that its monitor stopped.
    #[cold]
    pub(crate) fn canceled() -> Self {
        Self::new(ErrorKind::Canceled, "stopped before the end")
    }

    /// The error with the name of the source that it is about.
    pub(crate) fn of(self, source_name: &str) -> Self {
        self.in_source(source_name)
    }

    fn in_source(mut self, source_name: &str) -> Self {
        self.inner.source_name = Some(source_name.to_owned());
        self
    }

    /// Sets the byte offset in the source.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.inner.offset = Some(offset);
        self
    }

    /// Returns `true` if opening or reading a source failed.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let error = Captures::open(&["no-such-file.har"], InputFormat::Detect).unwrap_err();
    /// assert!(error.is_io() && !error.is_format());
    /// ```
    pub fn is_io(&self) -> bool {
        self.inner.kind == ErrorKind::Io
    }

    /// Returns `true` if the input is not in a format that can be read: a capture, a state or a
    /// rules file.
    ///
    /// ```
    /// use api_patterns::Patterns;
    ///
    /// let error = Patterns::from_bytes(b"not a state").unwrap_err();
    /// assert!(error.is_format());
    /// ```
    pub fn is_format(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Format | ErrorKind::Foreign)
    }

    /// Returns `true` if an option or argument is invalid.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let nothing: [&str; 0] = [];
    /// let error = Captures::open(&nothing, InputFormat::Detect).unwrap_err();
    /// assert!(error.is_usage());
    /// ```
    pub fn is_usage(&self) -> bool {
        self.inner.kind == ErrorKind::Usage
    }

    /// Returns `true` if the original tool raises an exception for one of the flows, so that a
    /// compat answer does not exist (`--compat mitmproxy-mcp`).
    ///
    /// ```
    /// use api_patterns::{Flow, compat};
    ///
    /// let flow = Flow::of_any_url(b"GET"[..].into(), b"https://[not-an-address]/");
    /// let flow = compat::CompatFlow::new(&flow);
    /// let error = compat::get_api_patterns(&[flow], None, None).unwrap_err();
    /// assert!(error.is_flow());
    /// ```
    pub fn is_flow(&self) -> bool {
        self.inner.kind == ErrorKind::Flow
    }

    /// Returns `true` if the [`Monitor`](crate::Monitor) stopped the run.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, Progress, compat_answer};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let stop = |_: &Progress| false;
    /// let error = compat_answer(&captures, None, None, &Options::default(), &stop).unwrap_err();
    /// assert!(error.is_canceled());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn is_canceled(&self) -> bool {
        self.inner.kind == ErrorKind::Canceled
    }

    /// The name of the source that the error concerns, as given by the caller. `None` if no source
    /// is involved.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat};
    ///
    /// let error = Captures::open(&["no-such-file.har"], InputFormat::Detect).unwrap_err();
    /// assert_eq!(error.source_name(), Some("no-such-file.har"));
    /// ```
    pub fn source_name(&self) -> Option<&str> {
        self.inner.source_name.as_deref()
    }

    /// The byte offset in the source, from 0: where the reading of a capture ended. `None` if it is not known; errors about rules
    /// name the line in their text.
    ///
    /// ```
    /// let error = api_patterns::Rules::parse("rules.toml", "unknown = 1").unwrap_err();
    /// assert!(error.is_format() && error.offset().is_none());
    /// assert!(error.to_string().starts_with("rules.toml: line 1: "));
    /// ```
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
