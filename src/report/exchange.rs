//! One captured exchange as people and agents read it: decoded, and with secrets masked unless they are asked for.

mod body;
mod hiding;

use std::borrow::Cow;

use serde::Serialize;

use crate::flow::body::decode::BodyDecoder;
use crate::flow::{Flow, Header, Headers, Outcome, Protocol, RecordIdText, text};
use crate::patterns::endpoint::times::rfc3339;
use crate::report::masked::{self, MASK};

pub use crate::report::exchange::body::{BodyContent, MessageBody};
pub use crate::report::exchange::hiding::Secrets;

/// One exchange: a request, and its response if there was one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exchange {
    /// The id, as in [`Pattern::sample_flow_ids`](crate::Pattern::sample_flow_ids).
    pub id: String,
    /// The name of the capture.
    pub source: String,
    /// Place of the flow in the capture: bytes from its start, or the number of the row in a database.
    pub offset: u64,
    /// The endpoint that it belongs to, `GET /users/{user_id}`; `None` if it belongs to none.
    pub endpoint: Option<String>,
    /// Start of the request, in RFC 3339 (UTC, microseconds).
    pub started: Option<String>,
    /// Time from the start of the request to the end of the response, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Whether the exchange failed before the response was complete.
    pub failed: bool,
    /// Whether the exchange is the handshake of a websocket.
    pub websocket: bool,
    /// The request.
    pub request: ExchangeRequest,
    /// The response; `None` if there was none.
    pub response: Option<ExchangeResponse>,
}

/// The request of an [`Exchange`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExchangeRequest {
    /// The method, in upper case.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Names and values of the headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: MessageBody,
}

/// The response of an [`Exchange`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExchangeResponse {
    /// The status code.
    pub status: i64,
    /// Names and values of the headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: MessageBody,
}

impl Exchange {
    /// Decodes a flow. `source` is the name of its capture, and `offset` its place there.
    pub(crate) fn of(flow: &Flow<'_>, source: &str, offset: u64, secrets: Secrets) -> Self {
        let mut record = RecordIdText::default();
        let id = flow.shown_id(&mut record);
        let mut decoder = BodyDecoder::default();
        let request = ExchangeRequest {
            method: text::printable(&flow.method).to_ascii_uppercase(),
            url: url_of(flow, secrets),
            headers: headers_of(flow.request_headers, secrets),
            body: MessageBody::of(
                flow.request_body,
                flow.request_headers,
                flow.request_headers.get(b"content-type"),
                &mut decoder,
                secrets,
            ),
        };
        let response = flow.response.as_ref().filter(|response| response.status > 0);
        let response = response.map(|response| ExchangeResponse {
            status: response.status,
            headers: headers_of(response.headers, secrets),
            body: MessageBody::of(
                response.body,
                response.headers,
                response.content_type(),
                &mut decoder,
                secrets,
            ),
        });
        #[expect(clippy::cast_precision_loss, reason = "shown with three decimals")]
        let milliseconds = |nanoseconds: u64| (nanoseconds / 1000) as f64 / 1000.0;
        Self {
            id: masked::flow_id(id).into_owned(),
            source: text::printable(source.as_bytes()).into_owned(),
            offset,
            endpoint: None,
            started: flow.started.and_then(rfc3339),
            duration_ms: flow.duration.map(milliseconds),
            failed: flow.outcome == Outcome::Failed,
            websocket: flow.protocol == Protocol::Websocket,
            request,
            response,
        }
    }
}

/// The URL, of which values in path and query may be hidden.
fn url_of(flow: &Flow<'_>, secrets: Secrets) -> String {
    let host = text::printable(&flow.host);
    let port = flow.port.map(|port| format!(":{port}")).unwrap_or_default();
    if flow.method.eq_ignore_ascii_case(b"CONNECT") {
        return format!("{host}{port}");
    }
    let scheme = text::printable(&flow.scheme);
    let scheme = if scheme.is_empty() { Cow::Borrowed("http") } else { scheme };
    let host = if host.contains(':') && !host.starts_with('[') {
        Cow::Owned(format!("[{host}]"))
    } else {
        host
    };
    format!("{scheme}://{host}{port}{}", target_of(flow, secrets))
}

/// Path and query, of which values may be hidden.
pub(crate) fn target_of(flow: &Flow<'_>, secrets: Secrets) -> String {
    let (path, query) = (flow.path(), flow.query());
    let segments = path.split(|byte| *byte == b'/').map(|segment| secrets.segment(segment));
    let mut target = segments.collect::<Vec<_>>().join("/");
    if !query.is_empty() {
        target.push('?');
        target.push_str(&secrets.form(query));
    }
    target
}

fn headers_of(headers: Headers<'_>, secrets: Secrets) -> Vec<(String, String)> {
    let header = |(name, value): Header<'_>| {
        let value = value.map_or(Cow::Borrowed(MASK), |value| secrets.header(name, value));
        (secrets.header_name(name).into_owned(), value.into_owned())
    };
    headers.iter().map(header).collect()
}
