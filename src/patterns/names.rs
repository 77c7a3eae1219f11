//! Normalised names of headers, parameters and media types: bounded in length, case-folded and
//! without secrets.

use std::borrow::Cow;

use crate::limits;
use crate::template::segment::{SegmentKind, kind_of};

/// Request headers that are not counted, because clients and proxies send them by themselves.
const SKIPPED_HEADERS: [&[u8]; 19] = [
    b"accept",
    b"cache-control",
    b"connection",
    b"content-length",
    b"content-type",
    b"dnt",
    b"host",
    b"keep-alive",
    b"origin",
    b"pragma",
    b"priority",
    b"proxy-connection",
    b"referer",
    b"save-data",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"upgrade-insecure-requests",
    b"user-agent",
];

/// Beginnings of names of request headers that are not counted either.
const SKIPPED_BEGINNINGS: [&[u8]; 3] = [b"accept-", b"access-control-request-", b"sec-"];

/// The place of a header among those of an endpoint: 0 for credentials, tenants and the mark of a script, 1 for other headers of the application, and
/// 2 for the rest. `name` is normalised by [`header_name`].
pub(crate) fn header_rank(name: &[u8]) -> u8 {
    const IDENTIFYING: [&[u8]; 15] = [
        b"account",
        b"apikey",
        b"auth",
        b"authorization",
        b"cookie",
        b"csrf",
        b"key",
        b"org",
        b"organization",
        b"secret",
        b"session",
        b"tenant",
        b"token",
        b"workspace",
        b"xsrf",
    ];

    let mut words = name.split(|byte| !byte.is_ascii_alphanumeric());
    let is_identifying = words.any(|word| IDENTIFYING.contains(&word));
    if is_identifying || name == b"x-requested-with" {
        0
    } else if name.starts_with(b"x-") {
        1
    } else {
        2
    }
}

/// Normalises the name of a request header: lower case, values masked. Returns `None` for headers
/// that clients send by themselves and for HTTP/2 pseudo-headers.
pub(crate) fn header_name(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if name.is_empty() || name[0] == b':' {
        return None;
    }
    let begins = |beginning: &[u8]| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    if SKIPPED_HEADERS.iter().any(|skipped| name.eq_ignore_ascii_case(skipped))
        || SKIPPED_BEGINNINGS.iter().any(|beginning| begins(beginning))
    {
        return None;
    }
    let name = masked(&name[..name.len().min(limits::MAX_NAME_BYTES)]);
    if name.iter().any(u8::is_ascii_uppercase) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(name)
}

/// Normalises the name of a query parameter: percent-decoded, values masked.
pub(crate) fn query_name(name: &[u8]) -> Cow<'_, [u8]> {
    let name = &name[..name.len().min(4 * limits::MAX_NAME_BYTES)];
    if memchr::memchr2(b'%', b'+', name).is_none() {
        return masked(&name[..name.len().min(limits::MAX_NAME_BYTES)]);
    }
    let decoded = url::form_urlencoded::parse(name)
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default();
    let mut decoded = decoded.into_bytes();
    decoded.truncate(limits::MAX_NAME_BYTES);
    Cow::Owned(masked(&decoded).into_owned())
}

/// Replaces a name that is really a value (a cache buster, a token) by its kind, such as `{uuid}`.
/// Such names are one parameter, and each may be a secret.
fn masked(name: &[u8]) -> Cow<'_, [u8]> {
    let kind = kind_of(name);
    let is_value = match kind {
        SegmentKind::Encoded | SegmentKind::List | SegmentKind::Date => false,
        SegmentKind::Integer | SegmentKind::Year => name.len() > 3,
        kind => kind.is_unmistakable(),
    };
    if is_value {
        Cow::Owned(format!("{{{}}}", kind.name()).into_bytes())
    } else {
        Cow::Borrowed(name)
    }
}

/// Bit of the values `true` and `false`. Lower bits belong to [`SegmentKind`]s.
const BOOLEAN: u32 = 1 << 30;
/// Bit of empty values.
const EMPTY: u32 = 1 << 31;

/// The kind of a query value as a bit set with one bit.
pub(crate) fn value_kind(value: &[u8]) -> u32 {
    match value {
        b"" => EMPTY,
        b"true" | b"false" => BOOLEAN,
        value => {
            let kind = match kind_of(value) {
                SegmentKind::Year => SegmentKind::Integer,
                kind => kind,
            };
            1 << (kind as u32)
        }
    }
}

/// The name of the kind of a parameter, from the union of the kinds of its values. Empty values are
/// ignored, integers widen to numbers, and any other mixture is `string`.
pub(crate) fn kind_name(kinds: u32) -> &'static str {
    const INTEGER: u32 = 1 << (SegmentKind::Integer as u32);
    const NUMBER: u32 = 1 << (SegmentKind::Number as u32);
    match kinds & !EMPTY {
        0 => "empty",
        BOOLEAN => "boolean",
        INTEGER => "integer",
        kinds if kinds & !(INTEGER | NUMBER) == 0 => "number",
        kinds if kinds.is_power_of_two() => SegmentKind::ALL
            .iter()
            .find(|kind| 1 << (**kind as u32) == kinds)
            .filter(|kind| **kind != SegmentKind::Encoded)
            .map_or("string", |kind| kind.name()),
        _ => "string",
    }
}

/// The class of a media type in the vocabulary of the original tool: `json`, `form`, `xml`, `text`
/// or `unknown`.
pub(crate) fn content_class(media_type: &[u8]) -> &'static str {
    let has = |word: &str| memchr::memmem::find(media_type, word.as_bytes()).is_some();
    // Office documents (`openxmlformats`) are neither XML nor forms for a reader of an API.
    if has("json") {
        "json"
    } else if has("x-www-form") || has("form-data") {
        "form"
    } else if has("xml") && !has("openxml") {
        "xml"
    } else if media_type.starts_with(b"text/") {
        "text"
    } else {
        "unknown"
    }
}

/// The names counted for one message so far, to count duplicates once.
#[derive(Default)]
pub(crate) struct MessageNames {
    hashes: Vec<u64>,
}

impl MessageNames {
    /// Records a name by its hash. Returns `true` if it was not recorded before, and always `true`
    /// beyond [`limits::MAX_NAMES_PER_MESSAGE`] names.
    pub(crate) fn is_new(&mut self, hash: u64) -> bool {
        if self.hashes.len() >= limits::MAX_NAMES_PER_MESSAGE {
            return true;
        }
        let is_new = !self.hashes.contains(&hash);
        if is_new {
            self.hashes.push(hash);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_values_posing_as_names_are_masked() {
        assert_eq!(header_name(b"X-Api-Key").as_deref(), Some(&b"x-api-key"[..]));
        assert_eq!(header_name(b"HOST"), None);
        assert_eq!(header_name(b":path"), None);
        assert_eq!(header_name(b"Sec-Fetch-Mode"), None);
        assert_eq!(header_name(b"Security").as_deref(), Some(&b"security"[..]));
        assert_eq!(
            [&b"x-tenant-id"[..], b"x-requested-with", b"x-page", b"range"].map(header_rank),
            [0, 0, 1, 2]
        );
        assert_eq!(&*query_name(b"filter%5Bname%5D"), b"filter[name]");
        assert_eq!(&*query_name(b"1699999999"), b"{integer}");
        assert_eq!(&*query_name(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"), b"{jwt}");
        assert_eq!(&*query_name(b"q"), b"q");
    }

    #[test]
    fn kinds_of_values_join() {
        assert_eq!(kind_name(value_kind(b"1") | value_kind(b"")), "integer");
        assert_eq!(kind_name(value_kind(b"1") | value_kind(b"1.5")), "number");
        assert_eq!(kind_name(value_kind(b"1") | value_kind(b"x")), "string");
        assert_eq!(kind_name(value_kind(b"true")), "boolean");
        assert_eq!(kind_name(value_kind(b"550e8400-e29b-41d4-a716-446655440000")), "uuid");
    }

    #[test]
    fn media_types_have_the_classes_of_the_original_tool() {
        for (media_type, class) in [
            ("application/problem+json", "json"),
            ("application/x-www-form-urlencoded", "form"),
            ("image/svg+xml", "xml"),
            ("text/html", "text"),
            ("image/png", "unknown"),
        ] {
            assert_eq!(content_class(media_type.as_bytes()), class);
        }
    }
}
