//! Requests whose bodies are messages, read within bounds of time and memory.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::gateway::MAX_MESSAGE_BYTES;
use crate::gateway::http::answers::{EVENTS, JSON, accepts, header, json, text};
use crate::gateway::http::routing_head::RoutingHead;
use crate::gateway::session::FromClient;
use crate::gateway::stdio::{parse_client_message, too_long};
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::Message;
use crate::serve::AnswerBody;

/// Time in which a body must have come.
const MAX_BODY_TIME: Duration = Duration::from_secs(20);

/// The bodies that may be longer than a small one at once, so that many clients together take little memory.
static LONG_BODIES: Semaphore = Semaphore::const_new(32);

/// The longest small body, in bytes.
const MAX_SMALL_BODY_BYTES: usize = 16 << 10;

/// A request whose body is a message.
pub(super) struct Posted {
    pub(super) caller: Caller,
    pub(super) message: Message,
    pub(super) whole: Value,
    /// Whether the client takes a stream of events.
    pub(super) takes_events: bool,
}

/// A request that was refused before it was a message, and what the log says of it.
pub(super) struct RefusedPost {
    pub(super) response: Response<AnswerBody>,
    pub(super) logged: Option<(Caller, String)>,
}

/// Reads the message in the body of a request.
pub(super) async fn read_post(
    request: Request<Incoming>,
    caller: Caller,
) -> Result<(Posted, RoutingHead), RefusedPost> {
    let plain = |response| RefusedPost { response, logged: None };
    let media_type = header(&request, &CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(JSON) {
        let why = "the body must be application/json\n";
        return Err(plain(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)));
    }
    let takes_events = accepts(&request, EVENTS);
    if !takes_events && !accepts(&request, JSON) {
        let why = "the answer is application/json or text/event-stream; accept both\n";
        return Err(plain(text(StatusCode::NOT_ACCEPTABLE, why)));
    }
    let head = RoutingHead::of(&request);
    // Some of what is too long is read, for the id in it.
    let mut body = Limited::new(request.into_body(), MAX_MESSAGE_BYTES);
    let mut bytes = Vec::new();
    let mut is_too_long = false;
    let mut permit = None;
    let until = tokio::time::Instant::now() + MAX_BODY_TIME;
    loop {
        let Ok(frame) = tokio::time::timeout_at(until, body.frame()).await else {
            return Err(plain(text(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time\n",
            )));
        };
        let Some(frame) = frame else { break };
        match frame {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() > MAX_SMALL_BODY_BYTES && permit.is_none() {
                    permit = tokio::time::timeout_at(until, LONG_BODIES.acquire()).await.ok();
                }
            }
            Err(error) if error.is::<LengthLimitError>() => {
                is_too_long = true;
                break;
            }
            Err(_) => return Err(plain(text(StatusCode::BAD_REQUEST, "the body broke off\n"))),
        }
    }
    let from =
        if is_too_long { too_long(&bytes) } else { parse_client_message(bytes.trim_ascii()) };
    match from {
        FromClient::Message(message, whole) => {
            Ok((Posted { caller, message, whole, takes_events }, head))
        }
        FromClient::Refused(refusal) => {
            let status =
                if is_too_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            let response = json(status, Message::refusal(&refusal));
            Err(RefusedPost { response, logged: Some((caller, refusal.why)) })
        }
    }
}
