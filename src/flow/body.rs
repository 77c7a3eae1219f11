//! The body of a message as a capture holds it: borrowed, still encoded, and decoded only on demand.

pub(crate) mod decode;
pub(crate) mod media;

use std::borrow::Cow;
use std::fmt;

use crate::flow::json_string::JsonString;

/// The body of a request or response as the capture holds it.
///
/// A body is borrowed and not decoded; reading it is the business of whoever asks for it, so that a run that asks for no body
/// pays for none. It may be absent, and it may be known by its length alone, where a reader left out a body that is too large
/// to hold.
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

/// The forms in which captures hold the bytes of a body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum RecordedContent<'a> {
    #[default]
    Absent,
    /// As on the wire: the header `content-encoding` says how it is compressed.
    Wire(&'a [u8]),
    /// Decompressed by the program that recorded it, whatever the headers say.
    Decoded(&'a [u8]),
    /// Decompressed text in a JSON string.
    JsonText(JsonString<'a>),
    /// Decompressed bytes in Base64, in a JSON string.
    Base64(JsonString<'a>),
    /// Too large to hold: its length in bytes.
    LeftOut(u64),
}

impl<'a> Body<'a> {
    /// A body as it was on the wire, compressed as the header `content-encoding` says.
    ///
    /// ```
    /// use api_patterns::Body;
    ///
    /// assert_eq!(Body::wire(b"\x1f\x8b\x08").recorded_bytes(), Some(3));
    /// ```
    pub fn wire(bytes: &'a [u8]) -> Self {
        Self { content: RecordedContent::Wire(bytes) }
    }

    /// A body that was decompressed before, so that the header `content-encoding` no longer applies.
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

    /// Text of a JSON capture.
    pub(crate) fn json_text(text: JsonString<'a>) -> Self {
        Self { content: RecordedContent::JsonText(text) }
    }

    /// Base64 in a JSON capture.
    pub(crate) fn base64(text: JsonString<'a>) -> Self {
        Self { content: RecordedContent::Base64(text) }
    }

    /// A body of which only the length is known, because a reader left it out.
    pub(crate) fn left_out(bytes: u64) -> Self {
        Self { content: RecordedContent::LeftOut(bytes) }
    }

    /// Returns `true` if the capture has the bytes of the body, or left out a body that is too large.
    pub fn is_recorded(&self) -> bool {
        self.content != RecordedContent::Absent
    }

    /// Length in bytes as recorded (compressed, escaped or in Base64 as the capture has it); `None` if no body was recorded.
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

    /// The bytes, if no more than a JSON string has to be unescaped to read them; `None` for compressed bodies, Base64, and
    /// bodies that are absent or were left out. `is_compressed` tells whether the message names a `content-encoding`.
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
    /// The form and the length alone: a body may hold secrets.
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
