//! Calls and lists of tools.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::gateway::era::{is_modern, version_of};
use crate::gateway::own_answers::OwnAnswer;
use crate::gateway::ruling_queue::{RuledCall, Ruling};
use crate::gateway::session::{PendingRequest, Session};
use crate::gateway::store::Reservation;
use crate::gateway::tool_call::{Approval, Continuation, ToolCall};
use crate::gateway::tool_list;
use crate::jsonrpc::{INVALID_PARAMS, Message, RequestId, first_variant, raw_member};

/// The parameters of a call.
const PARAMETERS: [&str; 6] =
    ["name", "arguments", "_meta", "task", "inputResponses", "requestState"];

/// A call that was passed on.
pub(super) struct CallUnderway {
    pub(super) number: u64,
    pub(super) tool: String,
    pub(super) start: Instant,
    pub(super) reserved: Reservation,
    /// If the server may want the call to be repeated: tool and arguments, and how far that has come.
    pub(super) continuation: Option<(String, Continuation)>,
    /// Whether the session ended before the call was sent.
    pub(super) is_unreached: bool,
}

/// A call that waits for a ruling or for the user.
pub(super) struct UndecidedCall {
    pub(super) id: RequestId,
    pub(super) message: Message,
    pub(super) params: Value,
    pub(super) call: ToolCall,
    /// Whether the client made no handshake.
    pub(super) is_modern: bool,
    /// Whether the client took it back.
    pub(super) is_canceled: bool,
    /// How far a call has come that the server wanted to be repeated.
    pub(super) continuation: Option<Continuation>,
}

/// An answer of the gateway itself, from a thread that may wait for the disk.
pub(super) struct OwnAnswered {
    call: UndecidedCall,
    /// `None` if the server must answer.
    answer: Option<OwnAnswer>,
}

impl CallUnderway {
    /// A call that is passed on now.
    pub(super) fn new(number: u64, call: &UndecidedCall) -> Self {
        let tool = call.call.tool.clone();
        Self {
            number,
            tool,
            start: Instant::now(),
            reserved: Vec::new(),
            continuation: None,
            is_unreached: false,
        }
    }
}

impl UndecidedCall {
    /// Tool and arguments as they were written, by which an approval is matched to its call.
    pub(super) fn key(&self) -> String {
        format!("{}\n{}", self.call.tool, self.raw_arguments())
    }

    /// The arguments as they were written: numbers that JSON values do not hold exactly differ only there.
    pub(super) fn raw_arguments(&self) -> String {
        let arguments =
            self.message.raw_member("params").and_then(|params| raw_member(params, "arguments"));
        arguments.unwrap_or("{}").to_owned()
    }
}

impl Session {
    /// Takes a call, which is passed on when it was ruled on.
    pub(super) fn take_call(&mut self, message: Message, id: RequestId, params: &Value) {
        let refused = match (params.as_object(), params["name"].as_str(), &params["arguments"]) {
            (None, _, _) => Some("the parameters of a call are an object"),
            (_, None, _) => Some("a call has the name of a tool"),
            (Some(object), _, _)
                if first_variant(object.keys().map(|key| &**key), &PARAMETERS).is_some() =>
            {
                Some("the name of a parameter differs from a known one only in case or width")
            }
            (_, _, Value::Null | Value::Object(_)) => None,
            _ => Some("the arguments of a call are an object"),
        };
        if let Some(why) = refused {
            self.gateway.rulings.note_refusal(&self.caller, why);
            return self.fail(id, INVALID_PARAMS, why);
        }
        let arguments = match &params["arguments"] {
            Value::Null => json!({}),
            arguments => arguments.clone(),
        };
        let call = ToolCall {
            caller: Arc::clone(&self.caller),
            tool: params["name"].as_str().unwrap_or_default().to_owned(),
            arguments: Arc::new(arguments),
            approval: Approval::NotAsked,
        };
        let is_modern = version_of(params).is_some_and(is_modern);
        let mut call = UndecidedCall {
            id,
            message,
            params: params.clone(),
            call,
            is_modern,
            is_canceled: false,
            continuation: None,
        };
        let (approval, continuation) = self.approvals.take_approval(&call.key(), params);
        call.continuation = continuation;
        if matches!(approval, Approval::Approved | Approval::Declined) {
            // The state and the answer are the gateway's own.
            for name in ["inputResponses", "requestState"] {
                call.message = call.message.with_param(name, None);
                if let Some(params) = call.params.as_object_mut() {
                    params.shift_remove(name);
                }
            }
        }
        self.submit(call, approval);
    }

    /// Asks for a ruling on a call.
    pub(super) fn submit(&mut self, mut call: UndecidedCall, approval: Approval) {
        call.call.approval = approval;
        let ticket = self.next_ticket();
        let asked = call.call.clone();
        self.pending.insert(call.id.clone(), PendingRequest::Undecided(ticket));
        self.undecided.insert(ticket, call);
        self.gateway.rulings.rule(asked, ticket, &self.rulings);
    }

    /// Does what was ruled.
    pub(super) fn take_ruling(&mut self, ruled: RuledCall) {
        let Some(call) = self.undecided.remove(&ruled.ticket) else { return };
        if call.is_canceled {
            if let Ruling::Forward(reserved) = ruled.ruling {
                self.note(&CallUnderway::new(ruled.number, &call), "canceled", 0, false);
                self.gateway.rulings.give_back(reserved);
            }
            return;
        }
        match ruled.ruling {
            Ruling::Forward(reserved) => {
                let mut underway = CallUnderway::new(ruled.number, &call);
                underway.reserved = reserved;
                if self.gateway.answers_itself(&call.call.tool) {
                    self.pending.insert(call.id.clone(), PendingRequest::Call(underway));
                    self.answer_here(call);
                    return;
                }
                underway.continuation = call.is_modern.then(|| {
                    let before = call.continuation.unwrap_or_default();
                    let approved = before.approved || call.call.approval == Approval::Approved;
                    (call.key(), Continuation { rounds: before.rounds + 1, approved })
                });
                self.pending.insert(call.id.clone(), PendingRequest::Call(underway));
                self.forward(call.message, &call.params);
            }
            Ruling::Ask(reason) => self.ask_user(ruled.ticket, call, reason),
            Ruling::Refuse(why) => {
                self.pending.remove(&call.id);
                let mut result =
                    json!({"content": [{"type": "text", "text": why}], "isError": true});
                if call.is_modern {
                    result["resultType"] = json!("complete");
                }
                self.say(Message::result(call.id, &result.to_string()));
            }
            Ruling::Hidden => {
                self.pending.remove(&call.id);
                let why = format!("Unknown tool: {}", call.call.tool);
                self.fail(call.id, INVALID_PARAMS, &why);
            }
        }
    }

    /// Answers a call without the server.
    fn answer_here(&self, call: UndecidedCall) {
        let (gateway, answers) = (Arc::clone(&self.gateway), self.own_answers.clone());
        tokio::task::spawn_blocking(move || {
            let answer = gateway.answer_here(&call.call.tool, &call.call.arguments, call.is_modern);
            answers.send(OwnAnswered { call, answer }).unwrap_or_default();
        });
    }

    /// Gives the client an answer of the gateway itself.
    pub(super) fn send_own_answer(&mut self, answered: OwnAnswered) {
        let OwnAnswered { call, answer } = answered;
        let Some(PendingRequest::Call(underway)) = self.pending.remove(&call.id) else { return };
        let Some(OwnAnswer { result, is_error }) = answer else {
            self.pending.insert(call.id, PendingRequest::Call(underway));
            return self.forward(call.message, &call.params);
        };
        self.note(&underway, "answered_here", result.len(), is_error);
        self.say(Message::result(call.id, &result));
    }

    /// Notes the answer of the server to a call, which is passed on as it is.
    pub(super) fn note_answer(
        &mut self,
        call: &CallUnderway,
        message: Message,
        failed: bool,
    ) -> Message {
        let is_error = failed || is_tool_error(&message);
        let upstream = if failed { "failed" } else { "answered" };
        self.note(call, upstream, message.text.len(), is_error);
        if let Some((key, continuation)) = &call.continuation
            && message.text.contains("input_required")
            && let Some(result) = message.member("result")
            && result["resultType"] == "input_required"
            && let Some(state) = result["requestState"].as_str()
        {
            self.approvals.remember_continuation(state, key.clone(), *continuation);
        }
        message
    }

    /// A list of tools without those that the policy does not list.
    pub(super) fn cut_list(&self, message: Message) -> Message {
        let in_force = self.gateway.rulings.policy();
        let is_listed = |tool: &str| in_force.policy.lists(&self.caller.identity, tool);
        let changed = |tool: &str, listed: &str| self.gateway.listing(tool, listed);
        let list = message
            .raw_member("result")
            .and_then(|it| tool_list::rewrite_tools(it, is_listed, changed));
        self.gateway.remember_tools(&message);
        match list {
            Some(result) => message.with_member("result", &result),
            None => message,
        }
    }
}

/// True if an answer says that the tool failed.
fn is_tool_error(message: &Message) -> bool {
    // Answers are large, and few are errors.
    let mut places = message.text.match_indices("\"isError\"");
    let may_be = places.any(|(at, found)| {
        let rest = message.text[at + found.len()..].trim_start();
        rest.strip_prefix(':').is_some_and(|rest| rest.trim_start().starts_with("true"))
    });
    may_be && message.member("result").is_some_and(|result| result["isError"] == true)
}
