//! Answers over HTTP: one message, or a stream of events, and refusals.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt, Channel, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName, HeaderValue, VARY,
    WWW_AUTHENTICATE,
};
use hyper::{Request, Response, StatusCode};
use tokio::sync::mpsc;

use crate::jsonrpc::{INVALID_REQUEST, Message, MessageKind};
use crate::serve::{AnswerBody, response};

pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const JSON: &str = "application/json";

/// Time after which a client that waits is sent a comment, by which connections that are gone are noticed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Time for which an answer is waited for before its stream is begun.
const MAX_SILENCE: Duration = Duration::from_secs(5);

/// Gives the messages about one request as they come, the last of which is its answer: as one JSON text if the answer is the first,
/// else as a stream of events. `status` gives the status for an answer that is the first.
pub(super) async fn stream_answer(
    mut messages: mpsc::Receiver<Message>,
    takes_events: bool,
    status: impl Fn(&Message) -> StatusCode,
    guard: impl Send + 'static,
) -> Response<AnswerBody> {
    let is_answer = |message: &Message| matches!(message.kind, MessageKind::Response { .. });
    let first = if takes_events {
        tokio::time::timeout(MAX_SILENCE, messages.recv()).await.ok()
    } else {
        // Whoever takes no events is given the answer alone.
        loop {
            match messages.recv().await {
                Some(message) if !is_answer(&message) => {}
                found => break Some(found),
            }
        }
    };
    let first = match first {
        Some(None) => return text(StatusCode::BAD_GATEWAY, "the session ended\n"),
        Some(Some(message)) if is_answer(&message) => {
            let status = status(&message);
            return json(status, message);
        }
        Some(Some(message)) => Some(message),
        None => None,
    };
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(8);
    tokio::spawn(async move {
        let _guard = guard;
        let mut next = first;
        loop {
            if let Some(message) = next.take() {
                let is_last = is_answer(&message);
                if sender.send_data(event(&message)).await.is_err() || is_last {
                    return;
                }
            }
            match tokio::time::timeout(HEARTBEAT, messages.recv()).await {
                Ok(Some(message)) => next = Some(message),
                Ok(None) => return,
                Err(_) => {
                    if sender.send_data(Bytes::from_static(b": still here\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    response(StatusCode::OK, EVENTS, body.boxed())
}

/// An answer that the scripts of an origin may read.
pub(super) fn with_origin(
    mut answer: Response<AnswerBody>,
    origin: HeaderValue,
) -> Response<AnswerBody> {
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("origin"));
    let methods = "GET, POST, DELETE, OPTIONS";
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    // What is sent with credentials must be named: a star does not mean Authorization.
    let allowed = "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("mcp-session-id"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    answer
}

pub(super) fn event(message: &Message) -> Bytes {
    Bytes::from(format!("event: message\ndata: {}\n\n", message.text))
}

pub(super) fn json(status: StatusCode, message: Message) -> Response<AnswerBody> {
    response(status, JSON, Full::new(Bytes::from(message.text)).boxed())
}

pub(super) fn text(status: StatusCode, why: &'static str) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from_static(why.as_bytes())).boxed();
    response(status, "text/plain; charset=utf-8", body)
}

pub(super) fn unauthorized() -> Response<AnswerBody> {
    let mut refused = text(
        StatusCode::UNAUTHORIZED,
        "a grant of this gateway is needed: Authorization: Bearer TOKEN\n",
    );
    refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

pub(super) fn header<'r>(request: &'r Request<Incoming>, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// True if a request takes a media type.
pub(super) fn accepts(request: &Request<Incoming>, media_type: &str) -> bool {
    let group = media_type.split('/').next().unwrap_or_default();
    let mut accepted = request.headers().get_all(ACCEPT).iter().peekable();
    if accepted.peek().is_none() {
        return true;
    }
    let values = accepted.filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range.eq_ignore_ascii_case(media_type) || range == "*/*" || range == format!("{group}/*")
    })
}

/// The answer to a request in a session that cannot take it.
pub(super) fn refuse_request(
    message: &Message,
    status: StatusCode,
    why: &str,
) -> Response<AnswerBody> {
    refused_with(message, status, INVALID_REQUEST, why)
}

pub(super) fn refused_with(
    message: &Message,
    status: StatusCode,
    code: i32,
    why: &str,
) -> Response<AnswerBody> {
    match &message.kind {
        MessageKind::Request { id, .. } => {
            json(status, Message::error(id.clone(), code, why, None))
        }
        _ => response(
            status,
            "text/plain; charset=utf-8",
            Full::new(Bytes::from(format!("{why}\n"))).boxed(),
        ),
    }
}
