//! Times of the first and the last request.

use serde::{Deserialize, Serialize};

use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge};

/// Starts of the earliest and the latest request, in nanoseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    first: Option<i64>,
    last: Option<i64>,
}

/// The part of the report for [`Times`], in RFC 3339.
#[derive(Debug)]
pub(crate) struct SeenTimes {
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
}

impl Merge for Times {
    fn merge(&mut self, other: Self) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

impl HeapSize for Times {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl LargestCount for Times {
    fn largest_count(&self) -> u64 {
        0
    }
}

impl KeepsNames for Times {}

impl Aggregate for Times {
    type Section = SeenTimes;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if let Some(started) = seen.flow.started {
            self.first = Some(self.first.map_or(started, |first| first.min(started)));
            self.last = Some(self.last.map_or(started, |last| last.max(started)));
        }
    }

    fn finish(self) -> SeenTimes {
        SeenTimes { first: self.first.and_then(rfc3339), last: self.last.and_then(rfc3339) }
    }
}

/// Formats a Unix time in RFC 3339, to the microsecond, which is the resolution that proxies
/// record. `None` if it is out of range.
pub(crate) fn rfc3339(nanoseconds: i64) -> Option<String> {
    Some(jiff::Timestamp::from_microsecond(nanoseconds.div_euclid(1000)).ok()?.to_string())
}
