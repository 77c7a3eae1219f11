//! Extracts the identifying members of a JSON-RPC message without parsing it, so that damaged, oversized or deeply
//! nested messages can be answered too.

/// Maximum nesting depth of objects and lists in one message.
const MAX_DEPTH: usize = 64;

/// Maximum length of an id, in bytes of JSON.
const MAX_ENVELOPE_ID_BYTES: usize = 200;

/// Members of a JSON-RPC message that identify it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Id of the message, as JSON.
    pub(crate) id: Option<String>,
    pub(crate) has_method: bool,
    pub(crate) has_version: bool,
    /// Id of the request that this message cancels, as JSON.
    pub(crate) canceled: Option<String>,
}

impl Envelope {
    /// Scans the members of the top level, and `requestId` of `params`.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut envelope = Self::default();
        let mut is_cancel = false;
        let mut canceled = None;
        // True while the scan is inside of `params`.
        let mut in_params = false;
        scan(text, |depth, key, value| match (depth, key) {
            (1, b"id") => envelope.id = id(value),
            (1, b"jsonrpc") => envelope.has_version = value.starts_with(b"\"2.0\""),
            (1, b"method") => {
                envelope.has_method = value.starts_with(b"\"");
                is_cancel = value.starts_with(b"\"notifications/cancelled\"");
                in_params = false;
            }
            (1, key) => in_params = key == b"params",
            (2, b"requestId") if in_params => canceled = id(value),
            _ => {}
        });
        envelope.canceled = canceled.filter(|_| is_cancel);
        envelope
    }
}

/// Returns the number or string at the start of `value` as JSON, or `None` if it is of another type or too long.
fn id(value: &[u8]) -> Option<String> {
    let mut stream =
        serde_json::Deserializer::from_slice(&value[..value.len().min(MAX_ENVELOPE_ID_BYTES)])
            .into_iter::<serde_json::Value>();
    let id = stream.next()?.ok()?;
    // As it was written: a client may compare texts.
    let text = std::str::from_utf8(value.get(..stream.byte_offset())?).ok()?;
    (id.is_string() || id.is_number()).then(|| text.trim().to_owned())
}

/// Returns `true` if the message is nested deeper than `MAX_DEPTH`.
pub(crate) fn is_too_deep(text: &[u8]) -> bool {
    scan(text, |_, _, _| ()) > MAX_DEPTH
}

/// Calls `member` for each key of an object with the depth of the object, the key, and the text from its value on.
/// Returns the greatest depth.
fn scan(text: &[u8], mut member: impl FnMut(usize, &[u8], &[u8])) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at + 1;
                at = start;
                while text.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                let key = text.get(start..at).unwrap_or_default();
                let rest = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
                if let Some(value) = rest.strip_prefix(b":") {
                    member(depth, key, value.trim_ascii_start());
                }
            }
            _ => {}
        }
        at += 1;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_message() {
        let of = |text: &str| Envelope::of(text.as_bytes());
        let request = of(r#"{"params":{"id":9},"jsonrpc":"2.0","id":"a\"b","method":"x"}"#);
        assert_eq!(request.id.as_deref(), Some(r#""a\"b""#));
        assert!(request.has_method && request.has_version && request.canceled.is_none());
        assert_eq!(of(r#"{"id": 12, "method": "x", "params": {"#).id.as_deref(), Some("12"));
        assert_eq!(of(r#"{"id":[1]}"#).id, None);
        let cancel = r#"{"method":"notifications/cancelled","params":{"requestId":5}}"#;
        assert_eq!(of(cancel).canceled.as_deref(), Some("5"));
        assert!(is_too_deep(&b"[".repeat(65)) && !is_too_deep(br#"{"a":"[[[[[["}"#));
    }
}
