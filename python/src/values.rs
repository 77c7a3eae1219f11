//! Conversion of Python's text, numbers, times and headers to values of the library's JSON lines.
//!
//! Anything that runs Python code may raise, also because of a signal, so every exception is passed on.

use std::borrow::Cow;

use api_patterns::{Header, time};
use pyo3::exceptions::{PyRecursionError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
    PyType,
};

use crate::flows::ObserveError;

/// Returns `true` for a built-in type that is recognized without running Python code.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PyList>()
        || value.is_none()
}

/// Returns a mapping as a dict, or `None` if the value is not a mapping.
pub(crate) fn dict_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    static MAPPING: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(Some(dict.clone()));
    }
    let py = value.py();
    if is_plain(value) || !value.is_instance(MAPPING.import(py, "collections.abc", "Mapping")?)? {
        return Ok(None);
    }
    let dict = PyDict::new(py);
    dict.call_method1(intern!(py, "update"), (value,))?;
    Ok(Some(dict))
}

/// Returns `true` for a missing value: None, NaN, or pandas' NA and `NaT`.
pub(crate) fn is_missing(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(number.value().is_nan());
    }
    if is_plain(value) || value.is_instance_of::<PyDict>() {
        return Ok(value.is_none());
    }
    let name = value.get_type().qualname()?;
    if matches!(name.to_str()?, "NAType" | "NaTType") {
        return Ok(true);
    }
    // A value that is not equal to itself is NaN. This also covers the NaN of NumPy and Decimal.
    let py = value.py();
    match value.ne(value) {
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyException>(py) => Ok(false),
        other => other,
    }
}

/// Text: a `str`, or the `bytes` in which mitmproxy keeps header fields.
pub(crate) struct PyText<'py>(Bound<'py, PyAny>);

impl<'py> PyText<'py> {
    /// Converts a value to text. Numbers, UUIDs and the like are converted with `str`; lists and mappings give `None`.
    pub(crate) fn of(value: Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
            return Ok(Some(Self(value)));
        }
        let py = value.py();
        if let Ok(value) = value.cast::<PyBool>() {
            let text = if value.is_true() { intern!(py, "true") } else { intern!(py, "false") };
            return Ok(Some(Self(text.clone().into_any())));
        }
        let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
        if is_list || is_missing(&value)? || dict_of(&value)?.is_some() {
            return Ok(None);
        }
        match value.str() {
            // The number has more digits than Python converts to text, and so is not meaningful here.
            Err(_) if value.is_instance_of::<PyInt>() => Ok(None),
            text => Ok(Some(Self(text?.into_any()))),
        }
    }

    /// Converts text only; a value of any other type gives `None`.
    pub(crate) fn of_text(value: Bound<'py, PyAny>) -> Option<Self> {
        let is_text = value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>();
        is_text.then_some(Self(value))
    }

    /// Returns the text as bytes, with lone surrogates encoded as `surrogatepass` does.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        if let Ok(bytes) = self.0.cast::<PyBytes>() {
            return Cow::Borrowed(bytes.as_bytes());
        }
        let Ok(text) = self.0.cast::<PyString>() else { return Cow::Borrowed(b"") };
        if let Ok(text) = text.to_str() {
            return Cow::Borrowed(text.as_bytes());
        }
        // Encoding can fail only if memory is exhausted.
        let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"));
        let encoded =
            encoded.ok().and_then(|bytes| Some(bytes.cast::<PyBytes>().ok()?.as_bytes().to_vec()));
        Cow::Owned(encoded.unwrap_or_default())
    }
}

/// Converts an optional value to text.
pub(crate) fn optional_text(value: Option<Bound<'_, PyAny>>) -> PyResult<Option<PyText<'_>>> {
    value.map_or(Ok(None), PyText::of)
}

pub(crate) fn bytes_of<'a>(word: Option<&'a PyText<'_>>) -> Option<Cow<'a, [u8]>> {
    word.map(PyText::bytes)
}

/// The body of a message.
pub(crate) enum PyBody<'py> {
    /// Bytes as on the wire: the header `content-encoding` says how they are compressed.
    Wire(Bound<'py, PyBytes>),
    /// Text, which is not compressed.
    Text(PyText<'py>),
}

impl<'py> PyBody<'py> {
    /// Converts a value to a body. A list or mapping is a JSON value, as in a JSON line. Bytes that are empty are not a body,
    /// as in a dump.
    pub(crate) fn of(value: Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let py = value.py();
        let bytes = match value.cast::<PyBytes>() {
            Ok(bytes) => Some(bytes.clone()),
            Err(_)
                if value.is_instance_of::<PyByteArray>()
                    || value.is_instance_of::<PyMemoryView>() =>
            {
                let bytes = py.get_type::<PyBytes>().call1((&value,))?;
                Some(bytes.cast_into::<PyBytes>()?)
            }
            Err(_) => None,
        };
        if let Some(bytes) = bytes {
            return Ok(Some(bytes).filter(|bytes| !bytes.as_bytes().is_empty()).map(Self::Wire));
        }
        let text = if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            json_text(&value)?
        } else if let Some(dict) = dict_of(&value)? {
            json_text(&dict)?
        } else {
            PyText::of(value)?
        };
        Ok(text.map(Self::Text))
    }

    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Wire(bytes) => Cow::Borrowed(bytes.as_bytes()),
            Self::Text(text) => text.bytes(),
        }
    }
}

/// Returns a list or mapping as JSON text; `None` if it contains itself, or is nested too deep. What JSON does not have is
/// the text of `str`.
fn json_text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<PyText<'py>>> {
    let py = value.py();
    let how = PyDict::new(py);
    how.set_item(intern!(py, "default"), py.get_type::<PyString>())?;
    how.set_item(intern!(py, "skipkeys"), true)?;
    match py.import("json")?.call_method(intern!(py, "dumps"), (value,), Some(&how)) {
        Err(error)
            if error.is_instance_of::<PyValueError>(py)
                || error.is_instance_of::<PyRecursionError>(py) =>
        {
            Ok(None)
        }
        other => Ok(PyText::of_text(other?)),
    }
}

/// Headers as Python objects, which own the text that the flow borrows. The value is `None` if it is missing.
pub(crate) type Pairs<'py> = Vec<(PyText<'py>, Option<PyText<'py>>)>;

/// Reads headers from a mapping, pairs of name and value, mappings with `name` (or `key`) and `value`, or any of these
/// as JSON text.
pub(crate) fn pairs(headers: Option<Bound<'_, PyAny>>) -> Result<Pairs<'_>, ObserveError> {
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let py = headers.py();
    let no_headers = || {
        let what =
            "headers must be a dict, pairs of name and value, or dicts with \"name\" and \"value\"";
        ObserveError::NoFlow(PyTypeError::new_err(what))
    };
    if headers.is_instance_of::<PyString>() {
        // The database of mitmproxy-mcp holds headers as JSON text.
        let value = match py.import("json")?.call_method1("loads", (&headers,)) {
            Err(error)
                if error.is_instance_of::<PyValueError>(py)
                    || error.is_instance_of::<PyRecursionError>(py) =>
            {
                return Err(no_headers());
            }
            other => other?,
        };
        return if is_plain(&value) && !value.is_instance_of::<PyList>() {
            if value.is_none() { Ok(Vec::new()) } else { Err(no_headers()) }
        } else {
            pairs(Some(value))
        };
    }
    let mut pairs = Vec::new();
    let mut add = |name, value| -> PyResult<()> {
        if let Some(name) = PyText::of(name)? {
            pairs.push((name, PyText::of(value)?));
        }
        Ok(())
    };
    if let Some(dict) = dict_of(&headers)? {
        for (name, value) in dict.iter() {
            add(name, value)?;
        }
        return Ok(pairs);
    }
    let is_list = !is_plain(&headers)
        || headers.is_instance_of::<PyList>()
        || headers.is_instance_of::<PyTuple>();
    let items = match headers.try_iter() {
        Ok(items) if is_list => items,
        Err(error) if !error.is_instance_of::<PyTypeError>(py) => return Err(error.into()),
        _ => return Err(no_headers()),
    };
    for pair in items {
        let pair = pair?;
        if !pair.is_none() {
            let (name, value) = pair_of(&pair)?.ok_or_else(no_headers)?;
            add(name, value)?;
        }
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
    if let Some(name) = name {
        let value = dict.get_item(intern!(py, "value"))?;
        return Ok(Some((name, value.unwrap_or_else(|| py.None().into_bound(py)))));
    }
    // A struct of two fields is a pair, whatever the names of its fields.
    let values = dict.values();
    if values.len() == 2 {
        return Ok(Some((values.get_item(0)?, values.get_item(1)?)));
    }
    Ok(None)
}

type Text<'a> = Cow<'a, [u8]>;

/// Borrowed bytes of all header pairs.
pub(crate) struct Bytes<'a>(Vec<(Text<'a>, Option<Text<'a>>)>);

impl<'a> Bytes<'a> {
    pub(crate) fn of(pairs: &'a Pairs<'_>) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.bytes(), bytes_of(value.as_ref()))).collect())
    }
}

pub(crate) fn headers_of<'a>(bytes: &'a Bytes<'_>) -> Vec<Header<'a>> {
    bytes.0.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
}

/// Returns a number as a float. A boolean is an int in Python but is not accepted as a number.
fn number_of(value: &Bound<'_, PyAny>) -> Option<f64> {
    let is_number = value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>();
    if is_number && !value.is_instance_of::<PyBool>() { value.extract().ok() } else { None }
}

/// Returns a whole number, which may be given as an int, a float, or text.
pub(crate) fn integer(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let whole = |number: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and bounded before")]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    };
    if let Some(number) = number_of(value) {
        return Ok(value.extract().ok().or_else(|| whole(number)));
    }
    let Some(word) = PyText::of(value.clone())? else { return Ok(None) };
    let bytes = word.bytes();
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    Ok(text.parse().ok().or_else(|| text.parse().ok().and_then(whole)))
}

/// Converts a time to nanoseconds since the Unix epoch. Accepts seconds, a `datetime`, or any object whose text is a
/// time.
pub(crate) fn nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    // Larger numbers are milliseconds or a finer unit, as in a JSON line.
    if let Some(seconds) = number_of(value).filter(|seconds| seconds.abs() < 1e11) {
        return Ok(time::of_seconds(seconds));
    }
    let text = match value.getattr_opt(intern!(value.py(), "isoformat"))? {
        Some(isoformat) => isoformat.call0()?,
        None => value.clone(),
    };
    Ok(PyText::of(text)?.and_then(|word| time::nanoseconds(&word.bytes())))
}

/// Returns a `timedelta`, also NumPy's, in milliseconds, or `None` for other values and `NaT`.
fn time_delta(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let py = value.py();
    if let Some(seconds) = value.getattr_opt(intern!(py, "total_seconds"))? {
        return Ok(Some(seconds.call0()?.extract::<f64>()? * 1000.0));
    }
    if is_plain(value) || value.get_type().qualname()?.to_str()? != "timedelta64" {
        return Ok(None);
    }
    let nanos = value.call_method1(intern!(py, "astype"), ("timedelta64[ns]",))?;
    let nanos: Option<f64> = nanos.call_method0(intern!(py, "item"))?.extract()?;
    Ok(nanos.map(|nanos| nanos / 1e6))
}

/// Converts a duration in milliseconds, or a `timedelta`, to nanoseconds.
pub(crate) fn duration_nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let took = match number_of(value) {
        Some(took) => Some(took),
        None => time_delta(value)?,
    };
    if let Some(took) = took {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded before"
        )]
        return Ok((0.0..9e11).contains(&took).then_some((took * 1e7).round() as u64 / 10));
    }
    Ok(PyText::of(value.clone())?.and_then(|word| time::milliseconds(&word.bytes())))
}

/// Returns `true` only for a boolean that is true, also NumPy's.
pub(crate) fn is_true(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_numpy =
        || Ok::<_, PyErr>(matches!(value.get_type().qualname()?.to_str()?, "bool" | "bool_"));
    if value.is_instance_of::<PyBool>() || is_numpy()? { value.is_truthy() } else { Ok(false) }
}
