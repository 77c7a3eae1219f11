//! Answers of the tools, in the shape that the output schemas describe. The server's own words and captured text are in
//! different fields, so that an agent can tell them apart.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::Detail;
use crate::report::branches::Branch;
use crate::report::decision::NearMiss;
use crate::report::endpoint_class::EndpointClass;
use crate::report::party::Party;
use crate::report::selection::EndpointOrder;
use crate::report::{Latency, Parameter, Pattern, Sizes, Totals};

/// The answer of `get_api_patterns`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct PatternsAnswer {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// The detail that was asked for.
    pub(super) detail: Detail,
    /// Totals over all captures (with a limit: over the flows that were used).
    pub(super) totals: TotalsRow,
    /// The endpoints that match the question.
    pub(super) matched: Count,
    /// The endpoints in patterns.
    pub(super) returned: Count,
    /// Whether more matches than was returned here and on the pages before.
    pub(super) truncated: bool,
    /// Cursor of the next page: pass it as cursor, with the same other arguments. Absent on the last page.
    #[schemars(with = "String")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
    /// What to do next, in words of this server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advice: Vec<String>,
    /// Hosts and path prefixes of everything that matches: drill down with domain and path_prefix of a row. Only on a
    /// first page that is truncated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tree: Vec<BranchRow>,
    /// Endpoints, in the order that sort asks for.
    pub(super) patterns: Vec<EndpointRow>,
    /// Observed data, with format text: the lines; with detail compat: the array of mitmproxy-mcp as text.
    #[schemars(with = "String")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
}

/// The answer of get_endpoint.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct EndpointAnswer {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// All that is known of the endpoint.
    pub(super) pattern: EndpointRow,
    /// Segments on its way that were nearly judged otherwise, the nearest first.
    pub(super) near_misses: Vec<NearMissRow>,
    /// JSON Schemas of its messages: parameters, request_body by media type, and responses by status and media type, as far as
    /// they fit. Names and enumerated values are observed data.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub(super) schemas: serde_json::Map<String, serde_json::Value>,
    /// What to do next, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advice: Vec<&'static str>,
    /// How many entries were left out of a list, where it was too long.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) omitted: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq, Serialize)]
#[schemars(inline)]
pub(super) struct Count {
    /// Endpoints.
    pub(super) patterns: u64,
    /// Their requests.
    pub(super) requests: u64,
}

#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct TotalsRow {
    /// Flows and damaged places found in the captures.
    flows: u64,
    /// Flows that the patterns count.
    used: u64,
    /// What was not used, by reason.
    skipped: BTreeMap<String, u64>,
    /// Different hosts.
    hosts: u64,
    /// Endpoints.
    patterns: u64,
    /// Captures that were read.
    captures_read: u64,
    /// Captures that could not be read, or not to their end.
    captures_unreadable: u64,
}

impl TotalsRow {
    pub(super) fn new(totals: &Totals, read: usize, unreadable: usize) -> Self {
        Self {
            flows: totals.flows,
            used: totals.used,
            skipped: totals.skipped.clone(),
            hosts: totals.hosts,
            patterns: totals.patterns,
            captures_read: read as u64,
            captures_unreadable: unreadable as u64,
        }
    }
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[schemars(inline)]
pub(super) struct BranchRow {
    /// Observed data: the host; empty for the hosts that have no row of their own.
    host: String,
    /// Observed data: what their paths begin with.
    path_prefix: String,
    /// Endpoints below it.
    patterns: u64,
    /// Their requests.
    requests: u64,
}

impl From<Branch> for BranchRow {
    fn from(branch: Branch) -> Self {
        Self {
            host: shorten_captured_text(&branch.host),
            path_prefix: whole_segments(&branch.path_prefix).to_owned(),
            patterns: branch.patterns,
            requests: branch.requests,
        }
    }
}

/// One endpoint; what the detail does not ask for is absent.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct EndpointRow {
    /// Id of the endpoint: pass it to get_endpoint for all that is known. Except with full detail it is absent where
    /// endpoint can be passed instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    /// Observed data: method and path template, {parameters} named by this server; [masked:N] is a segment that looks like a
    /// secret.
    endpoint: String,
    /// Observed data. In a summary and in the standard detail it is absent where it is the host of the row above.
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
    /// Requests.
    request_count: u64,
    /// page, asset or other; absent for a call of an API.
    #[serde(skip_serializing_if = "str::is_empty")]
    class: &'static str,
    /// third, for a service that the captured application embeds; absent for its own hosts.
    #[serde(skip_serializing_if = "str::is_empty")]
    party: &'static str,
    /// The method. Observed data.
    #[serde(skip_serializing_if = "String::is_empty")]
    method: String,
    /// Observed data: the path template.
    #[serde(skip_serializing_if = "String::is_empty")]
    path_pattern: String,
    /// Observed data: the operation, where one path has several (GraphQL, JSON-RPC, SOAP).
    #[serde(skip_serializing_if = "String::is_empty")]
    operation: String,
    /// With full detail: those of the path in order, then those of the query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<ParameterRow>,
    /// Observed data, with standard detail: the parameters of the path in order, with the kind of their values.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    path_parameters: IndexMap<String, String>,
    /// Observed data, with standard detail: the parameters of the query, with the kind of their values.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    query_parameters: IndexMap<String, String>,
    /// Parameters that are not listed here; get_endpoint has them.
    #[serde(skip_serializing_if = "is_zero")]
    more_parameters: u64,
    /// Responses by status code.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub(super) status_codes: IndexMap<String, u64>,
    /// Responses by class of content: json, form, xml, text, unknown. With standard detail it is absent where all are json.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    content_types: BTreeMap<String, u64>,
    /// Observed data: responses by media type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) media_types: BTreeMap<String, u64>,
    /// Observed data: request header names (never values) by requests.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "BTreeMap<String, u64>")]
    common_headers: IndexMap<String, u64>,
    /// Requests that failed without an answer.
    #[serde(skip_serializing_if = "is_zero")]
    failed_count: u64,
    /// Websocket handshakes among the requests.
    #[serde(skip_serializing_if = "is_zero")]
    websocket_count: u64,
    /// Observed data: ids of the newest flows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sample_flow_ids: Vec<String>,
    /// Milliseconds from request to the end of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, f64>")]
    latency_ms: Option<Latency>,
    /// Length of the response bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, u64>")]
    response_bytes: Option<Sizes>,
    /// Start of the first request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    first_seen: Option<String>,
    /// Start of the last request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    last_seen: Option<String>,
    /// Whether the row has less detail than was asked for, because it is too long for a page.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reduced: bool,
}

#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct ParameterRow {
    /// Observed data: the name. That of a query parameter was sent; that of a path parameter is made of the noun
    /// before it.
    name: String,
    /// path or query.
    #[serde(rename = "in")]
    location: String,
    /// The kind of its values.
    kind: String,
    /// Path parameters: position of the segment in the path, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    segment: Option<usize>,
    /// Path parameters: number of distinct values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    distinct: Option<u64>,
    /// Path parameters: probability that this segment varies, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    confidence: Option<f64>,
    /// Path parameters: the reasons, in words of this server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    /// Observed data. Path parameters: the call whose answer has its values, and where; make that one first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    source: Option<String>,
    /// Query parameters: the share of the requests that had it, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    seen: Option<f64>,
}

#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct NearMissRow {
    /// Which segment of the path, counted from 1.
    segment: u64,
    /// Observed data: the segment.
    text: String,
    /// value or name.
    judged: String,
    /// How likely it is a value, 0 to 1.
    probability: f64,
    /// What spoke most for this judgement, in words of this server.
    reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Returns captured text, shortened to [`limits::MAX_SHOWN_BYTES`]. The report has already escaped control characters
/// and masked secrets.
fn shorten_captured_text(word: &str) -> String {
    text::shortened(word.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned()
}

/// Returns as many whole segments of a path prefix as fit into [`limits::MAX_SHOWN_BYTES`], so that the result is a
/// valid `path_prefix`.
fn whole_segments(prefix: &str) -> &str {
    if prefix.len() <= limits::MAX_SHOWN_BYTES {
        return prefix;
    }
    let head = prefix.as_bytes()[..=limits::MAX_SHOWN_BYTES].iter().rposition(|byte| *byte == b'/');
    prefix.get(..head.unwrap_or_default()).filter(|head| !head.is_empty()).unwrap_or("/")
}

fn shown_keys<'a, C: FromIterator<(String, u64)>>(
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> C {
    counts.into_iter().map(|(key, count)| (shorten_captured_text(key), *count)).collect()
}

/// The kinds of values of the parameters at a location that are shown, by name.
fn kinds_of_parameters(pattern: &Pattern, location: &str) -> IndexMap<String, String> {
    let shown_ones = pattern.parameters.iter().take(limits::MAX_SHOWN_PARAMETERS);
    shown_ones
        .filter(|parameter| parameter.location == location)
        .map(|parameter| (shorten_captured_text(&parameter.name), parameter.kind.clone()))
        .collect()
}

impl EndpointRow {
    /// Creates the row of an endpoint. `reduced` marks a row that has less detail than the caller asked for.
    pub(super) fn new(pattern: &Pattern, detail: Detail, reduced: bool) -> Self {
        let row = Self {
            id: pattern.id.clone(),
            endpoint: shorten_captured_text(&pattern.endpoint),
            host: shorten_captured_text(&pattern.host),
            request_count: pattern.request_count,
            class: if pattern.class == EndpointClass::Api { "" } else { pattern.class.name() },
            party: if pattern.party == Party::First { "" } else { pattern.party.name() },
            reduced,
            ..Self::default()
        };
        match detail {
            // Shorten it further, so that it fits on the smallest page.
            Detail::Summary | Detail::Compat if reduced => Self {
                endpoint: text::shortened(pattern.endpoint.as_bytes(), limits::MAX_SHOWN_BYTES / 2)
                    .into_owned(),
                host: text::shortened(pattern.host.as_bytes(), limits::MAX_SHOWN_BYTES / 2)
                    .into_owned(),
                ..row
            },
            Detail::Summary | Detail::Compat => row,
            Detail::Standard => {
                let count = pattern.parameters.len();
                Self {
                    path_parameters: kinds_of_parameters(pattern, "path"),
                    query_parameters: kinds_of_parameters(pattern, "query"),
                    more_parameters: count.saturating_sub(limits::MAX_SHOWN_PARAMETERS) as u64,
                    status_codes: pattern.status_codes.clone(),
                    content_types: if pattern.content_types.keys().all(|class| class == "json") {
                        BTreeMap::new()
                    } else {
                        pattern.content_types.clone()
                    },
                    ..row
                }
            }
            Detail::Full => Self {
                method: shorten_captured_text(&pattern.method),
                path_pattern: shorten_captured_text(&pattern.path_pattern),
                operation: shorten_captured_text(pattern.operation.as_deref().unwrap_or_default()),
                parameters: pattern.parameters.iter().map(ParameterRow::full).collect(),
                status_codes: pattern.status_codes.clone(),
                content_types: pattern.content_types.clone(),
                media_types: shown_keys(&pattern.media_types),
                common_headers: shown_keys(&pattern.common_headers),
                failed_count: pattern.failed_count,
                websocket_count: pattern.websocket_count,
                sample_flow_ids: pattern
                    .sample_flow_ids
                    .iter()
                    .map(|id| shorten_captured_text(id))
                    .collect(),
                latency_ms: pattern.latency_ms.clone(),
                response_bytes: pattern.response_bytes.clone(),
                first_seen: pattern.first_seen.clone(),
                last_seen: pattern.last_seen.clone(),
                ..row
            },
        }
    }
}

/// Returns `true` if an endpoint can be asked for by its name as it is shown: the name is whole, and the only one by `names`, the
/// number of endpoints with each name.
pub(super) fn is_name_enough(shown: &str, pattern: &Pattern, names: &BTreeMap<&str, u32>) -> bool {
    shown == pattern.endpoint && names.get(shown) == Some(&1)
}

impl EndpointRow {
    /// Returns the row with the number or time that its order compares, whatever the detail.
    pub(super) fn with_sort_key(mut self, pattern: &Pattern, order: EndpointOrder) -> Self {
        match order {
            EndpointOrder::Requests | EndpointOrder::Path => {}
            EndpointOrder::Errors => {
                self.status_codes.clone_from(&pattern.status_codes);
                self.failed_count = pattern.failed_count;
            }
            EndpointOrder::Latency => self.latency_ms.clone_from(&pattern.latency_ms),
            EndpointOrder::Size => self.response_bytes.clone_from(&pattern.response_bytes),
            EndpointOrder::Recent => self.last_seen.clone_from(&pattern.last_seen),
        }
        self
    }

    /// Returns the row without the parts that its detail need not repeat: except with full detail the id where the
    /// endpoint is whole and only one of all has its name, and the host of the row above.
    pub(super) fn without_repetition(
        mut self,
        pattern: &Pattern,
        detail: Detail,
        names: &BTreeMap<&str, u32>,
        host_above: Option<&str>,
    ) -> Self {
        if !matches!(detail, Detail::Summary | Detail::Standard) {
            return self;
        }
        if is_name_enough(&self.endpoint, pattern, names) {
            self.id.clear();
        }
        if host_above == Some(&pattern.host) {
            self.host.clear();
        }
        self
    }
}

impl ParameterRow {
    fn full(parameter: &Parameter) -> Self {
        Self {
            segment: parameter.segment,
            distinct: parameter.distinct,
            confidence: parameter.confidence,
            reasons: parameter.reasons.clone(),
            source: parameter
                .source
                .as_ref()
                .map(|source| shorten_captured_text(&source.in_words())),
            seen: parameter.seen,
            ..Self::plain(parameter)
        }
    }

    fn plain(parameter: &Parameter) -> Self {
        Self {
            name: shorten_captured_text(&parameter.name),
            location: parameter.location.clone(),
            kind: parameter.kind.clone(),
            segment: None,
            distinct: None,
            confidence: None,
            reasons: Vec::new(),
            source: None,
            seen: None,
        }
    }
}

impl From<&NearMiss> for NearMissRow {
    fn from(near: &NearMiss) -> Self {
        Self {
            segment: near.segment as u64,
            text: shorten_captured_text(&near.text),
            judged: near.judged.clone(),
            probability: near.probability,
            reason: near.reason.clone(),
        }
    }
}
