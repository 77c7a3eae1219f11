//! The report: the decided, sorted result, and the JSON contract of the crate.

pub(crate) mod bodies;
#[cfg(feature = "mcp")]
pub(crate) mod branches;
pub(crate) mod decision;
pub(crate) mod domain;
mod hosts;
pub(crate) mod masked;
pub(crate) mod options;
pub(crate) mod routes;
#[cfg(feature = "mcp")]
pub(crate) mod selection;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::report::bodies::BodySummaries;

use crate::flow::operation::parse_key;
use crate::flow::text;
use crate::limits;
use crate::patterns::endpoint::Endpoint;
use crate::patterns::names;
use crate::sketch::{Merge, stable_hash};
use crate::template::Template;
use crate::template::variable::Variable;

/// Displayed name of the group of hosts beyond the bound of the trie.
pub(crate) const OTHER_HOSTS: &str = "(other hosts)";

/// The endpoints of the APIs behind the traffic. Its serialised form is the JSON contract of the
/// crate: fields are only ever added.
///
/// Patterns are grouped by host. Hosts are ordered by number of requests, descending; within a
/// host, endpoints are ordered by number of requests, descending. Ties are broken by name, so the
/// order is deterministic.
///
/// ```
/// use api_patterns::{Flow, Patterns, Report};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let report = patterns.report();
/// let json = serde_json::to_string(&report)?;
/// assert_eq!(serde_json::from_str::<Report>(&json)?, report);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format, currently 1. It changes only if the meaning of a field changes.
    pub version: u32,
    /// Totals over the whole input.
    pub totals: Totals,
    /// The endpoints, in the order described above.
    pub patterns: Vec<Pattern>,
}

/// Numbers of flows, hosts and endpoints of a [`Report`].
///
/// ```
/// use api_patterns::{Flow, Patterns, SkipReason};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// patterns.skip(SkipReason::Tcp);
/// let totals = patterns.report().totals;
/// assert_eq!((totals.flows, totals.used, totals.skipped["tcp"]), (2, 1, 1));
/// assert_eq!((totals.hosts, totals.patterns), (1, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Flows and damaged places found in the captures: `used` plus all of `skipped`.
    pub flows: u64,
    /// Flows counted in the patterns.
    pub used: u64,
    /// Skipped items by the name of their [`SkipReason`](crate::SkipReason).
    pub skipped: BTreeMap<String, u64>,
    /// Distinct hosts, after grouping.
    pub hosts: u64,
    /// Endpoints: the length of [`Report::patterns`].
    pub patterns: u64,
    /// Distinct segments that were folded into a parameter because there were too many below one
    /// prefix or on one host, although they may be names of endpoints. Exact up to 128 per prefix;
    /// beyond that an estimate with a relative standard error of about 9 %.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_told_apart: u64,
}

/// One endpoint: a method and a path template of one host, with the statistics of its requests.
///
/// Captured text (paths, names, hosts) is shown with control and invisible characters
/// percent-encoded, and with text that looks like a secret replaced by `[masked]`. No header
/// values, bodies or parameter values are included.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42?full=1").unwrap());
/// let pattern = &patterns.report().patterns[0];
/// assert_eq!(pattern.endpoint, "GET /users/{user_id}");
/// assert_eq!(pattern.host, "api.example.com");
/// assert_eq!(pattern.path_params, ["user_id"]);
/// assert_eq!(pattern.query_params, ["full"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Stable id: 12 hexadecimal digits, a hash of method, host, operation and the structure of the
    /// template. It does not depend on parameter names and is equal in every run.
    pub id: String,
    /// Method and path template, `GET /users/{user_id}`, followed by the operation if there is one,
    /// `POST /graphql#GetUser`.
    pub endpoint: String,
    /// The operation, if the endpoints of one path are distinguished by operation (GraphQL,
    /// JSON-RPC, SOAP, `?action=`): `GetUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The method, in upper case.
    pub method: String,
    /// The host in lower case, with its port if that is not the default port of the scheme.
    pub host: String,
    /// The path template, `/users/{user_id}`; empty for CONNECT.
    pub path_pattern: String,
    /// The names of the path parameters, in order of position.
    pub path_params: Vec<String>,
    /// All parameters: path parameters in order of position, then query parameters by name.
    pub parameters: Vec<Parameter>,
    /// The names of the query parameters, sorted.
    pub query_params: Vec<String>,
    /// Request header names with the number of requests that had them, most frequent first. At most
    /// ten; headers that every client sends (`host`, `accept`, ...) are omitted.
    pub common_headers: IndexMap<String, u64>,
    /// Number of responses per status code, in numeric order of the code.
    pub status_codes: IndexMap<String, u64>,
    /// Number of responses per class of content: `json`, `form`, `xml`, `text` or `unknown`.
    pub content_types: BTreeMap<String, u64>,
    /// Number of responses per media type.
    pub media_types: BTreeMap<String, u64>,
    /// Number of requests.
    pub request_count: u64,
    /// Number of requests that failed before the response was complete.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_count: u64,
    /// Number of websocket handshakes among the requests.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub websocket_count: u64,
    /// Request bodies by media type, of requests that were not refused; empty unless bodies were asked for
    /// ([`Options::bodies`](crate::Options::bodies)).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_body: BodySummaries,
    /// Response bodies by status code and media type; empty unless bodies were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub responses: BTreeMap<String, BodySummaries>,
    /// Ids of the newest flows, at most three, newest first.
    pub sample_flow_ids: Vec<String>,
    /// Percentiles of the time from the start of the request to the end of the response, in
    /// milliseconds; relative error at most 1/32. `None` if no duration is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Percentiles of the response body size on the wire, in bytes; relative error at most 1/32.
    /// `None` if no size is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<Sizes>,
    /// Start of the earliest request, in RFC 3339 (UTC, microseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Start of the latest request, in RFC 3339 (UTC, microseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One path or query parameter of an endpoint.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let parameter = &patterns.report().patterns[0].parameters[0];
/// assert_eq!((&*parameter.name, &*parameter.location), ("user_id", "path"));
/// assert_eq!((&*parameter.kind, parameter.segment), ("integer", Some(2)));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name: derived from the template for a path parameter, the decoded captured name for a
    /// query parameter. Unique per endpoint and location.
    pub name: String,
    /// Location of the parameter: `path` or `query`. Serialised as `in`.
    #[serde(rename = "in")]
    pub location: String,
    /// The common kind of its values, as in [`SegmentKind::name`](crate::SegmentKind::name), or
    /// `boolean` or `empty` for query parameters. `string` if values are of several kinds.
    pub kind: String,
    /// Path parameters: position of its segment in the path, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<usize>,
    /// Path parameters: number of distinct values. Exact up to 128; beyond that an estimate with a
    /// relative standard error of about 9 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Path parameters: mean probability, over the requests, that the segment is a value; 0.01 to
    /// 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Path parameters: the evidence for the segment being a value, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Query parameters: the share of requests that had it, 0 to 1, with three decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<f64>,
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
