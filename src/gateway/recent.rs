//! The last calls, for the page of the operator.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::audit::now;
use crate::gateway::tool_call::ToolCall;
use crate::policy::shown_identity;

/// The number of calls that are held.
const MAX_RECENT: usize = 200;

/// A call as the page shows it, without values of arguments.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RecentCall {
    pub(super) call: u64,
    pub(super) time: String,
    pub(super) identity: String,
    pub(super) client: String,
    pub(super) tool: String,
    pub(super) decision: &'static str,
    pub(super) rule: String,
    /// What became of it; `None` while it is under way or if it was not passed on.
    pub(super) upstream: Option<&'static str>,
    /// Seconds from the decision to the answer.
    pub(super) duration: Option<f64>,
    pub(super) is_error: bool,
}

/// The last calls, oldest first.
#[derive(Debug, Default)]
pub(super) struct RecentCalls {
    calls: Mutex<VecDeque<RecentCall>>,
    is_watched: bool,
}

impl RecentCalls {
    /// Holds calls only if somebody can look at them.
    pub(super) fn new(is_watched: bool) -> Self {
        Self { calls: Mutex::default(), is_watched }
    }

    pub(super) fn note_decision(
        &self,
        number: u64,
        call: &ToolCall,
        decision: &'static str,
        rule: &str,
    ) {
        if !self.is_watched {
            return;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MAX_RECENT {
            calls.pop_front();
        }
        calls.push_back(RecentCall {
            call: number,
            time: now(),
            identity: call.caller.identity.clone(),
            client: call.caller.client.clone(),
            tool: shown_identity(&call.tool),
            decision,
            rule: rule.to_owned(),
            upstream: None,
            duration: None,
            is_error: false,
        });
    }

    pub(super) fn note_end(
        &self,
        number: u64,
        upstream: &'static str,
        duration: f64,
        is_error: bool,
    ) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.iter_mut().rev().find(|call| call.call == number) {
            call.upstream = Some(upstream);
            call.duration = Some(duration);
            call.is_error = is_error;
        }
    }

    /// All of them, newest first.
    pub(super) fn all(&self) -> Vec<RecentCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}
