//! Fields that the JSON formats have in common.

use std::borrow::Cow;

use crate::capture::json::{JsonError, JsonReader};
use crate::flow::OwnedHeader;
use crate::limits;

/// Optional text: borrowed from the capture, or owned if an escape was decoded.
pub(super) type Text<'a> = Option<Cow<'a, [u8]>>;

/// Reads headers or parameters: objects with `name` (or `key`) and `value`, pairs, or one object
/// with all of them.
pub(super) fn read_pairs<'a>(
    json: &mut JsonReader<'a>,
    pairs: &mut Vec<OwnedHeader<'a>>,
) -> Result<(), JsonError> {
    pairs.clear();
    let mut add = |pair: OwnedHeader<'a>| {
        if pairs.len() < limits::MAX_HEADERS {
            pairs.push(pair);
        }
    };
    json.raw_members(|key, json| {
        add((key.unescaped(), json.scalar()?));
        Ok(())
    })?;
    json.items(|json| {
        if let Some((name, value)) = json.named_pair() {
            add((name.unescaped(), Some(value.unescaped())));
            return Ok(());
        }
        let mut name = None;
        let mut value = None;
        json.members(|key, json| {
            match key {
                b"name" | b"key" => name = json.scalar()?,
                b"value" => value = json.scalar()?,
                _ => {}
            }
            Ok(())
        })?;
        let mut place = 0;
        json.items(|json| {
            match place {
                0 => name = json.scalar()?,
                1 => value = json.scalar()?,
                _ => {}
            }
            place += 1;
            Ok(())
        })?;
        if let Some(name) = name {
            add((name, value));
        }
        Ok(())
    })
}

/// Parses a whole number, which may be written as a float.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0'));
    whole.map_or(text, |(whole, _)| whole).parse().ok().or_else(|| {
        // Programs write numbers with an exponent, such as `2e2`.
        let number: f64 = text.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and bounded before")]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

/// Parses a size in bytes. `None` for -1, which stands for an unknown size.
pub(super) fn size(text: &Text<'_>) -> Option<u64> {
    text.as_deref().and_then(integer).and_then(|size| u64::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for text in ["200", " 200 ", "200.0", "2e2", "2.0E+2", "2000e-1"] {
            assert_eq!(integer(text.as_bytes()), Some(200), "{text}");
        }
        for text in ["", "200.5", "2e400", "inf", "nan", "two", "1e30"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
