//! The report: the decided, sorted result, and the JSON contract of the crate.

pub(crate) mod bodies;
#[cfg(feature = "mcp")]
pub(crate) mod branches;
mod classification;
pub(crate) mod decision;
mod describe;
pub(crate) mod domain;
pub(crate) mod endpoint_class;
pub(crate) mod exchange;
mod hosts;
pub(crate) mod lookup;
pub(crate) mod masked;
pub(crate) mod message_field;
pub(crate) mod options;
pub(crate) mod overview;
pub(crate) mod parameter_source;
pub(crate) mod party;
#[cfg(feature = "cli")]
pub(crate) mod path_tree;
pub(crate) mod routes;
#[cfg(feature = "cli")]
pub(crate) mod selection;
pub(crate) mod timeline;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use crate::patterns::endpoint::durations::Latency;
pub use crate::patterns::endpoint::response_sizes::Sizes;
use crate::report::bodies::BodySummaries;
use crate::report::endpoint_class::EndpointClass;
use crate::report::parameter_source::ParameterSource;
use crate::report::party::Party;

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
    /// Endpoints that are not in [`Report::patterns`] because they were not asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_selected: u64,
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
    /// Whether the endpoint is a call of an API, a page or an asset.
    #[serde(default)]
    pub class: EndpointClass,
    /// Whether the host is a first or a third party.
    #[serde(default)]
    pub party: Party,
    /// The names of the path parameters, in order of position.
    pub path_params: Vec<String>,
    /// All parameters: path parameters in order of position, then query parameters by name.
    pub parameters: Vec<Parameter>,
    /// The names of the query parameters, sorted.
    pub query_params: Vec<String>,
    /// Request header names with the number of requests that had them: first those that identify a
    /// client or a tenant, then other names beginning with `x-`, then the rest, each most frequent
    /// first. At most ten; headers that clients send by themselves (`host`, `accept`, `sec-*`,
    /// `referer`, ...) are omitted.
    pub common_headers: IndexMap<String, u64>,
    /// Number of responses per status code, in numeric order of the code.
    pub status_codes: IndexMap<String, u64>,
    /// Number of responses per class of content: `json`, `form`, `xml`, `text` or `unknown`.
    pub content_types: BTreeMap<String, u64>,
    /// Number of responses per media type.
    pub media_types: BTreeMap<String, u64>,
    /// Number of requests per media type of their body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_media_types: BTreeMap<String, u64>,
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

impl Pattern {
    /// The method as people read it: `WS` for an endpoint of websockets, whose handshakes are all `GET`.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, analyze};
    ///
    /// let line = br#"{"method": "GET", "url": "https://a.example/chat", "status": 101, "websocket": true}"#;
    /// let captures = Captures::from_bytes("one line", line.to_vec(), InputFormat::Detect)?;
    /// let report = analyze(&captures, &Options::default(), &())?.report;
    /// assert_eq!(report.patterns[0].shown_method(), "WS");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn shown_method(&self) -> &str {
        if self.websocket_count * 2 > self.request_count { "WS" } else { &self.method }
    }

    /// The endpoint as people read it: [`endpoint`](Self::endpoint) with the [`shown_method`](Self::shown_method).
    pub(crate) fn shown_endpoint(&self) -> String {
        let rest = self.endpoint.strip_prefix(&*self.method).unwrap_or(&self.endpoint);
        format!("{}{rest}", self.shown_method())
    }

    /// The number of requests that failed, or were answered with 4xx, 5xx or not at all.
    #[cfg(feature = "cli")]
    pub(crate) fn errors(&self) -> u64 {
        let fine = self.status_codes.iter().filter(|(code, _)| code.starts_with(['1', '2', '3']));
        let fine: u64 = fine.map(|(_, count)| count).sum();
        self.request_count.saturating_sub(fine).max(self.failed_count)
    }
}

/// The part of a time of a report (RFC 3339, UTC) that has the order of the times: without the final `Z`, before which zeros of the
/// fraction are left out.
pub(crate) fn order_of_time(time: &str) -> &str {
    time.trim_end_matches('Z')
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
    /// Path parameters: the answer in which most of its values stood, if bodies were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ParameterSource>,
}
