//! Conversion of Python mappings to flows.
//!
//! A mapping has the members of the library's JSON lines, either nested, `{"id", "request": {"url", "method",
//! "headers"}, "response": {"status_code", "headers"}, "timestamp"}`, or flat. Instead of a URL it may have `scheme`,
//! `authority`, `host`, `port`, `path`, `sni` and `http_version`, as a proxy records them. Bodies are `body` or `content` of
//! the nested messages, `request_body` and `response_body`.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use api_patterns::{Body, Flow, Headers, Outcome, Protocol, Proxied, Response, SkipReason};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::values::{
    Bytes, PyBody, PyText, bytes_of, dict_of, duration_nanoseconds, headers_of, integer,
    is_missing, is_true, nanoseconds, optional_text, pairs,
};

/// Time for which the interpreter's lock is held before other threads get a turn. It is longer than Python's switch
/// interval of 5 ms, after which a waiting thread requests the lock: a thread that has not requested it yet would find
/// the lock taken again.
const TURN: Duration = Duration::from_millis(10);

/// Reason why a Python object is not observed.
pub(crate) enum ObserveError {
    /// The object is not a flow.
    NoFlow(PyErr),
    /// Python code called by the conversion raised an exception.
    Raised(PyErr),
}

impl From<PyErr> for ObserveError {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<ObserveError> for PyErr {
    fn from(refused: ObserveError) -> Self {
        match refused {
            ObserveError::NoFlow(error) | ObserveError::Raised(error) => error,
        }
    }
}

/// Members of a mapping. Those of its nested `request` or `response` take precedence.
struct FlowMembers<'py> {
    flat: Bound<'py, PyDict>,
    nested: Option<Bound<'py, PyDict>>,
}

type Name<'a, 'py> = &'a Bound<'py, PyString>;

impl<'py> FlowMembers<'py> {
    fn new(flat: &Bound<'py, PyDict>, part: Name<'_, 'py>) -> PyResult<Self> {
        let nested = member(flat, part)?.map(|part| dict_of(&part)).transpose()?.flatten();
        Ok(Self { flat: flat.clone(), nested })
    }

    fn get(&self, name: Name<'_, 'py>, flat: Name<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.nested(name)? {
            Some(value) => Ok(Some(value)),
            None => member(&self.flat, flat),
        }
    }

    fn nested(&self, name: Name<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.nested.as_ref().map(|nested| member(nested, name)).transpose()?.flatten())
    }

    /// The body, by the names that the reader of JSON lines knows.
    fn body(&self, flat: Name<'_, 'py>) -> PyResult<Option<PyBody<'py>>> {
        let py = flat.py();
        let value = match self.nested(intern!(py, "body"))? {
            Some(value) => Some(value),
            None => self.get(intern!(py, "content"), flat)?,
        };
        value.map_or(Ok(None), PyBody::of)
    }
}

/// Returns a member, or `None` if it is absent or a missing value (see [`is_missing`]).
fn member<'py>(
    dict: &Bound<'py, PyDict>,
    name: Name<'_, 'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(value) = dict.get_item(name)? else { return Ok(None) };
    Ok(if is_missing(&value)? { None } else { Some(value) })
}

/// Treatment of flows with invalid headers or URLs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Invalid headers are an error. For flows that a program built itself.
    Strict,
    /// Invalid headers are ignored. For the rows of a table.
    Lenient,
    /// Any text is accepted as URL, as mitmproxy-mcp does.
    AnyUrl,
}

/// Whether the state that observes a flow asks for its bodies. Request bodies are read in any case, because they can have
/// the name of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bodies {
    Left,
    Read,
}

impl Bodies {
    pub(crate) fn from_flag(are_asked_for: bool) -> Self {
        if are_asked_for { Self::Read } else { Self::Left }
    }
}

/// Request line and address as a proxy records them, the input of [`Proxied`].
struct ProxyFields<'py> {
    words: [Option<PyText<'py>>; 5],
    port: i64,
    is_multiplexed: bool,
}

impl<'py> ProxyFields<'py> {
    /// Reads the members of a proxied request. Returns `None` for a flow without `path`, which has a URL.
    fn of(dict: &Bound<'py, PyDict>) -> PyResult<Option<Self>> {
        let py = dict.py();
        let Some(path) = member(dict, intern!(py, "path"))? else { return Ok(None) };
        let text =
            |name: Name<'_, 'py>| Ok::<_, PyErr>(member(dict, name)?.and_then(PyText::of_text));
        let version = text(intern!(py, "http_version"))?;
        let version = bytes_of(version.as_ref()).unwrap_or_default();
        Ok(Some(Self {
            words: [
                PyText::of_text(path),
                text(intern!(py, "scheme"))?,
                text(intern!(py, "authority"))?,
                text(intern!(py, "host"))?,
                text(intern!(py, "sni"))?,
            ],
            port: member(dict, intern!(py, "port"))?
                .map_or(Ok(None), |port| integer(&port))?
                .unwrap_or_default(),
            is_multiplexed: version.starts_with(b"HTTP/2") || version.starts_with(b"HTTP/3"),
        }))
    }
}

/// Converts a mapping to a flow and calls `use_it` with it, or with the reason why it is skipped.
pub(crate) fn with_flow<'py, R>(
    flow: &Bound<'py, PyAny>,
    care: Strictness,
    bodies: Bodies,
    use_it: impl FnOnce(Result<&Flow<'_>, SkipReason>) -> R,
) -> Result<R, ObserveError> {
    let py = flow.py();
    let dict = dict_of(flow)?.ok_or_else(|| {
        let what = "a flow is a dict with \"request\" and \"response\", or with \"method\", \"url\", \"status\"";
        ObserveError::NoFlow(PyTypeError::new_err(what))
    })?;
    let request = FlowMembers::new(&dict, intern!(py, "request"))?;
    let response = FlowMembers::new(&dict, intern!(py, "response"))?;
    let text = |name: Name<'_, 'py>, what: &str| {
        let value = request.get(name, name)?.ok_or_else(|| {
            ObserveError::NoFlow(PyValueError::new_err(format!("this flow has no \"{what}\"")))
        })?;
        PyText::of_text(value).ok_or_else(|| {
            ObserveError::NoFlow(PyTypeError::new_err(format!("\"{what}\" is not text")))
        })
    };
    let line = if dict.contains(intern!(py, "path"))? { ProxyFields::of(&dict)? } else { None };
    let url = if line.is_some() { None } else { Some(text(intern!(py, "url"), "url")?) };
    let method = text(intern!(py, "method"), "method")?;
    let (url, method) = (bytes_of(url.as_ref()).unwrap_or_default(), method.bytes());
    let headers = |headers| match pairs(headers) {
        Err(ObserveError::NoFlow(_)) if care == Strictness::Lenient => Ok(Vec::new()),
        other => other,
    };
    let request_pairs =
        headers(request.get(intern!(py, "headers"), intern!(py, "request_headers"))?)?;
    let response_pairs =
        headers(response.get(intern!(py, "headers"), intern!(py, "response_headers"))?)?;
    let (request_bytes, response_bytes) = (Bytes::of(&request_pairs), Bytes::of(&response_pairs));
    let (request_headers, response_headers) =
        (headers_of(&request_bytes), headers_of(&response_bytes));
    let request_body = request.body(intern!(py, "request_body"))?;
    let response_body = match bodies {
        Bodies::Read => response.body(intern!(py, "response_body"))?,
        Bodies::Left => None,
    };
    let [request_content, response_content] =
        [&request_body, &response_body].map(|body| body.as_ref().map(PyBody::bytes));
    let id = optional_text(member(&dict, intern!(py, "id"))?)?;
    let content_type = optional_text(member(&dict, intern!(py, "content_type"))?)?;
    let content_type = bytes_of(content_type.as_ref());
    let whole = |value: Option<Bound<'py, PyAny>>| value.map_or(Ok(None), |value| integer(&value));
    let status = match whole(response.get(intern!(py, "status_code"), intern!(py, "status"))?)? {
        Some(status) => Some(status),
        None => whole(response.get(intern!(py, "status"), intern!(py, "status_code"))?)?,
    };
    if care == Strictness::AnyUrl && response.nested.is_some() && status.is_none() {
        let what = "with compat, a response has a whole number as its \"status_code\"";
        return Err(ObserveError::NoFlow(PyValueError::new_err(what)));
    }
    let size = whole(member(&dict, intern!(py, "response_bytes"))?)?;

    let words = line
        .as_ref()
        .map(|line| line.words.each_ref().map(|word| bytes_of(word.as_ref()).unwrap_or_default()));
    let of_url = || {
        let flow = Flow::of_any_url(Cow::Borrowed(&method), &url);
        let reason = flow.reason_to_skip().filter(|_| care != Strictness::AnyUrl);
        reason.map_or(Ok(flow), Err)
    };
    let found = match (&line, &words) {
        (Some(line), Some([path, scheme, authority, host, server_name])) => Proxied {
            method: &method,
            scheme,
            authority,
            path,
            headers: Headers::new(&request_headers),
            address: Some((&**host, line.port)),
            is_multiplexed: line.is_multiplexed,
        }
        .flow(|| Some(&**server_name))
        .ok_or(SkipReason::NotHttp),
        _ => of_url(),
    };
    let mut flow = match found {
        Ok(flow) => flow,
        Err(reason) => return Ok(use_it(Err(reason))),
    };
    let says =
        |name: Name<'_, 'py>| member(&dict, name)?.map_or(Ok(false), |value| is_true(&value));
    let id: Cow<'_, [u8]> = bytes_of(id.as_ref()).unwrap_or_default();
    let started = member(&dict, intern!(py, "timestamp"))?;
    let took = member(&dict, intern!(py, "duration_ms"))?;
    if says(intern!(py, "failed"))? {
        flow.outcome = Outcome::Failed;
    }
    if says(intern!(py, "websocket"))? {
        flow.protocol = Protocol::Websocket;
    }
    flow.id = &id;
    flow.request_headers = Headers::new(&request_headers);
    flow.request_body = body_of(request_body.as_ref(), request_content.as_deref());
    flow.started = started.map_or(Ok(None), |time| nanoseconds(&time))?;
    flow.duration = took.map_or(Ok(None), |took| duration_nanoseconds(&took))?;
    flow.response = (response.nested.is_some() || status.is_some()).then(|| Response {
        status: status.unwrap_or_default(),
        headers: Headers::new(&response_headers),
        content_type: content_type.as_deref(),
        body_bytes: size.and_then(|size| u64::try_from(size).ok()),
        body: body_of(response_body.as_ref(), response_content.as_deref()),
    });
    Ok(use_it(Ok(&flow)))
}

/// The body of a flow, whose content is borrowed from `body`.
fn body_of<'a>(body: Option<&PyBody<'_>>, content: Option<&'a [u8]>) -> Body<'a> {
    match (body, content) {
        (Some(PyBody::Wire(_)), Some(content)) => Body::wire(content),
        (_, Some(content)) => Body::decoded(content),
        _ => Body::default(),
    }
}

/// Calls `each` for every item of an iterable and returns their number. Regularly lets other threads run, and checks
/// for Ctrl-C: with bodies after each flow, because a body can take longer than all else.
pub(crate) fn for_each<'py>(
    flows: &Bound<'py, PyAny>,
    bodies: Bodies,
    mut each: impl FnMut(&Bound<'py, PyAny>) -> PyResult<()>,
) -> PyResult<u64> {
    let py = flows.py();
    let flows_a_check = if bodies == Bodies::Read { 1 } else { 1024 };
    let mut count = 0;
    let mut held = Instant::now();
    let is_alone = flows.is_instance_of::<PyString>()
        || flows.is_instance_of::<PyBytes>()
        || flows.is_instance_of::<PyDict>();
    let iterator = match flows.try_iter() {
        Ok(iterator) if !is_alone => iterator,
        Err(error) if !error.is_instance_of::<PyTypeError>(py) => return Err(error),
        _ => {
            let what = flows.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!(
                "flows must be an iterable of dicts, such as a list, not {what}"
            )));
        }
    };
    for flow in iterator {
        each(&flow?)?;
        count += 1;
        if count % flows_a_check == 0 {
            py.check_signals()?;
            if held.elapsed() > TURN {
                py.detach(|| {});
                held = Instant::now();
            }
        }
    }
    Ok(count)
}
