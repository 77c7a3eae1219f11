//! A tolerant reader of JSON text that builds nothing: it skips values and returns slices.
//!
//! Captures may be edited by hand, written by old programs or cut off. Therefore values that are
//! not requested are skipped by their brackets and quotes only, whatever they contain (`NaN`, lone
//! surrogates, bytes that are not UTF-8), at any depth and without recursion.

mod scan;

use std::borrow::Cow;

use crate::capture::json::scan::string_end;
use crate::flow::Body;
use crate::flow::json_string::JsonString;

pub(crate) use scan::JsonScanner;

/// Error of text in which not even the brackets and quotes match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// Index of the error in the bytes that were read.
    pub(crate) at: usize,
}

/// A position in JSON text, and methods that read from there on.
///
/// A method that requests a type reads nothing if the value has another type; the object or list
/// around it then skips the value.
#[derive(Clone, Debug)]
pub(crate) struct JsonReader<'a> {
    bytes: &'a [u8],
    at: usize,
    strict: bool,
}

impl<'a> JsonReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, strict: false }
    }

    /// Creates a reader that accepts only JSON that Python's `json.loads` accepts, in the parts
    /// that are read: no extra commas, and no words other than Python's own.
    #[cfg(feature = "sqlite")]
    pub(crate) fn strict(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, strict: true }
    }

    /// Index of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Continues at another index.
    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The first byte of the next token; `None` at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !is_space(*byte) {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads `byte` if it is next. Returns `true` if it was.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn bad(&self) -> JsonError {
        JsonError { at: self.at }
    }

    /// Calls `each` for the members of an object, with the raw key. A value that `each` does not
    /// read is skipped.
    #[inline]
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&'a [u8], &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.raw_members(|key, json| each(key.bytes, json))
    }

    /// As [`members`](Self::members), with keys that can be unescaped.
    #[inline]
    pub(crate) fn raw_members(
        &mut self,
        mut each: impl FnMut(JsonString<'a>, &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.peek() != Some(b'{') {
            return Ok(());
        }
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.raw_string()?;
            if !self.take(b':') {
                return Err(self.bad());
            }
            self.one_value(|json| each(key, json))?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.bad());
            }
            // Files that are edited by hand can have an extra comma.
            if !self.strict && self.take(b'}') {
                return Ok(());
            }
        }
    }

    /// Calls `each` for the items of a list. An item that `each` does not read is skipped.
    pub(crate) fn items(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.peek() != Some(b'[') {
            return Ok(());
        }
        self.at += 1;
        let mut may_end = true;
        loop {
            if may_end && self.take(b']') {
                return Ok(());
            }
            may_end = !self.strict;
            self.one_value(&mut each)?;
            if !self.take(b',') {
                return if self.take(b']') { Ok(()) } else { Err(self.bad()) };
            }
        }
    }

    fn one_value(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.peek();
        let before = self.at;
        read(self)?;
        if self.at == before { self.skip() } else { Ok(()) }
    }

    /// Reads `{"name": "...", "value": "..."}`, the form of nearly all headers in a HAR. Reads
    /// nothing and returns `None` for any other form.
    #[inline]
    pub(crate) fn named_pair(&mut self) -> Option<(JsonString<'a>, JsonString<'a>)> {
        let mut json = Self { bytes: self.bytes, at: self.at, strict: self.strict };
        if !json.take(b'{') || !json.take_text(b"\"name\"") || !json.take(b':') {
            return None;
        }
        let name = json.raw_string().ok()?;
        if !json.take(b',') || !json.take_text(b"\"value\"") || !json.take(b':') {
            return None;
        }
        let value = json.raw_string().ok()?;
        if !json.take(b'}') {
            return None;
        }
        self.at = json.at;
        Some((name, value))
    }

    /// Reads `text` if it is next. Returns `true` if it was.
    #[inline]
    fn take_text(&mut self, text: &[u8]) -> bool {
        self.peek();
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Skips a value.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{' | b'[') => {
                let end = JsonScanner::default().step(&self.bytes[self.at..]).ok_or(self.bad())?;
                self.at += end;
                Ok(())
            }
            Some(b'"') => self.raw_string().map(drop),
            _ => self.token().map(drop),
        }
    }

    /// Reads a string without decoding its escapes.
    #[inline]
    fn raw_string(&mut self) -> Result<JsonString<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.bad());
        }
        let rest = &self.bytes[self.at + 1..];
        let (end, is_escaped) = string_end(rest).ok_or(self.bad())?;
        self.at += end + 2;
        Ok(JsonString::new(&rest[..end], is_escaped))
    }

    /// Reads a number or a word, such as `true` or `NaN`.
    fn token(&mut self) -> Result<&'a [u8], JsonError> {
        self.peek();
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| !IN_TOKEN[usize::from(*byte)]);
        let token = &rest[..length.unwrap_or(rest.len())];
        let is_ended = |byte: u8| is_space(byte) || matches!(byte, b',' | b'}' | b']' | b':');
        let is_whole = length.is_none_or(|length| is_ended(rest[length]));
        if token.is_empty() || !is_whole || (self.strict && !is_python(token)) {
            return Err(self.bad());
        }
        self.at += token.len();
        Ok(token)
    }

    /// Reads a string without decoding its escapes; `None` for other values.
    pub(crate) fn raw_text(&mut self) -> Result<Option<JsonString<'a>>, JsonError> {
        if self.peek() == Some(b'"') { self.raw_string().map(Some) } else { Ok(None) }
    }

    /// Reads a string; `None` for other values.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, [u8]>>, JsonError> {
        Ok(self.raw_text()?.map(JsonString::unescaped))
    }

    /// Reads a string without decoding its escapes, or a number or boolean as its text. `None` for
    /// null, lists and objects.
    pub(crate) fn raw_scalar(&mut self) -> Result<Option<JsonString<'a>>, JsonError> {
        match self.peek() {
            Some(b'"') => self.raw_string().map(Some),
            Some(b'{' | b'[') => Ok(None),
            _ => {
                let token = self.token()?;
                Ok((token != b"null").then_some(JsonString::new(token, false)))
            }
        }
    }

    /// Reads a body: the text of a string, or the JSON text of any other value. Absent for null.
    pub(crate) fn body(&mut self) -> Result<Body<'a>, JsonError> {
        if let Some(text) = self.raw_text()? {
            return Ok(Body::json_text(text));
        }
        self.peek();
        let start = self.at;
        self.skip()?;
        let value = &self.bytes[start..self.at];
        Ok(if value == b"null" { Body::default() } else { Body::decoded(value) })
    }

    /// Reads a string, or a number or boolean as its text. `None` for null, lists and objects.
    pub(crate) fn scalar(&mut self) -> Result<Option<Cow<'a, [u8]>>, JsonError> {
        Ok(self.raw_scalar()?.map(JsonString::unescaped))
    }
}

/// For each byte, whether it can be part of a number or word.
const IN_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        byte += 1;
    }
    table
};

fn is_python(token: &[u8]) -> bool {
    [&b"true"[..], b"false", b"null", b"NaN", b"Infinity", b"-Infinity"].contains(&token)
        || serde_json::from_slice::<serde_json::Number>(token).is_ok()
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(feature = "fuzzing")]
pub(crate) mod laws {
    use super::{JsonReader, JsonScanner};

    /// Checks that the fast scan equals the scan byte by byte, for any division into two pieces,
    /// and that it ends where `serde_json` ends if `serde_json` accepts the list, object or string.
    pub(crate) fn scan(bytes: &[u8]) {
        let plain = JsonScanner::default().bytes(bytes);
        assert_eq!(JsonScanner::default().step(bytes), plain);
        let (first, second) = bytes.split_at(bytes.len() / 3);
        let mut scan = JsonScanner::default();
        let end = scan.step(first).or_else(|| scan.step(second).map(|end| end + first.len()));
        assert_eq!(end, plain);
        let mut values =
            serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
        let mut json = JsonReader::new(bytes);
        // `serde_json` lets a number end at a bracket, so compare only enclosed values.
        let is_enclosed = matches!(json.peek(), Some(b'{' | b'[' | b'"'));
        if is_enclosed && matches!(values.next(), Some(Ok(_))) {
            assert_eq!(json.skip(), Ok(()));
            assert_eq!(json.at(), values.byte_offset());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_of_another_type_is_stepped_over() {
        let mut json = JsonReader::new(br#"{"a": {"b": [1, {"c": "}"}]}, "d": NaN, "e": "x",}"#);
        let mut seen = Vec::new();
        let read = json.members(|key, json| {
            if let Some(text) = json.text()? {
                seen.push((key, text.into_owned()));
            }
            Ok(())
        });
        assert_eq!(read, Ok(()));
        assert_eq!(seen, [(&b"e"[..], b"x".to_vec())]);
        for bad in ["{\"a\" 1}", "{\"a\":1", "{\"a\":}", "{a:1}", "{\"a\":1 \"b\":2}"] {
            assert!(JsonReader::new(bad.as_bytes()).members(|_, _| Ok(())).is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Strings are read as `serde_json` reads them.
        #[test]
        fn strings_are_what_serde_json_reads(text in any::<String>()) {
            let encoded = serde_json::to_string(&text).unwrap();
            let mut json = JsonReader::new(encoded.as_bytes());
            let read = json.text().unwrap().unwrap();
            prop_assert_eq!(&*read, text.as_bytes());
        }
    }
}
