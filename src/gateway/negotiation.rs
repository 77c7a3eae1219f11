//! The first exchange with a server, which finds out the era of its protocol.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::gateway::OperatorMessages;
use crate::gateway::bridge::{Bridge, LegacyServer, ModernServer};
use crate::gateway::era::{
    LEGACY, UNSUPPORTED_VERSION, client_meta, is_modern, is_of_modern_server, version_of,
};
use crate::gateway::link::{FromServer, Link};
use crate::gateway::random::OwnIds;
use crate::gateway::upstream::Upstream;
use crate::jsonrpc::{INVALID_PARAMS, METHOD_NOT_FOUND, Message, MessageKind, RequestId};

/// Time after which a server that does not answer `server/discover` is taken for one that knows only handshakes. Clients wait for
/// ten seconds.
const MAX_PROBE_TIME: Duration = Duration::from_secs(4);

/// Time in which a server must have answered a handshake.
const MAX_HANDSHAKE_TIME: Duration = Duration::from_secs(60);

/// A connection whose sides understand each other.
pub(super) struct Negotiated {
    pub(super) link: Link,
    pub(super) bridge: Bridge,
    /// Messages of the server for the client that came during the negotiation.
    pub(super) to_client: Vec<Message>,
    /// The first message of the client, if it is to be handled like those that follow.
    pub(super) first: Option<Message>,
}

/// Connects to the server for a client whose first message this is.
///
/// # Errors
///
/// Fails with a sentence if the server cannot be reached or does not speak the protocol.
pub(super) async fn negotiate(
    upstream: &Upstream,
    complain: &OperatorMessages,
    first: Message,
    params: &Value,
) -> Result<Negotiated, String> {
    let opening = Opening { upstream, complain, ids: OwnIds::default() };
    match first.method() {
        Some("initialize") => opening.with_handshake(first, params).await,
        Some(_) if version_of(params).is_some_and(is_modern) => {
            opening.without_handshake(first, params).await
        }
        // Servers may answer some requests before a handshake.
        _ => {
            let link = upstream.connect(complain)?;
            let (bridge, to_client) = (Bridge::Direct, Vec::new());
            Ok(Negotiated { link, bridge, to_client, first: Some(first) })
        }
    }
}

struct Opening<'a> {
    upstream: &'a Upstream,
    complain: &'a OperatorMessages,
    ids: OwnIds,
}

impl Opening<'_> {
    async fn with_handshake(
        mut self,
        first: Message,
        params: &Value,
    ) -> Result<Negotiated, String> {
        let mut link = self.upstream.connect(self.complain)?;
        let mut to_client = Vec::new();
        let answer = ask(&mut link, first.clone(), MAX_HANDSHAKE_TIME, &mut to_client).await?;
        let answer = answer.ok_or("the server does not answer initialize")?;
        let code = answer.member("error").and_then(|error| error["code"].as_i64());
        let knows_no_handshake = code.is_some_and(|code| {
            [UNSUPPORTED_VERSION, METHOD_NOT_FOUND, INVALID_PARAMS].map(i64::from).contains(&code)
        });
        if knows_no_handshake {
            let meta = client_meta(&params["capabilities"], &params["clientInfo"]);
            if let Some(discovered) = self.discover(&mut link, meta).await? {
                let server = ModernServer::new(discovered, params);
                let id = first.id().cloned().unwrap_or_else(|| self.ids.next_id());
                let answer = Message::result(id, &server.initialized(params).to_string());
                let bridge = Bridge::ModernServer(Box::new(server));
                return Ok(Negotiated { link, bridge, to_client: vec![answer], first: None });
            }
        }
        to_client.push(answer);
        Ok(Negotiated { link, bridge: Bridge::Direct, to_client, first: None })
    }

    async fn without_handshake(
        mut self,
        first: Message,
        params: &Value,
    ) -> Result<Negotiated, String> {
        let mut link = self.upstream.connect(self.complain)?;
        let mut to_client = Vec::new();
        let is_discover = first.method() == Some("server/discover");
        let probe = if is_discover {
            first.clone()
        } else {
            let params = json!({"_meta": params["_meta"]});
            Message::request(self.ids.next_id(), "server/discover", &params)
        };
        let answer = ask(&mut link, probe, MAX_PROBE_TIME, &mut to_client).await;
        let is_over = answer.is_err();
        if let Ok(Some(answer)) = answer {
            let whole: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            if is_of_modern_server(&whole) {
                let bridge = Bridge::Direct;
                if is_discover {
                    to_client.push(answer);
                    return Ok(Negotiated { link, bridge, to_client, first: None });
                }
                return Ok(Negotiated { link, bridge, to_client, first: Some(first) });
            }
        }
        if is_over {
            // Some servers end when the first request is not a handshake.
            link = self.upstream.connect(self.complain)?;
        }
        // What was said before a handshake is not for this client.
        let mut ignored = Vec::new();
        let handshake = LegacyServer::handshake(params, LEGACY[3]);
        let request = Message::request(self.ids.next_id(), "initialize", &handshake);
        let answer = ask(&mut link, request, MAX_HANDSHAKE_TIME, &mut ignored).await?;
        let whole =
            answer.map(|answer| serde_json::from_str::<Value>(&answer.text).unwrap_or_default());
        let whole = whole.ok_or("the server answers neither server/discover nor initialize")?;
        if is_of_modern_server(&whole) {
            // It knows no handshakes, and was only slow: what it answered first is gone, so that it is asked again.
            let bridge = Bridge::Direct;
            return Ok(Negotiated { link, bridge, to_client, first: Some(first) });
        }
        let initialized = whole.get("result").cloned();
        let initialized =
            initialized.ok_or("the server answers neither server/discover nor initialize")?;
        let mut server = LegacyServer::new(initialized);
        for message in server.after_handshake() {
            link.outgoing.send(message).await.map_err(|_| "the server ended".to_owned())?;
        }
        let bridge = Bridge::LegacyServer(Box::new(server));
        Ok(Negotiated { link, bridge, to_client: Vec::new(), first: Some(first) })
    }

    /// Asks the server for its description by `server/discover`; `None` if it only knows handshakes.
    async fn discover(
        &mut self,
        link: &mut Link,
        meta: Map<String, Value>,
    ) -> Result<Option<Value>, String> {
        let params = json!({"_meta": meta});
        let mut ignored = Vec::new();
        let request = Message::request(self.ids.next_id(), "server/discover", &params);
        let answer = ask(link, request, MAX_PROBE_TIME, &mut ignored).await?;
        let result = answer.and_then(|answer| answer.member("result"));
        Ok(result.filter(|result| is_of_modern_server(&json!({"result": result}))))
    }
}

/// Sends a request and waits for its answer; `None` if it does not come in time. Other messages are kept for the client, and pings
/// are answered.
async fn ask(
    link: &mut Link,
    request: Message,
    most: Duration,
    others: &mut Vec<Message>,
) -> Result<Option<Message>, String> {
    let ended = || "the server ended".to_owned();
    let asked: Option<RequestId> = request.id().cloned();
    link.outgoing.send(request).await.map_err(|_| ended())?;
    let answer = tokio::time::timeout(most, async {
        loop {
            match link.incoming.recv().await.ok_or_else(ended)? {
                FromServer::Ended(why) | FromServer::Unreached(_, why) => return Err(why),
                FromServer::Message(message) => match &message.kind {
                    MessageKind::Response { id, .. } if Some(id) == asked.as_ref() => {
                        return Ok(message);
                    }
                    MessageKind::Request { id, method } if method == "ping" => {
                        let pong = Message::result(id.clone(), "{}");
                        link.outgoing.send(pong).await.map_err(|_| ended())?;
                    }
                    MessageKind::Notification { .. } if others.len() < 64 => others.push(message),
                    _ => {}
                },
            }
        }
    });
    match answer.await {
        Ok(answer) => answer.map(Some),
        Err(_) => Ok(None),
    }
}
