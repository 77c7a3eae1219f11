//! What a page shows of one endpoint.

use serde_json::Value;

use crate::math::grouped;
use crate::output::page::charts::{Bar, LatencyLine, StackedPart, stacked_statuses};
use crate::output::page::schema_lines::{SchemaLine, schema_lines};
use crate::report::{Parameter, Pattern, Report};

/// The texts and charts of an endpoint.
pub(super) struct EndpointView<'r> {
    pub(super) pattern: &'r Pattern,
    pub(super) class: &'static str,
    pub(super) path: &'r str,
    pub(super) requests: String,
    pub(super) bar: Bar,
    pub(super) statuses: Vec<StackedPart>,
    /// Words for the statuses, `200 × 4, 404 × 1`.
    pub(super) status_text: String,
    pub(super) latency: Option<LatencyLine>,
    /// `3.9 ms, 4.7 ms, 4.7 ms`: percentiles 50, 95 and 99.
    pub(super) latency_text: String,
    /// The median latency for sorting, in microseconds.
    pub(super) latency_key: u64,
    pub(super) size_text: String,
    pub(super) size_key: u64,
    pub(super) errors: u64,
    pub(super) parameters: Vec<ParameterView<'r>>,
    pub(super) headers: String,
    pub(super) media_types: String,
    pub(super) sensitive: String,
    pub(super) schemas: Vec<SchemaLine>,
    pub(super) curl: String,
}

/// A parameter with its evidence.
pub(super) struct ParameterView<'r> {
    pub(super) parameter: &'r Parameter,
    /// Share of requests, or number of values and confidence.
    pub(super) evidence: String,
    /// The first reasons for it being a parameter.
    pub(super) reasons: String,
}

/// Most parameters of an endpoint that are shown.
const MAX_PARAMETERS: usize = 12;
/// Most reasons of a parameter that are shown.
const MAX_REASONS: usize = 2;

impl<'r> EndpointView<'r> {
    /// The largest 99th percentile of the latencies of a report, in milliseconds.
    pub(super) fn slowest_latency(report: &Report) -> f64 {
        let latencies = report.patterns.iter().filter_map(|pattern| pattern.latency_ms.as_ref());
        latencies.map(|latency| latency.p99).fold(1.0, f64::max)
    }

    pub(super) fn new(
        pattern: &'r Pattern,
        schemas: Option<&Value>,
        most_requests: u64,
        slowest: f64,
    ) -> Self {
        let latency = pattern.latency_ms.as_ref();
        let sizes = pattern.response_bytes.as_ref();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a duration in microseconds"
        )]
        let latency_key = latency.map_or(0, |latency| (latency.p50 * 1000.0) as u64);
        let statuses = pattern.status_codes.iter();
        let statuses: Vec<String> =
            statuses.map(|(code, count)| format!("{code} × {}", grouped(*count))).collect();
        let listed = |names: &mut dyn Iterator<Item = &'r String>| {
            names.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let bodies = pattern.responses.values().flat_map(|of_status| of_status.values());
        let mut sensitive: Vec<&str> = pattern
            .request_body
            .values()
            .chain(bodies)
            .flat_map(|summary| summary.sensitive.iter().map(String::as_str))
            .collect();
        sensitive.sort_unstable();
        sensitive.dedup();
        Self {
            class: pattern.class.name(),
            path: pattern.endpoint.strip_prefix(&*pattern.method).map_or("", str::trim_start),
            requests: grouped(pattern.request_count),
            bar: Bar::new(pattern.request_count, 0, most_requests),
            statuses: stacked_statuses(pattern),
            status_text: statuses.join(", "),
            latency: latency.map(|latency| LatencyLine::new(latency, slowest)),
            latency_text: latency.map_or_else(String::new, |latency| {
                format!("{} / {} / {} ms", latency.p50, latency.p95, latency.p99)
            }),
            latency_key,
            size_text: sizes.map_or_else(String::new, |sizes| bytes(sizes.p50)),
            size_key: sizes.map_or(0, |sizes| sizes.p50),
            errors: pattern.errors(),
            parameters: pattern
                .parameters
                .iter()
                .take(MAX_PARAMETERS)
                .map(ParameterView::new)
                .collect(),
            headers: listed(&mut pattern.common_headers.keys()),
            media_types: listed(&mut pattern.media_types.keys()),
            sensitive: sensitive.join(", "),
            schemas: schemas.map(schema_lines).unwrap_or_default(),
            curl: curl(pattern),
            pattern,
        }
    }

    /// Number of parameters that are not shown.
    pub(super) fn more_parameters(&self) -> usize {
        self.pattern.parameters.len() - self.parameters.len()
    }
}

impl<'r> ParameterView<'r> {
    fn new(parameter: &'r Parameter) -> Self {
        let evidence = match (parameter.confidence, parameter.distinct, parameter.seen) {
            (Some(confidence), Some(distinct), _) => {
                format!("{} values, confidence {confidence:.2}", grouped(distinct))
            }
            (_, _, Some(seen)) => format!("{:.0} % of requests", seen * 100.0),
            _ => String::new(),
        };
        let reasons = parameter.reasons.iter().take(MAX_REASONS).cloned().collect::<Vec<_>>();
        Self { parameter, evidence, reasons: reasons.join("; ") }
    }
}

/// A command that sends such a request, with the names of parameters in place of values, and without secrets.
fn curl(pattern: &Pattern) -> String {
    let quote = |text: &str| text.replace('\'', "%27");
    let query: Vec<String> =
        pattern.query_params.iter().take(MAX_PARAMETERS).map(|name| format!("{name}=…")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let method =
        if pattern.method == "GET" { String::new() } else { format!("-X {} ", pattern.method) };
    let headers: Vec<String> = pattern
        .common_headers
        .keys()
        .take(3)
        .map(|name| format!(" -H '{}: …'", quote(name)))
        .collect();
    let headers = headers.concat();
    format!(
        "curl {method}'https://{}{}{}'{headers}",
        quote(&pattern.host),
        quote(&pattern.path_pattern),
        quote(&query)
    )
}

fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{}.{} kB", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{} MB", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
