//! What one path segment says of itself: its kind, and the suffix that is not part of the value.

mod rules;

use serde::{Deserialize, Serialize};

pub(crate) use rules::kind_of;

/// The kind of one path segment, or of one query value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Letters, `-`, `_` and `.`: `users`, `check-out`, `latest.json`.
    Word,
    /// A word with digits that shows no sign of an id: `oauth2`, `h264`, `s3`.
    WordWithDigits,
    /// An API version: `v1`, `v2.1`, `v1beta1`.
    Version,
    /// A whole number, with or without sign.
    Integer,
    /// Numbers with dots or dashes between them: `1.5`, `2.0.1`, `555-0199`.
    Number,
    /// 8-4-4-4-12 hexadecimal digits, or 32 without dashes (RFC 9562 any version).
    Uuid,
    /// 24 hexadecimal digits (`MongoDB`).
    ObjectId,
    /// Hexadecimal digits: at least 7 with a decimal digit among them, or at least 16.
    Hex,
    /// 26 characters of Crockford's base 32 that begin with 0 to 7.
    Ulid,
    /// `2026-11-22`, `2026-11`, or either with a time.
    Date,
    /// An IPv4 address, or an IPv6 address.
    Ip,
    /// `name@host.tld`.
    Email,
    /// A dotted host name with a common top level domain.
    Domain,
    /// `en-US`, `pt_BR`.
    Locale,
    /// A short prefix and an id: `cus_NffrFeUfNV2Hib`, `ORD-2024-00017`.
    Prefixed,
    /// Three base64url parts that begin with `eyJ`.
    Jwt,
    /// Letters and digits too mixed for a word: `dQw4w9WgXcQ`.
    Opaque,
    /// Values with commas between them.
    List,
    /// Holds a percent-encoded byte, or one that should have been encoded.
    Encoded,
    /// Holds other punctuation: `a+b`, `@scope`, `$count`.
    Symbol,
    /// More bytes than any name has.
    Long,
    /// Several segments that together are one value, or that are too many to tell apart.
    Path,
}

impl SegmentKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 22] = {
        use SegmentKind as K;
        [
            K::Word,
            K::WordWithDigits,
            K::Version,
            K::Integer,
            K::Number,
            K::Uuid,
            K::ObjectId,
            K::Hex,
            K::Ulid,
            K::Date,
            K::Ip,
            K::Email,
            K::Domain,
            K::Locale,
            K::Prefixed,
            K::Jwt,
            K::Opaque,
            K::List,
            K::Encoded,
            K::Symbol,
            K::Long,
            K::Path,
        ]
    };

    /// Is a segment of this kind a value whatever stands around it?
    ///
    /// The evidence trie keeps no literal child for such a segment.
    pub fn is_unmistakable(self) -> bool {
        use SegmentKind::{
            Date, Email, Encoded, Hex, Ip, Jwt, List, Long, ObjectId, Opaque, Path, Prefixed, Ulid,
            Uuid,
        };
        matches!(
            self,
            Uuid | ObjectId
                | Hex
                | Ulid
                | Date
                | Ip
                | Email
                | Prefixed
                | Jwt
                | Opaque
                | List
                | Encoded
                | Long
                | Path
        )
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        use SegmentKind as K;
        match self {
            K::Word | K::WordWithDigits | K::Version | K::Symbol => "string",
            K::Integer => "integer",
            K::Number => "number",
            K::Uuid => "uuid",
            K::ObjectId => "object_id",
            K::Hex => "hex",
            K::Ulid => "ulid",
            K::Date => "date",
            K::Ip => "ip",
            K::Email => "email",
            K::Domain => "domain",
            K::Locale => "locale",
            K::Prefixed => "prefixed_id",
            K::Jwt => "jwt",
            K::Opaque => "token",
            K::List => "list",
            K::Encoded => "encoded",
            K::Long => "long",
            K::Path => "path",
        }
    }
}

/// A segment taken apart: `42.json` is the core `42` of kind integer with the suffix `.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The part that may be a value.
    pub core: &'a [u8],
    /// A file extension (`.json`) or a custom verb (`:cancel`); empty where there is none.
    pub suffix: &'a [u8],
    /// The kind of the core.
    pub kind: SegmentKind,
}

impl<'a> Segment<'a> {
    /// Takes one path segment apart.
    ///
    /// ```
    /// use api_patterns::{Segment, SegmentKind};
    ///
    /// let segment = Segment::parse(b"42.json");
    /// assert_eq!((segment.core, segment.suffix), (&b"42"[..], &b".json"[..]));
    /// assert_eq!(segment.kind, SegmentKind::Integer);
    /// assert_eq!(Segment::parse(b"oauth2").kind, SegmentKind::WordWithDigits);
    /// ```
    pub fn parse(segment: &'a [u8]) -> Self {
        use SegmentKind::{
            Domain, Email, Hex, Integer, Ip, Jwt, Locale, ObjectId, Prefixed, Ulid, Uuid, Version,
        };
        let kind = kind_of(segment);
        // Hosts, addresses and tokens keep their dots and colons; ids have none.
        if matches!(
            kind,
            Domain
                | Email
                | Ip
                | Jwt
                | Version
                | Integer
                | Uuid
                | ObjectId
                | Hex
                | Ulid
                | Locale
                | Prefixed
        ) {
            return Self { core: segment, suffix: b"", kind };
        }
        if let Some(at) = suffix_start(segment) {
            let (core, suffix) = segment.split_at(at);
            return Self { core, suffix, kind: kind_of(core) };
        }
        Self { core: segment, suffix: b"", kind }
    }
}

/// File extensions of documents that APIs serve.
const EXTENSIONS: [&[u8]; 24] = [
    b"json", b"xml", b"csv", b"html", b"htm", b"txt", b"yaml", b"yml", b"png", b"svg", b"pdf",
    b"jpg", b"jpeg", b"gif", b"atom", b"rss", b"zip", b"gz", b"ics", b"js", b"css", b"diff",
    b"patch", b"md",
];

fn suffix_start(segment: &[u8]) -> Option<usize> {
    if let Some(colon) = memchr::memrchr(b':', segment) {
        let verb = &segment[colon + 1..];
        let is_verb = (3..=24).contains(&verb.len()) && verb.iter().all(u8::is_ascii_alphabetic);
        return (is_verb && colon > 0).then_some(colon);
    }
    let dot = memchr::memrchr(b'.', segment).filter(|dot| *dot > 0)?;
    let extension = &segment[dot + 1..];
    if extension.len() > 5 || !EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    {
        return None;
    }
    if extension.eq_ignore_ascii_case(b"gz") && dot > 4 && segment[..dot].ends_with(b".tar") {
        return Some(dot - 4);
    }
    Some(dot)
}
