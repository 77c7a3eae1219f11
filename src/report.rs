//! The decided, sorted result: the public contract, field by field.

pub(crate) mod decision;
pub(crate) mod domain;
mod hosts;
pub(crate) mod masked;
pub(crate) mod routes;
#[cfg(feature = "mcp")]
pub(crate) mod select;
#[cfg(feature = "mcp")]
pub(crate) mod tree;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::flow::operation::parse_key;
use crate::flow::text;
use crate::limits;
use crate::patterns::endpoint::Endpoint;
use crate::patterns::names;
use crate::sketch::{Merge, stable_hash};
use crate::template::Template;
use crate::template::decide::Variable;

/// The name of the group of hosts that had no place of their own.
pub(crate) const OTHER_HOSTS: &str = "(other hosts)";

/// The endpoints of the APIs behind the traffic. This is the JSON contract: changes only add.
///
/// Patterns are grouped by host, the host with the most requests first; within a host the most-used endpoint comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this format: 1.
    pub version: u32,
    /// What was read and used.
    pub totals: Totals,
    /// The endpoints.
    pub patterns: Vec<Pattern>,
}

/// How much was read, and how much of it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Flows (and damaged places) found in the captures: `used` and all that were skipped.
    pub flows: u64,
    /// Flows that the patterns count.
    pub used: u64,
    /// What was not used, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Different hosts.
    pub hosts: u64,
    /// Endpoints.
    pub patterns: u64,
    /// Segments that were folded into a parameter because there were too many at one place or on one host, and that may be
    /// names of endpoints; exact up to 128 a place, and estimated to within about 10 % beyond.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_told_apart: u64,
}

/// One endpoint. Text that was captured (paths, names, hosts) has its control and invisible characters percent-encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// A hash of method, host and the structure of the template: stable over runs and over names of parameters.
    pub id: String,
    /// Method and path pattern, as in `GET /users/{user_id}`, and the operation, as in `POST /graphql#GetUser`.
    pub endpoint: String,
    /// The operation, where one path has several (GraphQL, JSON-RPC, SOAP, `?action=`): `GetUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The method, in upper case.
    pub method: String,
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
    /// The path template; empty for CONNECT.
    pub path_pattern: String,
    /// The names of the path parameters, in order.
    pub path_params: Vec<String>,
    /// Every parameter: those of the path in order, then those of the query by name.
    pub parameters: Vec<Parameter>,
    /// The names of the query parameters, sorted.
    pub query_params: Vec<String>,
    /// Request header names by how many requests had them, most first; at most ten, and none that every client sends.
    pub common_headers: IndexMap<String, u64>,
    /// Responses by status code, sorted by code.
    pub status_codes: IndexMap<String, u64>,
    /// Responses by class of content: `json`, `form`, `xml`, `text`, `unknown`.
    pub content_types: BTreeMap<String, u64>,
    /// Responses by media type.
    pub media_types: BTreeMap<String, u64>,
    /// Requests.
    pub request_count: u64,
    /// Requests that failed without an answer, or while it came.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_count: u64,
    /// Websocket handshakes among the requests.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub websocket_count: u64,
    /// The ids of the newest flows, at most three.
    pub sample_flow_ids: Vec<String>,
    /// Time from request to the end of the response, in milliseconds; to within 1/32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Length of the response body on the wire in bytes; to within 1/32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<Sizes>,
    /// Start of the first request, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Start of the last request, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One parameter of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Unique among those of the same place.
    pub name: String,
    /// `path` or `query`.
    #[serde(rename = "in")]
    pub location: String,
    /// The kind of its values: `integer`, `uuid`, `string`, ...
    pub kind: String,
    /// For a path parameter: which segment, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<usize>,
    /// For a path parameter: how many different values, exact up to 128 and estimated to within about 10 % beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// For a path parameter: how sure it is that this segment varies, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// For a path parameter: why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// For a query parameter: the share of the requests that had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<f64>,
}

/// Percentiles of a time in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the requests took at most this long.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

/// Percentiles of a size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Half of the bodies were at most this long.
    pub p50: u64,
    /// 95 of 100.
    pub p95: u64,
}

/// What is known of a host beside one endpoint.
#[derive(Debug, Default)]
pub(crate) struct HostFacts<'a> {
    pub(crate) name: &'a str,
    /// To this host, in all.
    pub(crate) requests: u64,
    pub(crate) names: NameCounts,
}

/// How many requests to a host had a header or a query parameter, by the hash of its name.
#[derive(Debug, Default)]
pub(crate) struct NameCounts(BTreeMap<u64, u64>);

impl NameCounts {
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

pub(crate) fn pattern_of(
    (method, operation): (&[u8], &[u8]),
    host: &HostFacts<'_>,
    template: &Template,
    variables: &[(usize, Variable<'_>)],
    seen: &[&Endpoint],
) -> Pattern {
    let mut endpoint = Endpoint::default();
    for part in seen {
        endpoint.merge((*part).clone());
    }
    let mut template = template.clone();
    // Both spellings are one endpoint, shown as most requests wrote it.
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

/// Of the words as they were captured, so that masks do not make two endpoints one.
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
    // Names that look like secrets are one.
    parameters.dedup_by(|a, b| a.name == b.name);
    parameters
}

fn common_headers(endpoint: &Endpoint, counts: &NameCounts) -> IndexMap<String, u64> {
    let names = endpoint.headers.names();
    let mut headers: Vec<(u64, &[u8], u64)> =
        names.iter().map(|e| (e.value, &*e.key, e.hash)).collect();
    headers.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let most = headers.into_iter().take(limits::COMMON_HEADERS);
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

/// A share with three decimals.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
    let thousandths = ((part * 2000 + whole) / (2 * whole.max(1))) as f64;
    thousandths / 1000.0
}

/// Microseconds as milliseconds with one decimal.
fn milliseconds(microseconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded to tenths of a millisecond")]
    let tenths = ((microseconds + 50) / 100) as f64;
    tenths / 10.0
}

/// To the microsecond, which is what proxies record.
fn rfc3339(nanoseconds: i64) -> Option<String> {
    Some(jiff::Timestamp::from_microsecond(nanoseconds.div_euclid(1000)).ok()?.to_string())
}
