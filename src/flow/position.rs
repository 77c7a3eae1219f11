//! The position of a flow in its capture, which identifies a flow that has no id.

use std::fmt;
use std::io::Write;

use crate::sketch::stable_hash;

/// The place at which a flow was read.
///
/// Its text form is `CAPTURE@OFFSET`: six hexadecimal digits of the hash of the capture's file name, without folders, and the
/// offset in bytes, as in `3fa9c1@1834`. It is equal in every run, and does not depend on other captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowPosition {
    pub(crate) capture: CaptureTag,
    /// Offset in the capture, in bytes.
    pub(crate) offset: u64,
}

/// A short hash of the name of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CaptureTag(u32);

/// Number of hexadecimal digits of a tag.
const TAG_DIGITS: usize = 6;

/// Maximum number of digits of an offset: a petabyte.
const MAX_OFFSET_DIGITS: usize = 15;

impl CaptureTag {
    /// The tag of a capture. Folders in the name do not count, so that a file can be named in several ways.
    pub(crate) fn of(name: &str) -> Self {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let [.., high, middle, low] = stable_hash(base.as_bytes()).to_be_bytes();
        Self(u32::from_be_bytes([0, high, middle, low]))
    }
}

/// The text form of a position, without memory of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PositionText {
    bytes: [u8; 32],
    length: usize,
}

impl PositionText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl FlowPosition {
    pub(crate) fn text(self) -> PositionText {
        let mut text = PositionText::default();
        let room = text.bytes.len();
        let mut rest = &mut text.bytes[..];
        // A tag and a 64-bit number fit.
        write!(rest, "{self}").unwrap_or_default();
        text.length = room - rest.len();
        text
    }
}

impl fmt::Display for FlowPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0TAG_DIGITS$x}@{}", self.capture.0, self.offset)
    }
}

/// Returns `true` for the text form of a position.
pub(crate) fn is_position(id: &[u8]) -> bool {
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    id.len() > TAG_DIGITS + 1
        && id.len() <= TAG_DIGITS + 1 + MAX_OFFSET_DIGITS
        && id[..TAG_DIGITS].iter().all(is_hex)
        && id[TAG_DIGITS] == b'@'
        && id[TAG_DIGITS + 1..].iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_have_a_stable_text() {
        let position = |name, offset| FlowPosition { capture: CaptureTag::of(name), offset };
        let text = position("captures/session.har", 1834).text();
        assert_eq!(text.as_bytes(), position("session.har", 1834).to_string().as_bytes());
        assert!(is_position(text.as_bytes()) && text.as_bytes().ends_with(b"@1834"));
        assert_ne!(text.as_bytes(), position("other.har", 1834).text().as_bytes());
        assert_eq!(position("", u64::MAX).text().as_bytes().len(), 27);
        for other in ["3fa9c1@", "3fa9c@12", "3FA9C1@12", "3fa9c1@1x", "3fa9c1@1234567890123456"] {
            assert!(!is_position(other.as_bytes()), "{other}");
        }
    }
}
