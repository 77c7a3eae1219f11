//! Who may call now: the policy's rule, how often it was called, and what the user was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::mcp::policy::{Action, Policy, Rule};
use crate::mcp::words;

/// Questions to the user that wait for an answer.
const PENDING: usize = 256;

/// How long a question to the user stands.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Decides about calls.
pub(super) struct Gate {
    policy: Policy,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    /// The times of the last calls, by client and tool.
    calls: BTreeMap<(String, String), VecDeque<Instant>>,
    /// Questions that the user was asked, by handle.
    pending: BTreeMap<String, Pending>,
    handles: u64,
}

struct Pending {
    /// Client, tool and arguments: an approval is for one call.
    call: String,
    asked: Instant,
}

/// What was decided about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    /// The user is to be asked.
    Ask,
    /// With what the agent is told.
    Deny(String),
    Limited(String),
}

impl Gate {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, session: Mutex::default() }
    }

    /// Is a tool shown to this client?
    pub(super) fn lists(&self, identity: &str, tool: &str) -> bool {
        self.policy.rule(identity, tool).action != Action::Deny
    }

    /// Decides about a call; one that is allowed is counted.
    pub(super) fn decide(&self, identity: &str, tool: &str) -> Verdict {
        let rule = self.policy.rule(identity, tool);
        match rule.action {
            Action::Deny => Verdict::Deny(rule.reason.unwrap_or_else(|| words::DENIED.to_owned())),
            Action::Allow => self.count(identity, tool, &rule, true),
            Action::RequireApproval => Verdict::Ask,
        }
    }

    /// A call that the user approved still has its limit.
    pub(super) fn approved(&self, identity: &str, tool: &str) -> Verdict {
        self.count(identity, tool, &self.policy.rule(identity, tool), true)
    }

    /// Would a call be let through now, if it were approved?
    pub(super) fn peek(&self, identity: &str, tool: &str) -> Verdict {
        self.count(identity, tool, &self.policy.rule(identity, tool), false)
    }

    /// Why the operator wants the user to be asked.
    pub(super) fn reason(&self, identity: &str, tool: &str) -> Option<String> {
        self.policy.rule(identity, tool).reason
    }

    fn count(&self, identity: &str, tool: &str, rule: &Rule, counts: bool) -> Verdict {
        let Some(limit) = rule.rate_limit else { return Verdict::Allow };
        let now = Instant::now();
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // Only clients with rules of their own: whoever changes its name with every call is counted with all others.
        let key = (self.policy.counted(identity).to_owned(), tool.to_owned());
        let calls = session.calls.entry(key).or_default();
        while calls.front().is_some_and(|first| now.duration_since(*first) >= limit.window) {
            calls.pop_front();
        }
        if calls.len() >= limit.max {
            let wait = calls.front().map_or(limit.window, |first| {
                limit.window.saturating_sub(now.duration_since(*first))
            });
            return Verdict::Limited(format!(
                "The operator's policy allows {} calls of this tool in {} seconds; wait {} seconds before the next.",
                limit.max,
                limit.window.as_secs_f64(),
                wait.as_secs_f64().ceil()
            ));
        }
        if counts {
            calls.push_back(now);
        }
        Verdict::Allow
    }

    /// Remembers that the user is asked about a call, and gives the handle by which the answer is known.
    pub(super) fn ask(&self, call: String) -> String {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.pending.retain(|_, pending| pending.asked.elapsed() < PATIENCE);
        if session.pending.len() >= PENDING {
            session.pending.pop_first();
        }
        session.handles += 1;
        let handle = format!("approval-{:08}", session.handles);
        session.pending.insert(handle.clone(), Pending { call, asked: Instant::now() });
        handle
    }

    /// Was the user asked about just this call? Can be said once.
    pub(super) fn was_asked(&self, handle: &str, call: &str) -> bool {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session
            .pending
            .remove(handle)
            .is_some_and(|pending| pending.call == call && pending.asked.elapsed() < PATIENCE)
    }
}
