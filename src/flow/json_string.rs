//! A JSON string without its quotes, unescaped only on demand.

use std::borrow::Cow;

/// The bytes between the quotes of a JSON string, with their escapes.
///
/// Captures are written by many programs: the bytes need not be UTF-8, and an invalid escape is
/// kept unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonString<'a> {
    /// The bytes with their escapes.
    pub(crate) bytes: &'a [u8],
    is_escaped: bool,
}

impl<'a> JsonString<'a> {
    /// Creates a string whose scanner knows whether it contains a backslash.
    pub(crate) fn new(bytes: &'a [u8], is_escaped: bool) -> Self {
        Self { bytes, is_escaped }
    }

    /// Whether the bytes have escapes.
    pub(crate) fn is_escaped(&self) -> bool {
        self.is_escaped
    }

    /// The text, without a copy if nothing is escaped.
    #[inline]
    pub(crate) fn unescaped(self) -> Cow<'a, [u8]> {
        if self.is_escaped { unescape(self.bytes) } else { Cow::Borrowed(self.bytes) }
    }
}

/// Decodes the escapes of a raw string. A lone surrogate becomes the three bytes of WTF-8; an
/// invalid escape is kept unchanged.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut at = first;
    while at < raw.len() {
        if raw[at] != b'\\' {
            let end = memchr::memchr(b'\\', &raw[at..]).map_or(raw.len(), |found| at + found);
            out.extend_from_slice(&raw[at..end]);
            at = end;
            continue;
        }
        let (byte, length) = match raw.get(at + 1) {
            Some(b'u') => {
                at += unescape_unicode(&raw[at..], &mut out);
                continue;
            }
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(byte @ (b'"' | b'\\' | b'/')) => (*byte, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        at += length;
    }
    Cow::Owned(out)
}

/// Writes the character of `\u` and four digits, or of a pair of them. Returns the number of bytes
/// of the escape.
fn unescape_unicode(escape: &[u8], out: &mut Vec<u8>) -> usize {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    let Some(first) = unit(0) else {
        out.push(b'\\');
        return 1;
    };
    if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, unit(6)) {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        if let Some(character) = char::from_u32(code) {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return 12;
        }
    }
    if let Some(character) = char::from_u32(first) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let [high, low] = u16::try_from(first).unwrap_or(0xfffd).to_be_bytes();
        out.extend_from_slice(&[
            0xe0 | (high >> 4),
            0x80 | ((high & 0xf) << 2) | (low >> 6),
            0x80 | (low & 0x3f),
        ]);
    }
    6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_json_means_them() {
        assert_eq!(&*unescape(br#"a\"\\\/\n\u00e9\ud83d\ude00"#), "a\"\\/\né😀".as_bytes());
        assert_eq!(&*unescape(br"\udce9"), b"\xed\xb3\xa9");
        assert_eq!(&*unescape(br"\ud83dx"), b"\xed\xa0\xbdx");
        assert_eq!(&*unescape(br"\q\u12"), br"\q\u12");
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(b"plain")));
    }
}
