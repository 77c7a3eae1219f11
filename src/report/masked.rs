//! Display of captured words: control characters are percent-encoded, and words that look like
//! secrets are masked.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::flow::record_id::is_record_id;
use crate::flow::text;
use crate::report::OTHER_HOSTS;
#[cfg(feature = "descriptions")]
use crate::shape::fields::is_secret_key;
use crate::template::secret::{Frequency, looks_secret};
use crate::template::segment::{SegmentKind, kind_of};

/// Replacement for a word that looks like a secret.
pub(crate) const MASK: &str = "[masked]";

/// Replacement for a `Content-Type` value that is not a media type.
const OTHER_MEDIA_TYPE: &str = "(other)";

/// Registered top-level media types, <https://www.iana.org/assignments/media-types>.
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

/// Registered or common subtypes that the secret detector would take for random letters.
const MEDIA_SUBTYPES: [&str; 71] = [
    "3gpp",
    "aac",
    "atom+xml",
    "avif",
    "bmp",
    "cbor",
    "css",
    "csv",
    "event-stream",
    "flac",
    "form-data",
    "geo+json",
    "gif",
    "graphql",
    "graphql-response+json",
    "grpc",
    "grpc-web",
    "grpc-web-text",
    "gzip",
    "hal+json",
    "heic",
    "html",
    "javascript",
    "jpeg",
    "json",
    "json-patch+json",
    "json-seq",
    "json5",
    "jsonl",
    "jwt",
    "ld+json",
    "manifest+json",
    "merge-patch+json",
    "mixed",
    "mp2t",
    "mp3",
    "mp4",
    "mpeg",
    "mpegurl",
    "msgpack",
    "ndjson",
    "octet-stream",
    "ogg",
    "opus",
    "otf",
    "pdf",
    "plain",
    "png",
    "problem+json",
    "problem+xml",
    "protobuf",
    "quicktime",
    "rss+xml",
    "rtf",
    "sfnt",
    "soap+xml",
    "svg+xml",
    "tiff",
    "ttf",
    "wasm",
    "wav",
    "webm",
    "webp",
    "woff",
    "woff2",
    "x-www-form-urlencoded",
    "xhtml+xml",
    "xml",
    "yaml",
    "zip",
    "zstd",
];

/// The name of the parameters that stand for text that is not shown, in descriptions.
pub(crate) const MASKED_PARAMETER: &str = "masked";

/// Returns `true` for the name of a parameter that stands for text that is not shown.
pub(crate) fn is_masked(name: &str) -> bool {
    let number = name.strip_prefix(MASKED_PARAMETER);
    number.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Displays a captured word, shortened to `limit` bytes. `requests` is the number of requests that
/// contained it; frequent words are less likely secrets.
pub(crate) fn short_word(bytes: &[u8], requests: u64, limit: usize) -> Cow<'_, str> {
    if looks_secret(bytes, Frequency::times(requests)) {
        Cow::Borrowed(MASK)
    } else {
        text::shortened(bytes, limit)
    }
}

/// Displays a captured word. `requests` is the number of requests that contained it.
pub(crate) fn word(bytes: &[u8], requests: u64) -> Cow<'_, str> {
    if looks_secret(bytes, Frequency::times(requests)) {
        Cow::Borrowed(MASK)
    } else {
        text::printable(bytes)
    }
}

/// Displays the key of an object in a body. `requests` is the number of objects that had it.
#[cfg(feature = "descriptions")]
pub(crate) fn property_name(bytes: &[u8], requests: u64) -> Cow<'_, str> {
    if is_secret_key(bytes, Frequency::times(requests)) {
        Cow::Borrowed(MASK)
    } else {
        text::printable(bytes)
    }
}

/// Displays a flow id. Ids of records, UUIDs, numbers and words with a number are shown unmasked, because users
/// need the id to look up the flow. Anything else is treated like other words.
pub(crate) fn flow_id(bytes: &[u8]) -> Cow<'_, str> {
    /// Maximum number of digits; longer numbers may identify a person.
    const MAX_SHOWN_DIGITS: usize = 7;

    if is_counted(bytes, 0..=8, MAX_SHOWN_DIGITS)
        || is_record_id(bytes)
        || (kind_of(bytes) == SegmentKind::Uuid && bytes.contains(&b'-'))
    {
        text::printable(bytes)
    } else {
        word(bytes, 1)
    }
}

/// Returns `true` for a word and a number: `flow-12`, `web1042`.
fn is_counted(bytes: &[u8], of_letters: RangeInclusive<usize>, most_digits: usize) -> bool {
    let letters = bytes.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let rest = bytes[letters..].strip_prefix(b"-").unwrap_or(&bytes[letters..]);
    of_letters.contains(&letters)
        && !rest.is_empty()
        && rest.len() <= most_digits
        && rest.iter().all(u8::is_ascii_digit)
}

/// Displays a host. Labels that look like secrets are masked, except the last two, which identify
/// the site. `requests` is the number of requests to the host.
pub(crate) fn host(name: &str, requests: u64) -> Cow<'_, str> {
    let labels: Vec<&str> = name.split('.').collect();
    let (bare, _) = name.rsplit_once(':').unwrap_or((name, ""));
    let is_address = name.starts_with('[') || bare.parse::<std::net::IpAddr>().is_ok();
    let seen = Frequency::times(requests);
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

/// Displays a media type of `requests` responses. Anything else in the header value is replaced,
/// because header values are not shown.
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

/// Returns `true` if the subtype may be shown. Subtypes in the vendor tree contain product names,
/// which need not be spelled like words.
fn is_known_subtype(name: &str, requests: u64) -> bool {
    let subtype = name.split_once('/').map_or("", |(_, subtype)| subtype);
    let is_registered_tree = ["vnd.", "x-", "prs."].iter().any(|tree| subtype.starts_with(tree));
    let seen = if is_registered_tree { Frequency::Often } else { Frequency::times(requests) };
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
