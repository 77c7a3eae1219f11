//! What Python has for text, numbers, times and headers, as the library's JSON lines would spell it.

use std::borrow::Cow;

use api_patterns::{Header, time};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::flows::Refused;

/// The dict of a mapping; `None` where it is none.
pub(crate) fn dict_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(Some(dict.clone()));
    }
    let Ok(mapping) = value.cast::<PyMapping>() else { return Ok(None) };
    let dict = PyDict::new(value.py());
    dict.update(mapping)?;
    Ok(Some(dict))
}

/// A value that can be said in text.
pub(crate) struct Word<'py>(pub(crate) Bound<'py, PyAny>);

impl Word<'_> {
    /// Is it `str`, or `bytes` as mitmproxy keeps header fields?
    pub(crate) fn is_text(&self) -> bool {
        self.0.is_instance_of::<PyString>() || self.0.is_instance_of::<PyBytes>()
    }

    /// Its bytes; lone surrogates as `surrogatepass` writes them. Numbers, UUIDs and the like as `str` says them; lists and
    /// mappings say nothing.
    pub(crate) fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        if let Ok(text) = self.0.cast::<PyString>() {
            return bytes_of(text);
        }
        if let Ok(bytes) = self.0.cast::<PyBytes>() {
            return Some(Cow::Borrowed(bytes.as_bytes()));
        }
        if let Ok(value) = self.0.cast::<PyBool>() {
            return Some(Cow::Borrowed(if value.is_true() { b"true" } else { b"false" }));
        }
        if self.0.is_none()
            || self.0.is_instance_of::<PyList>()
            || self.0.is_instance_of::<PyTuple>()
        {
            return None;
        }
        if self.0.cast::<PyMapping>().is_ok() {
            return None;
        }
        let text = self.0.str().ok()?;
        bytes_of(&text).map(|bytes| Cow::Owned(bytes.into_owned()))
    }
}

fn bytes_of<'a>(text: &'a Bound<'_, PyString>) -> Option<Cow<'a, [u8]>> {
    if let Ok(text) = text.to_str() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass")).ok()?;
    Some(Cow::Owned(encoded.cast::<PyBytes>().ok()?.as_bytes().to_vec()))
}

/// Headers as Python has them, alive as long as they are looked at.
pub(crate) type Pairs<'py> = Vec<(Word<'py>, Word<'py>)>;

/// A mapping, pairs of name and value, or mappings that call them so.
pub(crate) fn pairs<'py>(headers: Option<Bound<'py, PyAny>>) -> Result<Pairs<'py>, Refused> {
    let Some(headers) = headers else { return Ok(Vec::new()) };
    if let Some(dict) = dict_of(&headers)? {
        return Ok(dict.iter().map(|(name, value)| (Word(name), Word(value))).collect());
    }
    let no_headers = || {
        let what =
            "headers are a dict, pairs of name and value, or dicts with \"name\" and \"value\"";
        Refused::NoFlow(PyTypeError::new_err(what))
    };
    let is_text = headers.is_instance_of::<PyString>() || headers.is_instance_of::<PyBytes>();
    let items = headers.try_iter().ok().filter(|_| !is_text).ok_or_else(no_headers)?;
    let mut pairs = Vec::new();
    for pair in items {
        let (name, value) = pair_of(&pair?)?.ok_or_else(no_headers)?;
        pairs.push((Word(name), Word(value)));
    }
    Ok(pairs)
}

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn pair_of<'py>(pair: &Bound<'py, PyAny>) -> PyResult<Option<Pair<'py>>> {
    let py = pair.py();
    if let Ok(pair) = pair.cast::<PyTuple>() {
        return Ok(pair.get_item(0).ok().zip(pair.get_item(1).ok()));
    }
    if let Ok(pair) = pair.cast::<PyList>() {
        return Ok(pair.get_item(0).ok().zip(pair.get_item(1).ok()));
    }
    let Some(dict) = dict_of(pair)? else { return Ok(None) };
    let name = match dict.get_item(intern!(py, "name"))? {
        Some(name) => Some(name),
        None => dict.get_item(intern!(py, "key"))?,
    };
    let value = dict.get_item(intern!(py, "value"))?.unwrap_or_else(|| py.None().into_bound(py));
    Ok(name.map(|name| (name, value)))
}

type Text<'a> = Cow<'a, [u8]>;

/// The bytes of all pairs; a value that cannot be said in text is missing.
pub(crate) struct Bytes<'a>(Vec<(Text<'a>, Option<Text<'a>>)>);

impl<'a> Bytes<'a> {
    pub(crate) fn of(pairs: &'a Pairs<'_>) -> Self {
        Self(
            pairs.iter().filter_map(|(name, value)| Some((name.bytes()?, value.bytes()))).collect(),
        )
    }
}

pub(crate) fn headers_of<'a>(bytes: &'a Bytes<'_>) -> Vec<Header<'a>> {
    bytes.0.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
}

/// A whole number, also as text or float.
pub(crate) fn integer(value: &Bound<'_, PyAny>) -> Option<i64> {
    if let Ok(number) = value.extract::<i64>() {
        return Some(number);
    }
    if let Ok(text) = value.extract::<String>() {
        return text.trim().parse().ok();
    }
    let number: f64 = value.extract().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and bounded before")]
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn is_number(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>()
}

/// A time in nanoseconds since the epoch: seconds, a `datetime`, or anything whose text says a time.
pub(crate) fn nanoseconds(value: &Bound<'_, PyAny>) -> Option<i64> {
    if is_number(value) {
        let seconds: f64 = value.extract().ok()?;
        // More digits are milliseconds and less, as in a JSON line.
        if seconds.abs() < 1e11 {
            #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
            return ((seconds * 1e7).round() as i64).checked_mul(100);
        }
    }
    let text = value.call_method0(intern!(value.py(), "isoformat"));
    time::nanoseconds(&Word(text.unwrap_or_else(|_| value.clone())).bytes()?)
}

/// How long something took, in nanoseconds, from milliseconds.
pub(crate) fn milliseconds(value: &Bound<'_, PyAny>) -> Option<u64> {
    if !is_number(value) {
        return time::milliseconds(&Word(value.clone()).bytes()?);
    }
    let took: f64 = value.extract().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
    (0.0..9e11).contains(&took).then_some((took * 1e7).round() as u64 / 10)
}
