//! The mergeable state of a comparison: findings by rule, operation and place, and what was touched.

use std::collections::BTreeMap;

use crate::description::ApiDescription;
use crate::description::cursor::DescriptionPlace;
use crate::description::flow_match::{FlowMatch, match_flow};
use crate::description::operation::StatusRange;
use crate::drift::evaluate::SchemaMarks;
use crate::drift::exchange::{ExchangeScratch, judge};
use crate::drift::rule::DriftRule;
use crate::flow::noise::is_preflight;
use crate::flow::{Flow, RecordIdText, text};
use crate::patterns::endpoint::method_name;
use crate::patterns::{Patterns, host_name};
use crate::report::masked;
use crate::sketch::stable_hash;

/// Maximum number of distinct findings. Strangers can make up as many as they like; those with the smallest hashes stay.
const MAX_FINDINGS: usize = 20_000;

/// Flows that are named for a finding.
const MAX_SAMPLES: usize = 3;

/// The exchanges that break a rule at one place: their number, times and samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FindingEvidence {
    pub(crate) count: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    /// The earliest flows: start and id, sorted.
    pub(crate) samples: Vec<(i64, String)>,
    /// The statement of the description, in words.
    pub(crate) stated: String,
    pub(crate) source: Option<DescriptionPlace>,
}

/// A rule, an operation (its index; `None` for the whole description) and a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FindingKey {
    /// First, so that a table keeps the keys with the smallest hashes.
    hash: u64,
    pub(crate) rule: DriftRule,
    pub(crate) operation: Option<usize>,
    pub(crate) place: String,
}

/// Counters of the exchanges of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperationUse {
    pub(crate) requests: u64,
    pub(crate) statuses: BTreeMap<i64, u64>,
    /// The stated answers that came.
    pub(crate) responses: BTreeMap<StatusRange, u64>,
    /// Requests with each parameter, by its index.
    pub(crate) parameters: BTreeMap<usize, u64>,
}

/// Numbers of exchanges and bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriftCounts {
    pub(crate) flows: u64,
    pub(crate) other_hosts: u64,
    pub(crate) undocumented: u64,
    pub(crate) judged_bodies: u64,
    pub(crate) invalid_bodies: u64,
    pub(crate) unjudged_bodies: u64,
    /// Findings beyond [`MAX_FINDINGS`], by occurrence.
    pub(crate) not_told_apart: u64,
}

/// The state of a comparison with one description. States of one description merge, in any order.
#[derive(Debug, Default)]
pub(crate) struct DriftState {
    pub(crate) operations: BTreeMap<usize, OperationUse>,
    pub(crate) found: BTreeMap<FindingKey, FindingEvidence>,
    pub(crate) marks: SchemaMarks,
    /// Requests that belong to operations, clustered as every other traffic.
    pub(crate) documented: Patterns,
    /// Requests to the API that no path fits.
    pub(crate) undocumented: Patterns,
    pub(crate) counts: DriftCounts,
    scratch: ExchangeScratch,
}

impl DriftState {
    /// Creates an empty state that also reads bodies as evidence for paths, as inferring descriptions does.
    pub(crate) fn new() -> Self {
        Self {
            documented: Patterns::with_body_evidence(),
            undocumented: Patterns::with_body_evidence(),
            ..Self::default()
        }
    }

    /// Compares a flow with the description.
    pub(crate) fn observe(&mut self, api: &ApiDescription, flow: &Flow<'_>) {
        self.counts.flows += 1;
        let method = method_name(&flow.method);
        let method = String::from_utf8_lossy(&method);
        let host = host_name(flow);
        let host = String::from_utf8_lossy(&host);
        let path = String::from_utf8_lossy(flow.path());
        let found = match match_flow(api, &host, &method, &path) {
            // A server answers HEAD wherever it answers GET (RFC 9110, section 9.3.2).
            FlowMatch::OtherMethod(_) if method == "HEAD" => match_flow(api, &host, "GET", &path),
            found => found,
        };
        let index = match found {
            FlowMatch::Operation(index) => index,
            // Browsers ask before a call whether it is allowed; that is no call of the API.
            FlowMatch::OtherMethod(_) if is_preflight(flow) => return,
            FlowMatch::OtherMethod(index) => {
                let place = text::printable(method.as_bytes());
                self.counts.undocumented += 1;
                // A server that refuses the method does what the description says.
                let refuses = |status: i64| matches!(status, 404 | 405 | 501);
                if flow.response.as_ref().is_some_and(|response| refuses(response.status)) {
                    return;
                }
                let source = Some(api.operations[index].place.clone());
                self.add(
                    DriftRule::UndocumentedMethod,
                    Some(index),
                    &place,
                    String::new(),
                    source,
                    flow,
                );
                return;
            }
            FlowMatch::NoPath => {
                self.counts.undocumented += 1;
                self.undocumented.observe(flow);
                return;
            }
            FlowMatch::OtherHost => {
                self.counts.other_hosts += 1;
                let shown = text::printable(host.as_bytes());
                let shown = masked::host(&shown, 1);
                self.add(DriftRule::UndocumentedHost, None, &shown, String::new(), None, flow);
                return;
            }
        };
        self.documented.observe(flow);
        let verdict = judge(api, &api.operations[index], flow, &mut self.marks, &mut self.scratch);
        let seen = self.operations.entry(index).or_default();
        seen.requests += 1;
        if let Some(response) = &flow.response {
            *seen.statuses.entry(response.status.clamp(0, 999)).or_default() += 1;
        }
        for range in verdict.statuses {
            *seen.responses.entry(range).or_default() += 1;
        }
        for parameter in verdict.parameters {
            *seen.parameters.entry(parameter).or_default() += 1;
        }
        self.counts.judged_bodies += verdict.judged_bodies;
        self.counts.invalid_bodies += verdict.invalid_bodies;
        self.counts.unjudged_bodies += verdict.unjudged_bodies;
        let mut issues = verdict.issues;
        // One exchange counts once at each place.
        issues.sort_by(|a, b| (a.rule, &a.place, &a.stated).cmp(&(b.rule, &b.place, &b.stated)));
        issues.dedup_by(|later, first| later.rule == first.rule && later.place == first.place);
        for issue in issues {
            self.add(issue.rule, Some(index), &issue.place, issue.stated, issue.source, flow);
        }
    }

    fn add(
        &mut self,
        rule: DriftRule,
        operation: Option<usize>,
        place: &str,
        stated: String,
        source: Option<DescriptionPlace>,
        flow: &Flow<'_>,
    ) {
        let mut record = RecordIdText::default();
        let id = masked::flow_id(flow.shown_id(&mut record)).into_owned();
        let samples =
            if id.is_empty() { Vec::new() } else { vec![(flow.started.unwrap_or(0), id)] };
        let evidence = FindingEvidence {
            count: 1,
            first: flow.started,
            last: flow.started,
            samples,
            stated,
            source,
        };
        self.insert(FindingKey::new(rule, operation, place), evidence);
    }

    fn insert(&mut self, key: FindingKey, evidence: FindingEvidence) {
        match self.found.entry(key) {
            std::collections::btree_map::Entry::Occupied(mut known) => {
                known.get_mut().merge(evidence);
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(evidence);
            }
        }
        while self.found.len() > MAX_FINDINGS {
            if let Some((_, evidence)) = self.found.pop_last() {
                self.counts.not_told_apart += evidence.count;
            }
        }
    }

    /// Adds another state of the same description.
    pub(crate) fn merge(&mut self, other: Self) {
        for (index, theirs) in other.operations {
            self.operations.entry(index).or_default().merge(theirs);
        }
        for (key, evidence) in other.found {
            self.insert(key, evidence);
        }
        self.marks.merge(&other.marks);
        self.documented.merge(other.documented);
        self.undocumented.merge(other.undocumented);
        let (own, theirs) = (&mut self.counts, other.counts);
        own.flows += theirs.flows;
        own.other_hosts += theirs.other_hosts;
        own.undocumented += theirs.undocumented;
        own.judged_bodies += theirs.judged_bodies;
        own.invalid_bodies += theirs.invalid_bodies;
        own.unjudged_bodies += theirs.unjudged_bodies;
        own.not_told_apart += theirs.not_told_apart;
    }
}

impl FindingKey {
    fn new(rule: DriftRule, operation: Option<usize>, place: &str) -> Self {
        let text = format!("{}\0{operation:?}\0{place}", rule.name());
        Self { hash: stable_hash(text.as_bytes()), rule, operation, place: place.to_owned() }
    }
}

impl FindingEvidence {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = [self.last, other.last].into_iter().flatten().max();
        self.samples.extend(other.samples);
        self.samples.sort_unstable();
        self.samples.dedup();
        self.samples.truncate(MAX_SAMPLES);
        // The smallest of several, whatever came first.
        if other.stated < self.stated {
            self.stated = other.stated;
        }
        if other.source < self.source {
            self.source = other.source;
        }
    }
}

impl OperationUse {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (range, count) in other.responses {
            *self.responses.entry(range).or_default() += count;
        }
        for (parameter, count) in other.parameters {
            *self.parameters.entry(parameter).or_default() += count;
        }
    }
}
