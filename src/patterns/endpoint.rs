//! Statistics of one endpoint: counts, names and sizes, but no values.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::flow::{Flow, Outcome, Protocol};
use crate::limits;
use crate::math::decimal;
use crate::patterns::headers::HeaderNames;
use crate::patterns::names::{self, MessageNames};
use crate::sketch::{BottomK, HeapSize, Histogram, KeepsNames, Merge, TopN, stable_hash};

/// The statistics of one endpoint: one method and operation at one trie node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// Requests.
    pub(crate) count: u64,
    /// Requests whose path ended with a slash.
    pub(crate) trailing_slash: u64,
    /// Responses with a positive status code.
    pub(crate) responses: u64,
    /// Requests that failed before the response was complete.
    pub(crate) failed: u64,
    /// Websocket handshakes.
    pub(crate) websockets: u64,
    /// Responses by decimal status code.
    pub(crate) statuses: BottomK<u64, { limits::MAX_STATUS_CODES }>,
    /// Responses by media type.
    pub(crate) media_types: BottomK<u64, { limits::MAX_STATUS_CODES }>,
    /// Requests by header name.
    pub(crate) headers: HeaderNames,
    /// Query parameters by name.
    pub(crate) query: BottomK<QueryStats, { limits::MAX_NAMES }>,
    /// The newest flows as (start in nanoseconds since the Unix epoch, id).
    pub(crate) sample_ids: TopN<(i64, Box<[u8]>), { limits::MAX_SAMPLE_IDS }>,
    /// Duration in microseconds.
    pub(crate) latency: Histogram,
    /// Response body sizes in bytes.
    pub(crate) response_bytes: Histogram,
    /// Start of the earliest request, in nanoseconds since the Unix epoch.
    pub(crate) first_seen: Option<i64>,
    /// Start of the latest request, in nanoseconds since the Unix epoch.
    pub(crate) last_seen: Option<i64>,
}

/// Statistics of one query parameter: number of requests, and the set of value kinds as a bit set
/// (see [`names::value_kind`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueryStats {
    pub(crate) count: u64,
    pub(crate) kinds: u32,
}

impl Merge for QueryStats {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.kinds |= other.kinds;
    }
}

impl Endpoint {
    /// Adds one flow. `query` is the query of the flow, and `scratch` a reusable buffer.
    pub(crate) fn observe(
        &mut self,
        flow: &Flow<'_>,
        query: &[u8],
        trailing_slash: bool,
        scratch: &mut Vec<u8>,
    ) {
        self.count += 1;
        self.trailing_slash += u64::from(trailing_slash);
        self.failed += u64::from(flow.outcome == Outcome::Failed);
        self.websockets += u64::from(flow.protocol == Protocol::Websocket);
        self.observe_response(flow);
        self.headers.observe(flow.request_headers, scratch);
        if !query.is_empty() {
            self.observe_query(query);
        }
        if !flow.id.is_empty() {
            self.observe_id(flow);
        }
        if let Some(duration) = flow.duration {
            self.latency.observe(duration / 1000);
        }
        if let Some(started) = flow.started {
            self.first_seen = Some(self.first_seen.map_or(started, |first| first.min(started)));
            self.last_seen = Some(self.last_seen.map_or(started, |last| last.max(started)));
        }
    }

    /// The largest counter in the statistics, for overflow checks.
    pub(crate) fn largest_count(&self) -> u64 {
        let own = [self.count, self.trailing_slash, self.responses, self.failed, self.websockets];
        let names = self.headers.names();
        let tables = [self.statuses.iter(), self.media_types.iter()];
        let of_tables = tables.into_iter().flatten().map(|entry| entry.value);
        let of_names = names.iter().map(|entry| entry.value);
        let of_query = self.query.iter().map(|entry| entry.value.count);
        let rests = [self.statuses.rest, self.media_types.rest, names.rest, self.query.rest.count];
        let all = of_tables.chain(of_names).chain(of_query).chain(rests);
        all.chain(own).max().unwrap_or_default()
    }

    fn observe_response(&mut self, flow: &Flow<'_>) {
        // Proxies write the status 0 or -1 if there was no response.
        let Some(response) = flow.response.as_ref().filter(|response| response.status > 0) else {
            return;
        };
        self.responses += 1;
        let mut digits = [0; 20];
        *self.statuses.entry(decimal(response.status.unsigned_abs(), &mut digits)) += 1;
        if let Some(content_type) = response.content_type() {
            // A content type that equals a counted media type needs no normalisation.
            if let Some(count) = self.media_types.among_few(content_type) {
                *count += 1;
            } else if let Some(media_type) = names::media_type(content_type) {
                *self.media_types.entry(&media_type) += 1;
            }
        }
        if let Some(bytes) = response.body_bytes {
            self.response_bytes.observe(bytes);
        }
    }

    fn observe_query(&mut self, query: &[u8]) {
        let mut seen = MessageNames::default();
        for pair in query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = memchr::memchr(b'=', pair)
                .map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
            let name = names::query_name(name);
            let is_new = seen.is_new(stable_hash(&name));
            let parameter = self.query.entry(&name);
            parameter.count += u64::from(is_new);
            parameter.kinds |= names::value_kind(value);
        }
    }

    fn observe_id(&mut self, flow: &Flow<'_>) {
        let started = flow.started.unwrap_or(i64::MIN);
        let id = &flow.id[..flow.id.len().min(limits::MAX_FLOW_ID_BYTES)];
        self.sample_ids.observe_with(
            |have| (started, id).cmp(&(have.0, &*have.1)),
            // Ids of one capture usually have equal lengths, so the memory of the displaced id is
            // reused.
            |displaced| match displaced {
                Some((_, mut kept)) if kept.len() == id.len() => {
                    kept.copy_from_slice(id);
                    (started, kept)
                }
                _ => (started, id.into()),
            },
        );
    }
}

impl KeepsNames for Endpoint {
    fn extra_names_at_most(&self) -> usize {
        let tables = self.statuses.extra() + self.media_types.extra() + self.query.extra();
        tables + self.headers.extra_names_at_most()
    }

    fn extra_names(&self) -> usize {
        let tables = self.statuses.extra() + self.media_types.extra() + self.query.extra();
        tables + self.headers.extra_names()
    }

    fn keep_names(&mut self, most: usize) {
        self.statuses.keep(most);
        self.media_types.keep(most);
        self.query.keep(most);
        self.headers.keep_names(most);
    }
}

impl HeapSize for Endpoint {
    fn heap_bytes(&self) -> usize {
        let names =
            self.statuses.heap_bytes() + self.media_types.heap_bytes() + self.headers.heap_bytes();
        let ids: usize = self.sample_ids.iter().map(|id| size_of_val(id) + id.1.len()).sum();
        names
            + self.query.heap_bytes()
            + ids
            + self.latency.heap_bytes()
            + self.response_bytes.heap_bytes()
    }
}

impl Merge for Endpoint {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.trailing_slash += other.trailing_slash;
        self.responses += other.responses;
        self.failed += other.failed;
        self.websockets += other.websockets;
        self.statuses.merge(other.statuses);
        self.media_types.merge(other.media_types);
        self.headers.merge(other.headers);
        self.query.merge(other.query);
        self.sample_ids.merge(other.sample_ids);
        self.latency.merge(other.latency);
        self.response_bytes.merge(other.response_bytes);
        self.first_seen = [self.first_seen, other.first_seen].into_iter().flatten().min();
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// The normalised method: upper case, or `OTHER` if it is not a valid method token of at most
/// [`limits::MAX_METHOD_BYTES`].
pub(crate) fn method_name(method: &[u8]) -> Cow<'_, [u8]> {
    if matches!(method, b"GET" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"HEAD" | b"OPTIONS") {
        return Cow::Borrowed(method);
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method.is_empty() || method.len() > limits::MAX_METHOD_BYTES || !method.iter().all(is_token)
    {
        return Cow::Borrowed(b"OTHER");
    }
    if method.iter().any(u8::is_ascii_lowercase) {
        return Cow::Owned(method.to_ascii_uppercase());
    }
    Cow::Borrowed(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_written_plainly() {
        assert_eq!(&*method_name(b"get"), b"GET");
        assert_eq!(&*method_name(b"GET /x HTTP"), b"OTHER");
        assert_eq!(&*method_name(b""), b"OTHER");
    }
}
