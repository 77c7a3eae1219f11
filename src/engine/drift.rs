//! One run from captures and a description to findings.

use crate::capture::{CaptureItem, Captures};
use crate::description::ApiDescription;
use crate::drift::report::drift_report;
use crate::drift::state::DriftState;
use crate::engine::filter::Filter;
use crate::engine::fold::{CapturePosition, FlowCollector, collect};
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::error::Error;
use crate::finding::FindingReport;
use crate::skip::Skips;

/// The result of a comparison: the findings, and what could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The findings.
    pub report: FindingReport,
    /// The items that were not used, counted by reason, with the first places.
    pub skips: Skips,
    /// Errors of captures that could not be read to their end.
    pub failures: Vec<Error>,
    /// Number of flows that were used.
    pub used: u64,
    /// Number of bytes that were read.
    pub bytes: u64,
    /// Whether the monitor stopped the run.
    pub stopped: bool,
}

/// The state of one thread.
struct Comparer<'a> {
    api: &'a ApiDescription,
    state: DriftState,
    skips: Skips,
}

impl FlowCollector for Comparer<'_> {
    fn take(&mut self, filter: &Filter, place: CapturePosition, found: CaptureItem<'_>) {
        match filter.check(&found) {
            Ok(flow) => self.state.observe(self.api, flow),
            Err(reason) => FlowCollector::skip(self, reason, place, found),
        }
    }

    fn merge(&mut self, other: Self) {
        self.state.merge(other.state);
        self.skips.merge(other.skips);
    }

    fn skips(&mut self) -> &mut Skips {
        &mut self.skips
    }
}

/// Compares captured exchanges with a description of their API. Requests that were answered with 4xx are not judged; their
/// answers are.
///
/// The findings do not depend on the order of flows or the number of threads.
///
/// ```
/// use api_patterns::{ApiDescription, Captures, InputFormat, Options, drift};
///
/// let yaml = "openapi: 3.1.0\npaths:\n  /users:\n    get: {responses: {'200': {description: OK}}}\n";
/// let api = ApiDescription::of_text("users.yaml", yaml)?;
/// let line = br#"{"method": "GET", "url": "https://h.example/users", "status": 500}"#;
/// let captures = Captures::from_bytes("a line", line.to_vec(), InputFormat::Detect)?;
/// let found = drift(&captures, &api, &Options::default(), &())?;
/// assert_eq!(found.report.findings[0].rule, "undocumented-status");
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails if an option is invalid, and if a thread cannot be started. Damage in a capture is not an error: see
/// [`Comparison::skips`] and [`Comparison::failures`].
pub fn drift(
    captures: &Captures,
    api: &ApiDescription,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Comparison, Error> {
    captures.require_flows()?;
    let options = Options { bodies: true, limit: None, ..options.clone() };
    let new = || Comparer { api, state: DriftState::new(), skips: Skips::default() };
    let (all, outcome) = collect(captures, &options, monitor, new)?;
    let documented = options.decide(&all.state.documented).report;
    let undocumented = options.decide(&all.state.undocumented).report;
    let report = drift_report(api, &all.state, &documented, &undocumented);
    Ok(Comparison {
        used: all.state.counts.flows,
        report,
        skips: all.skips,
        failures: outcome.failures,
        bytes: outcome.bytes,
        stopped: outcome.stopped,
    })
}
