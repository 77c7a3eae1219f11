//! A call of a tool, and who makes it.

use std::sync::Arc;

use serde_json::Value;

use crate::gateway::random;

/// The caller of a tool: its grant, its name and its session.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The grant, or what the operator named the client; rules are by this name.
    pub(super) identity: String,
    /// The name that the client gives itself, which is only a label.
    pub(super) client: String,
    /// The session, as the log tells sessions apart.
    pub(super) session: String,
}

impl Caller {
    /// A caller in a new session, whose name in the log does not give its id away.
    pub(super) fn new(identity: String) -> Self {
        let session = random::text().unwrap_or_default().chars().take(8).collect();
        Self { identity, client: String::new(), session }
    }
}

/// A call to be ruled on.
#[derive(Clone, Debug)]
pub(super) struct ToolCall {
    pub(super) caller: Arc<Caller>,
    pub(super) tool: String,
    pub(super) arguments: Arc<Value>,
    /// How far the user's approval has come.
    pub(super) approval: Approval,
}

/// The state of the user's approval of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approval {
    /// The user was not asked.
    NotAsked,
    Approved,
    /// The user said no, or did not answer in time.
    Declined,
    /// The client cannot ask its user.
    Unavailable,
    /// The call goes on with one that was counted.
    Continues,
    /// The call goes on with one that was approved and counted.
    ContinuesApproved,
}

/// The progress of a call that the server asks the client to repeat.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Continuation {
    /// How often it was passed on.
    pub(super) rounds: u32,
    pub(super) approved: bool,
}
