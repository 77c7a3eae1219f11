//! Rules on calls: by the policy in force, within its limits, and written down before anything is passed on.
//!
//! A thread takes all calls that wait, reserves what they take of limits in one transaction, and writes their lines with one sync of
//! the disk. So a busy gateway pays for the disk once and not for every call, and calls of a session stay in order.

mod lines;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use crate::audit::{self, AuditLog, line_of, now_micros, time_text};
use crate::error::Error;
use crate::gateway::OperatorMessages;
use crate::gateway::policy_file::{PolicyFile, PolicyInForce};
use crate::gateway::recent::RecentCalls;
pub(super) use crate::gateway::ruling_queue::lines::OutcomeLine;
use crate::gateway::ruling_queue::lines::{DecisionLine, RefusalLine};
use crate::gateway::store::{Reservation, Store};
use crate::gateway::tool_call::{Approval, Caller, ToolCall};
use crate::policy::ledger::exhausted_message;
use crate::policy::{LimitUse, PolicyDecision, Verdict};
use crate::report::exchange::Secrets;

/// The longest reason in the log, in bytes.
const MAX_WHY_BYTES: usize = 300;

/// The most calls that are ruled on together.
const MAX_BATCH: usize = 256;

const DECLINED: &str =
    "The user did not approve this call. Do not repeat it; ask the user what to do instead.";

const NEEDS_APPROVAL: &str = "The operator's policy asks for an approval by the user for each call of this tool, and this client \
    cannot ask. Use a client that supports elicitation, or ask the operator to allow the tool in the policy.";

/// The action that is taken on a call: pass it on, ask the user, or refuse it.
#[derive(Debug)]
pub(super) enum Ruling {
    /// It is passed on. What it took of its limits can be given back.
    Forward(Reservation),
    /// The user is asked first; the words of the operator for the user.
    Ask(Option<String>),
    /// It is refused with this message to the agent.
    Refuse(String),
    /// It is refused as one of a tool that is not there.
    Hidden,
}

/// A call that was ruled on.
#[derive(Debug)]
pub(super) struct RuledCall {
    /// Number by which the session finds its waiting call.
    pub(super) ticket: u64,
    /// The number of the call in the log.
    pub(super) number: u64,
    pub(super) ruling: Ruling,
}

enum Job {
    Rule {
        call: ToolCall,
        ticket: u64,
        reply: UnboundedSender<RuledCall>,
    },
    /// A log line about a finished event, written without delaying a call.
    Note(Vec<u8>),
    GiveBack(Reservation),
    Flush(mpsc::Sender<()>),
}

/// Rules on calls, on a thread where that may take time.
#[derive(Clone)]
pub(super) struct RulingQueue {
    jobs: mpsc::Sender<Job>,
    worker: Arc<RulingWorker>,
}

/// Rules on calls: on the thread of the queue, or on the caller's where nothing has to be written.
struct RulingWorker {
    policy: Arc<PolicyFile>,
    store: Option<Arc<Store>>,
    audit: Option<AuditLog>,
    recent: Arc<RecentCalls>,
    /// Prefix of the names of counters, so that policies that share a store have separate limits.
    namespace: String,
    last_number: AtomicU64,
    logs_arguments: bool,
    complain: OperatorMessages,
}

/// The parts that rulings are made of.
pub(super) struct RulingParts {
    pub(super) policy: Arc<PolicyFile>,
    pub(super) store: Option<Arc<Store>>,
    pub(super) audit: Option<AuditLog>,
    pub(super) recent: Arc<RecentCalls>,
    pub(super) logs_arguments: bool,
    pub(super) complain: OperatorMessages,
}

impl RulingQueue {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails if the system has no thread to give.
    pub(super) fn start(parts: RulingParts) -> Result<Self, Error> {
        let (jobs, waiting) = mpsc::channel();
        let worker = Arc::new(RulingWorker {
            namespace: format!("{}\n", parts.policy.real_name()),
            policy: parts.policy,
            store: parts.store,
            audit: parts.audit,
            recent: parts.recent,
            last_number: AtomicU64::new(0),
            logs_arguments: parts.logs_arguments,
            complain: parts.complain,
        });
        let shared = Arc::clone(&worker);
        thread::Builder::new()
            .name("rulings".to_owned())
            .spawn(move || shared.work(&waiting))
            .map_err(|error| Error::usage(format!("the gateway cannot start: {error}")))?;
        Ok(Self { jobs, worker })
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> PolicyInForce {
        self.worker.policy.current()
    }

    /// The text of the policy file.
    pub(super) fn policy_text(&self) -> String {
        self.worker.policy.text()
    }

    /// The limits of a call as they are counted, with what is used of them; `None` where the store cannot say.
    pub(super) fn limits(&self, decision: &PolicyDecision) -> Vec<(LimitUse, Option<f64>)> {
        let now = now_micros();
        let of = |limit: LimitUse| {
            let used = self.worker.store.as_ref().and_then(|store| store.used(&limit, now).ok());
            (limit, used)
        };
        self.worker.limits_with_counters(decision).into_iter().map(of).collect()
    }

    /// Rules on a call. The answer comes with the ticket: at once where neither the store nor the log is needed.
    pub(super) fn rule(&self, call: ToolCall, ticket: u64, reply: &UnboundedSender<RuledCall>) {
        if self.worker.audit.is_none() {
            let in_force = self.policy();
            let decision =
                in_force.policy.decide(&call.caller.identity, &call.tool, &call.arguments);
            if decision.limits.is_empty()
                || !matches!(decision.verdict, Verdict::Allow | Verdict::Ask)
            {
                let number = self.worker.next_number();
                let (ruling, word) = RulingWorker::unlimited(&decision, call.approval);
                self.worker.recent.note_decision(number, &call, word, &decision.rule);
                reply.send(RuledCall { ticket, number, ruling }).unwrap_or_default();
                return;
            }
        }
        // The thread lives as long as this.
        self.jobs.send(Job::Rule { call, ticket, reply: reply.clone() }).unwrap_or_default();
    }

    /// Notes what became of a call.
    pub(super) fn note(&self, outcome: &OutcomeLine<'_>) {
        self.worker.recent.note_end(
            outcome.call,
            outcome.upstream,
            outcome.duration,
            outcome.is_error,
        );
        self.send_line(outcome);
    }

    /// Notes a message that was refused before it was a call.
    pub(super) fn note_refusal(&self, caller: &Caller, why: &str) {
        let time = audit::now();
        let Caller { identity, client, session } = caller;
        let why = &*crate::flow::text::shortened(why.as_bytes(), MAX_WHY_BYTES);
        let (event, decision) = ("refused", "invalid_message");
        self.send_line(&RefusalLine { time, event, identity, client, session, decision, why });
    }

    fn send_line(&self, entry: &impl Serialize) {
        if self.worker.audit.is_some()
            && let Ok(line) = line_of(entry)
        {
            self.jobs.send(Job::Note(line)).unwrap_or_default();
        }
    }

    /// Gives back what a call took of its limits, since it did not reach its server.
    pub(super) fn give_back(&self, reservation: Reservation) {
        if !reservation.is_empty() {
            self.jobs.send(Job::GiveBack(reservation)).unwrap_or_default();
        }
    }

    /// Waits until all that was noted is written.
    pub(super) fn flush(&self) {
        let (done, wait) = mpsc::channel();
        if self.jobs.send(Job::Flush(done)).is_ok() {
            wait.recv().unwrap_or_default();
        }
    }
}

/// The line about a call whose session ended before it was passed on.
fn canceled_line(call: u64, asked: &ToolCall) -> Vec<u8> {
    let Caller { identity, session, .. } = &*asked.caller;
    let tool = crate::policy::shown_identity(&asked.tool);
    let line = OutcomeLine {
        time: audit::now(),
        event: "outcome",
        call,
        identity,
        session,
        tool: &tool,
        upstream: "canceled",
        duration: 0.0,
        bytes: 0,
        is_error: true,
    };
    // Plain data in memory is serialized.
    line_of(&line).unwrap_or_default()
}

/// A call with the decision about it, before it is answered.
struct CallToRule {
    call: ToolCall,
    ticket: u64,
    reply: UnboundedSender<RuledCall>,
    number: u64,
    in_force: PolicyInForce,
    decision: PolicyDecision,
    limits: Vec<LimitUse>,
}

impl RulingWorker {
    fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The limits of a decision with counters of this policy.
    fn limits_with_counters(&self, decision: &PolicyDecision) -> Vec<LimitUse> {
        let mut limits = decision.limits.clone();
        for limit in &mut limits {
            limit.counter.insert_str(0, &self.namespace);
        }
        limits
    }

    /// The ruling on a call within its limits, and the word for it in the log.
    fn unlimited(decision: &PolicyDecision, approval: Approval) -> (Ruling, &'static str) {
        match (decision.verdict, approval) {
            (Verdict::Hidden, _) => (Ruling::Hidden, "hidden"),
            (Verdict::Deny, _) => (Ruling::Refuse(decision.refusal()), "deny"),
            // Also if the policy was edited in the meantime.
            (_, Approval::Declined) => (Ruling::Refuse(DECLINED.to_owned()), "declined"),
            (Verdict::Ask, Approval::NotAsked | Approval::Continues) => {
                (Ruling::Ask(decision.message.clone()), "approval_asked")
            }
            (Verdict::Ask, Approval::Unavailable) => {
                (Ruling::Refuse(NEEDS_APPROVAL.to_owned()), "approval_unavailable")
            }
            (Verdict::Ask, Approval::Approved) => (Ruling::Forward(Vec::new()), "approved"),
            (Verdict::Ask, Approval::ContinuesApproved)
            | (Verdict::Allow, Approval::Continues | Approval::ContinuesApproved) => {
                (Ruling::Forward(Vec::new()), "continued")
            }
            (Verdict::Allow, _) => (Ruling::Forward(Vec::new()), "allow"),
        }
    }

    fn work(&self, jobs: &mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while let Ok(job) = jobs.recv() {
            batch.push(job);
            while batch.len() < MAX_BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.do_all(batch.drain(..));
        }
    }

    fn do_all(&self, jobs: impl Iterator<Item = Job>) {
        let mut cases = Vec::new();
        let mut lines = Vec::new();
        let mut waiting = Vec::new();
        for job in jobs {
            match job {
                Job::Rule { call, ticket, reply } => {
                    cases.push(self.prepare_ruling(call, ticket, reply))
                }
                Job::Note(line) => lines.extend(line),
                Job::GiveBack(reservation) => {
                    if let Some(Err(error)) =
                        self.store.as_ref().map(|it| it.give_back(&reservation))
                    {
                        (self.complain)(&format!("the store cannot be written: {}", error.0));
                    }
                }
                Job::Flush(done) => waiting.push(done),
            }
        }
        let rulings = self.rule_on_all(&cases);
        for (case, (_, word, rule)) in cases.iter().zip(&rulings) {
            lines.extend(self.decision_line(case, word, rule));
        }
        let is_logged = lines.is_empty() || self.append_to_log(&lines, !cases.is_empty());
        for (case, (ruling, word, rule)) in cases.into_iter().zip(rulings) {
            let number = case.number;
            let (ruling, word) = if is_logged {
                (ruling, word)
            } else {
                if let (Ruling::Forward(reservation), Some(store)) = (&ruling, &self.store) {
                    store.give_back(reservation).unwrap_or_default();
                }
                let why = "The audit log of the gateway cannot be written, so nothing is passed on; the operator must repair this.";
                (Ruling::Refuse(why.to_owned()), "not_logged")
            };
            self.recent.note_decision(number, &case.call, word, &rule);
            let ruled = RuledCall { ticket: case.ticket, number, ruling };
            // The session may have ended in the meantime.
            if let Err(unheard) = case.reply.send(ruled)
                && let Ruling::Forward(reservation) = &unheard.0.ruling
            {
                if let Some(store) = &self.store {
                    store.give_back(reservation).unwrap_or_default();
                }
                self.append_to_log(&canceled_line(number, &case.call), false);
            }
        }
        for done in waiting {
            done.send(()).unwrap_or_default();
        }
    }

    fn append_to_log(&self, lines: &[u8], is_synced: bool) -> bool {
        let Some(audit) = &self.audit else { return true };
        let written = audit.add_lines(lines, is_synced);
        if let Err(error) = &written {
            (self.complain)(&format!("the audit log cannot be written: {error}"));
        }
        written.is_ok()
    }

    fn prepare_ruling(
        &self,
        call: ToolCall,
        ticket: u64,
        reply: UnboundedSender<RuledCall>,
    ) -> CallToRule {
        let in_force = self.policy.current();
        let decision = in_force.policy.decide(&call.caller.identity, &call.tool, &call.arguments);
        let is_counted = matches!(decision.verdict, Verdict::Allow | Verdict::Ask)
            && !matches!(call.approval, Approval::Continues | Approval::ContinuesApproved);
        let limits = if is_counted { self.limits_with_counters(&decision) } else { Vec::new() };
        CallToRule { call, ticket, reply, number: self.next_number(), in_force, decision, limits }
    }

    /// What is done with each call, the word for it in the log, and the rule that decided.
    fn rule_on_all(&self, cases: &[CallToRule]) -> Vec<(Ruling, &'static str, String)> {
        // A call that the user is asked about counts when it was approved.
        let takes = |case: &CallToRule| {
            case.decision.verdict == Verdict::Allow || case.call.approval == Approval::Approved
        };
        let asked: Vec<(&[LimitUse], bool)> =
            cases.iter().map(|case| (&*case.limits, takes(case))).collect();
        let needs_store = asked.iter().any(|(limits, _)| !limits.is_empty());
        let reserved = match &self.store {
            Some(store) if needs_store => store.reserve(&asked, now_micros()).map_err(|error| {
                (self.complain)(&format!("the store cannot be used: {}", error.0));
            }),
            None if needs_store => Err(()),
            _ => Ok(cases.iter().map(|_| Ok(Vec::new())).collect()),
        };
        let Ok(reserved) = reserved else {
            let ruled = cases.iter().map(|case| {
                let (ruling, word) = Self::unlimited(&case.decision, case.call.approval);
                let rule = case.decision.rule.clone();
                if case.limits.is_empty() {
                    return (ruling, word, rule);
                }
                let why = "The gateway cannot count calls now, and this tool has a limit; the operator must repair this.";
                (Ruling::Refuse(why.to_owned()), "not_counted", rule)
            });
            return ruled.collect();
        };
        let ruled = cases.iter().zip(reserved).map(|(case, reserved)| match reserved {
            Err(exhausted) => (
                Ruling::Refuse(exhausted_message(&exhausted)),
                "rate_limited",
                exhausted.limit.rule.clone(),
            ),
            Ok(reservation) => {
                let (ruling, word) = Self::unlimited(&case.decision, case.call.approval);
                let ruling = match ruling {
                    Ruling::Forward(_) => Ruling::Forward(reservation),
                    other => other,
                };
                (ruling, word, case.decision.rule.clone())
            }
        });
        ruled.collect()
    }

    fn decision_line(&self, case: &CallToRule, decision: &'static str, rule: &str) -> Vec<u8> {
        if self.audit.is_none() {
            return Vec::new();
        }
        let Caller { identity, client, session } = &*case.call.caller;
        let tool = crate::policy::shown_identity(&case.call.tool);
        let line = DecisionLine {
            time: time_text(now_micros()),
            event: "decision",
            call: case.number,
            identity,
            client,
            session,
            tool: &tool,
            argument_names: audit::argument_names(&case.call.arguments),
            arguments: self.logs_arguments.then(|| {
                let masked = Secrets::Masked.json((*case.call.arguments).clone());
                audit::arguments(masked.as_object())
            }),
            decision,
            rule,
            policy: &case.in_force.fingerprint,
        };
        // Plain data in memory is serialized.
        line_of(&line).unwrap_or_default()
    }
}
