//! A server that knows no handshake, for a client that made one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::gateway::bridge::Outbox;
use crate::gateway::era::{LEGACY, META_LOG_LEVEL, META_SERVER, META_SUBSCRIPTION, client_meta};
use crate::gateway::random::{self, OwnIds};
use crate::jsonrpc::{
    INVALID_PARAMS, INVALID_REQUEST, Message, MessageKind, RequestId, replace_members,
};

/// The most rounds of questions for one request.
const MAX_ROUNDS: u32 = 10;

/// The most resources that are subscribed to at once.
const MAX_SUBSCRIPTIONS: usize = 256;

/// A server without a handshake, translated for a client with one, and its open requests.
pub(in crate::gateway) struct ModernServer {
    /// The server's result of `server/discover`.
    discovered: Value,
    /// The keys of `_meta` that every request has.
    meta: Map<String, Value>,
    /// Requests under way, by their ids at the server.
    requests: BTreeMap<RequestId, ModernRequest>,
    /// The questions that the client has, with the requests that they belong to.
    questions: BTreeMap<RequestId, (RequestId, String)>,
    /// The subscription to all that changes.
    listen: Option<RequestId>,
    uris: BTreeSet<String>,
    own: OwnIds,
}

struct ModernRequest {
    client: RequestId,
    method: String,
    /// The request as it was sent, without an id of the client's choice.
    message: Message,
    rounds: u32,
    state: Option<Value>,
    /// Questions of this round that were not answered yet, and the answers.
    open: usize,
    answers: Map<String, Value>,
}

impl ModernServer {
    /// Creates the translation from the server's result of `server/discover` and the client's parameters of
    /// `initialize`.
    pub(in crate::gateway) fn new(discovered: Value, initialize: &Value) -> Self {
        let mut meta = client_meta(&initialize["capabilities"], &initialize["clientInfo"]);
        // Servers with a handshake send what they have to say until they are told otherwise.
        meta.insert(META_LOG_LEVEL.to_owned(), json!("info"));
        let (requests, questions) = (BTreeMap::new(), BTreeMap::new());
        let uris = BTreeSet::new();
        Self { discovered, meta, requests, questions, listen: None, uris, own: OwnIds::default() }
    }

    /// The answer to `initialize`.
    pub(in crate::gateway) fn initialized(&self, asked: &Value) -> Value {
        let asked = asked["protocolVersion"].as_str();
        let version = asked.filter(|version| LEGACY.contains(version)).unwrap_or(LEGACY[3]);
        let mut capabilities = self.discovered["capabilities"].clone();
        if let Some(capabilities) = capabilities.as_object_mut() {
            capabilities.shift_remove("extensions");
            capabilities.insert("logging".to_owned(), json!({}));
        }
        let server = self.discovered["_meta"].get(META_SERVER).cloned();
        let server = server.unwrap_or_else(|| json!({"name": "unknown", "version": ""}));
        let mut answer =
            json!({"protocolVersion": version, "capabilities": capabilities, "serverInfo": server});
        if let Some(instructions) = self.discovered.get("instructions") {
            answer["instructions"] = instructions.clone();
        }
        answer
    }

    pub(super) fn take_from_client(&mut self, message: Message, params: &Value) -> Outbox {
        let mut out = Outbox::default();
        match message.kind.clone() {
            MessageKind::Request { id, method } => {
                self.request(message, id, &method, params, &mut out)
            }
            MessageKind::Notification { method } => match &*method {
                "notifications/initialized" => self.listen_anew(&mut out),
                "notifications/cancelled" => self.cancel(params, &mut out),
                // There are no others without a handshake.
                _ => {}
            },
            MessageKind::Response { id, .. } => self.take_answer(&message, &id, &mut out),
        }
        out
    }

    fn request(
        &mut self,
        message: Message,
        id: RequestId,
        method: &str,
        params: &Value,
        out: &mut Outbox,
    ) {
        let done = |id| Message::result(id, "{}");
        match method {
            "ping" => out.to_client.push(done(id)),
            "logging/setLevel" => {
                self.meta.insert(META_LOG_LEVEL.to_owned(), params["level"].clone());
                out.to_client.push(done(id));
            }
            "resources/subscribe" | "resources/unsubscribe" => {
                let uri = params["uri"].as_str().unwrap_or_default().to_owned();
                if method == "resources/unsubscribe" {
                    self.uris.remove(&uri);
                } else if self.uris.len() < MAX_SUBSCRIPTIONS {
                    self.uris.insert(uri);
                } else {
                    let why = "there are too many subscriptions";
                    out.to_client.push(Message::error(id, INVALID_PARAMS, why, None));
                    return;
                }
                out.to_client.push(done(id));
                self.listen_anew(out);
            }
            _ => {
                let message = self.with_meta(message);
                let (client, method) = (id.clone(), method.to_owned());
                let request = ModernRequest {
                    client,
                    method,
                    message: message.clone(),
                    rounds: 0,
                    state: None,
                    open: 0,
                    answers: Map::new(),
                };
                self.requests.insert(id, request);
                out.to_server.push(message);
            }
        }
    }

    /// A request with what every request without a handshake has.
    fn with_meta(&self, message: Message) -> Message {
        let params = message.raw_member("params").unwrap_or("{}").to_owned();
        let meta = message.member("params").and_then(|params| params["_meta"].as_object().cloned());
        let mut meta = meta.unwrap_or_default();
        meta.extend(self.meta.clone());
        let meta = Value::Object(meta).to_string();
        match replace_members(&params, &[("_meta", Some(&meta))]) {
            Some(params) => message.with_member("params", &params),
            None => message,
        }
    }

    /// Replaces the subscription by one to what is wanted now.
    fn listen_anew(&mut self, out: &mut Outbox) {
        if let Some(id) = self.listen.take() {
            let params = json!({"requestId": id.to_value()});
            out.to_server.push(Message::notification("notifications/cancelled", Some(&params)));
        }
        let capabilities = &self.discovered["capabilities"];
        let mut wanted = Map::new();
        for (flag, of) in [
            ("toolsListChanged", "tools"),
            ("promptsListChanged", "prompts"),
            ("resourcesListChanged", "resources"),
        ] {
            if capabilities[of]["listChanged"] == true {
                wanted.insert(flag.to_owned(), json!(true));
            }
        }
        if !self.uris.is_empty() {
            wanted.insert("resourceSubscriptions".to_owned(), json!(self.uris));
        }
        if wanted.is_empty() {
            return;
        }
        let id = self.own.next_id();
        let params = json!({"_meta": self.meta, "notifications": wanted});
        out.to_server.push(Message::request(id.clone(), "subscriptions/listen", &params));
        self.listen = Some(id);
    }

    fn cancel(&mut self, params: &Value, out: &mut Outbox) {
        let Some(client) = RequestId::of(&params["requestId"]) else { return };
        let found = self.requests.iter().find(|(_, request)| request.client == client);
        let Some(server) = found.map(|(server, _)| server.clone()) else { return };
        self.requests.remove(&server);
        self.questions.retain(|_, (of, _)| *of != server);
        let params = json!({"requestId": server.to_value()});
        out.to_server.push(Message::notification("notifications/cancelled", Some(&params)));
    }

    pub(super) fn take_from_server(&mut self, message: Message) -> Outbox {
        let mut out = Outbox::default();
        match message.kind.clone() {
            MessageKind::Response { id, .. } => self.answer(message, &id, &mut out),
            MessageKind::Request { id, .. } => {
                let why = "a server without a handshake asks nothing";
                out.to_server.push(Message::error(id, INVALID_REQUEST, why, None));
            }
            MessageKind::Notification { method } => match &*method {
                "notifications/subscriptions/acknowledged" | "notifications/cancelled" => {}
                _ => out.to_client.push(without_subscription(message)),
            },
        }
        out
    }

    fn answer(&mut self, message: Message, id: &RequestId, out: &mut Outbox) {
        let Some(request) = self.requests.get_mut(id) else { return };
        // Answers are large, and few ask something.
        let asks = message.text.contains("input_required");
        let result = if asks { message.member("result").unwrap_or_default() } else { Value::Null };
        if result["resultType"] == "input_required" {
            let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
            request.rounds += 1;
            let has_state = result.get("requestState").is_some();
            if request.rounds > MAX_ROUNDS || (questions.is_empty() && !has_state) {
                let why = "the server asks the client for something over and over";
                self.end(id, |client| Message::error(client, INVALID_REQUEST, why, None), out);
                return;
            }
            request.state = result.get("requestState").cloned();
            request.open = questions.len();
            request.answers.clear();
            if questions.is_empty() {
                return self.send_again(id, out);
            }
            for (key, question) in questions {
                self.ask(id, key, &question, out);
            }
            return;
        }
        let is_tool_list = request.method == "tools/list";
        let message =
            if is_tool_list { with_object_schemas(message) } else { with_object_content(message) };
        self.end(id, |client| message.with_id(client), out);
    }

    fn end(&mut self, id: &RequestId, answer: impl FnOnce(RequestId) -> Message, out: &mut Outbox) {
        if let Some(request) = self.requests.remove(id) {
            self.questions.retain(|_, (of, _)| of != id);
            out.to_client.push(answer(request.client));
        }
    }

    fn ask(&mut self, request: &RequestId, key: String, question: &Value, out: &mut Outbox) {
        let Some(id) = random::text().map(|text| RequestId::of_text(&text)) else { return };
        let mut params = question["params"].as_object().cloned().unwrap_or_default();
        if params.get("mode").is_some_and(|mode| mode == "url") {
            params.entry("elicitationId").or_insert_with(|| id.to_value());
        }
        let method = question["method"].as_str().unwrap_or_default();
        out.to_client.push(Message::request(id.clone(), method, &Value::Object(params)));
        self.questions.insert(id, (request.clone(), key));
    }

    /// Takes the client's answer to a question. When all are there, the request is sent again with them.
    fn take_answer(&mut self, message: &Message, question: &RequestId, out: &mut Outbox) {
        let Some((id, key)) = self.questions.remove(question) else { return };
        let Some(answer) = message.member("result") else {
            // The server cannot be told of an error.
            let error = message.raw_member("error").unwrap_or("{}").to_owned();
            let failed = |client| {
                Message::error(client, INVALID_REQUEST, "", None).with_member("error", &error)
            };
            self.end(&id, failed, out);
            return;
        };
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.answers.insert(key, answer);
        request.open = request.open.saturating_sub(1);
        if request.open > 0 {
            return;
        }
        self.send_again(&id, out);
    }

    /// Forgets a request that did not reach the server.
    pub(super) fn forget_unreached(&mut self, id: &RequestId) -> Option<RequestId> {
        self.questions.retain(|_, (of, _)| of != id);
        self.requests.remove(id).map(|request| request.client)
    }

    /// Sends a request again, with the answers of the client and the state of the server.
    fn send_again(&mut self, id: &RequestId, out: &mut Outbox) {
        let Some(mut request) = self.requests.remove(id) else { return };
        let answers = Value::Object(std::mem::take(&mut request.answers)).to_string();
        let state = request.state.take().map(|state| state.to_string());
        let new = self.own.next_id();
        let params = request.message.raw_member("params").unwrap_or("{}");
        let answers = (answers != "{}").then_some(&*answers);
        let members = [("inputResponses", answers), ("requestState", state.as_deref())];
        let params = replace_members(params, &members).unwrap_or_else(|| params.to_owned());
        let again = request.message.clone().with_id(new.clone()).with_member("params", &params);
        out.to_server.push(again);
        self.requests.insert(new, request);
    }
}

/// Removes the id of the subscription from a notification.
fn without_subscription(message: Message) -> Message {
    if !message.text.contains(META_SUBSCRIPTION) {
        return message;
    }
    let Some(Value::Object(mut params)) = message.member("params") else { return message };
    if let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) {
        meta.shift_remove(META_SUBSCRIPTION);
        if meta.is_empty() {
            params.shift_remove("_meta");
        }
    }
    let method = message.method().unwrap_or_default();
    Message::notification(method, (!params.is_empty()).then_some(&Value::Object(params)))
}

/// Removes output schemas other than objects from a list of tools, since clients with a handshake refuse them.
fn with_object_schemas(message: Message) -> Message {
    let Some(mut result) = message.member("result") else { return message };
    let mut is_changed = false;
    let tools = result.get_mut("tools").and_then(Value::as_array_mut);
    for tool in tools.into_iter().flatten() {
        let Some(tool) = tool.as_object_mut() else { continue };
        if tool.get("outputSchema").is_some_and(|schema| schema["type"] != "object") {
            tool.shift_remove("outputSchema");
            is_changed = true;
        }
    }
    if is_changed { message.with_member("result", &result.to_string()) } else { message }
}

/// Replaces structured content that is not an object by text, unless the answer already has that text.
fn with_object_content(message: Message) -> Message {
    let structured = message.raw_member("result").and_then(|result| {
        let result: BTreeMap<String, &serde_json::value::RawValue> =
            serde_json::from_str(result).ok()?;
        let content = result.get("structuredContent")?.get();
        (!content.starts_with('{')).then(|| content.to_owned())
    });
    let Some(structured) = structured else { return message };
    let Some(mut result) = message.member("result") else { return message };
    if let Some(object) = result.as_object_mut() {
        object.shift_remove("structuredContent");
    }
    let text = json!({"type": "text", "text": structured});
    if let Some(content) = result.get_mut("content").and_then(Value::as_array_mut)
        && !content.contains(&text)
    {
        content.insert(0, text);
    }
    message.with_member("result", &result.to_string())
}
