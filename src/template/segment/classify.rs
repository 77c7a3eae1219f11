//! Classification of segments by lexical kind.
//!
//! One pass over the bytes collects the properties that the rules use; the rules then cost a few
//! comparisons. The tests contain an equivalent regular expression for every rule that is regular.

use crate::simd::{self, ByteMask};
use crate::template::segment::foreign::is_foreign_word;
use crate::template::segment::{SegmentKind, frame};

const LOWER: u16 = 1;
const UPPER: u16 = 1 << 1;
const DIGIT: u16 = 1 << 2;
const HEX_LETTER: u16 = 1 << 3;
const DASH: u16 = 1 << 4;
const UNDERSCORE: u16 = 1 << 5;
const DOT: u16 = 1 << 6;
const COLON: u16 = 1 << 7;
const COMMA: u16 = 1 << 8;
const AT: u16 = 1 << 9;
const ENCODED: u16 = 1 << 10;
const OTHER: u16 = 1 << 11;
const EQUALS: u16 = 1 << 12;
const LETTER: u16 = LOWER | UPPER | HEX_LETTER;

const CLASS: [u16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "i is below 256")]
        let byte = i as u8;
        table[i] = match byte {
            b'a'..=b'f' => LOWER | HEX_LETTER,
            b'A'..=b'F' => UPPER | HEX_LETTER,
            b'g'..=b'z' => LOWER,
            b'G'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'.' => DOT,
            b':' => COLON,
            b',' => COMMA,
            b'@' => AT,
            b'=' => EQUALS,
            b'%' | 0..=0x20 | 0x7f..=0xff => ENCODED,
            _ => OTHER,
        };
        i += 1;
    }
    table
};

/// Properties of a segment, collected in one pass.
#[derive(Debug, PartialEq, Eq)]
struct ByteClasses {
    /// Union of the classes of all bytes.
    classes: u16,
    /// Number of decimal digits.
    digits: usize,
    /// Number of changes between letter and digit, and from lower to upper case.
    switches: usize,
    /// True if all bytes are hexadecimal digits and there is at least one.
    hex: bool,
}

fn byte_classes_of(segment: &[u8]) -> ByteClasses {
    ByteMask::of(segment)
        .map_or_else(|| plain_byte_classes(segment), |bits| byte_classes_of_bits(segment, &bits))
}

/// Computes the shape of up to 64 bytes with SIMD. Bytes other than letters and digits are rare and
/// are looked up one by one.
fn byte_classes_of_bits(segment: &[u8], bits: &ByteMask<'_>) -> ByteClasses {
    let (lower, upper) = (bits.between(b'a', b'z'), bits.between(b'A', b'Z'));
    let (digit, hex_letter) = (bits.between(b'0', b'9'), bits.letter_between(b'a', b'f'));
    let letter = lower | upper;
    let class = |found: u64, class: u16| if found == 0 { 0 } else { class };
    let mut classes = class(lower, LOWER)
        | class(upper, UPPER)
        | class(digit, DIGIT)
        | class(hex_letter, HEX_LETTER);
    for place in simd::places(bits.all() & !(letter | digit)) {
        classes |= CLASS[usize::from(segment[place])];
    }
    let switches = (digit & (letter << 1)) | (letter & (digit << 1)) | (upper & (lower << 1));
    ByteClasses {
        classes,
        digits: digit.count_ones() as usize,
        switches: switches.count_ones() as usize,
        hex: !segment.is_empty() && bits.all() & !(digit | hex_letter) == 0,
    }
}

/// Computes the shape of a segment of any length, byte by byte.
fn plain_byte_classes(segment: &[u8]) -> ByteClasses {
    let (mut classes, mut digits, mut switches, mut previous) = (0, 0, 0, 0);
    let mut hex = true;
    for byte in segment {
        let class = CLASS[*byte as usize];
        classes |= class;
        digits += usize::from(class & DIGIT != 0);
        hex &= class & (DIGIT | HEX_LETTER) != 0;
        let letter_and_digit = (class & DIGIT != 0 && previous & LETTER != 0)
            || (class & LETTER != 0 && previous & DIGIT != 0);
        switches += usize::from(letter_and_digit || (class & UPPER != 0 && previous & LOWER != 0));
        previous = class;
    }
    ByteClasses { classes, digits, switches, hex: hex && !segment.is_empty() }
}

/// Classifies a whole segment. No prefix or suffix is removed from it.
pub(crate) fn kind_of(segment: &[u8]) -> SegmentKind {
    use SegmentKind as K;
    if segment.len() > crate::limits::MAX_SEGMENT_BYTES {
        return K::Long;
    }
    // The most common values need no shape.
    if !segment.is_empty() && segment.iter().all(u8::is_ascii_digit) {
        return if is_year(segment) { K::Year } else { K::Integer };
    }
    if is_uuid(segment) {
        return K::Uuid;
    }
    let shape = byte_classes_of(segment);
    let only = |allowed: u16| shape.classes & !allowed == 0;
    let has = |wanted: u16| shape.classes & wanted != 0;
    // The most common case: a plain word.
    if only(LETTER | DASH | UNDERSCORE) && shape.switches < 3 && !(shape.hex && segment.len() >= 16)
    {
        return if is_locale(segment) { K::Locale } else { K::Word };
    }
    if only(DIGIT)
        || (only(DIGIT | DASH) && segment[0] == b'-' && shape.digits == segment.len() - 1)
    {
        return K::Integer;
    }
    if has(ENCODED) {
        if is_encoded_email(segment) {
            return K::Email;
        }
        return if is_foreign_word(segment) { K::Word } else { K::Encoded };
    }
    if shape.hex && segment.len() == 24 {
        return K::ObjectId;
    }
    if shape.hex && (segment.len() >= 16 || (segment.len() >= 7 && has(DIGIT))) {
        return K::Hex;
    }
    if has(DIGIT) {
        if is_version(segment) {
            return K::Version;
        }
        if is_date(segment) {
            return K::Date;
        }
        if only(DIGIT | DOT | DASH) {
            if frame::is_tile(segment) {
                return K::Tile;
            }
            if is_number(segment) {
                return K::Number;
            }
        }
        if only(DIGIT | UNDERSCORE) && frame::is_tile(segment) {
            return K::Tile;
        }
        if frame::is_dimensions(segment) {
            return K::Dimensions;
        }
        if is_ulid(segment) {
            return K::Ulid;
        }
    }
    if has(DOT | COLON) {
        if is_ip(segment, &shape) {
            return K::Ip;
        }
        if only(LETTER | DIGIT | DASH | UNDERSCORE | DOT) {
            if is_jwt(segment) {
                return K::Jwt;
            }
            if is_domain(segment) {
                return K::Domain;
            }
        }
    }
    // A token after a name and a colon, as in the paths of bot APIs.
    if has(COLON) && segment.split(|b| *b == b':').any(is_token) {
        return K::Opaque;
    }
    if has(AT) && is_email(segment) {
        return K::Email;
    }
    if has(COMMA) {
        if frame::is_coordinates(segment) {
            return K::Coordinates;
        }
        if is_list(segment) {
            return K::List;
        }
    }
    if only(LETTER | DIGIT | DASH | UNDERSCORE | EQUALS) {
        if is_prefixed(segment) {
            return K::Prefixed;
        }
        if is_opaque(segment, &shape) {
            return K::Opaque;
        }
    }
    if has(OTHER | COMMA | AT | EQUALS | COLON) {
        return K::Symbol;
    }
    if has(DIGIT) { K::WordWithDigits } else { K::Word }
}

/// Returns `true` for 1900 to 2099.
fn is_year(segment: &[u8]) -> bool {
    matches!(segment, [b'1', b'9', _, _] | [b'2', b'0', _, _])
}

/// Returns `true` for `xx-YY` and `xx_YY`.
fn is_locale(segment: &[u8]) -> bool {
    matches!(segment, [a, b, b'-' | b'_', c, d]
        if a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_uppercase())
}

fn is_uuid(segment: &[u8]) -> bool {
    const DASHES: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;
    if segment.len() != 36 || segment[8] != b'-' {
        return false;
    }
    ByteMask::of(segment).is_some_and(|bits| {
        let hex = bits.between(b'0', b'9') | bits.letter_between(b'a', b'f');
        bits.equal(b'-') == DASHES && hex == bits.all() & !DASHES
    })
}

/// Returns `true` for a version: `v`, up to three digits, further numbers after `.`, `_` or `-`,
/// and any of alpha, beta, rc, p and preview with digits.
fn is_version(segment: &[u8]) -> bool {
    let Some(mut rest) = segment.strip_prefix(b"v").or_else(|| segment.strip_prefix(b"V")) else {
        return false;
    };
    let digits = digits_at(rest);
    if digits == 0 || digits > 3 {
        return false;
    }
    rest = &rest[digits..];
    while let Some((b'.' | b'_' | b'-', after)) = rest.split_first() {
        let digits = digits_at(after);
        if digits == 0 {
            break;
        }
        rest = &after[digits..];
    }
    while !rest.is_empty() {
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
        let stages: [&[u8]; 5] = [b"alpha", b"beta", b"preview", b"rc", b"p"];
        let Some(after) = stages.iter().find_map(|stage| rest.strip_prefix(*stage)) else {
            return false;
        };
        rest = &after[digits_at(after)..];
    }
    true
}

/// Number of digits at the start.
fn digits_at(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len())
}

/// Returns `true` for `YYYY-MM` and `YYYY-MM-DD`; the latter may be followed by `T` and anything.
fn is_date(segment: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        let digits = segment.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| {
            digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
        })
    };
    let in_range = |value: Option<u32>, low, high| value.is_some_and(|v| (low..=high).contains(&v));
    if !in_range(number(0..4), 1000, 2999)
        || segment.get(4) != Some(&b'-')
        || !in_range(number(5..7), 1, 12)
    {
        return false;
    }
    match segment.get(7) {
        None => true,
        Some(b'-') => {
            in_range(number(8..10), 1, 31) && matches!(segment.get(10), None | Some(b'T' | b't'))
        }
        _ => false,
    }
}

fn is_ulid(segment: &[u8]) -> bool {
    segment.len() == 26
        && (b'0'..=b'7').contains(&segment[0])
        && ByteMask::of(segment).is_some_and(|bits| {
            let is_other = |lane: simd::Lane| {
                lane.letter(b'i') | lane.letter(b'l') | lane.letter(b'o') | lane.letter(b'u')
            };
            bits.find(simd::Lane::letter_or_digit) & !bits.find(is_other) == bits.all()
        })
}

fn is_ip(segment: &[u8], shape: &ByteClasses) -> bool {
    let Ok(text) = std::str::from_utf8(segment) else { return false };
    if shape.classes & COLON != 0 {
        return text.parse::<std::net::Ipv6Addr>().is_ok();
    }
    segment.len() >= 7 && text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Returns `true` for digits with single dots or dashes between them, optionally with a minus sign,
/// unless they are an IP address.
fn is_number(segment: &[u8]) -> bool {
    let digits = segment.strip_prefix(b"-").unwrap_or(segment);
    let is_ip = || {
        std::str::from_utf8(segment).is_ok_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok())
    };
    digits.split(|b| matches!(b, b'.' | b'-')).all(|part| !part.is_empty()) && !is_ip()
}

fn is_jwt(segment: &[u8]) -> bool {
    segment.starts_with(b"eyJ")
        && segment.len() >= 30
        && memchr::memchr_iter(b'.', segment).count() == 2
}

const TOP_LEVEL_DOMAINS: [&[u8]; 24] = [
    b"com",
    b"org",
    b"net",
    b"io",
    b"dev",
    b"app",
    b"co",
    b"edu",
    b"gov",
    b"info",
    b"biz",
    b"local",
    b"internal",
    b"test",
    b"example",
    b"uk",
    b"de",
    b"fr",
    b"jp",
    b"cn",
    b"ru",
    b"eu",
    b"us",
    b"ai",
];

fn is_domain(segment: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', segment) else { return false };
    let (labels, tld) = (&segment[..dot], &segment[dot + 1..]);
    TOP_LEVEL_DOMAINS.iter().any(|known| tld.eq_ignore_ascii_case(known))
        && labels.split(|b| *b == b'.').all(|label| !label.is_empty())
}

fn is_email(segment: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', segment).filter(|at| *at > 0) else { return false };
    let host = &segment[at + 1..];
    let labels = || host.split(|b| *b == b'.');
    // An image for dense screens: `logo@2x.png`.
    let is_scale = matches!(host, [digit, b'x', b'.', ..] if digit.is_ascii_digit());
    // The version of a package: `react@18.2.0`.
    let is_domain =
        labels().next_back().is_some_and(|last| last.first().is_some_and(u8::is_ascii_alphabetic));
    !is_scale
        && is_domain
        && labels().count() >= 2
        && labels().all(|label| {
            !label.is_empty() && label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        })
}

/// Returns `true` for an address whose `@` is written `%40`.
fn is_encoded_email(segment: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(segment, b"%40") else { return false };
    let address = [&segment[..at], b"@", &segment[at + 3..]].concat();
    !address.contains(&b'%') && is_email(&address)
}

/// Returns `true` for at least three non-empty parts, or for two with a digit in one of them.
fn is_list(segment: &[u8]) -> bool {
    let parts = segment.split(|b| *b == b',');
    let (mut count, mut digit) = (0, false);
    for part in parts {
        if part.is_empty() {
            return false;
        }
        count += 1;
        digit |= part.iter().any(u8::is_ascii_digit);
    }
    count >= 3 || (count == 2 && digit)
}

/// Returns `true` for a prefix of one to eight letters, `_` or `-`, and an id. The id is either
/// eight or more letters and digits that alternate, or digits and dashes: four digits at least, or
/// any number after an upper-case prefix.
fn is_prefixed(segment: &[u8]) -> bool {
    let Some(at) = segment.iter().position(|b| matches!(b, b'_' | b'-')) else { return false };
    let (prefix, id) = (&segment[..at], &segment[at + 1..]);
    if !(1..=8).contains(&prefix.len()) || !prefix.iter().all(u8::is_ascii_alphabetic) {
        return false;
    }
    if id.iter().all(|b| b.is_ascii_digit() || *b == b'-') {
        let digits = id.iter().filter(|b| b.is_ascii_digit()).count();
        let upper = prefix.len() >= 2 && prefix.iter().all(u8::is_ascii_uppercase);
        return id.first().is_some_and(u8::is_ascii_digit) && (digits >= 4 || upper);
    }
    if id.len() < 8 || !id.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let shape = byte_classes_of(id);
    shape.digits > 0 && shape.switches > 0
}

/// Returns `true` for 16 or more letters and digits that alternate too often for a name.
fn is_token(part: &[u8]) -> bool {
    let shape = byte_classes_of(part);
    part.len() >= 16 && shape.digits > 0 && shape.switches >= 4
}

/// Returns `true` for letters and digits that alternate too often for a word.
fn is_opaque(segment: &[u8], shape: &ByteClasses) -> bool {
    let (length, digits, switches) = (segment.len(), shape.digits, shape.switches);
    let separated = shape.classes & (DASH | UNDERSCORE) != 0;
    (length >= 8 && digits >= 1 && switches >= 4)
        || (length >= 10 && digits >= 1 && switches >= 5)
        || (length >= 8 && digits >= 3 && digits < length && switches >= 2 && !separated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::segment::Segment;
    use proptest::prelude::*;
    use regex::Regex;

    /// The regular rules as regular expressions, in the order of evaluation.
    fn plain_twin() -> Vec<(SegmentKind, Regex)> {
        use SegmentKind as K;
        let tld = "com|org|net|io|dev|app|co|edu|gov|info|biz|local|internal|test|example|uk|de|fr|jp|cn|ru|eu|us|ai";
        [
            (K::Year, r"^(19|20)\d\d$".to_owned()),
            (K::Integer, r"^-?\d+$".to_owned()),
            (K::Encoded, r"[%\x00-\x20\x7f]".to_owned()),
            (K::Uuid, r"(?i)^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$".to_owned()),
            (K::ObjectId, r"(?i)^[0-9a-f]{24}$".to_owned()),
            (K::Hex, r"(?i)^[0-9a-f]{16,}$".to_owned()),
            (K::Version, r"^[vV]\d{1,3}([._-]\d+)*(-?(alpha|beta|preview|rc|p)\d*)*$".to_owned()),
            (K::Date, r"^[12]\d{3}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])([Tt].*)?)?$".to_owned()),
            (K::Ulid, r"(?i)^[0-7][0-9a-hjkmnp-tv-z]{25}$".to_owned()),
            (K::Tile, r"^(\d|1\d|2[0-4])(-(\d|[1-9]\d{1,7})){2}$".to_owned()),
            (K::Number, r"^-?\d+([.-]\d+)+$".to_owned()),
            (K::Dimensions, r"^[1-9]\d{0,4}x\d{1,5}$".to_owned()),
            (K::Locale, r"^[a-z]{2}[-_][A-Z]{2}$".to_owned()),
            (K::Domain, format!(r"(?i)^[\w-]+(\.[\w-]+)*\.({tld})$")),
            (
                K::Email,
                r"^[^@]+@([A-Za-z0-9-]|[A-Za-z-][A-Za-z0-9-]|\d[A-WYZa-wyz0-9-]|[A-Za-z0-9-]{3,})(\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]*$"
                    .to_owned(),
            ),
        ]
        .into_iter()
        .map(|(kind, pattern)| (kind, Regex::new(&pattern).unwrap()))
        .collect()
    }

    fn check_against_twin(text: &str, rules: &[(SegmentKind, Regex)]) {
        let kind = kind_of(text.as_bytes());
        if is_foreign_word(text.as_bytes()) {
            assert_eq!(kind, SegmentKind::Word, "{text:?}");
            return;
        }
        // Hexadecimal numbers of 7 to 15 digits need a decimal digit, which takes two expressions.
        let short_hex = Regex::new(r"^[0-9a-fA-F]{7,15}$").unwrap().is_match(text)
            && text.bytes().any(|b| b.is_ascii_digit());
        let ip = text.len() >= 7 && text.parse::<std::net::IpAddr>().is_ok()
            || text.contains(':') && text.parse::<std::net::Ipv6Addr>().is_ok();
        let mut expected =
            rules.iter().find(|(_, rule)| rule.is_match(text)).map(|(kind, _)| *kind);
        if short_hex && !matches!(expected, Some(SegmentKind::Integer | SegmentKind::Year)) {
            expected = Some(SegmentKind::Hex);
        }
        if ip
            && !matches!(
                expected,
                Some(SegmentKind::Integer | SegmentKind::Year | SegmentKind::Encoded)
            )
        {
            expected = Some(SegmentKind::Ip);
        }
        match expected {
            Some(expected) => assert_eq!(kind, expected, "{text:?}"),
            None => assert!(
                !rules.iter().any(|(ruled, _)| *ruled == kind) || kind == SegmentKind::Encoded,
                "{text:?} is no {kind:?}"
            ),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn shapes_at_once_equal_those_byte_for_byte(segment in prop::collection::vec(any::<u8>(), 0..70), text in "[a-zA-Z0-9_.-]{0,64}") {
            for segment in [&*segment, text.as_bytes()] {
                prop_assert_eq!(byte_classes_of(segment), plain_byte_classes(segment));
            }
        }

        #[test]
        fn fast_kinds_equal_regular_expressions(
            text in "[0-9a-f]{7,33}|v[0-9]{1,4}([.]|-)?(beta|rc|p|x)?[0-9]?|[0-9]{4}-[0-9]{2}(-[0-9]{2})?T?\
                |[0-9.]{1,12}|[0-9A-Z]{26}|[a-z]{2}[-_][A-Z]{2}|[a-z@.-]{1,12}(com|io)?|-?[0-9]{1,5}|[0-9a-f:]{2,9}\
                |[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
        ) {
            check_against_twin(&text, &plain_twin());
        }

        #[test]
        fn any_bytes_have_a_kind(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let segment = Segment::parse(&bytes);
            prop_assert_eq!([segment.prefix, segment.core, segment.suffix].concat(), bytes);
        }
    }
}
