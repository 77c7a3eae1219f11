//! A server that needs a handshake, for a client that makes none.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::gateway::bridge::Outbox;
use crate::gateway::era::{
    META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL, META_SERVER, META_SUBSCRIPTION, META_VERSION,
    MODERN, UNSUPPORTED_VERSION, rank,
};
use crate::gateway::random::{self, OwnIds};
use crate::jsonrpc::{INVALID_PARAMS, METHOD_NOT_FOUND, Message, MessageKind, RequestId};

/// The most subscriptions and the most calls that wait for answers of the user.
const MAX_HELD: usize = 256;

/// Time for which a call waits for the user.
const MAX_HELD_TIME: Duration = Duration::from_secs(5 * 60);

/// Methods whose answers a client may keep for a while, and must be told for how long.
const LISTS: [&str; 5] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];

/// Methods in whose answers a server can ask the client for something.
const ASKING: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// Methods that there are only with a handshake.
const REMOVED: [&str; 5] =
    ["ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// A server with a handshake, translated for a client without one, and its open requests.
pub(in crate::gateway) struct LegacyServer {
    /// What it answered to `initialize`.
    initialized: Value,
    /// Requests of the client under way at the server.
    requests: BTreeMap<RequestId, LegacyRequest>,
    /// Requests whose client was asked for something, by the token that its next request must have.
    held: BTreeMap<String, HeldCall>,
    /// Subscriptions by the id of the request that made them.
    listens: BTreeMap<RequestId, Subscription>,
    /// Requests of the gateway itself, whose answers nobody waits for.
    own: OwnIds,
}

/// A request under way. Its id at the server is that with which the client asked first.
struct LegacyRequest {
    method: String,
    /// Method, name and arguments of the request, which the client must repeat when it answers a question.
    call: String,
    /// The id with which the client asks now.
    client: RequestId,
    capabilities: Value,
    /// The least level of log messages that the client wants; `None` for none.
    level: Option<usize>,
    /// What the server asks the client for, which was not passed on yet.
    questions: VecDeque<Message>,
    /// The question that the client has.
    asked: Option<RequestId>,
    /// An answer that came while the client had a question.
    answer: Option<Message>,
    /// Time at which the client canceled the request; the server may still be working on it.
    canceled: Option<Instant>,
}

/// A request that is at the server while its client was asked for something.
struct HeldCall {
    server: RequestId,
    question: RequestId,
    /// Method, name and arguments of the request.
    call: String,
    since: Instant,
}

struct Subscription {
    wanted: Value,
}

impl LegacyServer {
    /// Creates the translation from the server's result of `initialize`.
    pub(in crate::gateway) fn new(initialized: Value) -> Self {
        Self {
            initialized,
            requests: BTreeMap::new(),
            held: BTreeMap::new(),
            listens: BTreeMap::new(),
            own: OwnIds::default(),
        }
    }

    /// The parameters of `initialize` for a client that said what it is in a request. What a client of a request cannot do is
    /// refused when the server asks for it.
    pub(in crate::gateway) fn handshake(params: &Value, version: &str) -> Value {
        let client = match &params["_meta"][META_CLIENT] {
            Value::Object(client) => Value::Object(client.clone()),
            _ => json!({"name": "api-patterns", "version": env!("CARGO_PKG_VERSION")}),
        };
        let capabilities = json!({"elicitation": {}, "sampling": {}, "roots": {}});
        json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": client})
    }

    /// The requests that follow the handshake.
    pub(in crate::gateway) fn after_handshake(&mut self) -> Vec<Message> {
        let mut messages = vec![Message::notification("notifications/initialized", None)];
        if self.initialized["capabilities"].get("logging").is_some() {
            // Each request says what it wants to be told, so that the server must tell all.
            messages.push(self.own_request("logging/setLevel", &json!({"level": "debug"})));
        }
        messages
    }

    fn own_request(&mut self, method: &str, params: &Value) -> Message {
        Message::request(self.own.next_id(), method, params)
    }

    pub(super) fn take_from_client(&mut self, message: Message, params: &Value) -> Outbox {
        let mut out = Outbox::default();
        match &message.kind {
            MessageKind::Request { id, method } => {
                let (id, method) = (id.clone(), method.clone());
                self.take_request(message, id, &method, params, &mut out);
            }
            MessageKind::Notification { method } if method == "notifications/cancelled" => {
                self.cancel(params, &mut out);
            }
            // There are no others without a handshake.
            MessageKind::Notification { .. } | MessageKind::Response { .. } => {}
        }
        out
    }

    fn take_request(
        &mut self,
        message: Message,
        id: RequestId,
        method: &str,
        params: &Value,
        out: &mut Outbox,
    ) {
        let version = params["_meta"][META_VERSION].as_str().unwrap_or_default();
        if version != MODERN {
            let data = json!({"supported": [MODERN], "requested": version});
            let why = "Unsupported protocol version";
            out.to_client.push(Message::error(id, UNSUPPORTED_VERSION, why, Some(&data)));
        } else if method == "server/discover" {
            out.to_client.push(Message::result(id, &self.discovered().to_string()));
        } else if REMOVED.contains(&method) {
            let why = "this method is not in this version of the protocol";
            out.to_client.push(Message::error(id, METHOD_NOT_FOUND, why, None));
        } else if method == "subscriptions/listen" {
            self.listen(id, &params["notifications"], out);
        } else if let Some(token) =
            params["requestState"].as_str().filter(|_| ASKING.contains(&method))
        {
            self.take_up(id, token, &call_of(method, params), params, out);
        } else {
            let meta = &params["_meta"];
            let request = LegacyRequest {
                method: method.to_owned(),
                call: call_of(method, params),
                client: id.clone(),
                capabilities: meta[META_CAPABILITIES].clone(),
                level: meta[META_LOG_LEVEL].as_str().map(|level| rank(Some(level))),
                questions: VecDeque::new(),
                asked: None,
                answer: None,
                canceled: None,
            };
            // An id of its own, as the client may use its id again while the server is still at this.
            let own = self.own.next_id();
            self.requests.insert(own.clone(), request);
            out.to_server.push(without_meta(message).with_id(own));
        }
    }

    /// The result of `server/discover`, made from the server's result of `initialize`.
    fn discovered(&self) -> Value {
        let mut capabilities = self.initialized["capabilities"].clone();
        if let Some(capabilities) = capabilities.as_object_mut() {
            capabilities.shift_remove("tasks");
        }
        let mut found = json!({
            "resultType": "complete", "supportedVersions": [MODERN], "capabilities": capabilities, "ttlMs": 0,
            "cacheScope": "private", "_meta": {META_SERVER: self.initialized["serverInfo"]},
        });
        if let Some(instructions) = self.initialized.get("instructions") {
            found["instructions"] = instructions.clone();
        }
        found
    }

    fn listen(&mut self, id: RequestId, wanted: &Value, out: &mut Outbox) {
        if self.listens.len() >= MAX_HELD {
            let why = "there are too many subscriptions";
            out.to_client.push(Message::error(id, INVALID_PARAMS, why, None));
            return;
        }
        let offered = &self.initialized["capabilities"];
        let mut kept = Map::new();
        for (flag, of) in [
            ("toolsListChanged", "tools"),
            ("promptsListChanged", "prompts"),
            ("resourcesListChanged", "resources"),
        ] {
            if wanted[flag] == true && offered[of]["listChanged"] == true {
                kept.insert(flag.to_owned(), json!(true));
            }
        }
        let uris = wanted["resourceSubscriptions"]
            .as_array()
            .filter(|_| offered["resources"]["subscribe"] == true);
        if let Some(uris) = uris {
            kept.insert("resourceSubscriptions".to_owned(), json!(uris));
            for uri in uris {
                let request = self.own_request("resources/subscribe", &json!({"uri": uri}));
                out.to_server.push(request);
            }
        }
        let wanted = Value::Object(kept);
        let params = json!({"_meta": {META_SUBSCRIPTION: id.to_value()}, "notifications": wanted});
        let acknowledged = "notifications/subscriptions/acknowledged";
        out.to_client.push(Message::notification(acknowledged, Some(&params)));
        self.listens.insert(id, Subscription { wanted });
    }

    fn cancel(&mut self, params: &Value, out: &mut Outbox) {
        let Some(id) = RequestId::of(&params["requestId"]) else { return };
        if let Some(listen) = self.listens.remove(&id) {
            let uris = listen.wanted["resourceSubscriptions"].as_array();
            let others: Vec<&Value> =
                self.listens.values().map(|other| &other.wanted["resourceSubscriptions"]).collect();
            let is_wanted = |uri: &Value| {
                others.iter().any(|all| all.as_array().is_some_and(|all| all.contains(uri)))
            };
            let unwanted: Vec<&Value> =
                uris.into_iter().flatten().filter(|uri| !is_wanted(uri)).collect();
            for uri in unwanted {
                let request = self.own_request("resources/unsubscribe", &json!({"uri": uri}));
                out.to_server.push(request);
            }
            return;
        }
        let Some(server) = self.server_id(&id) else { return };
        self.held.retain(|_, call| call.server != server);
        if let Some(request) = self.requests.get_mut(&server) {
            request.canceled = Some(Instant::now());
        }
        let params = json!({"requestId": server.to_value()});
        out.to_server.push(Message::notification("notifications/cancelled", Some(&params)));
    }

    /// The id at the server of a request that the client knows by another.
    fn server_id(&self, client: &RequestId) -> Option<RequestId> {
        let is_it =
            |request: &LegacyRequest| request.client == *client && request.canceled.is_none();
        let found = self.requests.iter().find(|(_, request)| is_it(request));
        found.map(|(server, _)| server.clone())
    }

    /// Goes on with a request whose client has answered what it was asked.
    fn take_up(
        &mut self,
        id: RequestId,
        token: &str,
        call: &str,
        params: &Value,
        out: &mut Outbox,
    ) {
        let is_it = |held: &HeldCall| held.call == call;
        let Some(call) = self.held.remove(token).filter(is_it) else {
            let data = json!({"reason": "invalid_request_state"});
            let why = "Invalid or expired requestState";
            out.to_client.push(Message::error(id, INVALID_PARAMS, why, Some(&data)));
            return;
        };
        let answer = if let Some(answer) = params["inputResponses"].get("input") {
            Message::result(call.question.clone(), &answer.to_string())
        } else {
            let why = "the client gave no answer";
            Message::error(call.question.clone(), INVALID_PARAMS, why, None)
        };
        out.to_server.push(answer);
        let Some(request) = self.requests.get_mut(&call.server) else { return };
        request.client = id;
        request.asked = None;
        if let Some(answer) = request.answer.take() {
            self.answer(&call.server, answer, out);
        } else {
            self.ask_next(&call.server, out);
        }
    }

    pub(super) fn take_from_server(&mut self, message: Message) -> Outbox {
        let mut out = Outbox::default();
        match &message.kind {
            MessageKind::Response { id, .. } => {
                let id = id.clone();
                match self.requests.get_mut(&id) {
                    Some(request) if request.asked.is_some() => request.answer = Some(message),
                    Some(_) => self.answer(&id, message, &mut out),
                    // An answer to the gateway itself.
                    None => {}
                }
            }
            MessageKind::Request { id, method } => {
                let (id, method) = (id.clone(), method.clone());
                self.pass_on_question(message, id, &method, &mut out);
            }
            MessageKind::Notification { method } => {
                let method = method.clone();
                self.pass_on_notification(message, &method, &mut out);
            }
        }
        out
    }

    /// Passes on an answer with the members that the protocol without a handshake requires.
    fn answer(&mut self, id: &RequestId, answer: Message, out: &mut Outbox) {
        let Some(request) = self.requests.remove(id) else { return };
        self.held.retain(|_, call| call.server != *id);
        if request.canceled.is_some() {
            return;
        }
        let answer = answer.with_id(request.client.clone());
        if let Some(mut error) = answer.member("error") {
            // Resources that are not there have another code.
            if error["code"] == -32002 {
                error["code"] = json!(INVALID_PARAMS);
            }
            out.to_client.push(answer.with_member("error", &error.to_string()));
            return;
        }
        out.to_client.push(complete_answer(answer, LISTS.contains(&&*request.method)));
    }

    /// Passes on a question of the server, as the answer to the one request that can have caused it.
    fn pass_on_question(
        &mut self,
        message: Message,
        id: RequestId,
        method: &str,
        out: &mut Outbox,
    ) {
        if method == "ping" {
            out.to_server.push(Message::result(id, "{}"));
            return;
        }
        let needed = match method {
            "elicitation/create" => "elicitation",
            "sampling/createMessage" => "sampling",
            "roots/list" => "roots",
            _ => "",
        };
        self.end_old_questions(out);
        // A call whose client was asked waits for it, and the server for that.
        let may_ask = |it: &LegacyRequest| ASKING.contains(&&*it.method) && it.asked.is_none();
        let asking = self.requests.iter().filter(|(_, it)| may_ask(it));
        let mut asking: Vec<RequestId> = asking.map(|(id, _)| id.clone()).collect();
        let (Some(server), true) = (asking.pop(), asking.is_empty()) else {
            let why = "it is not known to which request this belongs";
            out.to_server.push(Message::error(id, METHOD_NOT_FOUND, why, None));
            return;
        };
        let Some(request) = self.requests.get_mut(&server) else { return };
        let is_offered = request.canceled.is_none() && request.capabilities.get(needed).is_some();
        if needed.is_empty() || !is_offered {
            let why = "the client does not offer this";
            out.to_server.push(Message::error(id, METHOD_NOT_FOUND, why, None));
            return;
        }
        request.questions.push_back(message);
        if request.asked.is_none() {
            self.ask_next(&server, out);
        }
    }

    /// Gives up calls whose clients were asked something long ago.
    fn end_old_questions(&mut self, out: &mut Outbox) {
        let is_over =
            |it: &LegacyRequest| it.canceled.is_some_and(|time| time.elapsed() > MAX_HELD_TIME);
        self.requests.retain(|_, request| !is_over(request));
        let is_old = |call: &HeldCall| call.since.elapsed() > MAX_HELD_TIME;
        let old: Vec<String> =
            self.held.iter().filter(|(_, it)| is_old(it)).map(|(token, _)| token.clone()).collect();
        for token in old {
            let Some(call) = self.held.remove(&token) else { continue };
            self.requests.remove(&call.server);
            let why = "the user did not answer";
            out.to_server.push(Message::error(call.question, INVALID_PARAMS, why, None));
            let params = json!({"requestId": call.server.to_value()});
            out.to_server.push(Message::notification("notifications/cancelled", Some(&params)));
        }
    }

    /// Forgets a request that did not reach the server.
    pub(super) fn forget_unreached(&mut self, id: &RequestId) -> Option<RequestId> {
        self.held.retain(|_, call| call.server != *id);
        self.requests.remove(id).map(|request| request.client)
    }

    /// Answers the client's request with the next question of the server, if there is one.
    fn ask_next(&mut self, server: &RequestId, out: &mut Outbox) {
        let is_full = self.held.len() >= MAX_HELD;
        let Some(request) = self.requests.get_mut(server) else { return };
        let Some(question) = request.questions.pop_front() else { return };
        let Some(id) = question.id().cloned() else { return };
        let (Some(token), false) = (random::text(), is_full) else {
            let why = "too many questions wait for an answer";
            out.to_server.push(Message::error(id, METHOD_NOT_FOUND, why, None));
            return;
        };
        let mut asked = json!({"method": question.method()});
        if let Some(params) = question.member("params") {
            asked["params"] = params;
        }
        let required = json!({"resultType": "input_required", "requestState": token, "inputRequests": {"input": asked}});
        out.to_client.push(Message::result(request.client.clone(), &required.to_string()));
        request.asked = Some(id.clone());
        let (call, since) = (request.call.clone(), Instant::now());
        self.held.insert(token, HeldCall { server: server.clone(), question: id, call, since });
    }

    fn pass_on_notification(&mut self, message: Message, method: &str, out: &mut Outbox) {
        let params = || message.member("params").unwrap_or(Value::Null);
        let flag = match method {
            "notifications/message" => {
                let level = rank(params()["level"].as_str());
                if self.requests.values().any(|it| it.level.is_some_and(|least| level >= least)) {
                    out.to_client.push(message);
                }
                return;
            }
            // What the client was asked cannot be taken back.
            "notifications/cancelled" | "notifications/elicitation/complete" => return,
            "notifications/tools/list_changed" => "toolsListChanged",
            "notifications/prompts/list_changed" => "promptsListChanged",
            "notifications/resources/list_changed" => "resourcesListChanged",
            "notifications/resources/updated" => "resourceSubscriptions",
            _ => {
                out.to_client.push(message);
                return;
            }
        };
        let params = params();
        for (id, listen) in &self.listens {
            let wanted = &listen.wanted[flag];
            let is_wanted = *wanted == true
                || wanted.as_array().is_some_and(|uris| uris.contains(&params["uri"]));
            if is_wanted {
                let mut params = params.as_object().cloned().unwrap_or_default();
                let meta = params.get("_meta").and_then(Value::as_object);
                let mut meta = meta.cloned().unwrap_or_default();
                meta.insert(META_SUBSCRIPTION.to_owned(), id.to_value());
                params.insert("_meta".to_owned(), Value::Object(meta));
                let params = Value::Object(params);
                out.to_client.push(Message::notification(method, Some(&params)));
            }
        }
    }
}

/// The key of a request: its method and the parameters that the client must repeat.
fn call_of(method: &str, params: &Value) -> String {
    format!("{method}\n{}\n{}\n{}", params["name"], params["uri"], params["arguments"])
}

/// Removes the client's `_meta` keys and the answers to questions from a message.
fn without_meta(message: Message) -> Message {
    let Some(mut params) = message.member("params") else { return message };
    let has_own = |meta: &Value| {
        [META_VERSION, META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL]
            .iter()
            .any(|key| meta.get(*key).is_some())
    };
    if !has_own(&params["_meta"]) {
        return message;
    }
    if let Some(meta) = params["_meta"].as_object_mut() {
        for key in [META_VERSION, META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL] {
            meta.shift_remove(key);
        }
    }
    let meta = params["_meta"].to_string();
    if meta == "{}" {
        message.with_param("_meta", None)
    } else {
        message.with_param("_meta", Some(&meta))
    }
}

/// Adds the members of a complete result to an answer; a list may not be cached.
fn complete_answer(answer: Message, is_list: bool) -> Message {
    let mut members = vec![("resultType", "\"complete\"")];
    if is_list {
        members.extend([("ttlMs", "0"), ("cacheScope", "\"private\"")]);
    }
    answer.with_result_members(&members)
}
