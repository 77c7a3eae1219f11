//! Ids of flows that have none in their capture: hashes of what tells exchanges apart.

use crate::flow::Flow;
use crate::sketch::stable_hash;

/// A hash of an exchange: method, URL, times, status, size, request headers, and where no time is known the request's body.
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
const MAX_VALUE_BYTES: usize = 24;

/// Bytes of an exchange that are hashed. Method, URL and times come first.
const MAX_HASHED_BYTES: usize = 512;

/// Length of a target from which on it is hashed on its own, in bytes, because what tells exchanges apart can stand at its end.
const MIN_LONG_TARGET_BYTES: usize = 256;

impl RecordId {
    pub(crate) fn of(flow: &Flow<'_>) -> Self {
        let mut parts = HashedParts { bytes: [0; MAX_HASHED_BYTES], length: 0 };
        let response = flow.response.as_ref();
        let long_target = (flow.target.len() >= MIN_LONG_TARGET_BYTES).then_some(&*flow.target);
        let body = flow.started.is_none().then(|| flow.request_body.plain(|| false)).flatten();
        let body = body.filter(|body| !body.is_empty());
        let numbers = [
            long_target.map_or(0, stable_hash),
            body.as_deref().map_or(0, stable_hash),
            u64::from(flow.port.unwrap_or_default()),
            flow.started.unwrap_or_default().cast_unsigned(),
            flow.duration.unwrap_or_default(),
            response.map_or(0, |response| response.status.cast_unsigned()),
            response.and_then(|response| response.body_bytes).unwrap_or_default(),
        ];
        numbers.iter().for_each(|number| parts.add(&number.to_le_bytes()));
        for text in [&flow.method, &flow.scheme, &flow.host, &flow.target] {
            parts.add(text);
        }
        for (name, value) in flow.request_headers.iter() {
            if parts.is_full() {
                break;
            }
            let value = value.unwrap_or_default();
            parts.add(name);
            parts.add(&value[..value.len().min(MAX_VALUE_BYTES)]);
        }
        Self(stable_hash(&parts.bytes[..parts.length]) >> 16)
    }

    pub(crate) fn text(self) -> RecordIdText {
        const HEX: &[u8; 16] = b"0123456789abcdef";

        let mut text = RecordIdText::default();
        text.0[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        let digits = self.0.to_be_bytes();
        for (at, byte) in digits[digits.len() - DIGITS / 2..].iter().enumerate() {
            text.0[PREFIX.len() + 2 * at] = HEX[usize::from(byte >> 4)];
            text.0[PREFIX.len() + 2 * at + 1] = HEX[usize::from(byte & 15)];
        }
        text
    }
}

/// Parts in one buffer, each with its length, so that they are hashed at once.
struct HashedParts {
    bytes: [u8; MAX_HASHED_BYTES],
    length: usize,
}

impl HashedParts {
    /// Adds a part, or as much of it as there is room for.
    fn add(&mut self, part: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let Some((first, room)) = room.split_first_mut() else { return };
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the length do")]
        let length = part.len() as u8;
        *first = length;
        let taken = part.len().min(room.len());
        room[..taken].copy_from_slice(&part[..taken]);
        self.length += 1 + taken;
    }

    fn is_full(&self) -> bool {
        self.length == self.bytes.len()
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
    use crate::flow::Body;

    #[test]
    fn what_tells_exchanges_apart_tells_ids_apart() {
        let flow = Flow::new("GET", "https://a.example/users/7?x=1").unwrap();
        let text = RecordId::of(&flow).text();
        assert_eq!(text.as_bytes(), RecordId::of(&flow.clone()).text().as_bytes());
        assert!(is_record_id(text.as_bytes()));
        let changes: [fn(&mut Flow<'_>); 6] = [
            |flow| flow.request_body = Body::decoded(b"{\"x\":1}"),
            |flow| flow.target = format!("/users/7?x={}2", "1".repeat(600)).into_bytes().into(),
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
