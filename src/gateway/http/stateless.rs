//! Requests over HTTP of clients that make no handshake. Those of one grant share a connection to the server, where they have ids
//! and tokens of the gateway's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::gateway::Gateway;
use crate::gateway::era::{META_CLIENT, META_SUBSCRIPTION};
use crate::gateway::http::answers::{stream_answer, text};
use crate::gateway::http::post::Posted;
use crate::gateway::http::sessions::MAX_IDLE;
use crate::gateway::link::MAX_QUEUED;
use crate::gateway::session::{ClientPort, FromClient, SessionEnd, serve};
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::{Message, MessageKind, RequestId};
use crate::policy::shown_identity;
use crate::serve::AnswerBody;

/// The most connections that are shared, one for each grant and name of a client.
const MAX_HUBS: usize = 1000;

/// The most connections of one grant, so that other grants can connect too.
const MAX_HUBS_OF_GRANT: usize = 100;

/// The connections of all grants.
pub(super) struct StatelessHubs {
    gateway: Arc<Gateway>,
    hubs: Arc<Mutex<BTreeMap<String, Arc<Hub>>>>,
}

/// The connection of one grant and client.
struct Hub {
    identity: String,
    to_session: mpsc::Sender<FromClient>,
    requests: Mutex<BTreeMap<RequestId, HubRequest>>,
    last: AtomicU64,
    used: Mutex<Instant>,
    end: Notify,
}

/// A request under way, by its id on the shared connection.
struct HubRequest {
    to: mpsc::Sender<Message>,
    /// The id that the client gave it.
    id: RequestId,
    /// The token of its progress, as the client gave it.
    token: Option<Value>,
    is_subscription: bool,
}

impl StatelessHubs {
    pub(super) fn new(gateway: &Arc<Gateway>) -> Self {
        Self { gateway: Arc::clone(gateway), hubs: Arc::default() }
    }

    fn hubs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Hub>>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connections that nobody uses and those of identities that do not hold any more; all of them if there are none.
    pub(super) fn end_unused(&self, holds: &dyn Fn(&str) -> bool) {
        self.hubs().retain(|_, hub| {
            let used = *hub.used.lock().unwrap_or_else(PoisonError::into_inner);
            let is_idle = hub.requests().is_empty() && used.elapsed() > MAX_IDLE;
            let stays = holds(&hub.identity) && !is_idle;
            if !stays {
                hub.end.notify_one();
            }
            stays
        });
    }

    /// Takes a message.
    pub(super) async fn take(&self, posted: Posted) -> Response<AnswerBody> {
        let MessageKind::Request { id, method } = posted.message.kind.clone() else {
            // The end of its stream cancels a request, and there are no other notifications.
            if matches!(posted.message.kind, MessageKind::Response { .. }) {
                return text(
                    StatusCode::BAD_REQUEST,
                    "the gateway asked nothing, so there is nothing to answer\n",
                );
            }
            if posted.message.method().is_some_and(|method| method.starts_with("tools/")) {
                self.gateway
                    .rulings
                    .note_refusal(&posted.caller, "a notification cannot be about tools");
            }
            return text(StatusCode::ACCEPTED, "");
        };
        let Some(hub) = self.hub(&posted.caller, &posted.whole) else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are too many clients; try again later\n",
            );
        };
        *hub.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let (to, messages) = mpsc::channel(MAX_QUEUED);
        let number = hub.last.fetch_add(1, Ordering::Relaxed) + 1;
        let own = RequestId::of_text(&format!("http/{number}"));
        let mut whole = posted.whole;
        let mut message = posted.message.with_id(own.clone());
        whole["id"] = json!(format!("http/{number}"));
        let token = whole["params"]["_meta"].get("progressToken").cloned();
        if token.is_some() {
            // Another client may have given a request of its own this token.
            let mut meta = whole["params"]["_meta"].clone();
            meta["progressToken"] = json!(number);
            message = message.with_param("_meta", Some(&meta.to_string()));
            whole["params"]["_meta"] = meta;
        }
        let is_subscription = method == "subscriptions/listen";
        let takes_events = posted.takes_events;
        if is_subscription && !takes_events {
            return text(
                StatusCode::NOT_ACCEPTABLE,
                "this is a stream of events; accept text/event-stream\n",
            );
        }
        hub.requests().insert(own.clone(), HubRequest { to, id, token, is_subscription });
        let waiting = StatelessWait { hub: Arc::clone(&hub), own };
        if hub.to_session.send(FromClient::Message(message, whole)).await.is_err() {
            return text(StatusCode::BAD_GATEWAY, "the server ended\n");
        }
        stream_answer(messages, takes_events, status_of, waiting).await
    }

    /// The connection of a caller, which is begun if there is none: one for each name of a client, as the server is told it.
    fn hub(&self, caller: &Caller, whole: &Value) -> Option<Arc<Hub>> {
        let client = whole["params"]["_meta"][META_CLIENT]["name"].as_str().unwrap_or_default();
        let key = format!("{}\n{}", caller.identity, shown_identity(client));
        let mut hubs = self.hubs();
        let known = hubs.get(&key).filter(|hub| !hub.to_session.is_closed());
        if let Some(hub) = known {
            return Some(Arc::clone(hub));
        }
        let own = hubs.values().filter(|hub| hub.identity == caller.identity).count();
        if hubs.len() >= MAX_HUBS || own >= MAX_HUBS_OF_GRANT {
            return None;
        }
        let (to_session, incoming) = mpsc::channel(MAX_QUEUED);
        let (outgoing, to_client) = mpsc::channel(MAX_QUEUED);
        let hub = Arc::new(Hub {
            identity: caller.identity.clone(),
            to_session,
            requests: Mutex::default(),
            last: AtomicU64::new(0),
            used: Mutex::new(Instant::now()),
            end: Notify::new(),
        });
        hubs.insert(key.clone(), Arc::clone(&hub));
        let (gateway, caller) = (Arc::clone(&self.gateway), caller.clone());
        let (router, known) = (Arc::clone(&hub), Arc::clone(&self.hubs));
        tokio::spawn(async move {
            let complain = gateway.complain.clone();
            let routing = router.route_all(to_client);
            let serving = serve(gateway, caller, ClientPort { incoming, outgoing });
            let both = async { tokio::join!(serving, routing).0 };
            let end = tokio::select! {
                end = both => end,
                () = router.end.notified() => SessionEnd::Client,
            };
            if let SessionEnd::Server(why) = end {
                complain(&why);
            }
            router.requests().clear();
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.get(&key).is_some_and(|hub| Arc::ptr_eq(hub, &router)) {
                known.remove(&key);
            }
        });
        Some(hub)
    }
}

impl Hub {
    fn requests(&self) -> MutexGuard<'_, BTreeMap<RequestId, HubRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn route_all(&self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            if let Some((to, id, message)) = self.routed(message) {
                // A client that does not read loses its stream, and keeps nobody else waiting.
                if to.try_send(message).is_err() {
                    self.cancel(&id);
                }
            }
        }
    }

    /// Takes a request back, if it is under way.
    fn cancel(&self, own: &RequestId) {
        if self.requests().remove(own).is_none() {
            return;
        }
        let params = json!({"requestId": own.to_value()});
        let message = Message::notification("notifications/cancelled", Some(&params));
        let whole =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        let to_session = self.to_session.clone();
        tokio::spawn(async move {
            to_session.send(FromClient::Message(message, whole)).await.unwrap_or_default();
        });
    }

    /// Finds the receiver of a message and restores the ids and tokens of its client.
    fn routed(&self, message: Message) -> Option<(mpsc::Sender<Message>, RequestId, Message)> {
        let mut requests = self.requests();
        match &message.kind {
            MessageKind::Response { id, .. } => {
                let own = id.clone();
                let request = requests.remove(&own)?;
                let message = if message.text.contains(META_SUBSCRIPTION) {
                    with_subscription(message, "result", &request.id)
                } else {
                    message
                };
                Some((request.to, own, message.with_id(request.id)))
            }
            // A server without a handshake asks nothing, and the bridge asks in answers.
            MessageKind::Request { .. } => None,
            MessageKind::Notification { method } => {
                let params = message.member("params").unwrap_or_default();
                if let Some(id) = params["_meta"].get(META_SUBSCRIPTION).and_then(RequestId::of) {
                    let request = requests.get(&id)?;
                    let to = request.to.clone();
                    return Some((to, id, with_subscription(message, "params", &request.id)));
                }
                if method == "notifications/progress" {
                    let number = params["progressToken"].as_u64().unwrap_or_default();
                    let id = RequestId::of_text(&format!("http/{number}"));
                    let request = requests.get(&id)?;
                    let token = request.token.as_ref()?.to_string();
                    let message = message.clone().with_param("progressToken", Some(&token));
                    return Some((request.to.clone(), id, message));
                }
                // What belongs to no request, such as messages of a log, may be meant for any that waits. It is given to one alone
                // only if there is one alone, and never to a subscription.
                let mut all = requests.iter().filter(|(_, request)| !request.is_subscription);
                match (all.next(), all.next()) {
                    (Some((id, request)), None) => Some((request.to.clone(), id.clone(), message)),
                    _ => None,
                }
            }
        }
    }
}

/// A message whose subscription is named by the id that the client gave it.
fn with_subscription(message: Message, member: &str, id: &RequestId) -> Message {
    let Some(mut value) = message.member(member) else { return message };
    if let Some(meta) = value.get_mut("_meta").and_then(Value::as_object_mut)
        && meta.contains_key(META_SUBSCRIPTION)
    {
        meta.insert(META_SUBSCRIPTION.to_owned(), id.to_value());
    }
    message.with_member(member, &value.to_string())
}

/// The status of an answer (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports>).
fn status_of(answer: &Message) -> StatusCode {
    if !matches!(answer.kind, MessageKind::Response { is_error: true, .. }) {
        return StatusCode::OK;
    }
    match answer.member("error").and_then(|error| error["code"].as_i64()) {
        Some(-32700 | -32600 | -32602 | -32020 | -32021 | -32022) => StatusCode::BAD_REQUEST,
        Some(-32601) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// A request that waits for its answer. If its client goes before, the server is told.
struct StatelessWait {
    hub: Arc<Hub>,
    own: RequestId,
}

impl Drop for StatelessWait {
    fn drop(&mut self) {
        self.hub.cancel(&self.own);
    }
}
