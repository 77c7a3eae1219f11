//! Sizes of the response bodies.

use serde::{Deserialize, Serialize};

use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{Histogram, summary};

summary! {
    /// Sizes of the response bodies on the wire.
    pub(crate) struct ResponseSizes {
        bytes: Histogram,
    }
}

/// Size percentiles in bytes. Relative error at most 1/32.
///
/// ```
/// use api_patterns::{Flow, Patterns, Response};
///
/// let mut flow = Flow::new("GET", "https://api.example.com/health").unwrap();
/// flow.response = Some(Response { status: 200, body_bytes: Some(1000), ..Response::default() });
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// let sizes = patterns.report().patterns[0].response_bytes.clone().unwrap();
/// assert!(sizes.p50.abs_diff(1000) <= 1000 / 32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
}

impl Aggregate for ResponseSizes {
    /// `None` if no size is known.
    type Section = Option<Sizes>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if let Some(bytes) = seen.response.and_then(|response| response.body_bytes) {
            self.bytes.observe(bytes);
        }
    }

    fn finish(self) -> Option<Sizes> {
        let percentile = |percent| self.bytes.percentile(percent);
        (!self.bytes.is_empty()).then(|| Sizes { p50: percentile(50), p95: percentile(95) })
    }
}
