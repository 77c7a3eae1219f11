//! Reimplementation of mitmproxy-mcp 0.6's `get_api_patterns`, byte for byte and with its quirks.
//!
//! This module shares only [`Flow`] with the rest of the library. There is one deliberate difference: `query_params`
//! are sorted, while the original's order depends on Python's hash seed and changes with every process.

mod json;
mod path;
mod urlparse;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::error::Error;
use crate::flow::{Flow, text};

pub use path::normalize_path;

/// A flow as the original's database stores it. Text is WTF-8, and header names are deduplicated as in a Python dict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompatFlow {
    id: Vec<u8>,
    /// True if `id` is JSON (a number, `null`) rather than text.
    has_json_id: bool,
    url: Vec<u8>,
    /// Method of the request; `None` if the original's database has null.
    method: Option<Vec<u8>>,
    /// Each exact spelling of a header name once, in order of first occurrence.
    header_names: Vec<Vec<u8>>,
    response: Option<CompatResponse>,
    started: Option<i64>,
    /// Reason for which the original raises an exception on this flow.
    raises: Option<&'static str>,
}

/// A row of the original's database where it says what a [`Flow`] does not hold.
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredRow<'a> {
    /// The status as text; SQLite stores any text as a status.
    pub(crate) status: Option<&'a [u8]>,
    /// The original writes a missing method as null.
    pub(crate) has_method: bool,
    /// Reason for which the original raises an exception on this row.
    pub(crate) problem: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CompatResponse {
    /// Status as the original writes it.
    status: Vec<u8>,
    /// Content type; `None` if the header is present without a value, for which the original raises.
    content_type: Option<Vec<u8>>,
}

impl CompatFlow {
    /// Estimated memory use in bytes, including heap memory.
    pub(crate) fn bytes(&self) -> usize {
        const PER_VECTOR: usize = 40;

        let names: usize = self.header_names.iter().map(|name| name.capacity() + PER_VECTOR).sum();
        let response = self.response.as_ref().map_or(0, |response| {
            response.status.capacity() + response.content_type.as_ref().map_or(0, Vec::capacity)
        });
        size_of::<Self>()
            + self.id.capacity()
            + self.url.capacity()
            + self.method.as_ref().map_or(0, Vec::capacity)
            + names
            + response
    }

    /// Creates the row that the original would store for a flow.
    ///
    /// A flow from a dump is converted as the original's import does. The URL of a flow that has one is not changed.
    ///
    /// ```
    /// use api_patterns::{Flow, compat};
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
    /// assert_eq!(compat::CompatFlow::new(&flow).url(), "https://api.example.com/users/42");
    /// ```
    pub fn new(flow: &Flow<'_>) -> Self {
        let from_dump = flow.url.is_none();
        let text = |bytes: &[u8]| if from_dump { latin1(bytes) } else { bytes.to_vec() };
        let mut names: IndexMap<Vec<u8>, ()> = IndexMap::new();
        for (name, _) in flow.request_headers.iter() {
            names.insert(text(name), ());
        }
        let response = flow.response.as_ref().filter(|response| !from_dump || response.status != 0);
        let method = if from_dump { upper_case(&flow.method) } else { flow.method.to_vec() };
        Self {
            id: flow.id.to_vec(),
            has_json_id: false,
            url: flow.url.map_or_else(|| mitmproxy_url(flow), <[u8]>::to_vec),
            method: Some(method),
            header_names: names.into_keys().collect(),
            response: response.map(|response| CompatResponse {
                status: response.status.to_string().into_bytes(),
                content_type: content_type(response).map(text),
            }),
            started: flow.started,
            raises: None,
        }
    }

    /// Creates the flow of a row that the original stored itself.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_row(flow: &Flow<'_>, row: &StoredRow<'_>) -> Self {
        let mut compat = Self::new(flow);
        if !row.has_method {
            compat.method = None;
        }
        if let (Some(response), Some(status)) = (&mut compat.response, row.status) {
            response.status = status.to_vec();
        }
        compat.raises = row.problem;
        compat
    }

    /// Replaces the id with one that is not text (a number, `null`), given as JSON. The original writes such an id
    /// without quotes.
    ///
    /// ```
    /// use api_patterns::{Flow, compat};
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
    /// let flow = compat::CompatFlow::new(&flow).with_json_id("17");
    /// let answer = compat::get_api_patterns(&[flow], None, None).unwrap();
    /// assert!(answer.contains("\"sample_flow_ids\": [\n      17\n    ]"));
    /// ```
    #[must_use]
    pub fn with_json_id(self, id: &str) -> Self {
        Self { id: id.as_bytes().to_vec(), has_json_id: true, ..self }
    }

    /// Returns the URL as mitmproxy's `flow.request.url` has it. Invalid UTF-8 is replaced.
    ///
    /// ```
    /// use api_patterns::{Flow, compat};
    ///
    /// let flow = Flow::of_bytes(b"GET", b"https://api.example.com/\xff").unwrap();
    /// assert_eq!(compat::CompatFlow::new(&flow).url(), "https://api.example.com/\u{fffd}");
    /// ```
    pub fn url(&self) -> String {
        String::from_utf8_lossy(&self.url).into_owned()
    }
}

/// Builds `scheme://host[:port]path` from the address connected to. As in mitmproxy, IPv6 addresses are not bracketed.
fn mitmproxy_url(flow: &Flow<'_>) -> Vec<u8> {
    let (host, port) = flow.address.unwrap_or_default();
    if flow.method.eq_ignore_ascii_case(b"CONNECT") {
        return surrogate_escape(&[host, format!(":{port}").as_bytes()].concat());
    }
    let default = matches!((&*flow.scheme, port), (b"http", 80) | (b"https", 443));
    let port = if default { String::new() } else { format!(":{port}") };
    let path: &[u8] = if &*flow.target == b"*" { b"" } else { &flow.target };
    surrogate_escape(&[&*flow.scheme, b"://", host, port.as_bytes(), path].concat())
}

/// Returns the value of the header `content-type`, else of `Content-Type`, else an empty value. Other spellings are
/// ignored, and the last of several values counts.
fn content_type<'a>(response: &crate::Response<'a>) -> Option<&'a [u8]> {
    let last = |name: &[u8]| response.headers.iter().filter(|header| header.0 == name).last();
    match last(b"content-type").or_else(|| last(b"Content-Type")) {
        Some((_, value)) => value,
        None => Some(response.content_type.unwrap_or_default()),
    }
}

/// Decodes bytes as Python's `bytes.decode("utf-8", "surrogateescape")` does, into WTF-8.
fn surrogate_escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            // U+DC00 + byte
            out.extend_from_slice(&[0xed, 0xb0 | (byte >> 6), 0x80 | (byte & 0x3f)]);
        }
    }
    out
}

fn latin1(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}

fn upper_case(method: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(method) {
        Ok(text) => text.to_uppercase().into_bytes(),
        Err(_) => surrogate_escape(&method.to_ascii_uppercase()),
    }
}

/// Sorts flows by time, newest first, as the original's database does after importing them one after the other.
///
/// A flow whose id is known already replaces the earlier flow except for its time. Flows without a time are sorted
/// after all others, in reverse order of import.
///
/// ```
/// use api_patterns::{Flow, compat};
///
/// let row = |url: &'static str, started: i64| {
///     let mut flow = Flow::new("GET", url).unwrap();
///     flow.started = Some(started);
///     compat::CompatFlow::new(&flow)
/// };
/// let rows = [row("https://api.example.com/old", 1), row("https://api.example.com/new", 2)];
/// assert_eq!(compat::newest_first(rows)[0].url(), "https://api.example.com/new");
/// ```
pub fn newest_first(flows: impl IntoIterator<Item = CompatFlow>) -> Vec<CompatFlow> {
    let mut rows: Vec<CompatFlow> = Vec::new();
    let mut by_id: IndexMap<Vec<u8>, usize> = IndexMap::new();
    for flow in flows {
        if flow.id.is_empty() {
            rows.push(flow);
            continue;
        }
        if let Some(&row) = by_id.get(&flow.id) {
            rows[row] = CompatFlow { started: rows[row].started, ..flow }
        } else {
            by_id.insert(flow.id.clone(), rows.len());
            rows.push(flow);
        }
    }
    // The sort is stable, so that of flows with equal times the one imported last comes first.
    rows.reverse();
    rows.sort_by_key(|row| std::cmp::Reverse(row.started));
    rows
}

/// Header names that the original leaves out.
const COMMON: [&str; 8] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "content-type",
];

#[derive(Default)]
struct Cluster {
    method: Option<Vec<u8>>,
    pattern: Vec<u8>,
    path_params: Vec<&'static str>,
    query_params: BTreeSet<Vec<u8>>,
    headers: IndexMap<Vec<u8>, u64>,
    statuses: IndexMap<Vec<u8>, u64>,
    content_types: IndexMap<&'static str, u64>,
    count: u64,
    /// Sample ids, each with a flag that is true if the id is JSON.
    ids: Vec<(Vec<u8>, bool)>,
}

/// Functions that escape or mask captured text before it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redaction {
    /// Converts a word that occurred in the given number of requests.
    pub(crate) word: fn(&[u8], u64) -> Vec<u8>,
    /// Converts the id of a flow.
    pub(crate) id: fn(&[u8]) -> Vec<u8>,
}

impl Cluster {
    /// Replaces all captured text by its shown form.
    fn show(&mut self, endpoint: &mut Vec<u8>, shown: Redaction) {
        let requests = self.count;
        let word = |text: &[u8]| (shown.word)(text, requests);
        let segments = self.pattern.split(|byte| *byte == b'/').map(word);
        self.pattern = segments.collect::<Vec<_>>().join(&b'/');
        self.method = self.method.take().map(|method| word(&method));
        *endpoint = [self.method.as_deref().unwrap_or(b"None"), b" ", &self.pattern].concat();
        self.query_params = self.query_params.iter().map(|name| word(name)).collect();
        for (name, count) in std::mem::take(&mut self.headers) {
            *self.headers.entry((shown.word)(&name, count)).or_default() += count;
        }
        for (code, count) in std::mem::take(&mut self.statuses) {
            *self.statuses.entry((shown.word)(&code, count)).or_default() += count;
        }
        for (id, _) in self.ids.iter_mut().filter(|(_, is_json)| !is_json) {
            *id = (shown.id)(id);
        }
    }
}

/// Returns the original's answer as JSON text.
///
/// `flows` must be sorted newest first (see [`newest_first`]). `domain` is any substring of the URL. `limit` is a
/// Python slice: 0 selects nothing, and a negative number leaves out that many of the oldest flows.
///
/// ```
/// use api_patterns::{Flow, compat};
///
/// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
/// let answer = compat::get_api_patterns(&[compat::CompatFlow::new(&flow)], Some("example"), None).unwrap();
/// assert!(answer.contains(r#""endpoint": "GET /users/{id}""#));
/// assert_eq!(compat::get_api_patterns(&[], None, None).unwrap(), "[]");
/// ```
///
/// # Errors
///
/// Returns an error that names the flow if the original raises an exception and so loses its whole answer: for a URL
/// that Python's `urlparse` rejects, or a content type without a value.
pub fn get_api_patterns(
    flows: &[CompatFlow],
    domain: Option<&str>,
    limit: Option<i64>,
) -> Result<String, Error> {
    answer(&select(flows, domain, limit).0, None).map(|(text, _)| text)
}

/// Returns the answer about the selected flows, and the number of its patterns. With `shown`, captured text is escaped
/// or masked, while the original writes it verbatim.
pub(crate) fn answer(
    selected: &[&CompatFlow],
    shown: Option<Redaction>,
) -> Result<(String, u64), Error> {
    let mut clusters: IndexMap<Vec<u8>, Cluster> = IndexMap::new();
    for flow in selected {
        observe(flow, &mut clusters)?;
    }
    let mut sorted: Vec<(Vec<u8>, Cluster)> = clusters.into_iter().collect();
    sorted.sort_by_key(|(_, cluster)| std::cmp::Reverse(cluster.count));
    if let Some(shown) = shown {
        for (endpoint, cluster) in &mut sorted {
            cluster.show(endpoint, shown);
        }
    }
    let text = json::write(
        &sorted.iter().map(|(endpoint, cluster)| cluster_json(endpoint, cluster)).collect(),
    );
    Ok((text, sorted.len() as u64))
}

/// Returns the flows selected by `domain` and `limit`, and the number of flows selected by `domain` alone.
pub(crate) fn select<'a>(
    flows: &'a [CompatFlow],
    domain: Option<&str>,
    limit: Option<i64>,
) -> (Vec<&'a CompatFlow>, usize) {
    let in_domain = |flow: &&CompatFlow| match domain {
        Some(domain) if !domain.is_empty() => {
            memchr::memmem::find(&flow.url, domain.as_bytes()).is_some()
        }
        _ => true,
    };
    let mut selected: Vec<&CompatFlow> = flows.iter().filter(in_domain).collect();
    let of_domain = selected.len();
    selected.truncate(slice_end(of_domain, limit));
    (selected, of_domain)
}

/// Returns the end of Python's slice `[:limit]` of a list.
fn slice_end(length: usize, limit: Option<i64>) -> usize {
    match limit {
        None => length,
        Some(limit) if limit >= 0 => usize::try_from(limit).unwrap_or(usize::MAX).min(length),
        Some(limit) => {
            length.saturating_sub(usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX))
        }
    }
}

fn observe(flow: &CompatFlow, clusters: &mut IndexMap<Vec<u8>, Cluster>) -> Result<(), Error> {
    let raises = |why: &str| {
        Error::flow(format!(
            "flow {} cannot be part of the answer: {why}; the original raises an exception here and gives no answer. \
             Leave the flow out, or ask without compat",
            if flow.id.is_empty() { "without an id".into() } else { text::shortened(&flow.id, 64) }
        ))
    };
    if let Some(why) = flow.raises {
        return Err(raises(why));
    }
    let url = urlparse::urlparse(&flow.url).map_err(|refused| raises(&refused))?;
    let (pattern, path_params) = path::normalize(&url.path);
    let method = flow.method.as_deref().unwrap_or(b"None");
    let key = [method, b" ", &pattern].concat();
    let cluster = clusters.entry(key).or_insert_with(|| Cluster {
        method: flow.method.clone(),
        pattern,
        path_params,
        ..Cluster::default()
    });
    cluster.count += 1;
    if cluster.ids.len() < 3 {
        cluster.ids.push((flow.id.clone(), flow.has_json_id));
    }
    cluster.query_params.extend(urlparse::query_names(&url.query));
    for name in &flow.header_names {
        let lower = String::from_utf8_lossy(name).to_lowercase();
        if !COMMON.contains(&&*lower) {
            *cluster.headers.entry(name.clone()).or_default() += 1;
        }
    }
    if let Some(response) = &flow.response {
        let content_type = response
            .content_type
            .as_ref()
            .ok_or_else(|| raises("its response has a content type without a value"))?;
        *cluster.content_types.entry(content_class(content_type)).or_default() += 1;
        *cluster.statuses.entry(response.status.clone()).or_default() += 1;
    }
    Ok(())
}

fn content_class(content_type: &[u8]) -> &'static str {
    let lower = content_type.to_ascii_lowercase();
    ["json", "form", "xml", "text"]
        .into_iter()
        .find(|class| memchr::memmem::find(&lower, class.as_bytes()).is_some())
        .unwrap_or("unknown")
}

fn cluster_json<'a>(endpoint: &'a [u8], cluster: &'a Cluster) -> json::JsonValue<'a> {
    use json::JsonValue::{Json, List, Number, Object, Text};
    let mut headers: Vec<(&[u8], u64)> =
        cluster.headers.iter().map(|(name, count)| (&**name, *count)).collect();
    headers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    headers.truncate(10);
    let count_of = |(name, count): (&'a [u8], u64)| (name.into(), Number(count));
    Object(vec![
        (b"endpoint".as_slice().into(), Text(endpoint)),
        (
            b"method".as_slice().into(),
            cluster.method.as_deref().map_or(json::JsonValue::Null, Text),
        ),
        (b"path_pattern".as_slice().into(), Text(&cluster.pattern)),
        (
            b"path_params".as_slice().into(),
            List(cluster.path_params.iter().map(|name| Text(name.as_bytes())).collect()),
        ),
        (
            b"query_params".as_slice().into(),
            List(cluster.query_params.iter().map(|name| Text(name)).collect()),
        ),
        (b"common_headers".as_slice().into(), Object(headers.into_iter().map(count_of).collect())),
        (
            b"status_codes".as_slice().into(),
            Object(
                cluster.statuses.iter().map(|(code, n)| ((&**code).into(), Number(*n))).collect(),
            ),
        ),
        (
            b"content_types".as_slice().into(),
            Object(
                cluster
                    .content_types
                    .iter()
                    .map(|(class, n)| (class.as_bytes().into(), Number(*n)))
                    .collect(),
            ),
        ),
        (b"request_count".as_slice().into(), Number(cluster.count)),
        (
            b"sample_flow_ids".as_slice().into(),
            List(
                cluster
                    .ids
                    .iter()
                    .map(|(id, is_json)| if *is_json { Json(id) } else { Text(id) })
                    .collect(),
            ),
        ),
    ])
}
