//! Ids of flows that have none in their capture: hashes of what tells exchanges apart.

use std::fmt;
use std::io::Write;

use crate::flow::Flow;
use crate::sketch::stable_hash;

/// A hash of an exchange: method, URL, times, status, size, and request headers.
///
/// Its text form is `record-` and twelve hexadecimal digits. It depends on the exchange alone, so that it is equal in every run, in
/// any order, in any part of a capture and in any format. Exchanges that are equal in all of this have one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordId(u64);

/// Beginning of the text form.
const PREFIX: &str = "record-";

/// Number of hexadecimal digits of the text form.
const DIGITS: usize = 12;

/// Bytes of a header value that are hashed.
const MAX_VALUE_BYTES: usize = 64;

/// Request headers that are hashed.
const MAX_HEADERS: usize = 48;

impl RecordId {
    pub(crate) fn of(flow: &Flow<'_>) -> Self {
        let mut hash = 0_u64;
        let mut add = |part: u64| {
            // The order of the parts counts. The factor is that of FNV-1a.
            hash = (hash.rotate_left(5) ^ part).wrapping_mul(0x0100_0000_01b3);
        };
        for text in [&flow.method, &flow.scheme, &flow.host, &flow.target] {
            add(stable_hash(text));
        }
        add(u64::from(flow.port.unwrap_or_default()));
        add(flow.started.unwrap_or_default().cast_unsigned());
        add(flow.duration.unwrap_or_default());
        if let Some(response) = &flow.response {
            add(response.status.cast_unsigned());
            add(response.body_bytes.unwrap_or_default());
        }
        for (name, value) in flow.request_headers.iter().take(MAX_HEADERS) {
            let value = value.unwrap_or_default();
            add(stable_hash(name));
            add(stable_hash(&value[..value.len().min(MAX_VALUE_BYTES)]));
        }
        Self(hash >> 16)
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
    fn what_tells_exchanges_apart_tells_ids_apart() {
        let flow = Flow::new("GET", "https://a.example/users/7?x=1").unwrap();
        let text = RecordId::of(&flow).text();
        assert_eq!(text.as_bytes(), RecordId::of(&flow.clone()).to_string().as_bytes());
        assert!(is_record_id(text.as_bytes()));
        let changes: [fn(&mut Flow<'_>); 4] = [
            |flow| flow.method = b"PUT"[..].into(),
            |flow| flow.target = b"/users/7?x=2"[..].into(),
            |flow| flow.started = Some(1),
            |flow| flow.duration = Some(1),
        ];
        let mut ids = vec![RecordId::of(&flow)];
        for change in changes {
            let mut other = flow.clone();
            change(&mut other);
            let id = RecordId::of(&other);
            assert!(!ids.contains(&id));
            ids.push(id);
        }
        for other in ["record-", "record-0123456789ag", "record-0123456789abc", "0123456789ab"] {
            assert!(!is_record_id(other.as_bytes()), "{other}");
        }
    }
}
