//! Requests over time, as a report shows them.

use crate::patterns::endpoint::times::rfc3339;
use crate::patterns::timeline::{STATUS_CLASSES, Timeline};

/// The requests of a run over time, in at most 64 intervals of equal length. Requests without a known time are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestTimeline {
    /// Length of an interval in seconds, a power of two.
    pub interval_seconds: u64,
    /// From the first interval with a request to the last.
    pub intervals: Vec<TimelineInterval>,
}

/// The requests that began in one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimelineInterval {
    /// Its start, in RFC 3339 (UTC).
    pub start: String,
    /// Number of requests that were answered with 1xx to 5xx, and of those without such an answer.
    pub counts: [u64; STATUS_CLASSES],
}

impl TimelineInterval {
    /// Number of requests that began in the interval.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns, ReportOptions};
    ///
    /// let mut flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
    /// flow.started = Some(1_700_000_000_000_000_000);
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&flow);
    /// let interval = &patterns.decide(&ReportOptions::default()).timeline.intervals[0];
    /// assert_eq!((&*interval.start, interval.requests()), ("2023-11-14T22:13:20Z", 1));
    /// ```
    pub fn requests(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl RequestTimeline {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let intervals = timeline.intervals().map(|(second, counts)| {
            let start = second.checked_mul(1_000_000_000).and_then(rfc3339).unwrap_or_default();
            TimelineInterval { start, counts }
        });
        Self {
            interval_seconds: timeline.interval_seconds().unsigned_abs(),
            intervals: intervals.collect(),
        }
    }
}
