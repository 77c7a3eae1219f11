//! Sessions over HTTP of clients that make a handshake.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Channel};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::convert::Infallible;
use tokio::sync::{Notify, mpsc};

use crate::gateway::http::answers::{
    EVENTS, HEARTBEAT, event, refuse_request, stream_answer, text,
};
use crate::gateway::http::post::Posted;
use crate::gateway::http::routing_head::SESSION;
use crate::gateway::link::MAX_QUEUED;
use crate::gateway::session::{ClientPort, FromClient, SessionEnd, serve};
use crate::gateway::tool_call::Caller;
use crate::gateway::{Gateway, random};
use crate::jsonrpc::{Message, MessageKind, RequestId};
use crate::serve::{AnswerBody, response};

/// The most sessions at once.
const MAX_SESSIONS: usize = 1000;

/// The most sessions of one grant, so that other grants can begin some too.
const MAX_SESSIONS_OF_GRANT: usize = 500;

/// Time after which a session that nobody uses ends.
pub(super) const MAX_IDLE: Duration = Duration::from_secs(30 * 60);

/// The most messages that wait for a client to listen.
const MAX_BACKLOG: usize = 256;
const MAX_BACKLOG_BYTES: usize = 4 << 20;

/// The sessions under way.
pub(super) struct Sessions {
    gateway: Arc<Gateway>,
    all: Arc<Mutex<BTreeMap<String, Arc<HttpSession>>>>,
}

/// One session.
pub(super) struct HttpSession {
    id: String,
    /// The grant that began it; no other may use it.
    identity: String,
    to_session: mpsc::Sender<FromClient>,
    routes: Mutex<SessionRoutes>,
    /// Tells the stream of the client that there are messages, or that another stream takes its place.
    news: Notify,
    end: Notify,
}

/// The open streams of one client, and the messages that wait for one.
struct SessionRoutes {
    /// Answers and what belongs to them, by the id of the request.
    requests: BTreeMap<RequestId, mpsc::Sender<Message>>,
    /// Requests by the token of their progress.
    tokens: BTreeMap<String, RequestId>,
    /// Messages that belong to no request and wait for a stream of the client.
    backlog: VecDeque<Message>,
    /// The number of the stream that takes the backlog.
    stream: u64,
    is_over: bool,
    used: Instant,
}

impl Sessions {
    pub(super) fn new(gateway: &Arc<Gateway>) -> Self {
        Self { gateway: Arc::clone(gateway), all: Arc::default() }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<HttpSession>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of sessions.
    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// The session with an id, if this caller began it.
    pub(super) fn find(&self, id: &str, caller: &Caller) -> Option<Arc<HttpSession>> {
        let found = self.all().get(id).map(Arc::clone)?;
        (found.identity == caller.identity).then_some(found)
    }

    /// Ends a session.
    pub(super) fn end(&self, session: &HttpSession) {
        self.all().remove(&session.id);
        session.end.notify_one();
    }

    /// Ends the sessions that nobody uses and those of identities that do not hold any more.
    pub(super) fn end_unused(&self, holds: &dyn Fn(&str) -> bool) {
        let is_over = |session: &&Arc<HttpSession>| session.is_idle() || !holds(&session.identity);
        let over: Vec<Arc<HttpSession>> =
            self.all().values().filter(is_over).map(Arc::clone).collect();
        over.iter().for_each(|session| self.end(session));
    }

    /// Takes a message for a session, or one that begins one.
    pub(super) async fn take(&self, posted: Posted, id: Option<&str>) -> Response<AnswerBody> {
        let begins = posted.message.method() == Some("initialize");
        let session = match (id, begins) {
            (Some(id), false) => match self.find(id, &posted.caller) {
                Some(session) => session,
                None => {
                    return refuse_request(
                        &posted.message,
                        StatusCode::NOT_FOUND,
                        "there is no such session; initialize another one",
                    );
                }
            },
            (None, true) => match self.begin(&posted.caller) {
                Ok(session) => session,
                Err(why) => {
                    return refuse_request(&posted.message, StatusCode::SERVICE_UNAVAILABLE, why);
                }
            },
            (Some(_), true) => {
                let why = "this session is initialized; begin another one";
                self.gateway.rulings.note_refusal(&posted.caller, why);
                return refuse_request(&posted.message, StatusCode::BAD_REQUEST, why);
            }
            (None, false) => {
                let why = "the header Mcp-Session-Id is missing";
                return refuse_request(&posted.message, StatusCode::BAD_REQUEST, why);
            }
        };
        // A client that goes before it knows the session leaves none behind.
        let unknown = begins.then(|| UnannouncedSession {
            sessions: self,
            session: Arc::clone(&session),
            is_told: false,
        });
        let mut answer = session.take(posted).await;
        let is_open = answer.status() == StatusCode::OK && self.all().contains_key(&session.id);
        if begins
            && is_open
            && let Ok(id) = HeaderValue::from_str(&session.id)
        {
            answer.headers_mut().insert(SESSION, id);
            if let Some(mut unknown) = unknown {
                unknown.is_told = true;
            }
        }
        answer
    }

    fn begin(&self, caller: &Caller) -> Result<Arc<HttpSession>, &'static str> {
        let mut all = self.all();
        let own = all.values().filter(|session| session.identity == caller.identity).count();
        if all.len() >= MAX_SESSIONS || own >= MAX_SESSIONS_OF_GRANT {
            return Err("there are too many sessions; end some");
        }
        let id = random::text().ok_or("the random generator of the system fails; try again")?;
        let (to_session, incoming) = mpsc::channel(MAX_QUEUED);
        let (outgoing, to_client) = mpsc::channel(MAX_QUEUED);
        let routes = SessionRoutes {
            requests: BTreeMap::new(),
            tokens: BTreeMap::new(),
            backlog: VecDeque::new(),
            stream: 0,
            is_over: false,
            used: Instant::now(),
        };
        let session = Arc::new(HttpSession {
            id: id.clone(),
            identity: caller.identity.clone(),
            to_session,
            routes: Mutex::new(routes),
            news: Notify::new(),
            end: Notify::new(),
        });
        all.insert(id.clone(), Arc::clone(&session));
        let (gateway, caller) = (Arc::clone(&self.gateway), caller.clone());
        let (served, known) = (Arc::clone(&session), Arc::clone(&self.all));
        tokio::spawn(async move {
            let complain = gateway.complain.clone();
            let routing = served.route_all(to_client);
            let serving = serve(gateway, caller, ClientPort { incoming, outgoing });
            let both = async { tokio::join!(serving, routing).0 };
            let end = tokio::select! {
                end = both => end,
                () = served.end.notified() => SessionEnd::Client,
            };
            if let SessionEnd::Server(why) = end {
                complain(&why);
            }
            known.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            served.close();
        });
        Ok(session)
    }
}

/// A session whose id its client was not told; it ends when this is dropped.
struct UnannouncedSession<'s> {
    sessions: &'s Sessions,
    session: Arc<HttpSession>,
    is_told: bool,
}

impl Drop for UnannouncedSession<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.sessions.end(&self.session);
        }
    }
}

impl HttpSession {
    fn routes(&self) -> MutexGuard<'_, SessionRoutes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self) -> bool {
        let routes = self.routes();
        let is_unheard = |to: &mpsc::Sender<Message>| to.is_closed();
        routes.requests.values().all(is_unheard)
            && routes.stream == 0
            && routes.used.elapsed() > MAX_IDLE
    }

    /// Takes a message of the client.
    async fn take(self: &Arc<Self>, posted: Posted) -> Response<AnswerBody> {
        let Posted { message, whole, takes_events, .. } = posted;
        self.routes().used = Instant::now();
        let MessageKind::Request { id, .. } = &message.kind else {
            if message.method() == Some("notifications/cancelled")
                && let Some(id) = RequestId::of(&whole["params"]["requestId"])
            {
                // Nothing more comes for it.
                self.routes().requests.remove(&id);
            }
            let sent = self.to_session.send(FromClient::Message(message, whole)).await;
            let status = if sent.is_ok() { StatusCode::ACCEPTED } else { StatusCode::NOT_FOUND };
            return text(status, "");
        };
        let (to_request, messages) = mpsc::channel(MAX_QUEUED);
        let token = token_of(&whole);
        let is_new = {
            let mut routes = self.routes();
            let is_new = !routes.requests.contains_key(id);
            if is_new {
                routes.requests.insert(id.clone(), to_request);
                routes.tokens.extend(token.clone().map(|token| (token, id.clone())));
            }
            is_new
        };
        if !is_new {
            let why = "a request with this id is under way";
            return refuse_request(&message, StatusCode::BAD_REQUEST, why);
        }
        let waiting = SessionWait { session: Arc::clone(self), token };
        let refused_message = message.clone();
        if self.to_session.send(FromClient::Message(message, whole)).await.is_err() {
            return refuse_request(&refused_message, StatusCode::NOT_FOUND, "the session ended");
        }
        stream_answer(messages, takes_events, |_| StatusCode::OK, waiting).await
    }

    /// Sends messages to the requests that they belong to, and what belongs to none to the stream of the client.
    async fn route_all(&self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            let is_answer = matches!(message.kind, MessageKind::Response { .. });
            if let Some(to) = self.route_of(&message) {
                // A client that does not read loses the stream of its request, and keeps nobody else waiting.
                to.try_send(message).unwrap_or_default();
                continue;
            }
            if is_answer {
                // The client of its request is gone.
                continue;
            }
            let mut routes = self.routes();
            let length = |routes: &SessionRoutes| {
                routes.backlog.iter().map(|it| it.text.len()).sum::<usize>()
            };
            while routes.backlog.len() >= MAX_BACKLOG
                || (!routes.backlog.is_empty() && length(&routes) > MAX_BACKLOG_BYTES)
            {
                routes.backlog.pop_front();
            }
            routes.backlog.push_back(message);
            drop(routes);
            self.news.notify_one();
        }
    }

    fn route_of(&self, message: &Message) -> Option<mpsc::Sender<Message>> {
        let mut routes = self.routes();
        match &message.kind {
            MessageKind::Response { id, .. } => routes.requests.remove(id),
            MessageKind::Notification { method } if method == "notifications/progress" => {
                let token = message.member("params")?["progressToken"].to_string();
                let id = routes.tokens.get(&token)?;
                routes.requests.get(id).cloned()
            }
            // A server that asks something or tells something may mean any request: the one that waits, if there is no stream.
            _ if routes.stream == 0 => {
                routes.requests.values().rev().find(|to| !to.is_closed()).cloned()
            }
            _ => None,
        }
    }

    /// The stream of what belongs to no request. A new one takes the place of an old one.
    pub(super) fn listen(self: &Arc<Self>) -> Response<AnswerBody> {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(8);
        let number = {
            let mut routes = self.routes();
            routes.used = Instant::now();
            routes.stream = routes.stream.wrapping_add(1).max(1);
            routes.stream
        };
        self.news.notify_waiters();
        let session = Arc::clone(self);
        tokio::spawn(async move {
            let _listening = Listening { session: Arc::clone(&session), number };
            // Headers are sent with the first bytes.
            let mut comment: &'static [u8] = b": listening\n\n";
            loop {
                if sender.send_data(Bytes::from_static(comment)).await.is_err() {
                    return;
                }
                loop {
                    let next = {
                        let mut routes = session.routes();
                        if routes.is_over || routes.stream != number {
                            return;
                        }
                        routes.backlog.pop_front()
                    };
                    match next {
                        Some(message) if sender.send_data(event(&message)).await.is_err() => {
                            session.routes().backlog.push_front(message);
                            return;
                        }
                        Some(_) => {}
                        None => break,
                    }
                }
                tokio::time::timeout(HEARTBEAT, session.news.notified()).await.unwrap_or_default();
                comment = b": still here\n\n";
            }
        });
        response(StatusCode::OK, EVENTS, body.boxed())
    }

    fn close(&self) {
        let mut routes = self.routes();
        routes.is_over = true;
        routes.requests.clear();
        drop(routes);
        self.news.notify_waiters();
        self.news.notify_one();
    }
}

/// A request that waits for its answer; forgotten when its client is gone.
struct SessionWait {
    session: Arc<HttpSession>,
    token: Option<String>,
}

impl Drop for SessionWait {
    fn drop(&mut self) {
        let mut routes = self.session.routes();
        routes.used = Instant::now();
        // Its id stays taken until the answer came, which is not that of another request.
        if let Some(token) = &self.token {
            routes.tokens.remove(token);
        }
    }
}

/// A stream that is open.
struct Listening {
    session: Arc<HttpSession>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut routes = self.session.routes();
        routes.used = Instant::now();
        if routes.stream == self.number {
            routes.stream = 0;
        }
    }
}

/// The token of the progress of a request, as JSON.
fn token_of(whole: &Value) -> Option<String> {
    let token = &whole["params"]["_meta"]["progressToken"];
    (token.is_string() || token.is_number()).then(|| token.to_string())
}
