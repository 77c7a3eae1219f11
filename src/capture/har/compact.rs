//! Copies an entry that is too large to hold, with only the beginning of long strings.

use crate::capture::json::JsonScanner;
use crate::limits;

/// Copies an entry piece by piece.
#[derive(Default)]
pub(super) struct Compactor {
    scan: JsonScanner,
    out: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// Length of the current string so far, in bytes.
    length: u64,
    is_too_large: bool,
}

impl Compactor {
    /// Copies the part of the entry that is in these bytes. Returns the index after the entry if it
    /// ends here.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = self.scan.step(bytes);
        let mut rest = &bytes[..end.unwrap_or(bytes.len())];
        while !rest.is_empty() {
            let used =
                if self.in_string { self.copy_string(rest) } else { self.copy_structure(rest) };
            rest = &rest[used..];
        }
        end
    }

    /// Returns the copied entry; `None` if it is still too large.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.is_too_large).then_some(self.out)
    }

    fn copy_structure(&mut self, bytes: &[u8]) -> usize {
        let quote = memchr::memchr(b'"', bytes);
        let used = quote.map_or(bytes.len(), |at| at + 1);
        self.in_string = quote.is_some();
        self.length = 0;
        self.push(&bytes[..used]);
        used
    }

    fn copy_string(&mut self, bytes: &[u8]) -> usize {
        if self.escaped {
            self.escaped = false;
            self.push_of_string(&bytes[..1]);
            return 1;
        }
        let Some(at) = memchr::memchr2(b'"', b'\\', bytes) else {
            self.push_of_string(bytes);
            return bytes.len();
        };
        self.push_of_string(&bytes[..at]);
        if bytes[at] == b'"' {
            self.in_string = false;
            self.push(b"\"");
        } else {
            self.escaped = true;
            // Keep an escape completely or not at all.
            if self.length + 1 >= limits::MAX_COMPACT_VALUE_BYTES {
                self.length = limits::MAX_COMPACT_VALUE_BYTES;
            }
            self.push_of_string(b"\\");
        }
        at + 1
    }

    fn push_of_string(&mut self, bytes: &[u8]) {
        let room = limits::MAX_COMPACT_VALUE_BYTES.saturating_sub(self.length);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.push(&bytes[..kept]);
        self.length += bytes.len() as u64;
    }

    fn push(&mut self, bytes: &[u8]) {
        self.is_too_large |= self.out.len() + bytes.len() > limits::MAX_COMPACT_RECORD_BYTES;
        if !self.is_too_large {
            self.out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_strings_are_cut_in_any_pieces() {
        let body = "x\\\"".repeat(100_000);
        let text = format!(r#"{{"a": "b\\", "text": "{body}", "c": [1, "}}"]}}, {{"#);
        for piece in [1, 7, 64, 1 << 20] {
            let mut compactor = Compactor::default();
            let mut end = None;
            for (i, bytes) in text.as_bytes().chunks(piece).enumerate() {
                end = compactor.step(bytes).map(|end| i * piece + end);
                if end.is_some() {
                    break;
                }
            }
            assert_eq!(end, Some(text.len() - 3));
            let kept = String::from_utf8(compactor.finish().unwrap()).unwrap();
            assert!(kept.len() < 66_000 && kept.starts_with(r#"{"a": "b\\", "text": "x\""#));
            assert!(kept.ends_with(r#"", "c": [1, "}"]}"#));
            serde_json::from_str::<serde_json::Value>(&kept).unwrap();
        }
    }
}
