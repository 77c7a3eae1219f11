//! A mapping that describes a flow, in either spelling of the library's JSON lines:
//! `{"id", "request": {"url", "method", "headers"}, "response": {"status_code", "headers"}, "timestamp"}`, or flat.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use api_patterns::{Flow, Headers, Response};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::values::{Bytes, Word, dict_of, headers_of, integer, milliseconds, nanoseconds, pairs};

/// How long the interpreter's lock is held at once: longer than the five milliseconds after which another thread asks for it,
/// because one that is woken before it asked finds the lock taken again.
const TURN: Duration = Duration::from_millis(10);

/// Why a Python object is not observed.
pub(crate) enum Refused {
    /// It is no flow.
    NoFlow(PyErr),
    /// What it calls raised.
    Raised(PyErr),
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<Refused> for PyErr {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoFlow(error) | Refused::Raised(error) => error,
        }
    }
}

/// What a mapping says, with that of its `request` or `response` first.
struct Members<'py> {
    flat: Bound<'py, PyDict>,
    nested: Option<Bound<'py, PyDict>>,
}

type Name<'a, 'py> = &'a Bound<'py, PyString>;

impl<'py> Members<'py> {
    fn new(flat: &Bound<'py, PyDict>, part: Name<'_, 'py>) -> PyResult<Self> {
        let nested = member(flat, part)?.map(|part| dict_of(&part)).transpose()?.flatten();
        Ok(Self { flat: flat.clone(), nested })
    }

    fn get(&self, name: Name<'_, 'py>, flat: Name<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let nested = self.nested.as_ref().map(|nested| member(nested, name)).transpose()?;
        match nested.flatten() {
            Some(value) => Ok(Some(value)),
            None => member(&self.flat, flat),
        }
    }
}

/// A member that is there and not None.
fn member<'py>(
    dict: &Bound<'py, PyDict>,
    name: Name<'_, 'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(dict.get_item(name)?.filter(|value| !value.is_none()))
}

/// Hands the flow of a mapping on; `None` where its URL was not asked over HTTP, unless any URL will do.
pub(crate) fn with_flow<'py, R>(
    flow: &Bound<'py, PyAny>,
    any_url: bool,
    use_it: impl FnOnce(Option<&Flow<'_>>) -> R,
) -> Result<R, Refused> {
    let py = flow.py();
    let dict = dict_of(flow)?.ok_or_else(|| {
        let what = "a flow is a dict with \"request\" and \"response\", or with \"method\", \"url\", \"status\"";
        Refused::NoFlow(PyTypeError::new_err(what))
    })?;
    let request = Members::new(&dict, intern!(py, "request"))?;
    let response = Members::new(&dict, intern!(py, "response"))?;
    let text = |name: Name<'_, 'py>, what: &str| {
        let word = request.get(name, name)?.map(Word).ok_or_else(|| {
            Refused::NoFlow(PyValueError::new_err(format!("this flow has no \"{what}\"")))
        })?;
        if !word.is_text() {
            return Err(Refused::NoFlow(PyTypeError::new_err(format!("\"{what}\" is no text"))));
        }
        Ok(word)
    };
    let (url, method) = (text(intern!(py, "url"), "url")?, text(intern!(py, "method"), "method")?);
    let (url, method) = (url.bytes().unwrap_or_default(), method.bytes().unwrap_or_default());
    let request_pairs =
        pairs(request.get(intern!(py, "headers"), intern!(py, "request_headers"))?)?;
    let response_pairs =
        pairs(response.get(intern!(py, "headers"), intern!(py, "response_headers"))?)?;
    let (request_bytes, response_bytes) = (Bytes::of(&request_pairs), Bytes::of(&response_pairs));
    let (request_headers, response_headers) =
        (headers_of(&request_bytes), headers_of(&response_bytes));
    let of_dict = |name: Name<'_, 'py>| Ok::<_, PyErr>(member(&dict, name)?.map(Word));
    let body = request.get(intern!(py, "body"), intern!(py, "request_body"))?.map(Word);
    let body = body.as_ref().and_then(Word::bytes);
    let id = of_dict(intern!(py, "id"))?;
    let content_type = of_dict(intern!(py, "content_type"))?;
    let content_type = content_type.as_ref().and_then(Word::bytes);
    let status = response
        .get(intern!(py, "status_code"), intern!(py, "status"))?
        .or(response.get(intern!(py, "status"), intern!(py, "status_code"))?);
    let status = status.and_then(|status| integer(&status));
    let size = member(&dict, intern!(py, "response_bytes"))?.and_then(|size| integer(&size));

    let mut flow = match Flow::of_bytes(&method, &url) {
        Some(flow) => flow,
        None if any_url => Flow::of_any_url(&method, &url),
        None => return Ok(use_it(None)),
    };
    let is_true = |name: Name<'_, 'py>| -> PyResult<bool> {
        member(&dict, name)?.map_or(Ok(false), |value| value.is_truthy())
    };
    let id: Cow<'_, [u8]> = id.as_ref().and_then(Word::bytes).unwrap_or_default();
    flow.failed = is_true(intern!(py, "failed"))?;
    flow.websocket = is_true(intern!(py, "websocket"))?;
    flow.id = &id;
    flow.request_headers = Headers::new(&request_headers);
    flow.request_body = body.as_deref();
    flow.started = member(&dict, intern!(py, "timestamp"))?.and_then(|time| nanoseconds(&time));
    flow.duration = member(&dict, intern!(py, "duration_ms"))?.and_then(|took| milliseconds(&took));
    flow.response = (response.nested.is_some() || status.is_some()).then(|| Response {
        status: status.unwrap_or_default(),
        headers: Headers::new(&response_headers),
        content_type: content_type.as_deref(),
        body_bytes: size.and_then(|size| u64::try_from(size).ok()),
    });
    Ok(use_it(Some(&flow)))
}

/// Calls `each` for everything that an iterable gives, and says how many that were. Other threads and Ctrl-C have their turn.
pub(crate) fn for_each<'py>(
    flows: &Bound<'py, PyAny>,
    mut each: impl FnMut(&Bound<'py, PyAny>) -> PyResult<()>,
) -> PyResult<u64> {
    let py = flows.py();
    let mut count = 0;
    let mut held = Instant::now();
    let not_iterable =
        "source is a path of a capture, a list of paths, or an iterable of flow dicts";
    for flow in flows.try_iter().map_err(|_| PyTypeError::new_err(not_iterable))? {
        each(&flow?)?;
        count += 1;
        if count % 1024 == 0 {
            py.check_signals()?;
            if held.elapsed() > TURN {
                py.detach(|| {});
                held = Instant::now();
            }
        }
    }
    Ok(count)
}
