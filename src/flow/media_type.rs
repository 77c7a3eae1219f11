//! Media types and their use: data, a page, or an asset of a page.

use std::borrow::Cow;

use crate::limits;

/// The media type of a `Content-Type` value: lower case, without parameters. Returns `None` if it
/// is empty.
pub(crate) fn media_type(content_type: &[u8]) -> Option<Cow<'_, [u8]>> {
    let end = memchr::memchr2(b';', b',', content_type).unwrap_or(content_type.len());
    let media_type = content_type[..end.min(limits::MAX_NAME_BYTES)].trim_ascii();
    if media_type.is_empty() {
        return None;
    }
    if media_type.iter().any(u8::is_ascii_uppercase) {
        return Some(Cow::Owned(media_type.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(media_type))
}

/// The use of a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaKind {
    /// Data for a program: JSON, XML, and the binary formats of remote calls.
    Data,
    /// A page: HTML.
    Page,
    /// A stylesheet, script, image, font, video or sound.
    Asset,
    /// Another one, as plain text and files to be saved, which APIs, pages and trackers answer alike.
    Other,
}

/// Media types of assets that their first part does not say.
const ASSETS: [&str; 15] = [
    "application/dash+xml",
    "application/ecmascript",
    "application/javascript",
    "application/manifest+json",
    "application/mpegurl",
    "application/vnd.apple.mpegurl",
    "application/wasm",
    "application/x-font-ttf",
    "application/x-font-woff",
    "application/x-javascript",
    "application/x-mpegurl",
    "application/x-shockwave-flash",
    "text/css",
    "text/ecmascript",
    "text/javascript",
];

/// Words in the subtypes of media types of data. A word is a run of letters and digits, as `json` in `problem+json`.
const DATA: [&str; 19] = [
    "amf",
    "amz",
    "avro",
    "bson",
    "cbor",
    "component",
    "event",
    "flatbuffers",
    "graphql",
    "grpc",
    "json",
    "jsonl",
    "msgpack",
    "ndjson",
    "protobuf",
    "soap",
    "thrift",
    "xml",
    "yaml",
];

impl MediaKind {
    /// The use of a media type in lower case, without parameters.
    pub(crate) fn of(media_type: &str) -> Self {
        let (group, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        if ASSETS.contains(&media_type)
            || matches!(group, "image" | "video" | "audio" | "font")
            || subtype.starts_with("font")
            || subtype.starts_with("x-font")
        {
            return Self::Asset;
        }
        if matches!(subtype, "html" | "xhtml+xml" | "vnd.wap.xhtml+xml") {
            return Self::Page;
        }
        // Documents of offices have `openxmlformats` in their names, and are files.
        let mut words = subtype.split(|c: char| !c.is_ascii_alphanumeric());
        if words.any(|word| {
            DATA.contains(&word) || word.starts_with("json") || word.starts_with("grpc")
        }) {
            return Self::Data;
        }
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::{MediaKind, media_type};

    #[test]
    fn parameters_and_case_do_not_belong_to_a_media_type() {
        let found = media_type(b" Application/JSON; charset=utf-8");
        assert_eq!(found.as_deref(), Some(&b"application/json"[..]));
    }

    #[test]
    fn media_types_have_their_uses() {
        for (kind, media_types) in [
            (
                MediaKind::Data,
                "application/json application/problem+json text/xml application/x-protobuf application/grpc-web+proto \
                 text/event-stream application/x-ndjson application/json+protobuf text/x-component application/x-amf \
                 application/x-amz-json-1.1 text/x-json application/msgpack app/json",
            ),
            (MediaKind::Page, "text/html application/xhtml+xml"),
            (
                MediaKind::Asset,
                "image/svg+xml text/css application/javascript font/woff2 application/font-woff video/mp4 \
                 application/vnd.apple.mpegurl application/manifest+json application/wasm image/gif",
            ),
            (
                MediaKind::Other,
                "text/plain application/octet-stream application/pdf x-unknown - \
                 application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ),
        ] {
            for media_type in media_types.split_whitespace() {
                assert_eq!(MediaKind::of(media_type), kind, "{media_type}");
            }
        }
    }
}
