//! Durations of the exchanges.

use serde::{Deserialize, Serialize};

use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{Histogram, summary};

summary! {
    /// Times from the start of the request to the end of the response.
    pub(crate) struct Durations {
        microseconds: Histogram,
    }
}

/// Latency percentiles in milliseconds, with one decimal. Relative error at most 1/32.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let mut flow = Flow::new("GET", "https://api.example.com/health").unwrap();
/// flow.duration = Some(20_000_000); // nanoseconds
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// let latency = patterns.report().patterns[0].latency_ms.clone().unwrap();
/// assert!((latency.p50 - 20.0).abs() <= 20.0 / 32.0 + 0.05);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Aggregate for Durations {
    /// `None` if no duration is known.
    type Section = Option<Latency>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if let Some(duration) = seen.flow.duration {
            self.microseconds.observe(duration / 1000);
        }
    }

    fn finish(self) -> Option<Latency> {
        let percentile = |percent| milliseconds(self.microseconds.percentile(percent));
        (!self.microseconds.is_empty()).then(|| Latency {
            p50: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
        })
    }
}

/// Converts microseconds to milliseconds, rounded to one decimal.
fn milliseconds(microseconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded to tenths of a millisecond")]
    let tenths = ((microseconds + 50) / 100) as f64;
    tenths / 10.0
}
