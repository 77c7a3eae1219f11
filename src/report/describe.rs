//! The description of one endpoint: the pattern that a report holds, from the statistics of the
//! leaves that were decided to belong to it.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::flow::operation::parse_key;
use crate::flow::text;
use crate::limits;
use crate::patterns::endpoint::Endpoint;
use crate::patterns::names;
use crate::report::bodies::BodySummaries;
use crate::report::{Latency, Parameter, Pattern, Sizes, masked};
use crate::sketch::{Merge, stable_hash};
use crate::template::Template;
use crate::template::variable::Variable;

/// Facts about the host of an endpoint that are needed to describe the endpoint.
#[derive(Debug, Default)]
pub(crate) struct HostSummary<'a> {
    pub(crate) name: &'a str,
    /// Requests to the host, over all endpoints.
    pub(crate) requests: u64,
    pub(crate) names: NameCounts,
}

/// Number of requests to a host per header or query parameter, keyed by the hash of its name.
#[derive(Debug, Default)]
pub(crate) struct NameCounts(BTreeMap<u64, u64>);

impl NameCounts {
    /// Adds the names of one endpoint.
    pub(crate) fn add(&mut self, endpoint: &Endpoint) {
        let headers = endpoint.headers.names();
        let headers = headers.iter().map(|entry| (entry.hash, entry.value));
        let query = endpoint.query.iter().map(|entry| (entry.hash, entry.value.count));
        for (hash, count) in headers.chain(query) {
            *self.0.entry(hash).or_default() += count;
        }
    }

    fn requests(&self, hash: u64) -> u64 {
        self.0.get(&hash).copied().unwrap_or(0)
    }
}

/// Describes one endpoint from all statistics that were decided to belong to it.
pub(crate) fn pattern_of(
    (method, operation): (&[u8], &[u8]),
    host: &HostSummary<'_>,
    template: &Template,
    variables: &[(usize, Variable<'_>)],
    seen: &[&Endpoint],
) -> Pattern {
    let mut endpoint = Endpoint::default();
    for part in seen {
        endpoint.merge((*part).clone());
    }
    let mut template = template.clone();
    // Paths with and without a trailing slash are one endpoint, shown in the more frequent form.
    template.trailing_slash =
        !template.parts.is_empty() && endpoint.trailing_slash * 2 > endpoint.count;
    let operation = parse_key(operation).map(|(_, name)| name);
    let id = identity(method, host.name, &template, operation);
    let names = &host.names;
    let host = masked::host(host.name, host.requests);
    let method = masked::word(method, endpoint.count).into_owned();
    let path_pattern = if method == "CONNECT" { String::new() } else { template.to_string() };
    let shown_path = if path_pattern.is_empty() { &*host } else { &path_pattern };
    let operation = operation.map(|name| masked::word(name, endpoint.count).into_owned());
    let split = operation.as_ref().map(|name| format!("#{name}")).unwrap_or_default();

    let path_params: Vec<String> = template.parameters().map(|(_, name)| name.to_owned()).collect();
    let mut parameters: Vec<Parameter> = template
        .parameters()
        .filter_map(|(part, name)| {
            let (_, variable) = variables.iter().find(|(segment, _)| *segment == part + 1)?;
            Some(path_parameter(part + 1, variable, name))
        })
        .collect();
    let query = query_parameters(&endpoint, names);
    let query_params = query.iter().map(|parameter| parameter.name.clone()).collect();
    parameters.extend(query);

    Pattern {
        id,
        endpoint: format!("{method} {shown_path}{split}"),
        operation,
        method,
        host: host.clone().into_owned(),
        path_params,
        parameters,
        query_params,
        common_headers: common_headers(&endpoint, names),
        status_codes: status_codes(&endpoint),
        content_types: content_types(&endpoint),
        media_types: media_types(&endpoint),
        request_count: endpoint.count,
        failed_count: endpoint.failed,
        websocket_count: endpoint.websockets,
        request_body: BodySummaries::new(),
        responses: BTreeMap::new(),
        sample_flow_ids: endpoint
            .sample_ids
            .iter()
            .map(|(_, id)| masked::flow_id(id).into_owned())
            .collect(),
        latency_ms: (!endpoint.latency.is_empty()).then(|| Latency {
            p50: milliseconds(endpoint.latency.percentile(50)),
            p95: milliseconds(endpoint.latency.percentile(95)),
            p99: milliseconds(endpoint.latency.percentile(99)),
        }),
        response_bytes: (!endpoint.response_bytes.is_empty()).then(|| Sizes {
            p50: endpoint.response_bytes.percentile(50),
            p95: endpoint.response_bytes.percentile(95),
        }),
        first_seen: endpoint.first_seen.and_then(rfc3339),
        last_seen: endpoint.last_seen.and_then(rfc3339),
        path_pattern,
    }
}

/// The id of an endpoint. It is a hash of the captured words, not of the displayed ones, so that
/// masking cannot make two ids equal.
fn identity(method: &[u8], host: &str, template: &Template, operation: Option<&[u8]>) -> String {
    let method = text::printable(method);
    let split = operation.map(|name| format!("#{}", text::printable(name))).unwrap_or_default();
    let identity =
        [method.as_bytes(), b"\0", host.as_bytes(), b"\0", &template.structure(), split.as_bytes()]
            .concat();
    format!("{:012x}", stable_hash(&identity) >> 16)
}

fn path_parameter(segment: usize, variable: &Variable<'_>, name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location: "path".to_owned(),
        kind: variable.kind().to_owned(),
        segment: Some(segment),
        distinct: Some(variable.distinct()),
        confidence: Some(variable.confidence()),
        reasons: variable.reasons(),
        seen: None,
    }
}

fn query_parameters(endpoint: &Endpoint, names: &NameCounts) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = endpoint
        .query
        .iter()
        .map(|entry| Parameter {
            name: masked::word(&entry.key, names.requests(entry.hash)).into_owned(),
            location: "query".to_owned(),
            kind: names::kind_name(entry.value.kinds).to_owned(),
            segment: None,
            distinct: None,
            confidence: None,
            reasons: Vec::new(),
            seen: Some(share(entry.value.count, endpoint.count)),
        })
        .collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    // All names that look like secrets are shown as one parameter.
    parameters.dedup_by(|a, b| a.name == b.name);
    parameters
}

fn common_headers(endpoint: &Endpoint, counts: &NameCounts) -> IndexMap<String, u64> {
    let names = endpoint.headers.names();
    let mut headers: Vec<(u64, &[u8], u64)> =
        names.iter().map(|e| (e.value, &*e.key, e.hash)).collect();
    headers.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let most = headers.into_iter().take(limits::MAX_COMMON_HEADERS);
    let mut shown = IndexMap::new();
    for (count, name, hash) in most {
        *shown.entry(masked::word(name, counts.requests(hash)).into_owned()).or_default() += count;
    }
    shown
}

fn status_codes(endpoint: &Endpoint) -> IndexMap<String, u64> {
    let mut codes: Vec<(u64, u64)> = endpoint
        .statuses
        .iter()
        .filter_map(|entry| {
            Some((std::str::from_utf8(&entry.key).ok()?.parse().ok()?, entry.value))
        })
        .collect();
    codes.sort_unstable();
    codes.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
}

fn media_types(endpoint: &Endpoint) -> BTreeMap<String, u64> {
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for entry in endpoint.media_types.iter() {
        *types.entry(masked::media_type(&entry.key, entry.value).into_owned()).or_default() +=
            entry.value;
    }
    types
}

fn content_types(endpoint: &Endpoint) -> BTreeMap<String, u64> {
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    let mut known = 0;
    for entry in endpoint.media_types.iter() {
        *classes.entry(names::content_class(&entry.key).to_owned()).or_default() += entry.value;
        known += entry.value;
    }
    if endpoint.responses > known {
        *classes.entry("unknown".to_owned()).or_default() += endpoint.responses - known;
    }
    classes
}

/// `part / whole`, rounded to three decimals.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
    let thousandths = ((part * 2000 + whole) / (2 * whole.max(1))) as f64;
    thousandths / 1000.0
}

/// Converts microseconds to milliseconds, rounded to one decimal.
fn milliseconds(microseconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded to tenths of a millisecond")]
    let tenths = ((microseconds + 50) / 100) as f64;
    tenths / 10.0
}

/// Formats a Unix time in RFC 3339, to the microsecond, which is the resolution that proxies
/// record. `None` if it is out of range.
fn rfc3339(nanoseconds: i64) -> Option<String> {
    Some(jiff::Timestamp::from_microsecond(nanoseconds.div_euclid(1000)).ok()?.to_string())
}
