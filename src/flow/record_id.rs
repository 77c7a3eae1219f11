//! Ids of flows that have none in their capture: hashes of the records that they were read from.

use std::fmt;
use std::io::Write;

use crate::sketch::stable_hash;

/// A hash of the record that a flow was read from: an entry of a HAR, or a line.
///
/// Its text form is `record-` and twelve hexadecimal digits. It depends on the record alone, so that it is equal in every run, in
/// any order and in any part of a capture. Records that are equal, byte for byte, have one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordId(u64);

/// Beginning of the text form.
const PREFIX: &str = "record-";

/// Number of hexadecimal digits of the text form.
const DIGITS: usize = 12;

/// Bytes at each end of a record that are hashed, because what tells records apart (method, URL, time) stands there.
const HASHED_BYTES: usize = 2048;

impl RecordId {
    /// The id of a record. White space around it does not count.
    pub(crate) fn of(record: &[u8]) -> Self {
        let record = record.trim_ascii();
        let length = record.len() as u64;
        let hash = if record.len() <= 2 * HASHED_BYTES {
            stable_hash(record)
        } else {
            let end = stable_hash(&record[record.len() - HASHED_BYTES..]);
            stable_hash(&record[..HASHED_BYTES]).rotate_left(1) ^ end
        };
        Self((hash ^ length) >> 16)
    }

    pub(crate) fn text(self) -> RecordIdText {
        let mut text = RecordIdText::default();
        // The text has a fixed length.
        write!(&mut text.0[..], "{self}").unwrap_or_default();
        text
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:0DIGITS$x}", self.0)
    }
}

/// The text form of an id, without memory of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecordIdText([u8; PREFIX.len() + DIGITS]);

impl RecordIdText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns `true` for the text form of an id.
pub(crate) fn is_record_id(id: &[u8]) -> bool {
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let digits = id.strip_prefix(PREFIX.as_bytes());
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_records_have_equal_ids() {
        let text = RecordId::of(b"{\"a\": 1}").text();
        assert_eq!(text.as_bytes(), RecordId::of(b" {\"a\": 1}\r\n").to_string().as_bytes());
        assert!(is_record_id(text.as_bytes()));
        assert_ne!(text.as_bytes(), RecordId::of(b"{\"a\": 2}").text().as_bytes());
        for other in ["record-", "record-0123456789ag", "record-0123456789abc", "0123456789ab"] {
            assert!(!is_record_id(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn long_records_differ_by_length_and_at_both_ends() {
        let long = vec![b'a'; 10_000];
        let changed = |at: usize| {
            let mut other = long.clone();
            other[at] = b'b';
            RecordId::of(&other)
        };
        let ids = [RecordId::of(&long), changed(5), changed(9990), RecordId::of(&long[1..])];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id));
        }
    }
}
