//! The newest flows only: a bounded heap in each thread, merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::capture::{Captures, Found};
use crate::engine::filter::Filter;
use crate::engine::run::{Outcome, run};
use crate::engine::{Monitor, Options, place_of, skip};
use crate::error::Error;
use crate::flow::Flow;
use crate::flow::owned::OwnedFlow;
use crate::patterns::Patterns;
use crate::skip::{SkipReason, Skips};

/// Where a flow stands: (capture, byte offset).
pub(super) type Place = (usize, u64);

/// Flows in the order of their age: without a time they are older than all with one, and the later in the input is newer.
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
pub(super) struct Newest {
    limit: usize,
    /// The oldest of them on top.
    heap: BinaryHeap<Reverse<Aged>>,
    skips: Skips,
}

impl Newest {
    fn new(limit: usize) -> Self {
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

    fn merge(&mut self, other: Self) {
        self.skips.merge(other.skips);
        for Reverse(flow) in other.heap {
            self.push(flow);
        }
    }
}

/// The newest flows that the options leave, in input order; a state that counts only what was skipped.
pub(super) fn collect(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Vec<(Place, OwnedFlow)>, Patterns, Outcome<()>), Error> {
    let limit = options.limit.unwrap_or(usize::MAX);
    let filter = Filter::new(options);
    let visit = |newest: &mut Newest, source: usize, offset: u64, found: Found<'_>| match filter
        .check(&found)
    {
        Ok(flow) => newest.observe((source, offset), flow),
        Err(reason) => skip(&mut newest.skips, reason, place_of(source, offset, found)),
    };
    let mut outcome = run(captures, options, monitor, || Newest::new(limit), visit)?;
    let mut newest = Newest::new(limit);
    for state in std::mem::take(&mut outcome.states) {
        newest.merge(state);
    }
    newest.skips.merge(std::mem::take(&mut outcome.skips));
    let rest = outcome.without_states();
    let mut flows: Vec<(Place, OwnedFlow)> =
        newest.heap.into_iter().map(|Reverse(aged)| (aged.age.1, aged.flow)).collect();
    flows.sort_by_key(|(place, _)| *place);
    let patterns = Patterns::of_skips(newest.skips);
    Ok((flows, patterns, rest))
}
