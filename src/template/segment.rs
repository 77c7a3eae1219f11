//! Lexical analysis of one path segment: its kind, and the fixed text around the part that may be a
//! value.

mod classify;
mod foreign;
mod frame;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::template::model_rules::ModelRule;

pub(crate) use classify::kind_of;
pub(crate) use foreign::substitute_foreign_letters;

/// The lexical kind of one path segment or query value.
///
/// The order of declaration is part of the format of stored states
/// ([`Patterns::to_bytes`](crate::Patterns::to_bytes)).
///
/// ```
/// use api_patterns::{Segment, SegmentKind};
///
/// assert_eq!(Segment::parse(b"2026-11-22").kind, SegmentKind::Date);
/// assert_eq!(Segment::parse(b"v2").kind, SegmentKind::Version);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Letters, `-`, `_` and `.`: `users`, `check-out`.
    Word,
    /// A word with digits and no sign of an id: `oauth2`, `h264`, `s3`.
    WordWithDigits,
    /// An API version: `v1`, `v2.1`, `v1beta1`.
    Version,
    /// An integer, optionally with a minus sign.
    Integer,
    /// Digits with single dots or dashes between them: `1.5`, `2.0.1`, `555-0199`.
    Number,
    /// A UUID of any version (RFC 9562): 8-4-4-4-12 hexadecimal digits. Without dashes it is hexadecimal digits of any origin.
    Uuid,
    /// A `MongoDB` object id: 24 hexadecimal digits.
    ObjectId,
    /// At least 16 hexadecimal digits, or at least 7 with a decimal digit among them.
    Hex,
    /// A ULID: 26 characters of Crockford's base 32, the first of them 0 to 7.
    Ulid,
    /// A date, month or timestamp in ISO 8601: `2026-11-22`, `2026-11`, `2026-11-22T10:00:00Z`.
    Date,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An e-mail address: `name@host.tld`.
    Email,
    /// A dotted host name with a common top-level domain.
    Domain,
    /// A locale: `en-US`, `pt_BR`.
    Locale,
    /// An id with a short prefix: `cus_NffrFeUfNV2Hib`, `ORD-2024-00017`.
    Prefixed,
    /// A JSON Web Token: three base64url parts, beginning with `eyJ`.
    Jwt,
    /// Letters and digits that alternate too often for a word: `dQw4w9WgXcQ`.
    Opaque,
    /// Comma-separated values.
    List,
    /// A year from 1900 to 2099.
    Year,
    /// Pairs of decimal numbers: `52.5,13.4`, `52.5,13.4;48.8,2.3`.
    Coordinates,
    /// Map tile coordinates, three integers with dashes between them: `12-2048-1360`.
    Tile,
    /// Dimensions, two integers with an `x` between them: `300x250`.
    Dimensions,
    /// Contains a percent-encoded byte, or a byte that must be percent-encoded.
    Encoded,
    /// Contains other punctuation: `a+b`, `@scope`, `$count`.
    Symbol,
    /// Longer than any name (200 bytes).
    Long,
    /// Several segments that together are one value, or that are too many to distinguish.
    Path,
}

impl SegmentKind {
    /// All kinds, in the order of declaration.
    pub const ALL: [Self; 26] = {
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
            K::Year,
            K::Coordinates,
            K::Tile,
            K::Dimensions,
            K::Encoded,
            K::Symbol,
            K::Long,
            K::Path,
        ]
    };

    /// Returns `true` if a segment of this kind is a value in any context, so that no sibling or
    /// parent needs to be considered. The evidence trie keeps no literal child for such a segment.
    ///
    /// ```
    /// use api_patterns::SegmentKind;
    ///
    /// assert!(SegmentKind::Uuid.is_unmistakable());
    /// assert!(!SegmentKind::Word.is_unmistakable());
    /// ```
    pub fn is_unmistakable(self) -> bool {
        use SegmentKind::{
            Coordinates, Date, Dimensions, Email, Encoded, Hex, Ip, Jwt, List, Long, ObjectId,
            Opaque, Path, Prefixed, Tile, Ulid, Uuid,
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
                | Coordinates
                | Tile
                | Dimensions
                | Encoded
                | Long
                | Path
        )
    }

    /// Returns `true` for kinds of several values with separators between them.
    fn holds_several(self) -> bool {
        matches!(self, Self::Coordinates | Self::Tile | Self::Dimensions)
    }

    /// Returns `true` for integers, including years.
    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Integer | Self::Year)
    }

    /// The kind as it is written in reports. Not injective: `string` and `integer` each stand for
    /// several kinds.
    ///
    /// ```
    /// use api_patterns::SegmentKind;
    ///
    /// assert_eq!(SegmentKind::ObjectId.name(), "object_id");
    /// assert_eq!(SegmentKind::Year.name(), "integer");
    /// ```
    pub fn name(self) -> &'static str {
        use SegmentKind as K;
        match self {
            K::Word | K::WordWithDigits | K::Version | K::Symbol => "string",
            K::Integer | K::Year => "integer",
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
            K::Coordinates => "coordinates",
            K::Tile => "tile",
            K::Dimensions => "dimensions",
            K::Encoded => "encoded",
            K::Long => "long",
            K::Path => "path",
        }
    }
}

/// A parsed path segment: `42.json` has the core `42` of kind integer and the suffix `.json`.
///
/// Prefix, core and suffix concatenated are the original segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The fixed text before the core: `@`, `sha256:`, `Products(`. Empty for most segments.
    pub prefix: &'a [u8],
    /// The part of the segment that may be a value.
    pub core: &'a [u8],
    /// The fixed text after the core: a file extension (`.json`), a custom verb (`:cancel`), or a
    /// closing bracket. Empty if there is none.
    pub suffix: &'a [u8],
    /// The lexical kind of the core.
    pub kind: SegmentKind,
}

impl<'a> Segment<'a> {
    /// Splits one path segment into prefix, core and suffix, and classifies the core. Accepts any
    /// bytes.
    ///
    /// ```
    /// use api_patterns::{Segment, SegmentKind};
    ///
    /// let segment = Segment::parse(b"42.json");
    /// assert_eq!((segment.core, segment.suffix), (&b"42"[..], &b".json"[..]));
    /// assert_eq!(segment.kind, SegmentKind::Integer);
    /// assert_eq!(Segment::parse(b"oauth2").kind, SegmentKind::WordWithDigits);
    /// let key = Segment::parse(b"Products(42)");
    /// assert_eq!((key.prefix, key.core, key.suffix), (&b"Products("[..], &b"42"[..], &b")"[..]));
    /// ```
    pub fn parse(segment: &'a [u8]) -> Self {
        use SegmentKind as K;
        let whole = |kind| Self { prefix: b"", core: segment, suffix: b"", kind };
        let kind = kind_of(segment);
        if matches!(kind, K::Symbol | K::Opaque | K::Encoded | K::List)
            && let Some(framed) = frame::framed(segment)
        {
            return framed;
        }
        if matches!(kind, K::Prefixed | K::Opaque | K::WordWithDigits)
            && let Some(digest) = frame::digest(segment)
        {
            return digest;
        }
        // Hosts, addresses and tokens contain dots and colons of their own; ids contain none.
        if matches!(
            kind,
            K::Domain
                | K::Email
                | K::Ip
                | K::Jwt
                | K::Version
                | K::Integer
                | K::Year
                | K::Uuid
                | K::ObjectId
                | K::Hex
                | K::Ulid
                | K::Locale
                | K::Coordinates
                | K::Tile
                | K::Dimensions
                | K::Long
        ) {
            return whole(kind);
        }
        if kind == K::Prefixed {
            let prefix = frame::prefix_of_number(segment);
            let (prefix, core) = segment.split_at(prefix);
            return Self { prefix, core, suffix: b"", kind };
        }
        if let Some(at) = suffix_start(segment) {
            let (core, suffix) = segment.split_at(at);
            let kind = kind_of(core);
            let prefix = if kind == K::Prefixed { frame::prefix_of_number(core) } else { 0 };
            let (prefix, core) = core.split_at(prefix);
            return Self { prefix, core, suffix, kind };
        }
        whole(kind)
    }

    /// The segment with a zero byte in place of each varying part: `42.json` gives `\0.json`, and
    /// `52.5,13.4` gives `\0,\0`.
    pub(crate) fn frame(&self) -> Cow<'static, [u8]> {
        let holds_several = self.kind.holds_several();
        if self.prefix.is_empty() && self.suffix.is_empty() && !holds_several {
            return PLAIN_FRAME;
        }
        let several = frame::separators(self.kind, self.core);
        let mut frame = self.prefix.to_vec();
        frame.push(0);
        for separator in several {
            frame.extend([separator, 0]);
        }
        frame.extend_from_slice(self.suffix);
        Cow::Owned(frame)
    }

    /// The frame that distinguishes values before they are compared with each other. It includes
    /// sigils, brackets and suffixes; it omits prefixes and separators, which count only if all
    /// values share them.
    pub(crate) fn slot(&self) -> Cow<'static, [u8]> {
        if self.is_key() || self.has_sigil() {
            return self.frame();
        }
        if self.suffix.is_empty() { PLAIN_FRAME } else { Cow::Owned([b"\0", self.suffix].concat()) }
    }

    /// Returns `true` for `@alice` and `~alice`.
    pub(crate) fn has_sigil(&self) -> bool {
        matches!(self.prefix, b"@" | b"~")
    }

    /// Returns `true` if the core is a key in brackets after a name, as in `OData`: `Products(42)`,
    /// `Products('abc')`.
    pub(crate) fn is_key(&self) -> bool {
        self.suffix.ends_with(b")")
    }
}

/// The frame of a segment that varies as a whole: a single zero byte.
pub(crate) const PLAIN_FRAME: Cow<'static, [u8]> = Cow::Borrowed(b"\0");

/// File extensions of documents that APIs serve, of packages and archives, and of server-side scripts.
const EXTENSIONS: [&[u8]; 68] = [
    b"json", b"xml", b"csv", b"html", b"htm", b"txt", b"yaml", b"yml", b"png", b"svg", b"pdf",
    b"jpg", b"jpeg", b"gif", b"atom", b"rss", b"zip", b"gz", b"ics", b"js", b"css", b"diff",
    b"patch", b"md", b"php", b"jsp", b"asp", b"aspx", b"ashx", b"asmx", b"do", b"cgi", b"webp",
    b"m3u8", b"rdf", b"ttl", b"jsonld", b"geojson", b"kml", b"gpx", b"jar", b"war", b"pom",
    b"sha1", b"sha256", b"md5", b"asc", b"deb", b"rpm", b"apk", b"tar", b"tgz", b"xz", b"bz2",
    b"zst", b"whl", b"pbf", b"mvt", b"wsdl", b"xsd", b"xsl", b"xhtml", b"shtml", b"jspa", b"git",
    b"log", b"sql", b"parquet",
];

/// File extensions of compressed files and of checksums, which stand after the extension of what they are made of: `.tar.gz`.
const SECOND_EXTENSIONS: [&[u8]; 8] =
    [b"gz", b"xz", b"bz2", b"zst", b"sha1", b"sha256", b"md5", b"asc"];

/// File extensions of pages that a server computes.
const SCRIPT_EXTENSIONS: [&[u8]; 12] = [
    b"php", b"jsp", b"jspa", b"asp", b"aspx", b"ashx", b"asmx", b"do", b"action", b"cgi", b"pl",
    b"cfm",
];

/// Returns `true` for the extension of a page that a server computes, without its dot: `php`.
pub(crate) fn is_script_extension(extension: &[u8]) -> bool {
    is_one_of(extension, &SCRIPT_EXTENSIONS)
}

fn is_one_of(extension: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Index of the custom verb or file extension of a segment.
fn suffix_start(segment: &[u8]) -> Option<usize> {
    if let Some(colon) = memchr::memrchr(b':', segment) {
        let verb = &segment[colon + 1..];
        let is_verb = (3..=24).contains(&verb.len()) && verb.iter().all(u8::is_ascii_alphabetic);
        return (is_verb && colon > 0).then_some(colon);
    }
    if let Some(at) = start_of_tile_format(segment) {
        return Some(at);
    }
    let dot = memchr::memrchr(b'.', segment).filter(|dot| *dot > 0)?;
    let extension = &segment[dot + 1..];
    if extension.len() > 7 || extension.is_empty() {
        return None;
    }
    if !is_one_of(extension, &EXTENSIONS) {
        // After an id, any ending is a suffix: `42.action`, `segment_00155.m4s`. A longer one with a digit is a part of a token, such
        // as the node of a session.
        let is_ending = extension[0].is_ascii_alphabetic()
            && extension.iter().all(u8::is_ascii_alphanumeric)
            && (extension.len() <= 3 || extension.iter().all(u8::is_ascii_alphabetic));
        let kind = if is_ending { kind_of(&segment[..dot]) } else { SegmentKind::Word };
        let is_id = kind.is_integer()
            || matches!(
                kind,
                SegmentKind::Uuid
                    | SegmentKind::ObjectId
                    | SegmentKind::Prefixed
                    | SegmentKind::Date
            );
        return is_id.then_some(dot);
    }
    if is_one_of(extension, &SECOND_EXTENSIONS)
        && let Some(first) = memchr::memrchr(b'.', &segment[..dot]).filter(|first| *first > 0)
        && is_one_of(&segment[first + 1..dot], &EXTENSIONS)
    {
        return Some(first);
    }
    Some(dot)
}

/// Position behind the number of a map tile whose format has two parts: `1360.vector.pbf`, `1360@2x.png`.
fn start_of_tile_format(segment: &[u8]) -> Option<usize> {
    let digits = segment.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (first, rest) = segment[digits..].split_first().filter(|_| digits > 0)?;
    let dot = memchr::memchr(b'.', rest)?;
    let (inner, extension) = (&rest[..dot], &rest[dot + 1..]);
    let is_format = match first {
        b'.' => !inner.is_empty() && inner.iter().all(u8::is_ascii_alphabetic),
        b'@' => matches!(inner, [b'1'..=b'4', b'x']),
        _ => false,
    };
    (is_format && is_one_of(extension, &EXTENSIONS)).then_some(digits)
}

/// The file ending: one to five letters or digits with a letter among them, after the last dot. It
/// is not restricted to extensions that APIs serve.
pub(crate) fn ending_of(text: &[u8]) -> Option<&[u8]> {
    let dot = memchr::memrchr(b'.', text).filter(|dot| *dot > 0)?;
    let ending = &text[dot + 1..];
    let is_ending = (1..=5).contains(&ending.len())
        && ending.iter().all(u8::is_ascii_alphanumeric)
        && ending.iter().any(u8::is_ascii_alphabetic);
    is_ending.then_some(ending)
}

/// Maximum number of segments before a date that may be a version: `/admin/api/2024-04/products`.
const MAX_SEGMENTS_BEFORE_VERSION: usize = 3;

/// Returns `true` for a day or a month near the root, which may be a version: `/2010-04-01/Accounts`.
/// `depth` is the number of segments before it.
fn may_be_dated_version(segment: &Segment<'_>, depth: usize) -> bool {
    segment.kind == SegmentKind::Date
        && depth <= MAX_SEGMENTS_BEFORE_VERSION
        && segment.prefix.is_empty()
        && segment.suffix.is_empty()
        && segment.core.len() <= b"2010-04-01".len()
}

/// Returns `true` if the segment at a depth is a value in any context, so that no literal child is
/// kept for it.
pub(crate) fn is_value_at(segment: &Segment<'_>, depth: usize) -> bool {
    is_value(segment) && !may_be_dated_version(segment, depth)
}

/// Returns `true` for a text that is written as a value, and not as a name: an id, a number of any length.
pub(crate) fn is_written_as_value(text: &[u8]) -> bool {
    let segment = Segment::parse(text);
    segment.kind.is_integer() || is_value(&segment)
}

/// Returns `true` if the segment is a value in any context but that of a version: see
/// [`is_value_at`]. Numbers of up to three digits may be versions or names and do have literal children.
pub(crate) fn is_value(segment: &Segment<'_>) -> bool {
    segment.is_key()
        || (segment.kind.is_unmistakable() && ModelRule::Unmistakable.is_on())
        || (segment.kind.is_integer() && segment.core.len() > 3)
}
