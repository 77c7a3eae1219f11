//! What a page shows of one endpoint: its texts, and its charts.

use crate::output::endpoint_details::EndpointDetails;
use crate::output::page::charts::{Bar, LatencyLine, StackedPart, stacked_statuses};
use crate::report::{Pattern, Report};

/// The texts and charts of an endpoint.
pub(super) struct EndpointView<'r> {
    pub(super) details: EndpointDetails<'r>,
    pub(super) pattern: &'r Pattern,
    pub(super) class: &'static str,
    pub(super) bar: Bar,
    pub(super) statuses: Vec<StackedPart>,
    pub(super) latency: Option<LatencyLine>,
    /// The median latency for sorting, in microseconds.
    pub(super) latency_key: u64,
    pub(super) size_key: u64,
    pub(super) errors: u64,
    /// Number of fields of its messages that are not shown.
    pub(super) more_fields: usize,
    /// The credentials that it asks for; empty if that is not known.
    pub(super) security: &'r str,
    /// Its part of an OpenAPI description, in YAML; empty where there is none.
    pub(super) openapi: &'r str,
}

impl<'r> EndpointView<'r> {
    /// The largest 99th percentile of the latencies of a report, in milliseconds.
    pub(super) fn slowest_latency(report: &Report) -> f64 {
        let latencies = report.patterns.iter().filter_map(|pattern| pattern.latency_ms.as_ref());
        latencies.map(|latency| latency.p99).fold(1.0, f64::max)
    }

    pub(super) fn new(pattern: &'r Pattern, most_requests: u64, slowest: f64) -> Self {
        let latency = pattern.latency_ms.as_ref();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration in microseconds"
        )]
        let latency_key = latency.map_or(0, |latency| (latency.p50 * 1000.0) as u64);
        Self {
            class: pattern.class.name(),
            bar: Bar::new(pattern.request_count, 0, most_requests),
            statuses: stacked_statuses(pattern),
            latency: latency.map(|latency| LatencyLine::new(latency, slowest)),
            latency_key,
            size_key: pattern.response_bytes.as_ref().map_or(0, |sizes| sizes.p50),
            errors: pattern.errors(),
            more_fields: 0,
            security: "",
            openapi: "",
            details: EndpointDetails::new(pattern, &[], &[]),
            pattern,
        }
    }
}
