//! Captured bytes as text that is safe to show: no control characters, nothing that reorders or hides what follows.

use std::borrow::Cow;
use std::fmt::Write;

/// Would this character let captured text act on a terminal, hide itself, or change the order of what is read?
///
/// Controls (C0, DEL, C1), bidi marks and overrides, zero-width and invisible format characters, line and paragraph
/// separators, tags (Unicode 16, general categories Cc, Cf, Zl, Zp).
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The bytes as text in which every unsafe character, and every byte that is not UTF-8, is percent-encoded.
///
/// ```
/// use api_patterns::text::printable;
///
/// assert_eq!(printable(b"plain"), "plain");
/// assert_eq!(printable("caf\u{e9}\u{1b}[31m".as_bytes()), "caf\u{e9}%1B[31m");
/// assert_eq!(printable(b"\xff"), "%FF");
/// ```
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_unsafe)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe(c) {
                percent(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        percent(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

/// The same for a name that is kept: cut to `limit` bytes first, with an ellipsis where something is missing.
pub(crate) fn shortened(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    if bytes.len() <= limit {
        return printable(bytes);
    }
    let mut end = limit;
    while end > 0 && bytes.get(end).is_some_and(|b| b & 0xc0 == 0x80) {
        end -= 1;
    }
    Cow::Owned(printable(&bytes[..end]).into_owned() + "…")
}

fn percent(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(out, "%{byte:02X}").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_bidi_and_zero_width_characters_are_percent_encoded() {
        assert_eq!(
            printable("a\u{202e}b\u{200b}c\u{9b}d".as_bytes()),
            "a%E2%80%AEb%E2%80%8Bc%C2%9Bd"
        );
        assert_eq!(printable(b"\x1b]0;x\x07\r\n"), "%1B]0;x%07%0D%0A");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("aéé".as_bytes(), 4), "aé…");
        assert_eq!(shortened(b"abc", 3), "abc");
    }
}
