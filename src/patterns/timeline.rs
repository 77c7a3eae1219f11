//! Requests over time by class of status, in bounded memory.

use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::limits;
use crate::sketch::Merge;

/// The number of classes: 1xx to 5xx, and requests without an answer.
pub(crate) const STATUS_CLASSES: usize = 6;

/// The most intervals that are told apart.
const MAX_INTERVALS: u8 = 64;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// Counts of requests in intervals of equal length, which begin at multiples of their length since the Unix epoch.
///
/// The length is the shortest power of two in seconds in which all requests are within [`MAX_INTERVALS`] intervals. It depends on
/// the first and the last request alone, so the counts depend neither on the order nor on the split of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    /// Binary logarithm of the length of an interval in seconds.
    exponent: u32,
    /// Number of the first interval: its start, divided by the length.
    first: i64,
    /// From the first interval with a request to the last; empty without requests whose time is known.
    counts: Vec<[u64; STATUS_CLASSES]>,
}

impl Timeline {
    /// Counts a request, if its time is known.
    #[inline]
    pub(crate) fn observe(&mut self, flow: &Flow<'_>) {
        let Some(started) = flow.started else { return };
        let status = flow.response.as_ref().map_or(0, |response| response.status);
        let class = usize::try_from(status / 100).unwrap_or(0);
        let class =
            if (1..STATUS_CLASSES).contains(&class) { class - 1 } else { STATUS_CLASSES - 1 };
        let second = started.div_euclid(SECOND);
        let interval = second >> self.exponent;
        // Nearly always there is an interval for it.
        let at = usize::try_from(interval.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(counts) = self.counts.get_mut(at) {
            counts[class] += 1;
            return;
        }
        let mut counts = [0; STATUS_CLASSES];
        counts[class] = 1;
        self.merge(Self { exponent: 0, first: second, counts: vec![counts] });
    }

    /// Doubles the length of the intervals.
    fn coarsen(&mut self) {
        let first = self.first >> 1;
        let mut counts: Vec<[u64; STATUS_CLASSES]> = Vec::new();
        for (place, added) in self.counts.iter().enumerate() {
            let number = self.first + i64::try_from(place).unwrap_or(0);
            let place = usize::try_from((number >> 1) - first).unwrap_or(0);
            counts.resize(place + 1, [0; STATUS_CLASSES]);
            add(&mut counts[place], added);
        }
        *self = Self { exponent: self.exponent + 1, first, counts };
    }

    /// Number of the interval after the last.
    fn end(&self) -> i64 {
        self.first + i64::try_from(self.counts.len()).unwrap_or(0)
    }

    /// The intervals from the first with a request to the last: start in seconds since the Unix epoch, and counts by class.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = (i64, [u64; STATUS_CLASSES])> {
        let (first, exponent) = (self.first, self.exponent);
        (first..).map(move |number| number << exponent).zip(self.counts.iter().copied())
    }

    /// The length of an interval in seconds.
    pub(crate) fn interval_seconds(&self) -> i64 {
        1 << self.exponent
    }

    /// True if observations can have produced it.
    pub(crate) fn is_sound(&self) -> bool {
        // Times are nanoseconds in 64 bits, which are less than 2^34 seconds in both directions.
        let is_time = |second: i64| (-(1 << 35)..1 << 35).contains(&second);
        let is_used = |counts: &[u64; STATUS_CLASSES]| counts.iter().any(|count| *count > 0);
        let ends = [self.counts.first(), self.counts.last()];
        let is_shortest = self.exponent == 0 || self.counts.len() > usize::from(MAX_INTERVALS / 2);
        self.exponent < 36
            && self.counts.len() <= usize::from(MAX_INTERVALS)
            && self.counts.iter().flatten().all(|count| *count <= limits::MAX_COUNT)
            && ends.into_iter().flatten().all(is_used)
            && (self.counts.is_empty() == (*self == Self::default()))
            && (self.counts.is_empty() || is_shortest)
            && self.first.checked_mul(self.interval_seconds()).is_some_and(is_time)
    }
}

fn add(counts: &mut [u64; STATUS_CLASSES], added: &[u64; STATUS_CLASSES]) {
    for (count, added) in counts.iter_mut().zip(added) {
        *count += added;
    }
}

impl Merge for Timeline {
    fn merge(&mut self, mut other: Self) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            *self = other;
            return;
        }
        loop {
            while self.exponent < other.exponent {
                self.coarsen();
            }
            while other.exponent < self.exponent {
                other.coarsen();
            }
            let span = self.end().max(other.end()) - self.first.min(other.first);
            if span <= i64::from(MAX_INTERVALS) {
                break;
            }
            self.coarsen();
        }
        let first = self.first.min(other.first);
        let before = usize::try_from(self.first - first).unwrap_or(0);
        self.counts.splice(..0, std::iter::repeat_n([0; STATUS_CLASSES], before));
        self.first = first;
        let start = usize::try_from(other.first - first).unwrap_or(0);
        let length = self.counts.len().max(start + other.counts.len());
        self.counts.resize(length, [0; STATUS_CLASSES]);
        for (counts, added) in self.counts[start..].iter_mut().zip(&other.counts) {
            add(counts, added);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Flow, Response};

    fn observed(requests: &[(i64, i64)]) -> Timeline {
        let mut timeline = Timeline::default();
        for (started, status) in requests {
            let mut flow = Flow::new("GET", "https://h.example/").unwrap();
            flow.started = Some(*started);
            flow.response =
                (*status > 0).then(|| Response { status: *status, ..Response::default() });
            timeline.observe(&flow);
        }
        timeline
    }

    /// The reference implementation: the shortest length that fits, and then all requests counted.
    fn counted_plainly(requests: &[(i64, i64)]) -> Timeline {
        let seconds: Vec<i64> =
            requests.iter().map(|(started, _)| started.div_euclid(SECOND)).collect();
        let (Some(first), Some(last)) = (seconds.iter().min(), seconds.iter().max()) else {
            return Timeline::default();
        };
        let fits =
            |exponent: &u32| (last >> exponent) - (first >> exponent) < i64::from(MAX_INTERVALS);
        let exponent = (0..64).find(fits).unwrap();
        let length = usize::try_from((last >> exponent) - (first >> exponent) + 1).unwrap();
        let mut counts = vec![[0; STATUS_CLASSES]; length];
        for (second, (_, status)) in seconds.iter().zip(requests) {
            let class = if (100..600).contains(status) { status / 100 - 1 } else { 5 };
            let place = usize::try_from((second >> exponent) - (first >> exponent)).unwrap();
            counts[place][usize::try_from(class).unwrap()] += 1;
        }
        Timeline { exponent, first: first >> exponent, counts }
    }

    fn times() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            0..100 * SECOND,
            (0..5000_i64).prop_map(|second| 1_700_000_000 * SECOND + second * SECOND / 7),
            (-1000..1000_i64).prop_map(|second| second * 3600 * SECOND),
        ]
    }

    proptest! {
        #[test]
        fn counts_depend_on_no_order_and_no_split(
            requests in prop::collection::vec((times(), prop_oneof![Just(0_i64), 100..620_i64]), 0..40),
            cut in 0..40_usize,
        ) {
            let whole = observed(&requests);
            prop_assert_eq!(&whole, &counted_plainly(&requests));
            let (one, other) = requests.split_at(cut.min(requests.len()));
            let (mut first, mut second) = (observed(one), observed(other));
            let before = first.clone();
            first.merge(second.clone());
            second.merge(before);
            prop_assert_eq!(&first, &whole);
            prop_assert_eq!(&second, &whole);
            prop_assert!(whole.is_sound());
        }
    }

    #[test]
    fn intervals_have_their_starts() {
        let timeline = observed(&[(0, 200), (100 * SECOND, 500)]);
        assert_eq!(timeline.interval_seconds(), 2);
        let intervals: Vec<_> = timeline.intervals().collect();
        assert_eq!((intervals.len(), intervals[50].0), (51, 100));
        assert_eq!(intervals[50].1, [0, 0, 0, 0, 1, 0]);
    }
}
