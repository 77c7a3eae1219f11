//! The fixed text around the varying part of a segment: sigils, namespaces, brackets, and
//! separators between several values.

use crate::template::segment::{Segment, SegmentKind, kind_of};

/// Maximum size of a prefix that is kept as part of a template, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

/// Parses a segment whose punctuation delimits a value. Returns `None` for any other.
pub(super) fn framed(segment: &[u8]) -> Option<Segment<'_>> {
    match segment {
        [b'@' | b'~', _, ..] => sigil(segment),
        [.., b')'] => key(segment),
        _ => memchr::memrchr(b':', segment).and_then(|colon| parse_namespaced(segment, colon)),
    }
}

/// Parses a value after a sigil: `@alice`, `~alice`.
fn sigil(segment: &[u8]) -> Option<Segment<'_>> {
    let (prefix, core) = segment.split_at(1);
    let kind = kind_of(core);
    core[0].is_ascii_alphanumeric().then_some(Segment { prefix, core, suffix: b"", kind })
}

/// Parses a key as in `OData` 4.01, part 2, section 4.3: `Products(42)`, `Products('abc')`,
/// `Products(%27abc%27)`, `Orders(Id=1,Line=2)`.
fn key(segment: &[u8]) -> Option<Segment<'_>> {
    let open = memchr::memchr(b'(', segment)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.".contains(byte);
    let name = &segment[..open];
    if name.is_empty() || name.len() > MAX_PREFIX_BYTES || !name.iter().all(is_name) {
        return None;
    }
    let inside = &segment[open + 1..segment.len() - 1];
    if inside.is_empty() || memchr::memchr(b'(', inside).is_some() {
        return None;
    }
    for quote in [&b"'"[..], b"%27"] {
        let text = inside.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(core) = text.filter(|core| !core.is_empty()) {
            let start = open + 1 + quote.len();
            let (prefix, suffix) = (&segment[..start], &segment[start + core.len()..]);
            return Some(Segment { prefix, core, suffix, kind: kind_of(core) });
        }
    }
    let kind = kind_of(inside);
    let is_value = kind.is_integer()
        || kind.is_unmistakable()
        || kind == SegmentKind::Number
        || memchr::memchr(b'=', inside).is_some();
    let (prefix, suffix) = (&segment[..=open], &segment[segment.len() - 1..]);
    is_value.then_some(Segment { prefix, core: inside, suffix, kind })
}

/// Parses an id after a namespace: `sha256:2cf24d...`, `soundcloud:tracks:1356023209`.
fn parse_namespaced(segment: &[u8], colon: usize) -> Option<Segment<'_>> {
    let (prefix, core) = segment.split_at(colon + 1);
    let is_name = |part: &[u8]| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && digits <= 3
            && part.iter().all(is_plain)
            && !kind_of(part).is_unmistakable()
    };
    let is_namespace = colon > 0
        && prefix.len() <= MAX_PREFIX_BYTES
        && segment[..colon].split(|byte| *byte == b':').all(is_name);
    if !is_namespace {
        return None;
    }
    let kind = kind_of(core);
    let is_id = kind.is_integer()
        || matches!(
            kind,
            SegmentKind::Uuid
                | SegmentKind::ObjectId
                | SegmentKind::Hex
                | SegmentKind::Ulid
                | SegmentKind::Opaque
        );
    // A long token after a name may be a credential. It is kept whole, so that it is masked.
    let is_digest = !matches!(kind, SegmentKind::Opaque) || core.len() <= 40;
    (is_id && is_digest).then_some(Segment { prefix, core, suffix: b"", kind })
}

/// Length of the prefix before the number in `item_1234` or `ORD-17`; 0 if there is no number.
pub(super) fn prefix_of_number(segment: &[u8]) -> usize {
    let digits = segment.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let at = segment.len() - digits;
    let letters = &segment[..at.saturating_sub(1)];
    let is_prefix =
        digits > 0 && !letters.is_empty() && letters.iter().all(u8::is_ascii_alphabetic);
    if is_prefix { at } else { 0 }
}

/// Names of hash functions before a dash and a digest: `md5-9e107d9d372bb6826bd81d3542a419d6`.
const HASH_FUNCTIONS: [&[u8]; 5] = [b"md5", b"sha1", b"sha256", b"sha384", b"sha512"];

/// Parses a digest behind the name of its hash function and a dash.
pub(super) fn digest(segment: &[u8]) -> Option<Segment<'_>> {
    let dash = memchr::memchr(b'-', segment)?;
    let (prefix, core) = segment.split_at(dash + 1);
    let kind = kind_of(core);
    let is_digest = HASH_FUNCTIONS.contains(&&segment[..dash]) && kind == SegmentKind::Hex;
    is_digest.then_some(Segment { prefix, core, suffix: b"", kind })
}

/// The separators between the values of a segment that holds several, in order.
pub(super) fn separators(kind: SegmentKind, core: &[u8]) -> Vec<u8> {
    let is_separator: fn(&u8) -> bool = match kind {
        SegmentKind::Coordinates => |byte| matches!(byte, b',' | b';'),
        SegmentKind::Tile => |byte| matches!(byte, b'-' | b'_'),
        SegmentKind::Dimensions => |byte| *byte == b'x',
        _ => return Vec::new(),
    };
    core.iter().copied().filter(is_separator).collect()
}

/// Maximum number of coordinate pairs that are distinguished; a longer list is one value.
const MAX_PAIRS: usize = 4;

/// Returns `true` for pairs of decimal numbers, with a comma within pairs and a semicolon between
/// them.
pub(super) fn is_coordinates(segment: &[u8]) -> bool {
    let is_number = |text: &[u8]| {
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let point = memchr::memchr(b'.', text);
        let (whole, fraction) =
            point.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        (1..=3).contains(&whole.len()) && digits(whole) && fraction.is_none_or(digits)
    };
    let pairs = segment.split(|byte| *byte == b';');
    let is_pair = |pair: &[u8]| {
        let mut numbers = pair.split(|byte| *byte == b',');
        let two = [numbers.next(), numbers.next()].into_iter().flatten();
        two.filter(|number| is_number(number)).count() == 2 && numbers.next().is_none()
    };
    let count = pairs.clone().count();
    segment.contains(&b'.') && count <= MAX_PAIRS && pairs.clone().all(is_pair)
}

/// Returns `true` for map tile coordinates, `12-2048-1360` or `12_2048_1360`: a zoom level of at most 24, and two
/// integers. With underscores, which ids of several parts have as well, these must be tiles of that level.
pub(super) fn is_tile(segment: &[u8]) -> bool {
    let separator = if segment.contains(&b'_') { b'_' } else { b'-' };
    let numbers = || segment.split(|byte| *byte == separator);
    let is_number = |text: &[u8]| {
        (1..=8).contains(&text.len())
            && text.iter().all(u8::is_ascii_digit)
            && (text.len() == 1 || text[0] != b'0')
    };
    if numbers().count() != 3 || !numbers().all(is_number) {
        return false;
    }
    let mut values = numbers()
        .map(|text| text.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0')));
    let zoom = values.next().unwrap_or(u32::MAX);
    zoom <= 24 && (separator == b'-' || values.all(|number| number < 1 << zoom))
}

/// Returns `true` for dimensions: `300x250`.
pub(super) fn is_dimensions(segment: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'x', segment) else { return false };
    let is_number =
        |text: &[u8]| (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number(&segment[..at]) && is_number(&segment[at + 1..]) && segment[0] != b'0'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(segment: &str) -> (String, String) {
        let parsed = Segment::parse(segment.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "{}");
        (text(&parsed.frame()), text(parsed.core))
    }

    #[test]
    fn frames_are_what_stands_around_a_value() {
        for (segment, frame, core) in [
            ("users", "{}", "users"),
            ("42.json", "{}.json", "42"),
            ("42.action", "{}.action", "42"),
            ("segment_00155.m4s", "segment_{}.m4s", "00155"),
            ("2026-11-22.log", "{}.log", "2026-11-22"),
            ("sha-1.0.7", "{}", "sha-1.0.7"),
            ("@alice", "@{}", "alice"),
            ("Products(42)", "Products({})", "42"),
            ("Products('abc')", "Products('{}')", "abc"),
            ("Lines(Id=1,No=2)", "Lines({})", "Id=1,No=2"),
            ("GetNear()", "{}", "GetNear()"),
            (
                "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e",
                "sha256:{}",
                "2cf24dba5fb0a30e26e83b2ac5b9e29e",
            ),
            ("soundcloud:tracks:1356023209", "soundcloud:tracks:{}", "1356023209"),
            ("item_12345", "item_{}", "12345"),
            ("1360@2x.png", "{}@2x.png", "1360"),
            ("1360.vector.pbf", "{}.vector.pbf", "1360"),
            ("logo@2x.png", "{}.png", "logo@2x"),
            ("cus_NffrFeUfNV2Hib", "{}", "cus_NffrFeUfNV2Hib"),
            ("52.5,13.4;48.8,2.3", "{},{};{},{}", "52.5,13.4;48.8,2.3"),
            ("12-2048-1360", "{}-{}-{}", "12-2048-1360"),
            ("12_2048_1360", "{}_{}_{}", "12_2048_1360"),
            ("md5-9e107d9d372bb6826bd81d3542a419d6", "md5-{}", "9e107d9d372bb6826bd81d3542a419d6"),
            ("300x250", "{}x{}", "300x250"),
            ("1,2,3", "{}", "1,2,3"),
            ("projects:cancel", "{}:cancel", "projects"),
        ] {
            assert_eq!(parts(segment), (frame.to_owned(), core.to_owned()), "{segment}");
        }
    }
}
