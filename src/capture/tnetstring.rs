//! Tnetstrings as mitmproxy writes them: `LENGTH ":" PAYLOAD TAG`, borrowed from their bytes.
//!
//! The grammar and the tags are those of mitmproxy's `io/tnetstring.py`. The tag `;` (text) is an
//! addition of mitmproxy.

/// Tag of a value that was left out when a large record was compacted. Its payload is the length of
/// the value.
pub(crate) const LEFT_OUT: u8 = b'*';

/// Maximum number of digits that mitmproxy accepts in a length.
const MAX_LENGTH_DIGITS: usize = 12;

/// One value: its tag, and its payload, not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tnetstring<'a> {
    pub(crate) tag: u8,
    pub(crate) payload: &'a [u8],
}

/// The length prefix at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LengthPrefix {
    /// A length, and the number of bytes of its digits and colon.
    Length { length: u64, bytes: usize },
    /// The bytes end before the colon.
    Incomplete,
    /// The bytes do not begin with a length.
    Bad,
}

/// Reads the length prefix at the front of `bytes`.
#[inline]
pub(crate) fn prefix(bytes: &[u8]) -> LengthPrefix {
    // Nearly all lengths have up to three digits.
    let digit = |byte: u8| u64::from(byte - b'0');
    match *bytes {
        [one @ b'0'..=b'9', b':', ..] => LengthPrefix::Length { length: digit(one), bytes: 2 },
        [ten @ b'0'..=b'9', one @ b'0'..=b'9', b':', ..] => {
            LengthPrefix::Length { length: 10 * digit(ten) + digit(one), bytes: 3 }
        }
        [hundred @ b'0'..=b'9', ten @ b'0'..=b'9', one @ b'0'..=b'9', b':', ..] => {
            let length = 100 * digit(hundred) + 10 * digit(ten) + digit(one);
            LengthPrefix::Length { length, bytes: 4 }
        }
        _ => any_prefix(bytes),
    }
}

/// Reads a length prefix with any number of digits.
fn any_prefix(bytes: &[u8]) -> LengthPrefix {
    let mut length = 0_u64;
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' if i < MAX_LENGTH_DIGITS => length = length * 10 + u64::from(byte - b'0'),
            b':' if i > 0 => return LengthPrefix::Length { length, bytes: i + 1 },
            _ => return LengthPrefix::Bad,
        }
    }
    LengthPrefix::Incomplete
}

/// Splits the value at the front of `bytes` off. `None` if it is incomplete or damaged.
pub(crate) fn take(bytes: &[u8]) -> Option<(Tnetstring<'_>, &[u8])> {
    let LengthPrefix::Length { length, bytes: start } = prefix(bytes) else { return None };
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    let tag = *bytes.get(end)?;
    Some((Tnetstring { tag, payload: &bytes[start..end] }, &bytes[end + 1..]))
}

/// Iterator over the pairs of a dict's payload. It ends with an `Err` if the payload is damaged.
pub(crate) struct Pairs<'a> {
    rest: &'a [u8],
}

/// Error of a payload that contains bytes that are not a tnetstring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TnetstringError;

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a [u8], Tnetstring<'a>), TnetstringError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let pair = take(self.rest).and_then(|(key, rest)| Some((key, take(rest)?)));
        let Some((key, (value, rest))) = pair else {
            self.rest = b"";
            return Some(Err(TnetstringError));
        };
        self.rest = rest;
        Some(Ok((key.payload, value)))
    }
}

impl<'a> Tnetstring<'a> {
    /// The pairs of a dict; empty for another type. Keys are bytes, because old versions wrote them
    /// as bytes.
    pub(crate) fn pairs(self) -> Pairs<'a> {
        Pairs { rest: if self.tag == b'}' { self.payload } else { b"" } }
    }

    /// The payload of bytes or text; `None` for another type.
    pub(crate) fn text(self) -> Option<&'a [u8]> {
        matches!(self.tag, b',' | b';').then_some(self.payload)
    }

    /// The value of an integer, or of a float without a fraction; `None` for another type.
    pub(crate) fn integer(self) -> Option<i64> {
        let digits = std::str::from_utf8(self.payload).ok()?.trim();
        match self.tag {
            b'#' => digits.parse().ok(),
            b'^' => digits.strip_suffix(".0")?.parse().ok(),
            _ => None,
        }
    }

    /// The value of an integer or float in seconds, converted to nanoseconds.
    pub(crate) fn nanoseconds(self) -> Option<i64> {
        if matches!(self.tag, b'#' | b'^') { nanoseconds(self.payload) } else { None }
    }

    pub(crate) fn is_null(self) -> bool {
        self.tag == b'~'
    }

    /// The length of a body in bytes. `None` if it was not recorded, for which versions 0.11 to
    /// 0.15 wrote the number 0.
    pub(crate) fn body_bytes(self) -> Option<u64> {
        match self.tag {
            b',' | b';' => Some(self.payload.len() as u64),
            LEFT_OUT => std::str::from_utf8(self.payload).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// Converts decimal seconds to nanoseconds. Further decimals are cut off. A float of present times
/// has at most seven decimals.
pub(crate) fn nanoseconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let mut seconds = 0_i64;
    let mut at = 0;
    while let Some(digit @ b'0'..=b'9') = digits.get(at) {
        if at >= 11 {
            return None;
        }
        seconds = seconds * 10 + i64::from(digit - b'0');
        at += 1;
    }
    let mut nanos = seconds.checked_mul(1_000_000_000)?;
    match digits.get(at) {
        None if at > 0 => {}
        Some(b'.') => {
            let mut unit = 100_000_000;
            for digit in &digits[at + 1..] {
                if !digit.is_ascii_digit() {
                    return float_nanoseconds(text);
                }
                nanos = nanos.checked_add(i64::from(digit - b'0') * unit)?;
                unit /= 10;
            }
        }
        _ => return float_nanoseconds(text),
    }
    Some(if negative { -nanos } else { nanos })
}

fn float_nanoseconds(text: &[u8]) -> Option<i64> {
    let seconds: f64 = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    let nanos = (seconds * 1e9).trunc();
    #[expect(clippy::cast_possible_truncation, reason = "checked to be inside the range")]
    (nanos.abs() < 9.2e18).then_some(nanos as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_taken_off_the_front() {
        let (value, rest) = take(b"16:1:b;1:2#1:a;1:1#}0:~").unwrap();
        assert_eq!(value.tag, b'}');
        assert_eq!(rest, b"0:~");
        let pairs: Vec<_> = value.pairs().map(Result::unwrap).collect();
        assert_eq!(pairs[0].0, b"b");
        assert_eq!(pairs[1].1.integer(), Some(1));
        assert_eq!(take(b"5:hello"), None);
        assert_eq!(take(b"-1:x,"), None);
        assert_eq!(take(b":x,"), None);
        assert_eq!(take(b"0000000000001:x,"), None);
        assert_eq!(prefix(b"12"), LengthPrefix::Incomplete);
        assert_eq!(
            prefix(b"999999999999:"),
            LengthPrefix::Length { length: 999_999_999_999, bytes: 13 }
        );
    }

    #[test]
    fn an_odd_number_of_items_is_damage() {
        let (value, _) = take(b"4:1:a;}").unwrap();
        assert_eq!(value.pairs().collect::<Vec<_>>(), [Err(TnetstringError)]);
    }

    #[test]
    fn times_are_read_in_every_spelling() {
        for (text, expected) in [
            ("1700000000.25", Some(1_700_000_000_250_000_000)),
            ("1700000000", Some(1_700_000_000_000_000_000)),
            ("-1.5", Some(-1_500_000_000)),
            ("1e+09", Some(1_000_000_000_000_000_000)),
            ("1.5e3", Some(1_500_000_000_000)),
            ("99999999999", None),
            ("nan", None),
            ("inf", None),
            ("", None),
            ("1700000000.1234567", Some(1_700_000_000_123_456_700)),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_lengths_are_read_as_any(bytes in "[0-9]{0,5}[:0-9x]{0,3}") {
            prop_assert_eq!(prefix(bytes.as_bytes()), any_prefix(bytes.as_bytes()));
        }

        #[test]
        fn fast_times_equal_the_standard_library(seconds in 0_u32..2_000_000_000, micros in 0_u32..1_000_000) {
            let text = format!("{seconds}.{micros:06}");
            let fast = nanoseconds(text.as_bytes()).unwrap();
            prop_assert_eq!(fast, (i64::from(seconds) * 1_000_000 + i64::from(micros)) * 1000);
            // A float of this size has about seven decimals.
            prop_assert!(float_nanoseconds(text.as_bytes()).unwrap().abs_diff(fast) <= 500);
        }

        #[test]
        fn any_bytes_are_taken_apart_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some((value, _)) = take(&bytes) {
                let _pairs = value.pairs().count();
                let _time = value.nanoseconds();
            }
        }
    }
}
