//! The body of a message as a capture stores it: borrowed, encoded, and decoded only on demand.

pub(crate) mod decode;
pub(crate) mod media;

use std::borrow::Cow;
use std::fmt;

use crate::flow::json_string::JsonString;

/// The body of a request or response as the capture stores it.
///
/// A body is borrowed and not decoded, so a run that does not use bodies spends no time on them. It
/// may be absent. If a reader left out a body that is too large to hold, only its length is known.
///
/// ```
/// use api_patterns::Body;
///
/// let body = Body::decoded(br#"{"id": 17}"#);
/// assert!(body.is_recorded());
/// assert_eq!(body.recorded_bytes(), Some(10));
/// assert!(!Body::default().is_recorded());
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Body<'a> {
    pub(crate) content: RecordedContent<'a>,
}

/// The form in which a capture stores the bytes of a body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum RecordedContent<'a> {
    #[default]
    Absent,
    /// As on the wire; the header `content-encoding` tells how it is compressed.
    Wire(&'a [u8]),
    /// Decompressed by the program that recorded it, whatever the headers say.
    Decoded(&'a [u8]),
    /// Decompressed text in a JSON string.
    JsonText(JsonString<'a>),
    /// Decompressed bytes in Base64, in a JSON string.
    Base64(JsonString<'a>),
    /// Length in bytes of a body that was too large to hold.
    LeftOut(u64),
}

impl<'a> Body<'a> {
    /// Creates a body as it was on the wire, compressed as the header `content-encoding` says.
    ///
    /// ```
    /// use api_patterns::Body;
    ///
    /// assert_eq!(Body::wire(b"\x1f\x8b\x08").recorded_bytes(), Some(3));
    /// ```
    pub fn wire(bytes: &'a [u8]) -> Self {
        Self { content: RecordedContent::Wire(bytes) }
    }

    /// Creates a body that was decompressed before, so that the header `content-encoding` no longer
    /// applies.
    ///
    /// ```
    /// use api_patterns::{Body, Flow};
    ///
    /// let mut flow = Flow::new("POST", "https://api.example.com/users").unwrap();
    /// flow.request_body = Body::decoded(br#"{"name": "x"}"#);
    /// ```
    pub fn decoded(bytes: &'a [u8]) -> Self {
        Self { content: RecordedContent::Decoded(bytes) }
    }

    /// Creates a body from the text of a JSON capture.
    pub(crate) fn json_text(text: JsonString<'a>) -> Self {
        Self { content: RecordedContent::JsonText(text) }
    }

    /// Creates a body from Base64 in a JSON capture.
    pub(crate) fn base64(text: JsonString<'a>) -> Self {
        Self { content: RecordedContent::Base64(text) }
    }

    /// Creates a body of which only the length is known, because a reader left it out.
    pub(crate) fn left_out(bytes: u64) -> Self {
        Self { content: RecordedContent::LeftOut(bytes) }
    }

    /// Returns `true` if the capture has the bytes of the body, or if a reader left them out
    /// because the body is too large.
    ///
    /// ```
    /// use api_patterns::Body;
    ///
    /// assert!(Body::decoded(b"{}").is_recorded());
    /// assert!(!Body::default().is_recorded());
    /// ```
    pub fn is_recorded(&self) -> bool {
        self.content != RecordedContent::Absent
    }

    /// Length in bytes as recorded (compressed, escaped or in Base64 as in the capture). `None` if
    /// no body was recorded.
    ///
    /// ```
    /// use api_patterns::Body;
    ///
    /// assert_eq!(Body::decoded(b"{}").recorded_bytes(), Some(2));
    /// assert_eq!(Body::default().recorded_bytes(), None);
    /// ```
    pub fn recorded_bytes(&self) -> Option<u64> {
        match self.content {
            RecordedContent::Absent => None,
            RecordedContent::Wire(bytes) | RecordedContent::Decoded(bytes) => {
                Some(bytes.len() as u64)
            }
            RecordedContent::JsonText(text) | RecordedContent::Base64(text) => {
                Some(text.bytes.len() as u64)
            }
            RecordedContent::LeftOut(bytes) => Some(bytes),
        }
    }

    /// Returns `true` if a reader left the bytes out because the body is too large to hold.
    pub(crate) fn is_left_out(&self) -> bool {
        matches!(self.content, RecordedContent::LeftOut(_))
    }

    /// The bytes, if reading them requires at most unescaping a JSON string. `None` for compressed
    /// bodies, Base64, and bodies that are absent or were left out. `is_compressed` returns whether
    /// the message has a `content-encoding`.
    pub(crate) fn plain(self, is_compressed: impl FnOnce() -> bool) -> Option<Cow<'a, [u8]>> {
        match self.content {
            RecordedContent::Decoded(bytes) => Some(Cow::Borrowed(bytes)),
            RecordedContent::Wire(bytes) if !is_compressed() => Some(Cow::Borrowed(bytes)),
            RecordedContent::JsonText(text) => Some(text.unescaped()),
            _ => None,
        }
    }
}

impl fmt::Debug for Body<'_> {
    /// Formats only the form and the length, because a body may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.content {
            RecordedContent::Absent => "absent",
            RecordedContent::Wire(_) => "as on the wire",
            RecordedContent::Decoded(_) => "decoded",
            RecordedContent::JsonText(_) => "JSON text",
            RecordedContent::Base64(_) => "Base64",
            RecordedContent::LeftOut(_) => "left out",
        };
        write!(f, "Body({form}, {:?} bytes)", self.recorded_bytes())
    }
}
