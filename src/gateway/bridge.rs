//! Translation between a client of one era of the protocol and a server of the other. Where both are of one era, nothing is changed.
//!
//! Both translations are state machines without input and output of their own: a message goes in, and the messages that are to be
//! sent to either side come out.

mod legacy_server;
mod modern_server;

use serde_json::Value;

use crate::jsonrpc::{Message, RequestId};

pub(super) use crate::gateway::bridge::legacy_server::LegacyServer;
pub(super) use crate::gateway::bridge::modern_server::ModernServer;

/// Messages to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) to_server: Vec<Message>,
    pub(super) to_client: Vec<Message>,
}

/// Translation of the messages between a client and a server, if they are of different eras.
pub(super) enum Bridge {
    /// Both sides are of one era.
    Direct,
    /// The server needs a handshake, and the client makes none.
    LegacyServer(Box<LegacyServer>),
    /// The client made a handshake, and the server knows none.
    ModernServer(Box<ModernServer>),
}

impl Bridge {
    /// Takes a message of the client with its parameters.
    pub(super) fn take_from_client(&mut self, message: Message, params: &Value) -> Outbox {
        match self {
            Self::Direct => Outbox { to_server: vec![message], to_client: Vec::new() },
            Self::LegacyServer(server) => server.take_from_client(message, params),
            Self::ModernServer(server) => server.take_from_client(message, params),
        }
    }

    /// Takes a message of the server.
    pub(super) fn take_from_server(&mut self, message: Message) -> Outbox {
        match self {
            Self::Direct => Outbox { to_server: Vec::new(), to_client: vec![message] },
            Self::LegacyServer(server) => server.take_from_server(message),
            Self::ModernServer(server) => server.take_from_server(message),
        }
    }

    /// Forgets a request that did not reach the server, and gives the id that the client gave it.
    pub(super) fn forget_unreached(&mut self, id: &RequestId) -> Option<RequestId> {
        match self {
            Self::Direct => Some(id.clone()),
            Self::LegacyServer(server) => server.forget_unreached(id),
            Self::ModernServer(server) => server.forget_unreached(id),
        }
    }
}

#[cfg(test)]
mod tests;
