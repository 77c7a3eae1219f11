//! Messages from one side of a session to the other.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::gateway::bridge::Outbox;
use crate::gateway::era::{META_CAPABILITIES, META_SERVER, META_SUBSCRIPTION};
use crate::gateway::link::FromServer;
use crate::gateway::ruling_queue::OutcomeLine;
use crate::gateway::session::calls::CallUnderway;
use crate::gateway::session::{PendingRequest, Session, SessionEnd};
use crate::jsonrpc::{
    INVALID_REQUEST, METHOD_NOT_FOUND, Message, MessageKind, RequestId, SERVER_ERROR, is_variant,
};
use crate::policy::shown_identity;

/// The most requests of one client, and the most of a server, that wait for their answers.
const MAX_UNDERWAY: usize = 1024;

/// The most requests that were taken back and that the server has not answered.
const MAX_CANCELED: usize = 1 << 16;

/// Time for which a server may answer a request that was taken back.
const MAX_CANCELED_TIME: Duration = Duration::from_secs(10 * 60);

/// Methods whose spelling variants are refused, since a server might accept them as these.
const GUARDED: [&str; 2] = ["tools/call", "tools/list"];

impl Session {
    /// Takes what comes from the connection to the server. Fails if that is over.
    pub(super) fn take_from_link(&mut self, from: FromServer) -> Result<(), SessionEnd> {
        match from {
            FromServer::Message(message) => {
                let out = self.bridge.take_from_server(message);
                self.send(out);
            }
            FromServer::Unreached(id, why) => {
                // The client's id may be another than the server's.
                if let Some(id) = self.bridge.forget_unreached(&id) {
                    self.fail_unreached(&id, &why);
                }
            }
            FromServer::Ended(why) => return Err(SessionEnd::Server(why)),
        }
        Ok(())
    }

    /// Sends a message to the client.
    pub(super) fn say(&mut self, message: Message) {
        self.to_client.push_back(message);
    }

    pub(super) fn fail(&mut self, id: RequestId, code: i32, why: &str) {
        self.say(Message::error(id, code, why, None));
    }

    /// Sends what a translation gave.
    fn send(&mut self, out: Outbox) {
        self.to_server.extend(out.to_server);
        for message in out.to_client {
            self.take_from_server(message);
        }
    }

    /// Passes a message of the client on.
    pub(super) fn forward(&mut self, message: Message, params: &Value) {
        let out = self.bridge.take_from_client(message, params);
        self.send(out);
    }

    pub(super) fn take_from_client(&mut self, message: Message, whole: &Value) {
        let params = &whole["params"];
        match message.kind.clone() {
            MessageKind::Request { id, method } => {
                if let Some((code, why)) = self.refused_request(&id, &method) {
                    self.gateway.rulings.note_refusal(&self.caller, why);
                    return self.fail(id, code, why);
                }
                let pending = match &*method {
                    "tools/call" => return self.take_call(message, id, params),
                    "tools/list" => PendingRequest::ToolList,
                    "initialize" => {
                        self.has_era = true;
                        self.capabilities = params["capabilities"].clone();
                        PendingRequest::Opening
                    }
                    "server/discover" => PendingRequest::Opening,
                    "subscriptions/listen"
                        if params["notifications"]["toolsListChanged"] == true =>
                    {
                        PendingRequest::ToolSubscription
                    }
                    _ => PendingRequest::Other,
                };
                self.pending.insert(id, pending);
                self.forward(message, params);
            }
            MessageKind::Notification { method } => {
                if method.starts_with("tools/") || is_variant(&method, &GUARDED) {
                    let why = "a notification cannot be about tools";
                    return self.gateway.rulings.note_refusal(&self.caller, why);
                }
                if method == "notifications/cancelled"
                    && let Some(id) = RequestId::of(&params["requestId"])
                    && self.cancel(&id)
                {
                    return;
                }
                self.forward(message, params);
            }
            MessageKind::Response { id, .. } => {
                if self.approvals.is_about(&id) {
                    self.take_user_answer(&id, &whole["result"]);
                } else if self.asked.remove(&id) {
                    self.forward(message, params);
                }
                // An answer to what nobody asked is not passed on.
            }
        }
    }

    /// Returns the error for a request that is never passed on, whatever the policy says.
    fn refused_request(&self, id: &RequestId, method: &str) -> Option<(i32, &'static str)> {
        // The server may still answer a request that was taken back, and its answer is not that of another request.
        if self.pending.contains_key(id) || self.canceled.contains_key(id) {
            return Some((INVALID_REQUEST, "a request with this id is under way"));
        }
        if self.canceled.len() >= MAX_CANCELED {
            return Some((
                SERVER_ERROR,
                "too many requests were taken back; begin another session",
            ));
        }
        if self.pending.len() >= MAX_UNDERWAY {
            return Some((SERVER_ERROR, "too many requests wait for their answers"));
        }
        if method == "initialize" && self.has_era {
            return Some((INVALID_REQUEST, "this session is initialized; begin another one"));
        }
        let is_of_tools = method.starts_with("tools/") && !GUARDED.contains(&method);
        if is_of_tools || is_variant(method, &GUARDED) {
            let why =
                "the gateway has no rules for this method of tools, so that it is not passed on";
            return Some((METHOD_NOT_FOUND, why));
        }
        None
    }

    /// Takes a request back; true if the server does not know it.
    fn cancel(&mut self, id: &RequestId) -> bool {
        match self.pending.remove(id) {
            Some(PendingRequest::Undecided(ticket)) => {
                if self.approvals.forget(id) {
                    self.undecided.remove(&ticket);
                } else if let Some(call) = self.undecided.get_mut(&ticket) {
                    // It is being ruled on.
                    call.is_canceled = true;
                }
                return true;
            }
            Some(PendingRequest::Call(call)) => self.note(&call, "canceled", 0, false),
            Some(_) => {}
            None => return false,
        }
        if self.canceled.len() >= MAX_CANCELED / 2 {
            self.canceled.retain(|_, time| time.elapsed() < MAX_CANCELED_TIME);
        }
        self.canceled.insert(id.clone(), Instant::now());
        false
    }

    /// Takes a message of the server in the words of the client's era.
    pub(super) fn take_from_server(&mut self, message: Message) {
        match &message.kind {
            MessageKind::Request { id, .. } => {
                // A server that asks without end is given no more answers to its oldest questions.
                if self.asked.len() >= MAX_UNDERWAY {
                    self.asked.pop_first();
                }
                self.asked.insert(id.clone());
                self.say(message);
            }
            MessageKind::Notification { .. } => self.say(message),
            MessageKind::Response { id, is_error } => {
                let (id, is_error) = (id.clone(), *is_error);
                self.canceled.remove(&id);
                // What nobody asked for, or no longer, is not an answer.
                let Some(pending) = self.pending.remove(&id) else { return };
                let message = match pending {
                    PendingRequest::Call(call) => self.note_answer(&call, message, is_error),
                    PendingRequest::ToolList if !is_error => self.cut_list(message),
                    PendingRequest::Opening if !is_error => {
                        self.note_server(&message);
                        message
                    }
                    // Nothing of it reached the server.
                    PendingRequest::Undecided(ticket) => {
                        self.pending.insert(id, PendingRequest::Undecided(ticket));
                        return;
                    }
                    _ => message,
                };
                self.say(message);
            }
        }
    }

    /// Notes the name and the capabilities of the server, from its first answer.
    fn note_server(&mut self, answer: &Message) {
        let Some(result) = answer.member("result") else { return };
        self.tells_of_tools = result.get("protocolVersion").is_some()
            && result["capabilities"]["tools"]["listChanged"] == true;
        let server = result.get("serverInfo").or(result["_meta"].get(META_SERVER));
        if let Some(name) = server.and_then(|server| server["name"].as_str()) {
            self.gateway.note_server_name(name);
        }
    }

    /// Tells the client that the policy lists other tools now, in the way of its era.
    pub(super) fn tell_of_tools(&mut self) {
        let method = "notifications/tools/list_changed";
        if self.tells_of_tools {
            self.say(Message::notification(method, None));
        }
        let listening = self.pending.iter();
        let listening = listening.filter(|(_, it)| matches!(it, PendingRequest::ToolSubscription));
        let told = listening.map(|(id, _)| {
            let params = json!({"_meta": {META_SUBSCRIPTION: id.to_value()}});
            Message::notification(method, Some(&params))
        });
        let told: Vec<Message> = told.collect();
        self.to_client.extend(told);
    }

    /// Answers a request that did not reach the server.
    fn fail_unreached(&mut self, id: &RequestId, why: &str) {
        let Some(pending) = self.pending.remove(id) else { return };
        if let PendingRequest::Call(call) = pending {
            self.note(&call, "unreached", 0, true);
            self.gateway.rulings.give_back(call.reserved);
        }
        self.fail(id.clone(), SERVER_ERROR, why);
    }

    /// Notes what became of a call that was passed on.
    pub(super) fn note(
        &self,
        call: &CallUnderway,
        upstream: &'static str,
        bytes: usize,
        is_error: bool,
    ) {
        self.gateway.rulings.note(&OutcomeLine {
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

    /// What the client can do, by the request or by its handshake.
    pub(super) fn capabilities_of<'v>(&'v self, params: &'v Value) -> &'v Value {
        params["_meta"].get(META_CAPABILITIES).unwrap_or(&self.capabilities)
    }

    pub(super) fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}
