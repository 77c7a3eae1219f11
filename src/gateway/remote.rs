//! Servers that speak Streamable HTTP: <https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>, and without
//! sessions <https://modelcontextprotocol.io/specification/2026-07-28/basic/transports>.

mod routing;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::gateway::child;
use crate::gateway::event_stream::EventReader;
use crate::gateway::link::{FromServer, Link, MAX_ANSWER_BYTES, MAX_QUEUED};
use crate::gateway::remote::routing::RoutingHeaders;
pub(crate) use crate::gateway::remote::server::RemoteServer;
use crate::jsonrpc::{Message, MessageKind, RequestId, SERVER_ERROR};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const EVENTS: &str = "text/event-stream";

/// Time in which a connection must be made.
const MAX_CONNECT_TIME: Duration = Duration::from_secs(10);

/// Time after which a stream of events that ended is taken up again, and how often that is tried in a row.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRIES: u32 = 5;

/// The state that the tasks of one connection to a remote server share.
struct RemoteConnection {
    server: RemoteServer,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    session: Mutex<RemoteSession>,
    routing: Mutex<RoutingHeaders>,
    to_gateway: mpsc::Sender<FromServer>,
}

#[derive(Clone, Default)]
struct RemoteSession {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

/// The kind of a request, as far as later requests need its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Session,
    Tools,
    Other,
}

/// Connects when the first message is sent. Must be called within a runtime.
pub(super) fn connect(server: RemoteServer) -> Link {
    let (outgoing, to_server) = mpsc::channel(MAX_QUEUED);
    let (to_gateway, incoming) = mpsc::channel(MAX_QUEUED);
    tokio::spawn(async move {
        // The process waits until the session of the server was ended.
        let _running = child::acquire_permit();
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(MAX_CONNECT_TIME));
        http.set_nodelay(true);
        http.enforce_http(false);
        let tls = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots();
        let connector = match tls {
            Ok(builder) => builder.https_or_http().enable_http1().wrap_connector(http),
            Err(error) => {
                let why = format!("this machine's certificates cannot be read: {error}");
                to_gateway.send(FromServer::Ended(why)).await.unwrap_or_default();
                return;
            }
        };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let (session, routing) = (Mutex::default(), Mutex::default());
        let connection = RemoteConnection { server, client, session, routing, to_gateway };
        send_messages(Arc::new(connection), to_server).await;
    });
    Link { outgoing, incoming }
}

/// Sends messages until there are no more, then ends the session.
async fn send_messages(connection: Arc<RemoteConnection>, mut messages: mpsc::Receiver<Message>) {
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<RequestId, AbortHandle> = BTreeMap::new();
    while let Some(message) = messages.recv().await {
        while tasks.try_join_next().is_some() {}
        running.retain(|_, task| !task.is_finished());
        match &message.kind {
            // What follows needs the session that this begins.
            MessageKind::Request { method, .. } if method == "initialize" => {
                tokio::select! {
                    () = connection.post(message) => {}
                    () = connection.to_gateway.closed() => break,
                }
            }
            MessageKind::Request { id, .. } => {
                let (id, connection) = (id.clone(), Arc::clone(&connection));
                running.insert(id, tasks.spawn(async move { connection.post(message).await }));
            }
            MessageKind::Notification { method } => {
                let canceled = (method == "notifications/cancelled" && !connection.had_handshake())
                    .then(|| message.member("params"))
                    .flatten()
                    .and_then(|params| RequestId::of(&params["requestId"]));
                if let Some(task) = canceled.and_then(|id| running.remove(&id)) {
                    // Without sessions the end of its stream cancels a request.
                    task.abort();
                    continue;
                }
                if method != "notifications/initialized" {
                    let connection = Arc::clone(&connection);
                    tasks.spawn(async move { connection.post(message).await });
                    continue;
                }
                // What follows may need it. Servers take it at once.
                let posted = connection.post(message);
                tokio::time::timeout(MAX_CONNECT_TIME, posted).await.unwrap_or_default();
                if connection.had_handshake() {
                    let connection = Arc::clone(&connection);
                    tasks.spawn(async move { connection.listen().await });
                }
            }
            MessageKind::Response { .. } => {
                let connection = Arc::clone(&connection);
                tasks.spawn(async move { connection.post(message).await });
            }
        }
    }
    drop(tasks);
    connection.end().await;
}

impl RemoteConnection {
    fn negotiated(&self) -> RemoteSession {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn had_handshake(&self) -> bool {
        self.negotiated().version.is_some()
    }

    /// A request with the headers that all have.
    fn request(&self, method: Method, body: String) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.server.url.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.server.headers {
            headers.append(name.clone(), value.clone());
        }
        let negotiated = self.negotiated();
        if let Some(session) = negotiated.session {
            headers.insert(SESSION, session);
        }
        if let Some(version) = negotiated.version {
            headers.insert(VERSION, version);
        }
        request
    }

    async fn say(&self, from: FromServer) {
        self.to_gateway.send(from).await.unwrap_or_default();
    }

    async fn fail(&self, id: Option<&RequestId>, why: &str) {
        if let Some(id) = id {
            let answer = Message::error(id.clone(), SERVER_ERROR, why, None);
            self.say(FromServer::Message(answer)).await;
        }
    }

    /// Sends a message and passes on what is answered.
    async fn post(&self, message: Message) {
        let id = match &message.kind {
            MessageKind::Request { id, .. } => Some(id.clone()),
            _ => None,
        };
        let asked = match message.method() {
            Some("initialize") => Asked::Session,
            Some("tools/list") => Asked::Tools,
            _ => Asked::Other,
        };
        let own = self.routing.lock().unwrap_or_else(PoisonError::into_inner).of(&message);
        let mut request = self.request(Method::POST, message.text);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accepted = "application/json, text/event-stream";
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        headers.extend(own.into_iter().map(|(name, value)| (Some(name), value)));
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                let why = format!("the server cannot be reached: {}", cause_of(&error));
                if let Some(id) = id {
                    self.say(FromServer::Unreached(id, why)).await;
                }
                return;
            }
            Err(error) => {
                let why = format!("the connection to the server broke: {}", cause_of(&error));
                return self.fail(id.as_ref(), &why).await;
            }
        };
        let (status, media_type) = (response.status(), media_type(&response));
        if asked == Asked::Session && status.is_success() {
            let mut negotiated = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            negotiated.session = response.headers().get(SESSION).cloned();
        }
        if status == StatusCode::NOT_FOUND && self.negotiated().session.is_some() {
            self.fail(id.as_ref(), "the server ended its session").await;
            return self.say(FromServer::Ended("the server ended its session".to_owned())).await;
        }
        let Some(id) = id else { return };
        if status.is_success() && media_type == EVENTS {
            return self.events_of(response, &id, asked).await;
        }
        let Some(body) = whole(response).await else {
            return self.fail(Some(&id), "the answer of the server broke off or is too long").await;
        };
        if let Some(answer) = answer_from(&body, &id) {
            self.pass_on(answer, asked).await;
        } else {
            let why = format!("the server answered with HTTP status {}", status.as_u16());
            self.fail(Some(&id), &why).await;
        }
    }

    /// Passes on an answer, and remembers what later requests need of it.
    async fn pass_on(&self, message: Message, asked: Asked) {
        if asked == Asked::Session {
            let version = message.member("result");
            let version = version.as_ref().and_then(|it| it["protocolVersion"].as_str());
            let mut negotiated = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            negotiated.version = version.and_then(|it| HeaderValue::from_str(it).ok());
        }
        if asked == Asked::Tools
            && let Some(result) = message.member("result")
        {
            self.routing.lock().unwrap_or_else(PoisonError::into_inner).learn(&result);
        }
        self.say(FromServer::Message(message)).await;
    }

    /// Passes on a stream of events until the answer to a request came. A stream that breaks off is taken up again if the server
    /// says where.
    async fn events_of(&self, response: Response<Incoming>, id: &RequestId, asked: Asked) {
        let mut last = None;
        let mut stream = Some(response);
        let mut failures = 0;
        while failures < MAX_RETRIES {
            let before = last.clone();
            if let Some(response) = stream.take()
                && self.read_events(response, Some((id, asked)), &mut last).await
            {
                return;
            }
            failures = if last == before { failures + 1 } else { 0 };
            if last.is_none() {
                break;
            }
            tokio::time::sleep(RETRY_AFTER).await;
            stream = self.open_events(last.as_deref()).await.ok();
        }
        self.fail(Some(id), "the stream of the server broke off before the answer").await;
    }

    /// Reads events to the end of a stream, or to the answer to a request: true if it came.
    async fn read_events(
        &self,
        response: Response<Incoming>,
        until: Option<(&RequestId, Asked)>,
        last: &mut Option<String>,
    ) -> bool {
        let mut body = response.into_body();
        let mut reader = EventReader::new(usize::try_from(MAX_ANSWER_BYTES).unwrap_or(usize::MAX));
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(bytes) = frame.into_data() else { continue };
            let Some(events) = reader.read(&bytes) else { return false };
            for event in events {
                if event.id.is_some() {
                    *last = event.id;
                }
                let Ok(message) = Message::parse(event.data) else { continue };
                let is_response = matches!(message.kind, MessageKind::Response { .. });
                let awaited = until.filter(|(id, _)| is_response && message.id() == Some(*id));
                self.pass_on(message, awaited.map_or(Asked::Other, |(_, asked)| asked)).await;
                if awaited.is_some() {
                    return true;
                }
            }
        }
        false
    }

    /// Opens the stream of what the server says by itself, or one that broke off.
    async fn open_events(
        &self,
        last: Option<&str>,
    ) -> Result<Response<Incoming>, Option<StatusCode>> {
        let mut request = self.request(Method::GET, String::new());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(EVENTS));
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            request.headers_mut().insert(LAST_EVENT, last);
        }
        let response = self.client.request(request).await.map_err(|_| None)?;
        if response.status().is_success() && media_type(&response) == EVENTS {
            Ok(response)
        } else {
            Err(Some(response.status()))
        }
    }

    /// Passes on what the server says by itself, if it offers that.
    async fn listen(&self) {
        let mut last = None;
        let mut failures = 0;
        while failures < MAX_RETRIES {
            match self.open_events(last.as_deref()).await {
                Ok(stream) => {
                    failures = 0;
                    self.read_events(stream, None, &mut last).await;
                }
                // Not offered.
                Err(Some(status)) if status.is_client_error() => return,
                Err(_) => failures += 1,
            }
            tokio::time::sleep(RETRY_AFTER * (failures + 1)).await;
        }
    }

    /// Ends the session, if there is one.
    async fn end(&self) {
        if self.negotiated().session.is_some() {
            let request = self.request(Method::DELETE, String::new());
            let ended = tokio::time::timeout(MAX_CONNECT_TIME, self.client.request(request)).await;
            // The server may not offer that, or be gone.
            drop(ended);
        }
    }
}

/// The answer in a body. Servers that could not read a request answer with an id of their own.
fn answer_from(body: &str, id: &RequestId) -> Option<Message> {
    if let Ok(message) = Message::parse(body.to_owned())
        && matches!(&message.kind, MessageKind::Response { is_error, .. } if !is_error)
    {
        return (message.id() == Some(id)).then_some(message);
    }
    let answer: Value = serde_json::from_str(body).ok()?;
    let error = answer.get("error").filter(|error| error["code"].is_i64())?;
    let code = i32::try_from(error["code"].as_i64()?).ok()?;
    let why = error["message"].as_str().unwrap_or_default();
    Some(Message::error(id.clone(), code, why, error.get("data")))
}

/// The body of a response as text; `None` if it breaks off, is too long or is not UTF-8.
async fn whole(response: Response<Incoming>) -> Option<String> {
    let most = usize::try_from(MAX_ANSWER_BYTES).unwrap_or(usize::MAX);
    let body = http_body_util::Limited::new(response.into_body(), most);
    let bytes = body.collect().await.ok()?.to_bytes();
    String::from_utf8(bytes.to_vec()).ok()
}

fn media_type(response: &Response<Incoming>) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// The innermost cause of an error, which says most.
fn cause_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
