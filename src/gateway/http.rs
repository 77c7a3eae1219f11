//! Clients over Streamable HTTP, with sessions and without, and the page of the operator.

mod access;
mod operator;
mod sessions;
mod stateless;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Channel, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CONTENT_TYPE, HeaderName,
    HeaderValue, VARY, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use crate::audit::now_micros;
use crate::error::Error;
use crate::gateway::era::{is_modern, version_of};
pub(crate) use crate::gateway::http::access::AccessSettings;
use crate::gateway::http::access::{Access, RefusedAccess};
use crate::gateway::http::operator::OperatorPage;
use crate::gateway::http::sessions::Sessions;
use crate::gateway::http::stateless::StatelessHubs;
use crate::gateway::session::FromClient;
use crate::gateway::stdio::{too_long, understood};
use crate::gateway::tool_call::Caller;
use crate::gateway::{Gateway, MAX_MESSAGE_BYTES, chance};
use crate::jsonrpc::{INVALID_REQUEST, Message, MessageKind};
use crate::serve::{AnswerBody, accept, response};

/// The most connections at once; more wait.
const MAX_CONNECTIONS: usize = 4096;

/// Time for which a connection may be idle, and in which a head must have come.
const MAX_HEAD_TIME: Duration = Duration::from_secs(15);

/// Time in which a body must have come.
const MAX_BODY_TIME: Duration = Duration::from_secs(20);

/// The bodies that may be longer than a small one at once, so that many clients together take little memory.
static LONG_BODIES: Semaphore = Semaphore::const_new(16);

/// The longest small body, in bytes.
const SMALL_BODY: usize = 16 << 10;

/// How often sessions are looked for that are idle or whose grants were revoked.
const SWEEP: Duration = Duration::from_secs(2);

/// Time after which a client that waits is sent a comment, by which connections that are gone are noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Time for which an answer is waited for before its stream is begun.
const MAX_SILENCE: Duration = Duration::from_secs(5);

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The path of the protocol.
const ENDPOINT: &str = "/mcp";

/// Headers that repeat what a request of a client without a handshake says do not agree with it.
const HEADER_MISMATCH: i32 = -32020;

/// What every connection needs.
struct Site {
    gateway: Arc<Gateway>,
    access: Access,
    sessions: Sessions,
    stateless: StatelessHubs,
    page: OperatorPage,
    /// When a refusal without a caller was logged last, in microseconds since 1970.
    last_refusal: AtomicI64,
}

/// A site that listens.
pub(super) struct ListeningSite {
    site: Arc<Site>,
    listener: TcpListener,
    address: SocketAddr,
}

impl ListeningSite {
    /// Listens on an address.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on, or if nobody or everybody could call there.
    pub(super) fn open(gateway: Arc<Gateway>, settings: AccessSettings) -> Result<Self, Error> {
        let asked = settings.address;
        let listen = || -> std::io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind(asked)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listen().map_err(|error| Error::io(&asked.to_string(), "listen on", error))?;
        let access = Access::new(settings, address, Arc::clone(&gateway))?;
        let no_chance = || Error::usage("the system has no random numbers to give");
        let token = super::grants::new_token().ok_or_else(no_chance)?;
        let (sessions, stateless) = (Sessions::new(&gateway), StatelessHubs::new(&gateway));
        let page = OperatorPage::new(token);
        let last_refusal = AtomicI64::new(0);
        let site = Arc::new(Site { gateway, access, sessions, stateless, page, last_refusal });
        Ok(Self { site, listener, address })
    }

    /// What the operator is told at the beginning.
    pub(super) fn greeting(&self) -> String {
        let address = self.address;
        let token = self.site.page.token();
        format!(
            "listening on http://{address}{ENDPOINT}; the page of the operator is http://{address}/#{token}"
        )
    }

    /// What ends all sessions.
    pub(super) fn ender(&self) -> impl Fn() + use<> {
        let site = Arc::clone(&self.site);
        move || site.end_unused(&|_| false)
    }

    /// Serves until the task is dropped. Must be called within a runtime.
    pub(super) async fn serve(self) {
        let Self { site, listener, .. } = self;
        let sweeper = Arc::clone(&site);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let holds = sweeper.access.identities();
                sweeper.end_unused(&|identity| {
                    holds.as_ref().is_none_or(|all| all.contains(identity))
                });
            }
        });
        accept(listener, MAX_CONNECTIONS, MAX_HEAD_TIME, move |request| {
            let site = Arc::clone(&site);
            async move { site.answer(request).await }
        })
        .await;
    }
}

/// A request whose body is a message.
struct Posted {
    caller: Caller,
    message: Message,
    whole: Value,
    /// Whether the client takes a stream of events.
    takes_events: bool,
}

impl Site {
    /// Ends what nobody uses and what belongs to identities that do not hold any more.
    fn end_unused(&self, holds: &dyn Fn(&str) -> bool) {
        self.sessions.end_unused(holds);
        self.stateless.end_unused(holds);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        if let Err(why) = self.access.is_from_here(&request) {
            self.note_refusal(why);
            return text(StatusCode::FORBIDDEN, why);
        }
        let origin = self.access.foreign_origin(&request);
        let answer = match &origin {
            Some(_) if request.method() == Method::OPTIONS => text(StatusCode::NO_CONTENT, ""),
            _ => self.answer_allowed(request).await,
        };
        match origin {
            Some(origin) => with_origin(answer, origin),
            None => answer,
        }
    }

    /// Logs a refusal that is about no caller, one in a second at most: nobody is to fill the log without a grant.
    fn note_refusal(&self, why: &str) {
        let now = now_micros();
        let last = self.last_refusal.load(Ordering::Relaxed);
        if now - last > 1_000_000 {
            self.last_refusal.store(now, Ordering::Relaxed);
            self.gateway.clerk.refused(&Caller::default(), why.trim_end());
        }
    }

    async fn answer_allowed(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        match request.uri().path() {
            ENDPOINT => {
                if request.uri().query().is_some() {
                    let why = "this address takes no query; a token belongs in the header Authorization\n";
                    self.note_refusal(why);
                    return text(StatusCode::BAD_REQUEST, why);
                }
                match self.access.caller(&request) {
                    Ok(caller) => self.answer_client(request, caller).await,
                    Err(RefusedAccess::NoGrant) => {
                        self.note_refusal("a request without a grant that holds");
                        unauthorized()
                    }
                    Err(RefusedAccess::NoStore) => text(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the store of the grants cannot be read\n",
                    ),
                }
            }
            path if (path == "/" || path.starts_with("/operator/")) && self.access.is_local() => {
                self.page.answer(request, &self.gateway, &self.sessions).await
            }
            _ => text(StatusCode::NOT_FOUND, "there is nothing here but /mcp\n"),
        }
    }

    async fn answer_client(
        &self,
        request: Request<Incoming>,
        caller: Caller,
    ) -> Response<AnswerBody> {
        let method = request.method().clone();
        if method == Method::POST {
            return match posted(request, caller).await {
                Ok((posted, head)) if head.has_repeated => {
                    let why = "a header that says what a message is appears twice";
                    self.gateway.clerk.refused(&posted.caller, why);
                    refused_with(&posted.message, StatusCode::BAD_REQUEST, HEADER_MISMATCH, why)
                }
                Ok((posted, head)) => self.take(posted, head).await,
                Err(refused) => {
                    if let Some((caller, why)) = &refused.logged {
                        self.gateway.clerk.refused(caller, why);
                    }
                    refused.response
                }
            };
        }
        let session = header(&request, &SESSION).and_then(|id| self.sessions.find(id, &caller));
        let is_known = session.is_some();
        match (method, session) {
            (Method::GET, Some(session)) if accepts(&request, EVENTS) => session.listen(),
            (Method::GET, Some(_)) => {
                text(StatusCode::NOT_ACCEPTABLE, "this is a stream of events\n")
            }
            (Method::DELETE, Some(session)) => {
                self.sessions.end(&session);
                text(StatusCode::OK, "")
            }
            (Method::GET | Method::DELETE, None) if request.headers().contains_key(&SESSION) => {
                text(StatusCode::NOT_FOUND, "there is no such session\n")
            }
            _ => {
                let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "");
                let allowed = if is_known { "GET, POST, DELETE" } else { "POST" };
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                refused
            }
        }
    }

    /// Answers a message by the era of the protocol that it is of.
    async fn take(&self, posted: Posted, head: RoutingHead) -> Response<AnswerBody> {
        let params = &posted.whole["params"];
        let said = version_of(params).filter(|version| is_modern(version));
        let is_modern_head = head.version.as_deref().is_some_and(is_modern);
        if said.is_none() && !is_modern_head || posted.message.method() == Some("initialize") {
            return self.sessions.take(posted, head.session.as_deref()).await;
        }
        if let MessageKind::Request { id, .. } = &posted.message.kind
            && let Some(why) = head.mismatch(&posted.message, params)
        {
            self.gateway.clerk.refused(&posted.caller, &why);
            let answer = Message::error(id.clone(), HEADER_MISMATCH, &why, None);
            return json(StatusCode::BAD_REQUEST, answer);
        }
        self.stateless.take(posted).await
    }
}

/// The headers that say what a message is.
struct RoutingHead {
    session: Option<String>,
    version: Option<String>,
    method: Option<String>,
    name: Option<String>,
    has_repeated: bool,
}

impl RoutingHead {
    fn of(request: &Request<Incoming>) -> Self {
        let own = |name: &HeaderName| header(request, name).map(str::to_owned);
        let (method, name) =
            (HeaderName::from_static("mcp-method"), HeaderName::from_static("mcp-name"));
        let is_repeated =
            |name: &HeaderName| request.headers().get_all(name).iter().nth(1).is_some();
        let has_repeated = [&VERSION, &SESSION, &method, &name].into_iter().any(is_repeated);
        Self {
            session: own(&SESSION),
            version: own(&VERSION),
            method: own(&method),
            name: own(&name),
            has_repeated,
        }
    }

    /// What of the headers does not agree with a request of a client without a handshake.
    fn mismatch(&self, message: &Message, params: &Value) -> Option<String> {
        let differs =
            |name: &str| Some(format!("the header {name} does not agree with the message"));
        if self.version.as_deref() != version_of(params) {
            return differs("MCP-Protocol-Version");
        }
        if self.method.as_deref() != message.method() {
            return differs("Mcp-Method");
        }
        let name = match message.method() {
            Some("tools/call" | "prompts/get") => params["name"].as_str(),
            Some("resources/read") => params["uri"].as_str(),
            _ => return None,
        };
        let said = self.name.as_deref().map(decoded);
        if said.as_deref() == name { None } else { differs("Mcp-Name") }
    }
}

/// A header value that may be in base64.
fn decoded(value: &str) -> String {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    let inner = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let bytes = inner.and_then(|inner| BASE64_STANDARD.decode(inner).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| value.to_owned())
}

/// A request that was refused before it was a message, and what the log says of it.
struct RefusedPost {
    response: Response<AnswerBody>,
    logged: Option<(Caller, String)>,
}

/// Reads the message in the body of a request.
async fn posted(
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
                if bytes.len() > SMALL_BODY && permit.is_none() {
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
    let from = if is_too_long { too_long(&bytes) } else { understood(bytes.trim_ascii()) };
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

/// Gives the messages about one request as they come, the last of which is its answer: as one JSON text if the answer is the first,
/// else as a stream of events. `status` gives the status for an answer that is the first.
async fn answered(
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
fn with_origin(mut answer: Response<AnswerBody>, origin: HeaderValue) -> Response<AnswerBody> {
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

fn event(message: &Message) -> Bytes {
    Bytes::from(format!("event: message\ndata: {}\n\n", message.text))
}

fn json(status: StatusCode, message: Message) -> Response<AnswerBody> {
    response(status, JSON, Full::new(Bytes::from(message.text)).boxed())
}

fn text(status: StatusCode, why: &'static str) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from_static(why.as_bytes())).boxed();
    response(status, "text/plain; charset=utf-8", body)
}

fn unauthorized() -> Response<AnswerBody> {
    let mut refused = text(
        StatusCode::UNAUTHORIZED,
        "a grant of this gateway is needed: Authorization: Bearer TOKEN\n",
    );
    refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

fn header<'r>(request: &'r Request<Incoming>, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// True if a request takes a media type.
fn accepts(request: &Request<Incoming>, media_type: &str) -> bool {
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
fn refused(message: &Message, status: StatusCode, why: &str) -> Response<AnswerBody> {
    refused_with(message, status, INVALID_REQUEST, why)
}

fn refused_with(
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

/// A name that the log tells sessions apart by, which does not give them away.
fn session_label() -> String {
    chance::text().unwrap_or_default().chars().take(8).collect()
}
