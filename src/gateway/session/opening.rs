//! The beginning of a session: from the first request of a client to a server that understands it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::gateway::Gateway;
use crate::gateway::era::{META_CLIENT, is_modern, version_of};
use crate::gateway::negotiation::{Negotiated, negotiate};
use crate::gateway::session::approvals::Approvals;
use crate::gateway::session::calls::OwnAnswered;
use crate::gateway::session::{
    ClientPort, FromClient, MAX_WAITING, PendingRequest, Session, SessionEnd,
};
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::{Message, MessageKind, SERVER_ERROR};
use crate::policy::shown_identity;

/// Waits for the first request of a client and connects to the server. Fails if either side ends before.
pub(super) async fn open(
    gateway: Arc<Gateway>,
    mut caller: Caller,
    client: &mut ClientPort,
    own_answers: UnboundedSender<OwnAnswered>,
) -> Result<Session, SessionEnd> {
    let (mut first, mut whole) = first_request(&gateway, &caller, client).await?;
    // What the client says in the meantime.
    let mut early = Vec::new();
    let negotiated = loop {
        match connect(&gateway, client, &first, &whole, &mut early).await? {
            Connected::Negotiated(negotiated) => break *negotiated,
            // A client that waited too long for `server/discover` begins anew with a handshake.
            Connected::Handshake(message, new) => (first, whole) = (message, new),
        }
    };
    let params = &whole["params"];
    let name = params["clientInfo"]["name"].as_str();
    let name = name.or(params["_meta"][META_CLIENT]["name"].as_str());
    caller.client = shown_identity(name.unwrap_or_default());
    let (rulings, ruled) = unbounded_channel();
    let mut session = Session {
        gateway,
        caller: Arc::new(caller),
        link: negotiated.link,
        bridge: negotiated.bridge,
        to_client: VecDeque::new(),
        to_server: VecDeque::new(),
        pending: BTreeMap::new(),
        canceled: BTreeMap::new(),
        asked: BTreeSet::new(),
        approvals: Approvals::default(),
        rulings,
        ruled,
        own_answers,
        undecided: BTreeMap::new(),
        last_ticket: 0,
        capabilities: params["capabilities"].clone(),
        has_era: first.method() == Some("initialize") || version_of(params).is_some_and(is_modern),
        tells_of_tools: false,
    };
    match negotiated.first {
        Some(first) => session.take_from_client(first, &whole),
        None => session.pending.extend(first.id().map(|id| (id.clone(), PendingRequest::Opening))),
    }
    for message in negotiated.to_client {
        session.take_from_server(message);
    }
    for (message, whole) in early {
        session.take_from_client(message, &whole);
    }
    Ok(session)
}

/// The first event of a session.
enum Connected {
    Negotiated(Box<Negotiated>),
    /// Another opening of the client.
    Handshake(Message, Value),
}

async fn connect(
    gateway: &Gateway,
    client: &mut ClientPort,
    first: &Message,
    whole: &Value,
    early: &mut Vec<(Message, Value)>,
) -> Result<Connected, SessionEnd> {
    let params = &whole["params"];
    let negotiation = negotiate(&gateway.upstream, &gateway.complain, first.clone(), params);
    tokio::pin!(negotiation);
    // A client may write all that it asks at once: what it asked before its end is answered.
    let mut has_ended = false;
    let negotiated = loop {
        tokio::select! {
            negotiated = &mut negotiation => break negotiated,
            from = client.incoming.recv(), if !has_ended && early.len() < MAX_WAITING => match from {
                Some(FromClient::Message(message, whole)) => {
                    let is_discover = first.method() == Some("server/discover");
                    if is_discover && message.method() == Some("initialize") {
                        return Ok(Connected::Handshake(message, whole));
                    }
                    early.push((message, whole));
                }
                Some(FromClient::Refused(refusal)) => {
                    client.outgoing.send(Message::refusal(&refusal)).await.unwrap_or_default();
                }
                None => has_ended = true,
            },
            () = client.outgoing.closed() => return Err(SessionEnd::Client),
        }
    };
    match negotiated {
        Ok(negotiated) => Ok(Connected::Negotiated(Box::new(negotiated))),
        Err(why) => {
            if let Some(id) = first.id() {
                let answer = Message::error(id.clone(), SERVER_ERROR, &why, None);
                client.outgoing.send(answer).await.unwrap_or_default();
            }
            Err(SessionEnd::Server(why))
        }
    }
}

/// The first request of a client. What comes before it is answered or ignored, as nothing can be said to a server before it was
/// asked something. Fails if the client ends before.
async fn first_request(
    gateway: &Gateway,
    caller: &Caller,
    client: &mut ClientPort,
) -> Result<(Message, Value), SessionEnd> {
    loop {
        match client.incoming.recv().await.ok_or(SessionEnd::Client)? {
            FromClient::Refused(refusal) => {
                gateway.rulings.note_refusal(caller, &refusal.why);
                let answer = Message::refusal(&refusal);
                client.outgoing.send(answer).await.unwrap_or_default();
            }
            FromClient::Message(message, whole) => {
                if matches!(message.kind, MessageKind::Request { .. }) {
                    return Ok((message, whole));
                }
                gateway.rulings.note_refusal(caller, "a session begins with a request");
            }
        }
    }
}
