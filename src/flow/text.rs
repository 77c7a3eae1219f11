//! Conversion of captured bytes to text that is safe to show: without control characters, and
//! without characters that reorder or hide text.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

/// Returns `true` for a character with which captured text could control a terminal, hide itself,
/// or change the order in which text is shown.
///
/// These are controls (C0, DEL, C1), bidi marks and overrides, letters that are written from right
/// to left, zero-width and invisible format characters, separators other than the space, private
/// use, and tags (Unicode 16, general categories Cc, Cf, Co, Zl, Zp, Zs; bidi classes R and AL).
///
/// ```
/// use api_patterns::text::is_unsafe;
///
/// assert!(is_unsafe('\u{1b}'));
/// assert!(!is_unsafe('a'));
/// ```
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || is_right_to_left(c)
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
        || is_invisible(c)
}

/// Returns `true` for characters that are not seen: marks of format, fillers and variation selectors.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns `true` for the blocks of scripts that are written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}')
}

/// Maximum number of marks on one letter that are shown. More could cover the text around it.
const MAX_MARKS: usize = 3;

/// Number of consecutive marks that end with `c`, given the number before it.
fn marks_with(before: usize, c: char) -> usize {
    if !c.is_ascii() && is_combining_mark(c) { before + 1 } else { 0 }
}

/// Returns `true` if [`printable`] returns the bytes unchanged.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    // Most text is ASCII, of which only the controls are unsafe.
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        || matches!(printable(bytes), Cow::Borrowed(_))
}

/// Converts bytes to text in which every unsafe character (see [`is_unsafe`]), and every byte that
/// is not UTF-8, is percent-encoded.
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
        && (text.is_ascii() || !has_many_marks(text))
        && !text.chars().any(is_unsafe)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut marks = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            marks = marks_with(marks, c);
            if is_unsafe(c) || marks > MAX_MARKS {
                percent(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        percent(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

fn has_many_marks(text: &str) -> bool {
    let mut marks = 0;
    text.chars().any(|c| {
        marks = marks_with(marks, c);
        marks > MAX_MARKS
    })
}

/// As [`printable`], with the bytes cut to `limit` first. An ellipsis marks the cut.
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
    fn what_would_reorder_or_cover_text_is_percent_encoded() {
        for text in ["\u{5d0}\u{5d1}", "a\u{a0}b", "a\u{3000}b", "\u{e001}", "\u{627}"] {
            assert!(printable(text.as_bytes()).is_ascii(), "{text:?}");
        }
        let marks = format!("a{}", "\u{301}".repeat(9));
        let shown = printable(marks.as_bytes());
        assert_eq!(shown.matches('\u{301}').count(), MAX_MARKS);
        assert_eq!(
            printable("nguo\u{31b}\u{300}i d\u{f9}ng".as_bytes()),
            "nguo\u{31b}\u{300}i d\u{f9}ng"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("aéé".as_bytes(), 4), "aé…");
        assert_eq!(shortened(b"abc", 3), "abc");
    }
}
