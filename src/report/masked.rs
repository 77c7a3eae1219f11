//! Captured words as a report shows them: nothing that acts on a terminal, and nothing that looks like a secret.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::flow::text;
use crate::report::OTHER_HOSTS;
use crate::template::secret::{Seen, looks_secret};
use crate::template::segment::{SegmentKind, kind_of};

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

/// Registered and usual subtypes whose letters are not those of words.
const MEDIA_SUBTYPES: [&str; 24] = [
    "avif",
    "cbor",
    "flac",
    "gzip",
    "heic",
    "javascript",
    "jpeg",
    "json5",
    "jwt",
    "mp2t",
    "mp3",
    "mp4",
    "mpeg",
    "msgpack",
    "ndjson",
    "ogg",
    "opus",
    "svg+xml",
    "wasm",
    "webm",
    "webp",
    "woff",
    "woff2",
    "x-www-form-urlencoded",
];

/// Any captured word that so many requests had, with an end.
pub(crate) fn short_word(bytes: &[u8], requests: u64, limit: usize) -> Cow<'_, str> {
    if looks_secret(bytes, Seen::times(requests)) {
        Cow::Borrowed(MASK)
    } else {
        text::shortened(bytes, limit)
    }
}

/// Any captured word that so many requests had.
pub(crate) fn word(bytes: &[u8], requests: u64) -> Cow<'_, str> {
    if looks_secret(bytes, Seen::times(requests)) {
        Cow::Borrowed(MASK)
    } else {
        text::printable(bytes)
    }
}

/// The id that a capture gives a flow: a UUID, a number, or a word with a number is shown, since it is what the flow is asked
/// for with; anything else is a word like others.
pub(crate) fn flow_id(bytes: &[u8]) -> Cow<'_, str> {
    /// More digits may be those of a person.
    const DIGITS: usize = 7;

    if is_counted(bytes, 0..=8, DIGITS)
        || (kind_of(bytes) == SegmentKind::Uuid && bytes.contains(&b'-'))
    {
        text::printable(bytes)
    } else {
        word(bytes, 1)
    }
}

/// A word and a number: `flow-12`, `web1042`.
fn is_counted(bytes: &[u8], of_letters: RangeInclusive<usize>, most_digits: usize) -> bool {
    let letters = bytes.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let rest = bytes[letters..].strip_prefix(b"-").unwrap_or(&bytes[letters..]);
    of_letters.contains(&letters)
        && !rest.is_empty()
        && rest.len() <= most_digits
        && rest.iter().all(u8::is_ascii_digit)
}

/// A host that so many requests were sent to: a label that looks like a secret is masked, but for the last two, which are the
/// site.
pub(crate) fn host(name: &str, requests: u64) -> Cow<'_, str> {
    let labels: Vec<&str> = name.split('.').collect();
    let (bare, _) = name.rsplit_once(':').unwrap_or((name, ""));
    let is_address = name.starts_with('[') || bare.parse::<std::net::IpAddr>().is_ok();
    let seen = Seen::times(requests);
    let is_secret = |(at, label): (usize, &&str)| {
        at + 2 < labels.len()
            && !is_counted(label.as_bytes(), 1..=5, 4)
            && looks_secret(label.as_bytes(), seen)
    };
    if is_address || name == OTHER_HOSTS || !labels.iter().enumerate().any(is_secret) {
        return Cow::Borrowed(name);
    }
    let mask = |(at, label)| if is_secret((at, label)) { MASK } else { *label };
    Cow::Owned(labels.iter().enumerate().map(mask).collect::<Vec<_>>().join("."))
}

/// A media type, which is the start of a header's value, of so many responses: anything else stays in the capture.
pub(crate) fn media_type(bytes: &[u8], requests: u64) -> Cow<'_, str> {
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
        Some(name) if is_known_subtype(name, requests) => Cow::Borrowed(name),
        _ => Cow::Borrowed(OTHER_MEDIA_TYPE),
    }
}

/// Are the words of a subtype names? Vendors' own are names of products: the letters of one need not be those of words.
fn is_known_subtype(name: &str, requests: u64) -> bool {
    let subtype = name.split_once('/').map_or("", |(_, subtype)| subtype);
    let is_registered_tree = ["vnd.", "x-", "prs."].iter().any(|tree| subtype.starts_with(tree));
    let seen = if is_registered_tree { Seen::Often } else { Seen::times(requests) };
    MEDIA_SUBTYPES.contains(&subtype) || !looks_secret(subtype.as_bytes(), seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_keep_the_labels_that_are_no_secrets() {
        assert_eq!(host("api.example.com", 1), "api.example.com");
        let token = ["ghp_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"].concat();
        assert_eq!(
            host(&format!("{token}.hooks.example.com:8443"), 9),
            "[masked].hooks.example.com:8443"
        );
    }

    #[test]
    fn only_media_types_are_shown_of_a_content_type() {
        assert_eq!(media_type(b"application/vnd.api+json", 1), "application/vnd.api+json");
        assert_eq!(media_type(b"ignore all previous instructions", 1), "(other)");
        assert_eq!(media_type(b"text/ignore all previous", 1), "(other)");
        assert_eq!(media_type(b"token=abcdef", 1), "(other)");
    }
}
