//! Authorization of calls: the policy's rule, the rate limit, and the user's approval.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::mcp::messages;
use crate::mcp::policy::{Action, Policy, ToolRule};

/// Maximum number of approval questions that wait for an answer. The oldest is dropped first.
const PENDING: usize = 256;

/// Time for which an approval question can be answered.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Decides whether a call may be answered.
pub(super) struct Authorizer {
    policy: Policy,
    session: Mutex<SessionState>,
}

#[derive(Default)]
struct SessionState {
    /// Times of the calls within the rate limit's window, by client and tool, oldest first.
    calls: BTreeMap<(String, String), VecDeque<Instant>>,
    /// Approval questions without an answer, by handle.
    pending: BTreeMap<String, PendingApproval>,
    handles: u64,
}

struct PendingApproval {
    /// Client, tool and arguments: an approval is valid for exactly one call.
    call: String,
    asked: Instant,
}

/// Decision about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallDecision {
    Allow,
    /// Ask the user first.
    Ask,
    /// Refused by the policy, with the message for the agent.
    Deny(String),
    Limited(String),
}

impl Authorizer {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, session: Mutex::default() }
    }

    /// Returns `true` if the tool is listed for this client.
    pub(super) fn lists(&self, identity: &str, tool: &str) -> bool {
        self.policy.rule(identity, tool).action != Action::Deny
    }

    /// Decides about a call. An allowed call counts toward the rate limit.
    pub(super) fn decide(&self, identity: &str, tool: &str) -> CallDecision {
        let rule = self.policy.rule(identity, tool);
        match rule.action {
            Action::Deny => {
                CallDecision::Deny(rule.reason.unwrap_or_else(|| messages::DENIED.to_owned()))
            }
            Action::Allow => self.count(identity, tool, &rule, true),
            Action::RequireApproval => CallDecision::Ask,
        }
    }

    /// Decides about a call that the user approved, which is still subject to the rate limit.
    pub(super) fn approved(&self, identity: &str, tool: &str) -> CallDecision {
        self.count(identity, tool, &self.policy.rule(identity, tool), true)
    }

    /// Decides whether a call would be allowed if the user approved it. Does not count the call.
    pub(super) fn peek(&self, identity: &str, tool: &str) -> CallDecision {
        self.count(identity, tool, &self.policy.rule(identity, tool), false)
    }

    /// Returns the operator's reason for the rule of this tool, which is shown to the user.
    pub(super) fn reason(&self, identity: &str, tool: &str) -> Option<String> {
        self.policy.rule(identity, tool).reason
    }

    fn count(&self, identity: &str, tool: &str, rule: &ToolRule, counts: bool) -> CallDecision {
        let Some(limit) = rule.rate_limit else { return CallDecision::Allow };
        let now = Instant::now();
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // Only clients with rules of their own are counted apart, so that a client cannot evade the limit by changing
        // its name.
        let key = (self.policy.counted(identity).to_owned(), tool.to_owned());
        let calls = session.calls.entry(key).or_default();
        while calls.front().is_some_and(|first| now.duration_since(*first) >= limit.window) {
            calls.pop_front();
        }
        if calls.len() >= limit.max {
            let wait = calls.front().map_or(limit.window, |first| {
                limit.window.saturating_sub(now.duration_since(*first))
            });
            return CallDecision::Limited(format!(
                "The operator's policy allows {} calls of this tool in {} seconds; wait {} seconds before the next.",
                limit.max,
                limit.window.as_secs_f64(),
                wait.as_secs_f64().ceil()
            ));
        }
        if counts {
            calls.push_back(now);
        }
        CallDecision::Allow
    }

    /// Registers an approval question about a call, and returns the handle with which the client must repeat the call.
    pub(super) fn ask(&self, call: String) -> String {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.pending.retain(|_, pending| pending.asked.elapsed() < PATIENCE);
        if session.pending.len() >= PENDING {
            session.pending.pop_first();
        }
        session.handles += 1;
        let handle = format!("approval-{:08}", session.handles);
        session.pending.insert(handle.clone(), PendingApproval { call, asked: Instant::now() });
        handle
    }

    /// Returns `true` if the question with this handle was about exactly this call and has not expired. Consumes the
    /// question.
    pub(super) fn was_asked(&self, handle: &str, call: &str) -> bool {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session
            .pending
            .remove(handle)
            .is_some_and(|pending| pending.call == call && pending.asked.elapsed() < PATIENCE)
    }
}
