//! One session: a client, a server, and the rules between them.
//!
//! The loop of a session never waits for one side alone: what is to be sent waits in a queue for each side, and while a queue is long
//! nothing more is read of the side that fills it.

mod approvals;
mod calls;
mod opening;
mod relay;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::gateway::bridge::Bridge;
use crate::gateway::link::{FromServer, Link};
use crate::gateway::ruling_queue::{RuledCall, Ruling};
use crate::gateway::session::approvals::Approvals;
use crate::gateway::session::calls::{CallUnderway, OwnAnswered, UndecidedCall};
use crate::gateway::session::opening::open;
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::{Message, MessageKind, MessageRefusal, RequestId, SERVER_ERROR};

/// Messages that wait for one side before nothing more is read of the other.
const MAX_WAITING: usize = 64;

/// Answers that a client has not read before nothing more is read of it.
const MAX_UNREAD: usize = 2048;

/// Time that a client which ended its input waits for the answers under way, if it still reads.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(30);

/// Time that a client has to read the last answers.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(2);

/// The two directions of a client.
pub(super) struct ClientPort {
    pub(super) incoming: mpsc::Receiver<FromClient>,
    pub(super) outgoing: mpsc::Sender<Message>,
}

/// Input of a client: a message, or a text that was refused because it is not one.
pub(super) enum FromClient {
    /// A message, with all of it as JSON.
    Message(Message, Value),
    /// What was not a message, with the answer.
    Refused(MessageRefusal),
}

/// A request of the client that was not answered yet.
enum PendingRequest {
    /// A call that is not ruled on yet, or that waits for the user.
    Undecided(u64),
    Call(CallUnderway),
    ToolList,
    /// The first request of the client: the handshake, or its replacement in the protocol without
    /// one.
    Opening,
    /// A subscription to changes of the list of tools.
    ToolSubscription,
    Other,
}

/// A session under way.
struct Session {
    gateway: Arc<Gateway>,
    caller: Arc<Caller>,
    link: Link,
    bridge: Bridge,
    /// What waits to be sent to the client and to the server.
    to_client: VecDeque<Message>,
    to_server: VecDeque<Message>,
    pending: BTreeMap<RequestId, PendingRequest>,
    /// Requests that the client took back, which the server may answer all the same.
    canceled: BTreeMap<RequestId, Instant>,
    /// Requests of the server that the client has not answered.
    asked: BTreeSet<RequestId>,
    approvals: Approvals,
    rulings: mpsc::UnboundedSender<RuledCall>,
    ruled: mpsc::UnboundedReceiver<RuledCall>,
    own_answers: mpsc::UnboundedSender<OwnAnswered>,
    /// Calls that wait for a ruling, by ticket.
    undecided: BTreeMap<u64, UndecidedCall>,
    last_ticket: u64,
    /// What the client can do, as it said in its handshake.
    capabilities: Value,
    /// Whether there was a handshake, or a request of a client that makes none.
    has_era: bool,
    /// Whether the server tells clients with a handshake of changes of its tools.
    tells_of_tools: bool,
}

/// The reason why a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    Client,
    Server(String),
}

/// Serves one client until it or the server ends. The caller's name of the client is filled in from what the client says.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    caller: Caller,
    mut client: ClientPort,
) -> SessionEnd {
    let (own_answers, mut answered_here) = mpsc::unbounded_channel();
    let mut session = match open(gateway, caller, &mut client, own_answers).await {
        Ok(session) => session,
        Err(end) => return end,
    };
    let mut edits = session.gateway.edits.subscribe();
    let (client_sender, server_sender) = (client.outgoing.clone(), session.link.outgoing.clone());
    // Set when the client has ended its input.
    let mut closing: Option<Instant> = None;
    let end = loop {
        if closing.is_some() && session.pending.is_empty() {
            break SessionEnd::Client;
        }
        let reads_server = session.to_client.len() < MAX_WAITING;
        let reads_client =
            session.to_server.len() < MAX_WAITING && session.to_client.len() < MAX_UNREAD;
        tokio::select! {
            permit = client_sender.reserve(), if !session.to_client.is_empty() => {
                let Ok(permit) = permit else { break SessionEnd::Client };
                if let Some(message) = session.to_client.pop_front() {
                    permit.send(message);
                }
            }
            permit = server_sender.reserve(), if !session.to_server.is_empty() => {
                match (permit, session.to_server.pop_front()) {
                    (Ok(permit), Some(message)) => permit.send(message),
                    // A server that is gone is noticed by what comes from it.
                    _ => session.to_server.clear(),
                }
            }
            Some(ruling) = session.ruled.recv() => session.take_ruling(ruling),
            Some(answer) = answered_here.recv() => session.send_own_answer(answer),
            from = session.link.incoming.recv(), if reads_server => {
                let from = from.unwrap_or_else(|| FromServer::Ended("the server ended".to_owned()));
                if let Err(end) = session.take_from_link(from) {
                    break end;
                }
            }
            from = client.incoming.recv(), if reads_client && closing.is_none() => match from {
                Some(FromClient::Message(message, whole)) => session.take_from_client(message, &whole),
                Some(FromClient::Refused(refusal)) => {
                    session.gateway.rulings.note_refusal(&session.caller, &refusal.why);
                    session.say(Message::refusal(&refusal));
                }
                None => closing = Some(Instant::now() + MAX_ANSWER_TIME),
            },
            () = sleep_until(closing) => break SessionEnd::Client,
            () = client_sender.closed() => break SessionEnd::Client,
            Ok(()) = edits.changed() => session.tell_of_tools(),
            () = session.approvals.wait_for_expiry() => session.decline_expired(),
        }
    };
    let why = match &end {
        SessionEnd::Server(why) => why.as_str(),
        SessionEnd::Client => "the client ended",
    };
    session.end_requests(why);
    // A client that does not read is not waited for.
    let last_words = async {
        for message in session.to_client.drain(..) {
            if client_sender.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(MAX_DRAIN_TIME, last_words).await.unwrap_or_default();
    end
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Drop for Session {
    /// Notes what is under way where the task of the session is dropped.
    fn drop(&mut self) {
        self.end_requests("the session ended");
    }
}

impl Session {
    /// Answers what is under way when the session ends, and notes calls. What did not reach the server takes nothing of limits.
    fn end_requests(&mut self, why: &str) {
        self.ruled.close();
        while let Ok(ruled) = self.ruled.try_recv() {
            if let (Ruling::Forward(reserved), Some(call)) =
                (ruled.ruling, self.undecided.remove(&ruled.ticket))
            {
                self.note(&CallUnderway::new(ruled.number, &call), "canceled", 0, true);
                self.gateway.rulings.give_back(reserved);
            }
        }
        for message in std::mem::take(&mut self.to_server) {
            let MessageKind::Request { id, .. } = &message.kind else { continue };
            let Some(id) = self.bridge.forget_unreached(id) else { continue };
            if let Some(PendingRequest::Call(call)) = self.pending.get_mut(&id) {
                let reserved = std::mem::take(&mut call.reserved);
                call.is_unreached = true;
                self.gateway.rulings.give_back(reserved);
            }
        }
        for (id, pending) in std::mem::take(&mut self.pending) {
            if let PendingRequest::Call(call) = &pending {
                let upstream = if call.is_unreached { "unreached" } else { "ended" };
                self.note(call, upstream, 0, true);
            }
            let why = format!("{why} before it answered");
            self.say(Message::error(id, SERVER_ERROR, &why, None));
        }
    }
}
