//! The description of one endpoint: the pattern that a report holds, from the statistics of the
//! leaves that were decided to belong to it.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::flow::operation::{is_persisted_name, parse_key};
use crate::flow::text;
use crate::patterns::aggregate::{Aggregate, CountedName};
use crate::patterns::endpoint::query_parameters::QueryParameter;
use crate::patterns::endpoint::request_contexts::RequestContexts;
use crate::patterns::endpoint::{Endpoint, EndpointSection};
use crate::patterns::names;
use crate::report::bodies::BodySummaries;
use crate::report::endpoint_class::{EndpointClass, class_of};
use crate::report::party::Party;
use crate::report::{Parameter, Pattern, masked};
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
        let headers = endpoint.header_names.requests_by_hash();
        let query = endpoint.query_parameters.requests_by_hash();
        for (hash, count) in headers.into_iter().chain(query) {
            *self.0.entry(hash).or_default() += count;
        }
    }

    fn requests(&self, hash: u64) -> u64 {
        self.0.get(&hash).copied().unwrap_or(0)
    }
}

/// A described endpoint, with what the other endpoints are needed for to complete the description.
pub(crate) struct DescribedEndpoint {
    /// The description, with the default class and party.
    pub(crate) pattern: Pattern,
    /// The class, if it is known from the endpoint alone.
    pub(crate) class: Option<EndpointClass>,
    /// Where its requests come from.
    pub(crate) contexts: RequestContexts,
}

/// Describes one endpoint from all statistics that were decided to belong to it.
pub(crate) fn pattern_of(
    (method, operation): (&[u8], &[u8]),
    host: &HostSummary<'_>,
    template: &Template,
    variables: &[(usize, Variable<'_>)],
    seen: &[&Endpoint],
) -> DescribedEndpoint {
    let mut endpoint = Endpoint::default();
    for part in seen {
        endpoint.merge((*part).clone());
    }
    let shown = endpoint.finish();
    let requests = shown.counts.requests;
    let existing = existing_requests(seen);
    let judged = existing.as_ref().unwrap_or(&shown);
    let mut template = template.clone();
    // Paths with and without a trailing slash are one endpoint, shown in the more frequent form.
    template.trailing_slash =
        !template.parts.is_empty() && judged.counts.trailing_slash * 2 > judged.counts.requests;
    let operation = parse_key(operation).map(|(_, name)| name);
    let id = identity(method, host.name, &template, operation);
    let names = &host.names;
    let host = masked::host(host.name, host.requests);
    let method = masked::word(method, requests).into_owned();
    let path_pattern = if method == "CONNECT" { String::new() } else { template.to_string() };
    let shown_path = if path_pattern.is_empty() { &*host } else { &path_pattern };
    let operation = operation.map(|name| {
        if is_persisted_name(name) {
            String::from_utf8_lossy(name).into_owned()
        } else {
            masked::word(name, requests).into_owned()
        }
    });
    let split = operation.as_ref().map(|name| format!("#{name}")).unwrap_or_default();

    let path_params: Vec<String> = template.parameters().map(|(_, name)| name.to_owned()).collect();
    let mut parameters: Vec<Parameter> = template
        .parameters()
        .filter_map(|(part, name)| {
            let (_, variable) = variables.iter().find(|(segment, _)| *segment == part + 1)?;
            Some(path_parameter(part + 1, variable, name))
        })
        .collect();
    let query = query_parameters(&shown.query_parameters, requests, names);
    let query_params = query.iter().map(|parameter| parameter.name.clone()).collect();
    parameters.extend(query);
    let class = class_of((&method, operation.is_some(), &path_pattern), judged);

    let pattern = Pattern {
        id,
        endpoint: format!("{method} {shown_path}{split}"),
        operation,
        method,
        host: host.clone().into_owned(),
        path_params,
        parameters,
        query_params,
        common_headers: common_headers(&shown.header_names, names),
        status_codes: shown.status_codes,
        content_types: content_types(&shown.media_types, shown.counts.responses),
        media_types: media_types(&shown.media_types),
        request_media_types: media_types(&shown.request_media_types),
        request_count: requests,
        failed_count: shown.counts.failed,
        websocket_count: shown.counts.websockets,
        request_body: BodySummaries::new(),
        responses: BTreeMap::new(),
        sample_flow_ids: flow_ids(&shown.sample_ids),
        latency_ms: shown.durations,
        response_bytes: shown.response_sizes,
        first_seen: shown.times.first,
        last_seen: shown.times.last,
        path_pattern,
        class: EndpointClass::default(),
        party: Party::default(),
    };
    DescribedEndpoint { pattern, class, contexts: shown.request_contexts }
}

/// The statistics of an endpoint without the leaves that only got 404, where these have half of the requests or more: a scan
/// must not decide whether the endpoint ends in a slash, or is a page. `None` where all requests can decide.
fn existing_requests(seen: &[&Endpoint]) -> Option<EndpointSection> {
    let is_found = |seen: &&&Endpoint| seen.status_codes.not_found() < seen.counts.responses.max(1);
    let requests = |part: &&Endpoint| part.counts.requests;
    let all: u64 = seen.iter().map(requests).sum();
    let found: u64 = seen.iter().filter(is_found).map(requests).sum();
    // Fewer cannot outvote the others.
    if found == 0 || found * 2 > all {
        return None;
    }
    let mut existing = Endpoint::default();
    seen.iter().filter(is_found).for_each(|part| existing.merge((*part).clone()));
    Some(existing.finish())
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
        source: None,
    }
}

fn query_parameters(seen: &[QueryParameter], requests: u64, names: &NameCounts) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = seen
        .iter()
        .map(|QueryParameter { name, kind }| Parameter {
            name: masked::word(&name.name, names.requests(name.hash)).into_owned(),
            location: "query".to_owned(),
            kind: (*kind).to_owned(),
            segment: None,
            distinct: None,
            confidence: None,
            reasons: Vec::new(),
            source: None,
            seen: Some(share(name.count, requests)),
        })
        .collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    // All names that look like secrets are shown as one parameter.
    parameters.dedup_by(|a, b| a.name == b.name);
    parameters
}

fn common_headers(seen: &[CountedName], counts: &NameCounts) -> IndexMap<String, u64> {
    let mut shown = IndexMap::new();
    for CountedName { name, hash, count } in seen {
        let name = masked::word(name, counts.requests(*hash)).into_owned();
        *shown.entry(name).or_default() += count;
    }
    shown
}

fn media_types(seen: &[CountedName]) -> BTreeMap<String, u64> {
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for CountedName { name, count, .. } in seen {
        *types.entry(masked::media_type(name, *count).into_owned()).or_default() += count;
    }
    types
}

/// The classes of the media types; responses beyond theirs are `unknown`.
fn content_types(seen: &[CountedName], responses: u64) -> BTreeMap<String, u64> {
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    let mut known = 0;
    for CountedName { name, count, .. } in seen {
        *classes.entry(names::content_class(name).to_owned()).or_default() += count;
        known += count;
    }
    if responses > known {
        *classes.entry("unknown".to_owned()).or_default() += responses - known;
    }
    classes
}

fn flow_ids(seen: &[Box<[u8]>]) -> Vec<String> {
    seen.iter().map(|id| masked::flow_id(id).into_owned()).collect()
}

/// `part / whole`, rounded to three decimals.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
    let thousandths = ((part * 2000 + whole) / (2 * whole.max(1))) as f64;
    thousandths / 1000.0
}
