//! A dict that describes a flow, in either spelling of the library's JSON lines:
//! `{"id", "request": {"url", "method", "headers"}, "response": {"status_code", "headers"}, "timestamp"}`, or flat.

use std::borrow::Cow;

use api_patterns::{Flow, Header, Headers, Response};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// Text as Python has it: `str`, or `bytes` as mitmproxy keeps header fields.
struct Word<'py>(Bound<'py, PyAny>);

impl Word<'_> {
    /// Its bytes; lone surrogates as `surrogatepass` writes them. Anything that is no text is none.
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        if let Ok(text) = self.0.cast::<PyString>() {
            if let Ok(text) = text.to_str() {
                return Some(Cow::Borrowed(text.as_bytes()));
            }
            let encoded = text.call_method1("encode", ("utf-8", "surrogatepass")).ok()?;
            return Some(Cow::Owned(encoded.cast::<PyBytes>().ok()?.as_bytes().to_vec()));
        }
        self.0.cast::<PyBytes>().ok().map(|bytes| Cow::Borrowed(bytes.as_bytes()))
    }
}

/// Headers as Python has them, alive as long as they are looked at.
type Pairs<'py> = Vec<(Word<'py>, Word<'py>)>;

fn pairs<'py>(headers: Option<Bound<'py, PyAny>>) -> PyResult<Pairs<'py>> {
    let Some(headers) = headers else { return Ok(Vec::new()) };
    if let Ok(dict) = headers.cast::<PyDict>() {
        return Ok(dict.iter().map(|(name, value)| (Word(name), Word(value))).collect());
    }
    let mut pairs = Vec::new();
    for pair in headers.try_iter()? {
        let pair = pair?;
        let (name, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) =
            if let Ok(pair) = pair.cast::<PyTuple>() {
                (pair.get_item(0)?, pair.get_item(1)?)
            } else {
                let pair = pair.cast::<PyList>().map_err(|_| {
                    PyTypeError::new_err("headers are a dict, or pairs of name and value")
                })?;
                (pair.get_item(0)?, pair.get_item(1)?)
            };
        pairs.push((Word(name), Word(value)));
    }
    Ok(pairs)
}

/// The bytes of all pairs; a value that is no text is missing.
type Bytes<'a> = Vec<(Cow<'a, [u8]>, Option<Cow<'a, [u8]>>)>;

fn bytes_of<'a>(pairs: &'a Pairs<'_>) -> Bytes<'a> {
    pairs.iter().filter_map(|(name, value)| Some((name.bytes()?, value.bytes()))).collect()
}

fn headers_of<'a>(bytes: &'a Bytes<'_>) -> Vec<Header<'a>> {
    bytes.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
}

/// A member that is there and not None.
fn member<'py>(
    dict: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(dict.get_item(name)?.filter(|value| !value.is_none()))
}

/// A whole number, also as text or float.
fn integer(value: Option<Bound<'_, PyAny>>) -> Option<i64> {
    let value = value?;
    if let Ok(number) = value.extract::<i64>() {
        return Some(number);
    }
    if let Ok(text) = value.extract::<String>() {
        return text.trim().parse().ok();
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    value.extract::<f64>().ok().filter(|number| number.abs() < 9e15).map(|number| number as i64)
}

/// Seconds since the epoch as nanoseconds.
fn nanoseconds(value: Option<Bound<'_, PyAny>>) -> Option<i64> {
    let seconds: f64 = value?.extract().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    (seconds.abs() < 9e9).then(|| (seconds * 1e7).round() as i64 * 100)
}

/// Hands the flow of a dict on; `None` where its URL was not asked over HTTP, unless any URL will do.
///
/// # Errors
///
/// Where it is no dict, or has no URL or method.
pub(crate) fn with_flow<'py, R>(
    flow: &Bound<'py, PyAny>,
    any_url: bool,
    use_it: impl FnOnce(Option<&Flow<'_>>) -> R,
) -> PyResult<R> {
    let py = flow.py();
    let dict = flow.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("a flow is a dict with \"request\" and \"response\", or with \"method\", \"url\", \"status\"")
    })?;
    let request = member(dict, intern!(py, "request"))?;
    let request = request.as_ref().and_then(|request| request.cast::<PyDict>().ok());
    let response = member(dict, intern!(py, "response"))?;
    let response = response.as_ref().and_then(|response| response.cast::<PyDict>().ok());
    let of_request = |name: &Bound<'py, PyString>, flat: &Bound<'py, PyString>| match request {
        Some(request) => member(request, name),
        None => member(dict, flat),
    };
    let of_response = |name: &Bound<'py, PyString>, flat: &Bound<'py, PyString>| match response {
        Some(response) => member(response, name),
        None => member(dict, flat),
    };
    let missing = |what: &str| PyValueError::new_err(format!("this flow has no \"{what}\""));
    let url = of_request(intern!(py, "url"), intern!(py, "url"))?
        .map(Word)
        .ok_or_else(|| missing("url"))?;
    let method = of_request(intern!(py, "method"), intern!(py, "method"))?
        .map(Word)
        .ok_or_else(|| missing("method"))?;
    let (url, method) = (
        url.bytes().ok_or_else(|| PyTypeError::new_err("\"url\" is no text"))?,
        method.bytes().ok_or_else(|| PyTypeError::new_err("\"method\" is no text"))?,
    );
    let request_pairs = pairs(of_request(intern!(py, "headers"), intern!(py, "request_headers"))?)?;
    let response_pairs =
        pairs(of_response(intern!(py, "headers"), intern!(py, "response_headers"))?)?;
    let (request_bytes, response_bytes) = (bytes_of(&request_pairs), bytes_of(&response_pairs));
    let (request_headers, response_headers) =
        (headers_of(&request_bytes), headers_of(&response_bytes));
    let body = of_request(intern!(py, "body"), intern!(py, "request_body"))?.map(Word);
    let body = body.as_ref().and_then(Word::bytes);
    let id = member(dict, intern!(py, "id"))?.map(Word);
    let id = id.as_ref().and_then(Word::bytes).unwrap_or_default();
    let status = match response {
        Some(response) => {
            let status = member(response, intern!(py, "status_code"))?;
            if status.is_some() { status } else { member(response, intern!(py, "status"))? }
        }
        None => {
            let status = member(dict, intern!(py, "status"))?;
            if status.is_some() { status } else { member(dict, intern!(py, "status_code"))? }
        }
    };
    let status = integer(status);
    let content_type = member(dict, intern!(py, "content_type"))?.map(Word);
    let content_type = content_type.as_ref().and_then(Word::bytes);
    let size = integer(member(dict, intern!(py, "response_bytes"))?);
    let started = nanoseconds(member(dict, intern!(py, "timestamp"))?);
    let took =
        member(dict, intern!(py, "duration_ms"))?.and_then(|value| value.extract::<f64>().ok());

    let mut flow = match Flow::of_bytes(&method, &url) {
        Some(flow) => flow,
        None if any_url => Flow::of_any_url(&method, &url),
        None => return Ok(use_it(None)),
    };
    let is_true = |name: &Bound<'py, PyString>| -> PyResult<bool> {
        member(dict, name)?.map_or(Ok(false), |value| value.is_truthy())
    };
    flow.failed = is_true(intern!(py, "failed"))?;
    flow.websocket = is_true(intern!(py, "websocket"))?;
    flow.id = &id;
    flow.request_headers = Headers::new(&request_headers);
    flow.request_body = body.as_deref();
    flow.started = started;
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest whole number")]
    let ended = started.zip(took).and_then(|(at, took)| at.checked_add((took * 1e6) as i64));
    flow.ended = ended;
    flow.response = (response.is_some() || status.is_some()).then(|| Response {
        status: status.unwrap_or_default(),
        headers: Headers::new(&response_headers),
        content_type: content_type.as_deref(),
        body_bytes: size.and_then(|size| u64::try_from(size).ok()),
    });
    Ok(use_it(Some(&flow)))
}
