//! Questions to the user about calls, and the answers.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::flow::text;
use crate::gateway::random;
use crate::gateway::session::Session;
use crate::gateway::session::calls::UndecidedCall;
use crate::gateway::tool_call::{Approval, Continuation};
use crate::jsonrpc::{Message, RequestId};

/// Time for which a question can be answered.
const MAX_APPROVAL_TIME: Duration = Duration::from_secs(5 * 60);

/// How often one call may be passed on because the server wants it to be repeated.
const MAX_ROUNDS: u32 = 10;

/// The most questions, and the most calls that go on, that are held. The oldest are dropped first.
const MAX_HELD: usize = 256;

/// The most arguments that a question shows, and the most bytes of each.
const MAX_SHOWN: usize = 30;
const MAX_SHOWN_BYTES: usize = 300;

/// The key of the question among what is asked of a client without a handshake.
const APPROVAL: &str = "approval";

/// Questions that wait for an answer.
#[derive(Default)]
pub(super) struct Approvals {
    /// Calls whose client was sent a request, by its id.
    asked: BTreeMap<RequestId, AskedCall>,
    /// Calls whose client must call again, by the state that it must have then.
    awaited: BTreeMap<String, AwaitedCall>,
    /// Calls that were ruled on and that the server wants to be repeated.
    continued: Vec<ContinuedCall>,
}

struct ContinuedCall {
    /// The state of the server.
    state: String,
    call: String,
    until: Instant,
    continuation: Continuation,
}

struct AskedCall {
    ticket: u64,
    request: RequestId,
    until: Instant,
}

struct AwaitedCall {
    /// Tool and arguments: an approval is valid for exactly one call.
    call: String,
    until: Instant,
}

impl Approvals {
    /// True if an id is that of a question to the client.
    pub(super) fn is_about(&self, id: &RequestId) -> bool {
        self.asked.contains_key(id)
    }

    /// Drops the question about a request that was taken back; false if there is none.
    pub(super) fn forget(&mut self, request: &RequestId) -> bool {
        let before = self.asked.len();
        self.asked.retain(|_, asked| asked.request != *request);
        self.asked.len() < before
    }

    /// Waits until a question is too old.
    pub(super) async fn wait_for_expiry(&self) {
        match self.asked.values().map(|asked| asked.until).min() {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the approval that a client sends with a call, and returns its state. Each question can be answered once.
    pub(super) fn take_approval(
        &mut self,
        call: &str,
        params: &Value,
    ) -> (Approval, Option<Continuation>) {
        let Some(state) = params["requestState"].as_str() else {
            return (Approval::NotAsked, None);
        };
        let now = Instant::now();
        self.continued.retain(|continued| continued.until > now);
        if let Some(at) = self.continued.iter().position(|it| it.state == state && it.call == call)
        {
            let continuation = self.continued.remove(at).continuation;
            let approval = if continuation.approved {
                Approval::ContinuesApproved
            } else {
                Approval::Continues
            };
            return (approval, Some(continuation));
        }
        let Some(awaited) = self.awaited.remove(state) else { return (Approval::NotAsked, None) };
        let is_answer = awaited.call == call && awaited.until > now;
        if is_answer && params["inputResponses"][APPROVAL]["action"] == "accept" {
            (Approval::Approved, None)
        } else {
            (Approval::Declined, None)
        }
    }

    /// Remembers that the server wants a call, which was ruled on, to be repeated with a state. After many rounds it is a new call,
    /// which counts.
    pub(super) fn remember_continuation(
        &mut self,
        state: &str,
        call: String,
        continuation: Continuation,
    ) {
        if continuation.rounds >= MAX_ROUNDS {
            return;
        }
        if self.continued.len() >= MAX_HELD {
            self.continued.remove(0);
        }
        let until = Instant::now() + MAX_APPROVAL_TIME;
        self.continued.push(ContinuedCall { state: state.to_owned(), call, until, continuation });
    }

    /// The answer to a call by which the client is told to ask the user and to call again.
    fn required(&mut self, call: String, question: &Value) -> Option<String> {
        let now = Instant::now();
        self.awaited.retain(|_, awaited| awaited.until > now);
        if self.awaited.len() >= MAX_HELD {
            let oldest = self.awaited.iter().min_by_key(|(_, awaited)| awaited.until);
            let oldest = oldest.map(|(state, _)| state.clone())?;
            self.awaited.remove(&oldest);
        }
        let state = random::text()?;
        let asked = json!({"method": "elicitation/create", "params": question});
        let required = json!({"resultType": "input_required", "requestState": state, "inputRequests": {APPROVAL: asked}});
        self.awaited.insert(state, AwaitedCall { call, until: now + MAX_APPROVAL_TIME });
        Some(required.to_string())
    }
}

/// The arguments of a call as the user is shown them: all of them, each shortened, so that none hides another.
fn shown_arguments(arguments: &str) -> String {
    let all: IndexMap<String, &RawValue> = serde_json::from_str(arguments).unwrap_or_default();
    let shown = all.iter().take(MAX_SHOWN).map(|(name, value)| {
        let name = text::shortened(name.as_bytes(), MAX_SHOWN_BYTES);
        let shown = text::shortened(value.get().as_bytes(), MAX_SHOWN_BYTES);
        let cut = value.get().len().saturating_sub(MAX_SHOWN_BYTES);
        let cut = if cut > 0 { format!(" (and {cut} bytes more)") } else { String::new() };
        format!("{}:{shown}{cut}", Value::from(&*name))
    });
    let shown: Vec<String> = shown.collect();
    let more = all.len().saturating_sub(MAX_SHOWN);
    let more = if more > 0 { format!(" and {more} arguments more") } else { String::new() };
    format!("{{{}}}{more}", shown.join(","))
}

impl Session {
    /// Asks the user about a call.
    pub(super) fn ask_user(&mut self, ticket: u64, call: UndecidedCall, reason: Option<String>) {
        let arguments = shown_arguments(&call.raw_arguments());
        let reason = reason.map(|it| format!(" The operator says: {it}")).unwrap_or_default();
        let tool = text::printable(call.call.tool.as_bytes());
        let message = format!("Allow one call of {tool} with the arguments {arguments}?{reason}");
        let mut question =
            json!({"message": message, "requestedSchema": {"type": "object", "properties": {}}});
        let elicitation = self.capabilities_of(&call.params).get("elicitation");
        let can_ask =
            elicitation.is_some_and(|it| it.get("form").is_some() || it.get("url").is_none());
        if !can_ask {
            self.submit(call, Approval::Unavailable);
            return;
        }
        if call.is_modern {
            question["mode"] = json!("form");
            match self.approvals.required(call.key(), &question) {
                Some(required) => {
                    self.pending.remove(&call.id);
                    self.say(Message::result(call.id, &required));
                }
                None => self.submit(call, Approval::Unavailable),
            }
            return;
        }
        let Some(id) = random::text().map(|text| RequestId::of_text(&text)) else {
            return self.submit(call, Approval::Unavailable);
        };
        let until = Instant::now() + MAX_APPROVAL_TIME;
        let asked = AskedCall { ticket, request: call.id.clone(), until };
        self.approvals.asked.insert(id.clone(), asked);
        self.undecided.insert(ticket, call);
        self.say(Message::request(id, "elicitation/create", &question));
    }

    /// Takes the answer of the user.
    pub(super) fn take_user_answer(&mut self, id: &RequestId, result: &Value) {
        let Some(asked) = self.approvals.asked.remove(id) else { return };
        let Some(call) = self.undecided.remove(&asked.ticket) else { return };
        let is_accepted = result["action"] == "accept";
        self.submit(call, if is_accepted { Approval::Approved } else { Approval::Declined });
    }

    /// Declines the calls whose questions are too old.
    pub(super) fn decline_expired(&mut self) {
        let now = Instant::now();
        let over = self.approvals.asked.iter().filter(|(_, asked)| asked.until <= now);
        let over: Vec<RequestId> = over.map(|(id, _)| id.clone()).collect();
        for id in over {
            self.take_user_answer(&id, &Value::Null);
        }
    }
}
