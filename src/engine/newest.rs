//! The newest flows only: a bounded heap in each thread, merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::capture::Found;
use crate::engine::collect::{Collect, Place};
use crate::engine::filter::Filter;
use crate::flow::Flow;
use crate::flow::owned::OwnedFlow;
use crate::patterns::Patterns;
use crate::skip::{SkipReason, Skips};

/// Flows in the order of their age: without a time they are older than all with one, and the later in the input is newer.
#[derive(Clone)]
struct Aged {
    age: (Option<i64>, Place),
    flow: OwnedFlow,
}

impl PartialEq for Aged {
    fn eq(&self, other: &Self) -> bool {
        self.age == other.age
    }
}

impl Eq for Aged {}

impl PartialOrd for Aged {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Aged {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.age.cmp(&other.age)
    }
}

/// The `limit` newest of the flows that it was shown.
#[derive(Clone)]
pub(super) struct Newest {
    limit: usize,
    /// The oldest of them on top.
    heap: BinaryHeap<Reverse<Aged>>,
    skips: Skips,
}

impl Newest {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), skips: Skips::default() }
    }

    fn observe(&mut self, place: Place, flow: &Flow<'_>) {
        let age = (flow.started, place);
        let too_old = self.heap.len() >= self.limit
            && self.heap.peek().is_none_or(|oldest| age < oldest.0.age);
        if too_old {
            self.skips.add(SkipReason::Older);
        } else {
            self.push(Aged { age, flow: OwnedFlow::new(flow) });
        }
    }

    fn push(&mut self, flow: Aged) {
        self.heap.push(Reverse(flow));
        if self.heap.len() > self.limit {
            self.heap.pop();
            self.skips.add(SkipReason::Older);
        }
    }

    /// The flows in input order, and a state that counts only what was skipped.
    pub(super) fn into_flows(self) -> (Vec<OwnedFlow>, Patterns) {
        let mut flows: Vec<Aged> = self.heap.into_iter().map(|Reverse(flow)| flow).collect();
        flows.sort_by_key(|flow| flow.age.1);
        (flows.into_iter().map(|flow| flow.flow).collect(), Patterns::of_skips(self.skips))
    }

    /// What was seen of them.
    pub(super) fn patterns(self) -> Patterns {
        let (flows, mut patterns) = self.into_flows();
        flows.iter().for_each(|flow| flow.with(|flow| patterns.observe(flow)));
        patterns
    }
}

impl Collect for Newest {
    fn take(&mut self, filter: &Filter, place: Place, found: Found<'_>) {
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
