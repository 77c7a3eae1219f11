//! The syntax of a body, by its content type and its first bytes.

/// The syntax in which a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySyntax {
    /// One JSON value.
    Json,
    /// One JSON value per line.
    JsonLines,
    /// Server-sent events with JSON in `data`.
    EventStream,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
}

/// The media type in a content type, without parameters and surrounding spaces.
pub(crate) fn essence(content_type: &[u8]) -> &[u8] {
    content_type.split(|byte| matches!(byte, b';' | b',')).next().unwrap_or_default().trim_ascii()
}

impl BodySyntax {
    /// The syntax of a body with this content type. A body whose type is not specific is JSON if it
    /// begins as an object or a list. `None` for every other body.
    pub(crate) fn of(content_type: Option<&[u8]>, body: &[u8]) -> Option<Self> {
        let essence = essence(content_type.unwrap_or_default()).to_ascii_lowercase();
        let has = |word: &[u8]| memchr::memmem::find(&essence, word).is_some();
        let is_unsaid = matches!(
            &*essence,
            b"" | b"text/plain"
                | b"text/html"
                | b"text/javascript"
                | b"application/octet-stream"
                | b"*/*"
        );
        let begins_as_json = || {
            let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
            matches!(text, [b'{' | b'[', ..])
        };
        if has(b"ndjson")
            || has(b"jsonl")
            || has(b"json-lines")
            || has(b"json-seq")
            || essence.ends_with(b"stream+json")
        {
            Some(Self::JsonLines)
        } else if has(b"json") {
            Some(Self::Json)
        } else if essence == b"text/event-stream" {
            Some(Self::EventStream)
        } else if essence == b"application/x-www-form-urlencoded" {
            // Some programs send JSON without setting a type, and their HTTP library then sets this
            // type.
            Some(if begins_as_json() { Self::Json } else { Self::Form })
        } else if essence == b"multipart/form-data" {
            Some(Self::Multipart)
        } else {
            (is_unsaid && begins_as_json()).then_some(Self::Json)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_first_bytes_tell_the_syntax() {
        for (content_type, body, syntax) in [
            (&b"application/json; charset=utf-8"[..], &b"x"[..], Some(BodySyntax::Json)),
            (b"application/problem+JSON", b"", Some(BodySyntax::Json)),
            (b"application/x-ndjson", b"", Some(BodySyntax::JsonLines)),
            (b"text/event-stream", b"", Some(BodySyntax::EventStream)),
            (b"application/x-www-form-urlencoded", b"a=1", Some(BodySyntax::Form)),
            (b"application/x-www-form-urlencoded", b"{\"a\":1}", Some(BodySyntax::Json)),
            (b"multipart/form-data; boundary=x", b"", Some(BodySyntax::Multipart)),
            (b"text/plain", b" [1]", Some(BodySyntax::Json)),
            (b"text/plain", b"hello", None),
            (b"image/png", b"{", None),
        ] {
            assert_eq!(BodySyntax::of(Some(content_type), body), syntax, "{content_type:?}");
        }
        assert_eq!(BodySyntax::of(None, b"{}"), Some(BodySyntax::Json));
    }
}
