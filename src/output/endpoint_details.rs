//! What the page and the explorer show of one endpoint, as texts.

use crate::math::format_thousands;
use crate::output::format_count;
use crate::report::decision::NearMiss;
use crate::report::message_field::MessageField;
use crate::report::parameter_source::ParameterSource;
use crate::report::{Parameter, Pattern};

/// The texts of an endpoint.
pub(crate) struct EndpointDetails<'r> {
    pub(crate) pattern: &'r Pattern,
    /// The path template with the operation, without the method.
    pub(crate) path: &'r str,
    pub(crate) requests: String,
    /// The statuses in words: `200 × 4, 404 × 1`.
    pub(crate) statuses: String,
    /// Percentiles 50, 95 and 99: `3.9 / 4.7 / 4.7 ms`.
    pub(crate) latency: String,
    /// The median size of an answer.
    pub(crate) size: String,
    pub(crate) parameters: Vec<ParameterDetails<'r>>,
    /// Close decisions about its path, a sentence each.
    pub(crate) near_misses: Vec<String>,
    pub(crate) headers: String,
    pub(crate) media_types: String,
    /// Media types of what is sent.
    pub(crate) request_media_types: String,
    /// Kinds of secret or personal content in its messages.
    pub(crate) sensitive: String,
    /// The fields of its messages.
    pub(crate) fields: &'r [MessageField],
    /// A command that sends such a request, without values.
    pub(crate) curl: String,
}

/// The texts of a parameter.
pub(crate) struct ParameterDetails<'r> {
    pub(crate) parameter: &'r Parameter,
    /// Share of requests, or number of values and confidence.
    pub(crate) evidence: String,
    /// Where its values come from, and the first reasons for it being a parameter.
    pub(crate) reasons: String,
}

/// Most parameters of an endpoint that are shown.
const MAX_PARAMETERS: usize = 12;
/// Most reasons of a parameter that are shown.
const MAX_REASONS: usize = 2;

impl<'r> EndpointDetails<'r> {
    pub(crate) fn new(
        pattern: &'r Pattern,
        near_misses: &[NearMiss],
        fields: &'r [MessageField],
    ) -> Self {
        let statuses = pattern.status_codes.iter();
        let statuses: Vec<String> = statuses
            .map(|(code, count)| format!("{code} × {}", format_thousands(*count)))
            .collect();
        let latency = pattern.latency_ms.as_ref();
        let sizes = pattern.response_bytes.as_ref();
        Self {
            path: pattern.endpoint.strip_prefix(&*pattern.method).map_or("", str::trim_start),
            requests: format_thousands(pattern.request_count),
            statuses: statuses.join(", "),
            latency: latency.map_or_else(String::new, |latency| {
                format!("{} / {} / {} ms", latency.p50, latency.p95, latency.p99)
            }),
            size: sizes.map_or_else(String::new, |sizes| bytes_in_words(sizes.p50)),
            parameters: pattern
                .parameters
                .iter()
                .take(MAX_PARAMETERS)
                .map(ParameterDetails::new)
                .collect(),
            near_misses: near_misses.iter().map(NearMiss::in_words).collect(),
            headers: join_names(pattern.common_headers.keys()),
            media_types: join_names(pattern.media_types.keys()),
            request_media_types: join_names(pattern.request_media_types.keys()),
            sensitive: sensitive(pattern),
            fields,
            curl: curl(pattern),
            pattern,
        }
    }

    /// Number of parameters that are not shown.
    pub(crate) fn more_parameters(&self) -> usize {
        self.pattern.parameters.len() - self.parameters.len()
    }
}

impl<'r> ParameterDetails<'r> {
    fn new(parameter: &'r Parameter) -> Self {
        let evidence = match (parameter.confidence, parameter.distinct, parameter.seen) {
            (Some(confidence), Some(distinct), _) => {
                format!("{}, confidence {confidence:.2}", format_count(distinct, "value"))
            }
            (_, _, Some(seen)) => format!("{:.0} % of requests", seen * 100.0),
            _ => String::new(),
        };
        let source = parameter.source.iter().map(ParameterSource::in_words);
        let reasons = parameter.reasons.iter().take(MAX_REASONS).cloned();
        let reasons: Vec<String> = source.chain(reasons).collect();
        Self { parameter, evidence, reasons: reasons.join("; ") }
    }
}

fn join_names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn sensitive(pattern: &Pattern) -> String {
    let bodies = pattern.responses.values().flat_map(|of_status| of_status.values());
    let summaries = pattern.request_body.values().chain(bodies);
    let mut kinds: Vec<&str> =
        summaries.flat_map(|summary| summary.sensitive.iter().map(String::as_str)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.join(", ")
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
    // Without this option, curl takes braces for alternatives.
    let literally = if pattern.path_pattern.contains('{') { "-g " } else { "" };
    format!(
        "curl {literally}{method}'https://{}{}{}'{headers}",
        quote(&pattern.host),
        quote(&pattern.path_pattern),
        quote(&query)
    )
}

fn bytes_in_words(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{}.{} kB", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{} MB", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
