//! Times as captures write them, converted to nanoseconds since the Unix epoch.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::capture::tnetstring;

/// Parses a time and returns it in nanoseconds since the Unix epoch.
///
/// Accepts a number of seconds (of milliseconds, microseconds or nanoseconds if it has 12 digits or
/// more), a date in ISO 8601 with or without time, fraction and zone, and the time of an access log
/// (`22/Nov/2026:15:10:37 +0100`). A time without a zone is read as UTC.
///
/// `None` if the text has none of these forms, or if the time is before 1677 or after 2262.
///
/// ```
/// use api_patterns::time::nanoseconds;
///
/// assert_eq!(nanoseconds(b"1700000000.5"), Some(1_700_000_000_500_000_000));
/// assert_eq!(nanoseconds(b"2023-11-14T22:13:20.5Z"), Some(1_700_000_000_500_000_000));
/// assert_eq!(nanoseconds(b"yesterday"), None);
/// ```
pub fn nanoseconds(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    if let Some(nanos) = parse_epoch_number(text) {
        return Some(nanos);
    }
    let text = std::str::from_utf8(text).ok()?;
    // A number with an exponent must be written out before its unit can be determined.
    if let Some(float) = text.parse::<f64>().ok().filter(|float| float.is_finite()) {
        return parse_epoch_number(float.to_string().as_bytes());
    }
    let timestamp = text.parse::<Timestamp>().ok();
    let timestamp = timestamp.or_else(|| of_access_log(text)).or_else(|| parse_lenient(text))?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

/// Converts seconds, as a float, to nanoseconds.
///
/// The result equals that of [`nanoseconds`] for the shortest decimal text of the float, which has
/// at most seven decimals for present times. `None` if the number is not finite or out of range.
///
/// ```
/// use api_patterns::time::of_seconds;
///
/// assert_eq!(of_seconds(1_700_000_000.123_456_7), Some(1_700_000_000_123_456_700));
/// assert_eq!(of_seconds(f64::NAN), None);
/// ```
pub fn of_seconds(seconds: f64) -> Option<i64> {
    // Between 2004 and 2106, neighbouring floats are .2 to .5 microseconds apart. Therefore at most
    // one float has a text with whole microseconds, and each has a text with tenths.
    if !(1_073_741_824.0..4_294_967_296.0).contains(&seconds) {
        return parse_epoch_number(seconds.to_string().as_bytes());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded before; `round` is a call on processors without an instruction for it"
    )]
    let (floor, nearest) = (|value: f64| value as u32, |value: f64| (value + 0.5) as u32);
    let whole = floor(seconds);
    let part = seconds - f64::from(whole);
    let microseconds = nearest(part * 1e6);
    #[expect(clippy::float_cmp, reason = "an exact comparison is intended")]
    let is_same = f64::from(whole) + f64::from(microseconds) / 1e6 == seconds;
    let nanos =
        if is_same { i64::from(microseconds) * 1000 } else { i64::from(nearest(part * 1e7)) * 100 };
    Some(i64::from(whole) * 1_000_000_000 + nanos)
}

/// Parses a duration in milliseconds and returns it in nanoseconds. `None` if the text is not a
/// number or is negative, such as the -1 of a duration that is not known.
///
/// ```
/// use api_patterns::time::milliseconds;
///
/// assert_eq!(milliseconds(b"1.5"), Some(1_500_000));
/// assert_eq!(milliseconds(b"-1"), None);
/// ```
pub fn milliseconds(text: &[u8]) -> Option<u64> {
    u64::try_from(tnetstring::nanoseconds(text.trim_ascii())?).ok().map(|nanos| nanos / 1000)
}

/// Parses a number of seconds up to the year 5138, or a larger number as milliseconds, microseconds
/// or nanoseconds.
fn parse_epoch_number(text: &[u8]) -> Option<i64> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let unit: u32 = match digits {
        0..=11 => return tnetstring::nanoseconds(text),
        12..=14 => 6,
        15..=17 => 3,
        _ => 0,
    };
    let is_number = text[digits..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let whole: i64 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    if is_number { whole.checked_mul(10_i64.pow(unit)) } else { None }
}

/// Parses a time of the common log format, such as nginx's `$time_local`.
fn of_access_log(text: &str) -> Option<Timestamp> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (date, time) = text.split_once(':')?;
    let [day, month, year] = date.split('/').collect::<Vec<_>>()[..] else { return None };
    let month = (month.len() == 3).then(|| MONTHS.find(month)).flatten()? / 3 + 1;
    parse_lenient(&format!("{year}-{month:02}-{day}T{}", time.replace(' ', "")))
}

/// Parses times that are not valid in RFC 3339: without a zone, without a time of day, or with more
/// than nine decimals.
fn parse_lenient(text: &str) -> Option<Timestamp> {
    let cut;
    let text = match text.split_once('.') {
        Some((before, after)) => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            cut = format!("{before}.{}{}", &after[..digits.min(9)], &after[digits..]);
            if digits > 9
                && let Ok(timestamp) = cut.parse()
            {
                return Some(timestamp);
            }
            &*cut
        }
        None => text,
    };
    let (naive, offset) = split_offset(text)?;
    let naive = match naive.parse::<DateTime>() {
        Ok(naive) => naive,
        Err(_) => naive.parse::<Date>().ok()?.at(0, 0, 0, 0),
    };
    let utc = naive.to_zoned(TimeZone::UTC).ok()?.timestamp();
    utc.checked_sub(offset).ok()
}

/// Splits `+0200` or `+02` off the end.
fn split_offset(text: &str) -> Option<(&str, SignedDuration)> {
    let time = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let Some(sign) = text[time..].find(['+', '-']).map(|at| time + at) else {
        return Some((text.trim_end_matches(['Z', 'z']), SignedDuration::ZERO));
    };
    let digits: String = text[sign + 1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i64>().ok()?, 0),
        4 if digits.is_ascii() => (digits[..2].parse().ok()?, digits[2..].parse::<i64>().ok()?),
        _ => return None,
    };
    let offset = SignedDuration::from_mins(hours * 60 + minutes);
    Some((&text[..sign], if text[sign..].starts_with('-') { -offset } else { offset }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seconds_are_what_their_text_says(
            seconds in prop_oneof![1e9..5e9, 1e12..2e12, 1.6e9..1.9e9, -2e9..2e9, Just(f64::INFINITY), any::<f64>()],
            decimals in 0_i32..9,
        ) {
            let unit = 10_f64.powi(decimals);
            let fewer = (f64::round(seconds * unit)) / unit;
            for seconds in [seconds, fewer] {
                prop_assert_eq!(of_seconds(seconds), nanoseconds(seconds.to_string().as_bytes()));
            }
        }
    }

    #[test]
    fn all_that_programs_write_is_read() {
        let second = 1_700_000_000_000_000_000;
        for (text, nanos) in [
            ("1700000000", second),
            ("1700000000.5", second + 500_000_000),
            ("1700000000500", second + 500_000_000),
            ("1700000000500.25", second + 500_000_000),
            ("1700000000500000", second + 500_000_000),
            ("1700000000500000000", second + 500_000_000),
            ("1.7e9", second),
            ("1.7e18", second),
            ("1.7E+12", second),
            ("2023-11-14T22:13:20Z", second),
            ("2023-11-14T22:13:20z", second),
            ("2023-11-14t22:13:20.500Z", second + 500_000_000),
            ("2023-11-14T23:13:20+01:00", second),
            ("2023-11-14T23:13:20.5+0100", second + 500_000_000),
            ("2023-11-14T20:43:20.5-01:30", second + 500_000_000),
            ("2023-11-14T22:13:20.1234567891234Z", second + 123_456_789),
            ("2023-11-14T22:13:20", second),
            ("2023-11-14 22:13:20.5", second + 500_000_000),
            ("14/Nov/2023:23:13:20 +0100", second),
            ("2023-11-15", second + 6400 * 1_000_000_000),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), Some(nanos), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "12:00",
            "2023-13-01",
            "Tue, 14 Nov 2023 22:13:20 GMT",
            "1e400",
            "1/2/3:x",
            "é+0é00",
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), None, "{text}");
        }
        assert_eq!(milliseconds(b"1.5"), Some(1_500_000));
        assert_eq!(milliseconds(b"-1"), None);
    }
}
