//! Authorization of calls: the policy, its limits, and the user's approval.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::policy::ledger::{Ledger, exhausted_message};
use crate::policy::{Policy, PolicyDecision, Verdict};

/// Maximum number of approval questions that wait for an answer. The oldest is dropped first.
const MAX_PENDING: usize = 256;

/// Time for which an approval question can be answered.
pub(super) const MAX_APPROVAL_TIME: Duration = Duration::from_secs(5 * 60);

/// Decides whether a call may be answered.
pub(super) struct Authorizer {
    policy: Policy,
    session: Mutex<SessionState>,
}

#[derive(Default)]
struct SessionState {
    ledger: Ledger,
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
    /// Refused as a call of a tool that is not there.
    Hidden,
    Limited(String),
}

/// A decision with the rule that made it, as a JSON Pointer into the policy.
pub(super) type RuledDecision = (CallDecision, String);

impl Authorizer {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, session: Mutex::default() }
    }

    /// Returns `true` if the tool is listed for this client.
    pub(super) fn lists(&self, identity: &str, tool: &str) -> bool {
        self.policy.lists(identity, tool)
    }

    /// Decides about a call. An allowed call counts toward the limits.
    pub(super) fn decide(&self, identity: &str, tool: &str, arguments: &Value) -> RuledDecision {
        let decision = self.policy.decide(identity, tool, arguments);
        let asks = decision.verdict == Verdict::Ask;
        // A call that the user is asked about counts when it was approved.
        let (limited, rule) = self.apply_limits(decision, !asks);
        if asks && limited == CallDecision::Allow {
            return (CallDecision::Ask, rule);
        }
        (limited, rule)
    }

    /// Decides about a call that the user approved, which is still subject to the limits.
    pub(super) fn approved(&self, identity: &str, tool: &str, arguments: &Value) -> RuledDecision {
        self.apply_limits(self.policy.decide(identity, tool, arguments), true)
    }

    /// Returns the operator's reason for the rule of this tool, which is shown to the user.
    pub(super) fn reason(&self, identity: &str, tool: &str) -> Option<String> {
        self.policy.reason(identity, tool).map(str::to_owned)
    }

    /// Checks the limits of a call that the policy does not refuse. `takes` says whether the call
    /// counts.
    fn apply_limits(&self, decision: PolicyDecision, takes: bool) -> RuledDecision {
        match decision.verdict {
            Verdict::Hidden => return (CallDecision::Hidden, decision.rule),
            Verdict::Deny => return (CallDecision::Deny(decision.refusal()), decision.rule),
            Verdict::Allow | Verdict::Ask => {}
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match session.ledger.reserve(&decision.limits, Instant::now(), takes) {
            Ok(()) => (CallDecision::Allow, decision.rule),
            Err(exhausted) => {
                (CallDecision::Limited(exhausted_message(&exhausted)), exhausted.limit.rule)
            }
        }
    }

    /// Registers an approval question about a call, and returns the handle with which the client must repeat the call.
    pub(super) fn ask(&self, call: String) -> String {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.pending.retain(|_, pending| pending.asked.elapsed() < MAX_APPROVAL_TIME);
        if session.pending.len() >= MAX_PENDING {
            session.pending.pop_first();
        }
        session.handles += 1;
        let handle = format!("approval-{:08}", session.handles);
        session.pending.insert(handle.clone(), PendingApproval { call, asked: Instant::now() });
        handle
    }

    /// Returns `true` if the question with this handle was about exactly this call and has not expired. Consumes the
    /// question.
    pub(super) fn take_question(&self, handle: &str, call: &str) -> bool {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.pending.remove(handle).is_some_and(|pending| {
            pending.call == call && pending.asked.elapsed() < MAX_APPROVAL_TIME
        })
    }
}
