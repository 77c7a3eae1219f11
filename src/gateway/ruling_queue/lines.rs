//! Lines of the audit log.

use serde::Serialize;
use serde_json::Value;

/// The line about a decision.
#[derive(Serialize)]
pub(super) struct DecisionLine<'a> {
    pub(super) time: String,
    pub(super) event: &'static str,
    pub(super) call: u64,
    pub(super) identity: &'a str,
    pub(super) client: &'a str,
    pub(super) session: &'a str,
    pub(super) tool: &'a str,
    pub(super) argument_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<Value>,
    pub(super) decision: &'static str,
    pub(super) rule: &'a str,
    pub(super) policy: &'a str,
}

/// The line about what became of a call that was passed on.
#[derive(Serialize)]
pub(in crate::gateway) struct OutcomeLine<'a> {
    pub(in crate::gateway) time: String,
    pub(in crate::gateway) event: &'static str,
    pub(in crate::gateway) call: u64,
    pub(in crate::gateway) identity: &'a str,
    pub(in crate::gateway) session: &'a str,
    pub(in crate::gateway) tool: &'a str,
    /// `answered`, `failed`, `unreached`, `ended`, `canceled`, or `answered_here`.
    pub(in crate::gateway) upstream: &'static str,
    /// Seconds from the decision to the answer.
    pub(in crate::gateway) duration: f64,
    /// Length of the answer in bytes.
    pub(in crate::gateway) bytes: usize,
    pub(in crate::gateway) is_error: bool,
}

/// The line about a message that was refused before it was a call.
#[derive(Serialize)]
pub(super) struct RefusalLine<'a> {
    pub(super) time: String,
    pub(super) event: &'static str,
    pub(super) identity: &'a str,
    pub(super) client: &'a str,
    pub(super) session: &'a str,
    pub(super) decision: &'static str,
    pub(super) why: &'a str,
}
