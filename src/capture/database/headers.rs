//! Header columns: JSON in the two forms that the server has written.

use std::borrow::Cow;

use crate::capture::json::{JsonError, JsonReader};
use crate::flow::headers::match_known_names;
use crate::flow::{Header, HeaderEncoding, Headers, OwnedHeader};
use crate::limits;
use crate::simd::{self, is_same};

/// The reason why the original tool raises an exception when it loads a header column; `None` if it
/// does not.
pub(crate) fn header_problem(column: &[u8]) -> Option<&'static str> {
    read(column, &mut Vec::new()).err()
}

/// Headers that are decoded on demand. `None` if they must be decoded at once, because something is
/// escaped or they have the old form.
pub(super) fn lazy(text: &[u8]) -> Option<Headers<'_>> {
    let list = text.trim_ascii_start().strip_prefix(b"[")?;
    let is_plain =
        matches!(list.first(), Some(b'[' | b']')) && memchr::memchr(b'\\', list).is_none();
    is_plain.then(|| Headers::encoded(list, &LIST))
}

/// The encoding of a JSON list of pairs without its opening bracket.
static LIST: HeaderEncoding =
    HeaderEncoding { next, beside: |list, names| match_known_names(list, names, after) };

fn next(list: &[u8]) -> Option<(Header<'_>, &[u8])> {
    if list == b"]" {
        return None;
    }
    next_plain(list).or_else(|| next_any(list))
}

/// Reads a pair of two strings without escapes, which is the form of nearly all headers.
#[inline]
fn next_plain(list: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let name = without_comma(list).strip_prefix(b"[\"")?;
    let (name, rest) = name.split_at(simd::position(name, b'"')?);
    let (value, rest) = value(rest)?;
    Some(((name, Some(value)), rest))
}

/// The rest after a header with this name. The name must not contain a quote.
#[inline]
fn after<'b>(list: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    debug_assert!(!name.contains(&b'"'), "a name with a quote is known");
    let (first, rest) = without_comma(list).strip_prefix(b"[\"")?.split_at_checked(name.len())?;
    if !is_same(first, name) {
        return None;
    }
    value(rest).map(|(_, rest)| rest)
}

/// Reads the value of a header whose name was read up to its closing quote. Returns the value and
/// the rest after the header.
#[inline]
fn value(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = rest.strip_prefix(b"\", \"").or_else(|| rest.strip_prefix(b"\",\""))?;
    let (value, rest) = value.split_at(simd::position(value, b'"')?);
    Some((value, rest.strip_prefix(b"\"]")?))
}

/// Removes a comma, and the space that Python writes after it.
#[inline]
fn without_comma(list: &[u8]) -> &[u8] {
    list.strip_prefix(b", ").or_else(|| list.strip_prefix(b",")).unwrap_or(list)
}

fn next_any(list: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let mut json = JsonReader::new(list);
    let _comma = json.take(b',');
    if let Some(text) = json.raw_text().ok()? {
        let (name, value) = split_pair(text.bytes)?;
        return Some(((name, Some(value)), &list[json.at()..]));
    }
    let (mut name, mut value) = (None, None);
    let mut place = 0;
    json.items(|json| {
        match place {
            0 => name = json.raw_text()?,
            1 => value = json.raw_scalar()?,
            _ => {}
        }
        place += 1;
        Ok(())
    })
    .ok()?;
    Some(((name?.bytes, value.map(|value| value.bytes)), &list[json.at()..]))
}

/// Reads headers as the server does: `json.loads`, then `dict`. The error is the reason, in words,
/// why this raises an exception.
pub(super) fn read<'a>(
    text: &'a [u8],
    pairs: &mut Vec<OwnedHeader<'a>>,
) -> Result<(), &'static str> {
    pairs.clear();
    let no_json = |_: JsonError| "its headers are not JSON";
    let mut json = JsonReader::strict(text);
    match json.peek() {
        Some(b'[') => {
            let mut is_pairs = true;
            let read = json.items(|json| {
                let pair = pair(json)?;
                is_pairs &= pair.is_some();
                push(pairs, pair);
                Ok(())
            });
            read.map_err(no_json)?;
            if !is_pairs {
                return Err("its headers are not a list of pairs");
            }
        }
        Some(b'{') => {
            let read = json.raw_members(|key, json| {
                push(pairs, Some((key.unescaped(), json.scalar()?)));
                Ok(())
            });
            read.map_err(no_json)?;
        }
        Some(b'n') => return Err("its headers are null"),
        _ => return Err("its headers are not JSON"),
    }
    if json.peek().is_some() {
        return Err("its headers are not JSON");
    }
    Ok(())
}

fn push<'a>(pairs: &mut Vec<OwnedHeader<'a>>, pair: Option<OwnedHeader<'a>>) {
    if pairs.len() < limits::MAX_HEADERS {
        pairs.extend(pair);
    }
}

/// Reads two items, or a string of two characters, which Python accepts as a pair as well.
fn pair<'a>(json: &mut JsonReader<'a>) -> Result<Option<OwnedHeader<'a>>, JsonError> {
    if let Some(text) = json.text()? {
        let owned = |part: &[u8]| Cow::Owned(part.to_vec());
        return Ok(split_pair(&text).map(|(name, value)| (owned(name), Some(owned(value)))));
    }
    let (mut name, mut value, mut count) = (None, None, 0);
    json.items(|json| {
        match count {
            0 => name = json.text()?,
            1 => value = json.scalar()?,
            _ => {}
        }
        count += 1;
        Ok(())
    })?;
    Ok(name.filter(|_| count == 2).map(|name| (name, value)))
}

/// Splits a text of exactly two characters. `None` for any other length.
fn split_pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut characters = std::str::from_utf8(text).ok()?.char_indices();
    let (_, Some((at, _)), None) = (characters.next(), characters.next(), characters.next()) else {
        return None;
    };
    Some(text.split_at(at))
}

#[cfg(feature = "fuzzing")]
pub(crate) mod laws {
    use super::{lazy, limits};

    /// A list of pairs of text, as `serde_json` reads it.
    type Names = Vec<(String, String)>;

    /// Checks that headers read on demand equal headers read at once, and that both equal the
    /// result of `serde_json`.
    pub(crate) fn read(bytes: &[u8]) {
        let mut pairs = Vec::new();
        let result = super::read(bytes, &mut pairs);
        if let (Ok(()), Some(lazy)) = (result, lazy(bytes)) {
            let lazy: Vec<_> = lazy
                .iter()
                .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                .collect();
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.to_vec(), value.as_ref().map(|v| v.to_vec())));
            assert_eq!(lazy, pairs.take(limits::MAX_HEADERS).collect::<Vec<_>>());
        }
        if let Ok(plain) = serde_json::from_slice::<Names>(bytes) {
            assert!(result.is_ok());
            let names =
                pairs.iter().map(|(name, value)| (&**name, value.as_deref().unwrap_or_default()));
            let plain = plain.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert!(names.eq(plain.take(limits::MAX_HEADERS)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::flow::headers::laws;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn names_beside_known_ones_are_the_names(
            (headers, keep) in laws::headers(), is_plain in any::<bool>(), comma in "[, ]{0,2}", inner in "(\"?[, ]{0,3}\"?|\", \")",
        ) {
            // Headers with a quote are read at once, and this test is about the others.
            let plain = |text: &str| if is_plain { text.replace(['"', '\\'], "-") } else { text.to_owned() };
            let headers: Vec<_> = headers.iter().map(|(name, value)| (plain(name), plain(value))).collect();
            let text = serde_json::to_string(&headers).unwrap().replace("],[", &format!("],{comma}[")).replace("\",\"", &inner);
            let Some(list) = super::lazy(text.as_bytes()) else { return Ok(()) };
            let known: Vec<_> = headers.iter().zip(keep).filter(|(_, keep)| *keep).map(|(pair, _)| pair.0.as_bytes()).collect();
            laws::names_beside(list, &known);
        }
    }

    #[test]
    fn both_forms_are_read_and_what_raises_in_python_is_an_error() {
        let read = |text: &'static str| {
            let mut pairs = Vec::new();
            super::read(text.as_bytes(), &mut pairs).map(|()| {
                let shown = pairs.iter().map(|(name, value)| {
                    let value = value.as_deref().unwrap_or(b"null");
                    format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
                });
                shown.collect::<Vec<_>>().join("&")
            })
        };
        assert_eq!(read(r#"[["a","1"],["\u00e9","2"]]"#), Ok("a=1&é=2".to_owned()));
        assert_eq!(read(r#" {"a":"1", "b": null, "c": 3} "#), Ok("a=1&b=null&c=3".to_owned()));
        assert_eq!(read(r#"["ab"]"#), Ok("a=b".to_owned()));
        assert_eq!(read("[]"), Ok(String::new()));
        let raising = [
            "",
            "{",
            "null",
            "[[\"a\"]]",
            "[[\"a\",\"b\",\"c\"]]",
            "[1]",
            "12",
            "\u{feff}[]",
            "[] x",
            "[[\"a\",\"b\"],]",
            "[[\"a\",oops]]",
        ];
        for raises in raising {
            assert!(read(raises).is_err(), "{raises}");
        }
    }
}
