//! Captured words as a report shows them: nothing that acts on a terminal, and nothing that looks like a secret.

use std::borrow::Cow;

use crate::flow::text;
use crate::template::secret::looks_secret;

/// What stands for a word that looks like a secret.
const MASK: &str = "[masked]";

/// What stands for the media type of a header that holds none.
const OTHER_MEDIA_TYPE: &str = "(other)";

/// The top-level types that are registered, <https://www.iana.org/assignments/media-types>.
const MEDIA_TYPES: [&str; 11] = [
    "application",
    "audio",
    "example",
    "font",
    "haptics",
    "image",
    "message",
    "model",
    "multipart",
    "text",
    "video",
];

/// Any captured word, with an end.
pub(crate) fn short_word(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    if looks_secret(bytes) { Cow::Borrowed(MASK) } else { text::shortened(bytes, limit) }
}

/// Any captured word.
pub(crate) fn word(bytes: &[u8]) -> Cow<'_, str> {
    if looks_secret(bytes) { Cow::Borrowed(MASK) } else { text::printable(bytes) }
}

/// A host: a label that looks like a secret is masked, the others stay.
pub(crate) fn host(name: &str) -> Cow<'_, str> {
    if !name.split('.').any(|label| looks_secret(label.as_bytes())) {
        return Cow::Borrowed(name);
    }
    let mask = |label| if looks_secret(str::as_bytes(label)) { MASK } else { label };
    Cow::Owned(name.split('.').map(mask).collect::<Vec<_>>().join("."))
}

/// A media type, which is the start of a header's value: anything that is no media type stays in the capture.
pub(crate) fn media_type(bytes: &[u8]) -> Cow<'_, str> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(byte);
    let known = std::str::from_utf8(bytes).ok().filter(|name| {
        name.split_once('/').is_some_and(|(top, sub)| {
            let is_known = MEDIA_TYPES.contains(&top) || top.starts_with("x-");
            is_known
                && !sub.is_empty()
                && name.len() <= 100
                && sub.bytes().all(|byte| is_token(&byte))
        })
    });
    match known {
        Some(name) if !looks_secret(bytes) => Cow::Borrowed(name),
        _ => Cow::Borrowed(OTHER_MEDIA_TYPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_keep_the_labels_that_are_no_secrets() {
        assert_eq!(host("api.example.com"), "api.example.com");
        let token = ["ghp_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"].concat();
        assert_eq!(
            host(&format!("{token}.hooks.example.com:8443")),
            "[masked].hooks.example.com:8443"
        );
    }

    #[test]
    fn only_media_types_are_shown_of_a_content_type() {
        assert_eq!(media_type(b"application/vnd.api+json"), "application/vnd.api+json");
        assert_eq!(media_type(b"ignore all previous instructions"), "(other)");
        assert_eq!(media_type(b"text/ignore all previous"), "(other)");
        assert_eq!(media_type(b"token=abcdef"), "(other)");
    }
}
