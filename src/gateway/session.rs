//! One session: a client, a server, and the rules between them.
//!
//! All that is not about tools is passed on as it was written. Lists of tools are cut down to what the policy lists, and calls are
//! passed on when they were ruled on.

mod approvals;
mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::gateway::Gateway;
use crate::gateway::bridge::{Bridge, Outbox};
use crate::gateway::clerk::{OutcomeLine, RuledCall};
use crate::gateway::era::{META_CAPABILITIES, META_CLIENT, META_SERVER, is_modern, version_of};
use crate::gateway::link::{FromServer, Link};
use crate::gateway::negotiation::negotiate;
use crate::gateway::session::approvals::Approvals;
use crate::gateway::session::calls::{CallUnderway, OwnAnswered, UndecidedCall};
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::{
    INVALID_REQUEST, METHOD_NOT_FOUND, Message, MessageKind, MessageRefusal, RequestId,
    SERVER_ERROR, is_variant,
};
use crate::policy::shown_identity;

/// The most requests of one client that wait for their answers.
const MAX_UNDERWAY: usize = 1024;

/// Methods of which variants are refused, since a server might take them for these.
const GUARDED: [&str; 2] = ["tools/call", "tools/list"];

/// The two directions of a client.
pub(super) struct ClientPort {
    pub(super) incoming: mpsc::Receiver<FromClient>,
    pub(super) outgoing: mpsc::Sender<Message>,
}

/// What comes from a client.
pub(super) enum FromClient {
    /// A message, with all of it as JSON.
    Message(Message, Value),
    /// What was not a message, with the answer.
    Refused(MessageRefusal),
}

/// What a request of the client is, until it was answered.
enum PendingRequest {
    /// A call that is not ruled on yet, or that waits for the user.
    Undecided(u64),
    Call(CallUnderway),
    ToolList,
    /// The handshake, or what stands in its place.
    Opening,
    Other,
}

/// A session under way.
struct Session {
    gateway: Arc<Gateway>,
    caller: Arc<Caller>,
    to_client: mpsc::Sender<Message>,
    link: Link,
    bridge: Bridge,
    pending: BTreeMap<RequestId, PendingRequest>,
    /// Requests of the server that the client has not answered.
    asked: BTreeSet<RequestId>,
    approvals: Approvals,
    rulings: mpsc::UnboundedSender<RuledCall>,
    own_answers: mpsc::UnboundedSender<OwnAnswered>,
    /// Calls that wait for a ruling, by ticket.
    undecided: BTreeMap<u64, UndecidedCall>,
    last_ticket: u64,
    /// What the client can do, as it said in its handshake.
    capabilities: Value,
    /// Whether there was a handshake, or a request of a client that makes none.
    has_era: bool,
    tells_of_tools: bool,
}

/// Why a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    Client,
    Server(String),
}

/// Serves one client until it or the server ends. The caller's name of the client is filled in from what the client says.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    mut caller: Caller,
    mut client: ClientPort,
) -> SessionEnd {
    let Some((first, whole)) = first_request(&gateway, &caller, &mut client).await else {
        return SessionEnd::Client;
    };
    let params = &whole["params"];
    let name = params["clientInfo"]["name"].as_str();
    let name = name.or(params["_meta"][META_CLIENT]["name"].as_str());
    caller.client = shown_identity(name.unwrap_or_default());
    let id = first.id().cloned();
    let opening = negotiate(&gateway.upstream, &gateway.complain, first.clone(), params);
    let negotiated = tokio::select! {
        negotiated = opening => negotiated,
        () = client.outgoing.closed() => return SessionEnd::Client,
    };
    let negotiated = match negotiated {
        Ok(negotiated) => negotiated,
        Err(why) => {
            if let Some(id) = id {
                let answer = Message::error(id, SERVER_ERROR, &why, None);
                client.outgoing.send(answer).await.unwrap_or_default();
            }
            return SessionEnd::Server(why);
        }
    };
    let (rulings, mut ruled) = mpsc::unbounded_channel();
    let (own_answers, mut answered_here) = mpsc::unbounded_channel();
    let mut session = Session {
        gateway,
        caller: Arc::new(caller),
        to_client: client.outgoing.clone(),
        link: negotiated.link,
        bridge: negotiated.bridge,
        pending: BTreeMap::new(),
        asked: BTreeSet::new(),
        approvals: Approvals::default(),
        rulings,
        own_answers,
        undecided: BTreeMap::new(),
        last_ticket: 0,
        capabilities: params["capabilities"].clone(),
        has_era: first.method() == Some("initialize") || version_of(params).is_some_and(is_modern),
        tells_of_tools: false,
    };
    match negotiated.first {
        Some(first) => session.take_from_client(first, &whole).await,
        None => session.pending.extend(id.map(|id| (id, PendingRequest::Opening))),
    }
    for message in negotiated.to_client {
        session.take_from_server(message).await;
    }
    let mut edits = session.gateway.edits.subscribe();
    let end = loop {
        tokio::select! {
            Some(ruling) = ruled.recv() => session.ruled(ruling).await,
            Some(answer) = answered_here.recv() => session.answered_here(answer).await,
            from = session.link.incoming.recv() => {
                let from = from.unwrap_or_else(|| FromServer::Ended("the server ended".to_owned()));
                if let Err(end) = session.take_from_link(from).await {
                    break end;
                }
            }
            from = client.incoming.recv() => match from {
                Some(FromClient::Message(message, whole)) => {
                    session.take_from_client(message, &whole).await;
                }
                Some(FromClient::Refused(refusal)) => {
                    session.gateway.clerk.refused(&session.caller, &refusal.why);
                    session.say(Message::refusal(&refusal)).await;
                }
                None => break SessionEnd::Client,
            },
            Ok(()) = edits.changed() => {
                if session.tells_of_tools {
                    let changed = "notifications/tools/list_changed";
                    session.say(Message::notification(changed, None)).await;
                }
            }
            () = session.approvals.expired() => session.approval_expired(),
        }
    };
    let why = match &end {
        SessionEnd::Server(why) => why.as_str(),
        SessionEnd::Client => "the client ended",
    };
    session.end(why);
    end
}

/// The first request of a client. What comes before it is answered or ignored, as nothing can be said to a server before it was
/// asked something; `None` if the client ends before.
async fn first_request(
    gateway: &Gateway,
    caller: &Caller,
    client: &mut ClientPort,
) -> Option<(Message, Value)> {
    loop {
        match client.incoming.recv().await? {
            FromClient::Refused(refusal) => {
                gateway.clerk.refused(caller, &refusal.why);
                let answer = Message::refusal(&refusal);
                client.outgoing.send(answer).await.unwrap_or_default();
            }
            FromClient::Message(message, whole) => {
                if matches!(message.kind, MessageKind::Request { .. }) {
                    return Some((message, whole));
                }
            }
        }
    }
}

impl Session {
    /// Takes what comes from the connection to the server. Fails if that is over.
    async fn take_from_link(&mut self, from: FromServer) -> Result<(), SessionEnd> {
        match from {
            FromServer::Message(message) => {
                let Outbox { to_server, to_client } = self.bridge.take_from_server(message);
                self.to_server(to_server).await;
                for message in to_client {
                    self.take_from_server(message).await;
                }
            }
            FromServer::Unreached(id, why) => self.unreached(&id, &why).await,
            FromServer::Ended(why) => return Err(SessionEnd::Server(why)),
        }
        Ok(())
    }

    /// Sends a message to the client. One that is gone is noticed elsewhere.
    async fn say(&self, message: Message) {
        self.to_client.send(message).await.unwrap_or_default();
    }

    async fn fail(&self, id: RequestId, code: i32, why: &str) {
        self.say(Message::error(id, code, why, None)).await;
    }

    async fn to_server(&self, messages: Vec<Message>) {
        for message in messages {
            // A server that is gone is noticed by what comes from it.
            self.link.outgoing.send(message).await.unwrap_or_default();
        }
    }

    /// Passes a message of the client on.
    async fn forward(&mut self, message: Message, params: &Value) {
        let Outbox { to_server, to_client } = self.bridge.take_from_client(message, params);
        self.to_server(to_server).await;
        for message in to_client {
            // Boxed, as an answer never leads to a message of the client.
            Box::pin(self.take_from_server(message)).await;
        }
    }

    async fn take_from_client(&mut self, message: Message, whole: &Value) {
        let params = &whole["params"];
        match message.kind.clone() {
            MessageKind::Request { id, method } => {
                if let Some(why) = self.refused_request(&id, &method) {
                    self.gateway.clerk.refused(&self.caller, why);
                    let code = if self.pending.contains_key(&id) {
                        INVALID_REQUEST
                    } else {
                        METHOD_NOT_FOUND
                    };
                    return self.fail(id, code, why).await;
                }
                let pending = match &*method {
                    "tools/call" => return self.call(message, id, params).await,
                    "tools/list" => PendingRequest::ToolList,
                    "initialize" => {
                        self.has_era = true;
                        self.capabilities = params["capabilities"].clone();
                        PendingRequest::Opening
                    }
                    "server/discover" => PendingRequest::Opening,
                    _ => PendingRequest::Other,
                };
                self.pending.insert(id, pending);
                self.forward(message, params).await;
            }
            MessageKind::Notification { method } => {
                if method.starts_with("tools/") || is_variant(&method, &GUARDED) {
                    let why = "a notification cannot be about tools";
                    return self.gateway.clerk.refused(&self.caller, why);
                }
                if method == "notifications/cancelled"
                    && let Some(id) = RequestId::of(&params["requestId"])
                    && self.canceled(&id)
                {
                    return;
                }
                self.forward(message, params).await;
            }
            MessageKind::Response { id, .. } => {
                if self.approvals.is_about(&id) {
                    self.user_answered(&id, &whole["result"]);
                } else if self.asked.remove(&id) {
                    self.forward(message, params).await;
                }
                // An answer to what nobody asked is not passed on.
            }
        }
    }

    /// Why a request is not passed on, whatever the policy says.
    fn refused_request(&self, id: &RequestId, method: &str) -> Option<&'static str> {
        if self.pending.contains_key(id) {
            return Some("a request with this id is under way");
        }
        if self.pending.len() >= MAX_UNDERWAY {
            return Some("too many requests wait for their answers");
        }
        if method == "initialize" && self.has_era {
            return Some("this session is initialized; begin another one");
        }
        let is_of_tools = method.starts_with("tools/") && !GUARDED.contains(&method);
        if is_of_tools || is_variant(method, &GUARDED) {
            return Some(
                "the gateway has no rules for this method of tools, so that it is not passed on",
            );
        }
        None
    }

    /// Forgets a request that the client takes back; true if the server does not know it.
    fn canceled(&mut self, id: &RequestId) -> bool {
        match self.pending.get(id) {
            Some(PendingRequest::Undecided(ticket)) => {
                if self.approvals.forget(id) {
                    self.undecided.remove(ticket);
                } else if let Some(call) = self.undecided.get_mut(ticket) {
                    // It is being ruled on.
                    call.is_canceled = true;
                }
                self.pending.remove(id);
                true
            }
            Some(PendingRequest::Call(call)) => {
                self.note(call, "canceled", 0, false);
                self.pending.remove(id);
                false
            }
            Some(_) => {
                self.pending.remove(id);
                false
            }
            None => false,
        }
    }

    /// Takes a message of the server in the words of the client's era.
    async fn take_from_server(&mut self, message: Message) {
        match &message.kind {
            MessageKind::Request { id, .. } => {
                self.asked.insert(id.clone());
                self.say(message).await;
            }
            MessageKind::Notification { .. } => self.say(message).await,
            MessageKind::Response { id, is_error } => {
                let (id, is_error) = (id.clone(), *is_error);
                // What nobody asked for, or no longer, is not an answer.
                let Some(pending) = self.pending.remove(&id) else { return };
                let message = match pending {
                    PendingRequest::Call(call) => self.answered(&call, message, is_error),
                    PendingRequest::ToolList if !is_error => self.cut_list(message),
                    PendingRequest::Opening if !is_error => {
                        self.opened(&message);
                        message
                    }
                    _ => message,
                };
                self.say(message).await;
            }
        }
    }

    /// Notes what the server says of itself.
    fn opened(&mut self, answer: &Message) {
        let Some(result) = answer.member("result") else { return };
        self.tells_of_tools = result.get("protocolVersion").is_some()
            && result["capabilities"]["tools"]["listChanged"] == true;
        let server = result.get("serverInfo").or(result["_meta"].get(META_SERVER));
        if let Some(name) = server.and_then(|server| server["name"].as_str()) {
            self.gateway.met(name);
        }
    }

    /// Answers a request that did not reach the server.
    async fn unreached(&mut self, id: &RequestId, why: &str) {
        let Some(pending) = self.pending.remove(id) else { return };
        if let PendingRequest::Call(call) = pending {
            self.note(&call, "unreached", 0, true);
            self.gateway.clerk.give_back(call.reserved);
        }
        self.fail(id.clone(), SERVER_ERROR, why).await;
    }

    fn note(&self, call: &CallUnderway, upstream: &'static str, bytes: usize, is_error: bool) {
        self.gateway.clerk.note(&OutcomeLine {
            time: crate::audit::now(),
            event: "outcome",
            call: call.number,
            identity: &self.caller.identity,
            session: &self.caller.session,
            tool: &shown_identity(&call.tool),
            upstream,
            duration: call.start.elapsed().as_secs_f64(),
            bytes,
            is_error,
        });
    }

    /// Answers what is under way when the session ends.
    fn end(mut self, why: &str) {
        for (id, pending) in std::mem::take(&mut self.pending) {
            if let PendingRequest::Call(call) = &pending {
                self.note(call, "ended", 0, true);
            }
            let why = format!("{why} before it answered");
            // A client that does not read is not waited for.
            self.to_client
                .try_send(Message::error(id, SERVER_ERROR, &why, None))
                .unwrap_or_default();
        }
    }

    /// What the client can do, by the request or by its handshake.
    fn capabilities_of<'v>(&'v self, params: &'v Value) -> &'v Value {
        params["_meta"].get(META_CAPABILITIES).unwrap_or(&self.capabilities)
    }

    fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}
