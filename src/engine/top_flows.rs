//! Selection of the newest flows: a bounded heap in each thread, merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::capture::CaptureItem;
use crate::engine::filter::{Filter, in_domain};
use crate::engine::fold::{CapturePosition, FlowCollector};
use crate::flow::Flow;
use crate::flow::owned::OwnedFlow;
use crate::limits;
use crate::patterns::Patterns;
use crate::skip::{SkipReason, Skips};

/// A flow with its age. Flows are ordered from old to new: first those without a time, then by
/// time, then by place in the input.
#[derive(Clone)]
struct TimedFlow {
    age: (Option<i64>, CapturePosition),
    flow: OwnedFlow,
}

impl PartialEq for TimedFlow {
    fn eq(&self, other: &Self) -> bool {
        self.age == other.age
    }
}

impl Eq for TimedFlow {}

impl PartialOrd for TimedFlow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimedFlow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.age.cmp(&other.age)
    }
}

/// The newest flows, at most `limit`.
#[derive(Clone)]
pub(super) struct NewestFlows {
    limit: usize,
    /// Heap with the oldest flow on top.
    heap: BinaryHeap<Reverse<TimedFlow>>,
    /// Memory that the flows take, in bytes. If it exceeds a bound, the oldest flows are removed
    /// even below the limit.
    bytes: usize,
    skips: Skips,
}

impl NewestFlows {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), bytes: 0, skips: Skips::default() }
    }

    fn observe(&mut self, place: CapturePosition, flow: &Flow<'_>) {
        let age = (flow.started, place);
        let too_old = self.heap.len() >= self.limit
            && self.heap.peek().is_none_or(|oldest| age < oldest.0.age);
        if too_old {
            self.skips.add(SkipReason::Older);
        } else {
            self.push(TimedFlow { age, flow: OwnedFlow::new(flow) });
        }
    }

    fn push(&mut self, flow: TimedFlow) {
        self.bytes += flow.flow.bytes();
        self.heap.push(Reverse(flow));
        while self.heap.len() > self.limit || self.bytes > limits::MAX_HELD_FLOW_BYTES {
            let Some(Reverse(oldest)) = self.heap.pop() else { break };
            self.bytes -= oldest.flow.bytes();
            self.skips.add(SkipReason::Older);
        }
    }

    /// The flows with their places in input order, and a state that counts only the skipped flows.
    pub(super) fn into_flows(self) -> (Vec<(CapturePosition, OwnedFlow)>, Patterns) {
        let mut flows: Vec<TimedFlow> = self.heap.into_iter().map(|Reverse(flow)| flow).collect();
        flows.sort_by_key(|flow| flow.age.1);
        let flows = flows.into_iter().map(|flow| (flow.age.1, flow.flow));
        (flows.collect(), Patterns::of_skips(self.skips))
    }

    /// Returns `true` if no flow was too old to be kept.
    pub(super) fn has_all(&self) -> bool {
        self.skips.count(SkipReason::Older) == 0
    }

    /// A state of the `limit` newest flows of a domain. `None` if flows that were not kept may be
    /// among them.
    pub(super) fn newest_of_domain(&self, domain: Option<&str>, limit: usize) -> Option<Patterns> {
        let is_in = |aged: &&TimedFlow| {
            domain.is_none_or(|domain| aged.flow.with(|flow| in_domain(flow, domain)))
        };
        let mut kept: Vec<&TimedFlow> =
            self.heap.iter().map(|Reverse(aged)| aged).filter(is_in).collect();
        // It is not known whether the flows that were not kept belong to the domain.
        if !self.has_all() && (domain.is_some() || kept.len() < limit) {
            return None;
        }
        let outside = self.heap.len() - kept.len();
        kept.sort_by_key(|aged| Reverse(aged.age));
        let older = kept.len().saturating_sub(limit);
        kept.truncate(limit);
        kept.sort_by_key(|aged| aged.age.1);
        let mut patterns = Patterns::of_skips(self.skips.clone());
        patterns.skips.add_many(SkipReason::Older, older as u64);
        patterns.skips.add_many(SkipReason::OtherDomain, outside as u64);
        kept.iter().for_each(|aged| aged.flow.with(|flow| patterns.observe(flow)));
        Some(patterns)
    }

    /// A state of these flows.
    pub(super) fn patterns(self) -> Patterns {
        let (flows, mut patterns) = self.into_flows();
        flows.iter().for_each(|(_, flow)| flow.with(|flow| patterns.observe(flow)));
        patterns
    }
}

impl FlowCollector for NewestFlows {
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>) {
        match filter.check(&found) {
            Ok(flow) => self.observe(place, flow),
            Err(reason) => self.skip(reason, place, found),
        }
    }

    fn merge(&mut self, other: Self) {
        self.skips.merge(other.skips);
        for Reverse(flow) in other.heap {
            self.push(flow);
        }
    }

    fn skips(&mut self) -> &mut Skips {
        &mut self.skips
    }
}
