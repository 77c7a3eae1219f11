//! The mergeable state of all observed flows.

pub(crate) mod aggregate;
pub(crate) mod codec;
pub(crate) mod endpoint;
pub(crate) mod names;
pub(crate) mod timeline;

use std::borrow::Cow;

use crate::flow::operation::operation_key_of;
use crate::flow::{Flow, path_and_query_of};
use crate::limits;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::patterns::endpoint::{Endpoint, method_name};
use crate::patterns::timeline::Timeline;
use crate::shape::messages::BodyScratch;
use crate::shape::path_shapes::{PathShapes, RequestRoute};
use crate::simd::{self, ByteMask};
use crate::sketch::{HeapSize, Merge, merge_option};
use crate::skip::{SkipReason, Skips};
pub(crate) use crate::template::body_evidence::ScalarSet;
use crate::template::body_evidence::facts::FactsReader;
use crate::template::trie::{Trie, TrieBounds};

/// The aggregated state of any number of flows: observe flows, merge states, and report at any
/// time.
///
/// The report is a pure function of the observed flows: any order, any split over several
/// `Patterns` that are merged, and any number of threads give the same report, to the byte. Memory
/// is bounded by limits and grows with the number of endpoints, not of flows. Of header values only
/// media types and, for a few requests of each endpoint, the hosts of the pages that sent them
/// (`Origin`, `Referer`) are kept, and of bodies and query values only what [`with_bodies`](Self::with_bodies)
/// asks for: short values that are neither secret nor personal.
///
/// ```
/// use api_patterns::{Flow, Patterns};
///
/// let urls: Vec<String> = (0..100).map(|i| format!("https://api.example.com/orders/{}", 1000 + i)).collect();
/// let (mut first, mut second) = (Patterns::new(), Patterns::new());
/// for (i, url) in urls.iter().enumerate() {
///     let half = if i % 2 == 0 { &mut first } else { &mut second };
///     half.observe(&Flow::new("GET", url).unwrap());
/// }
/// first.merge(second);
/// let report = first.report();
/// assert_eq!(report.patterns.len(), 1);
/// assert_eq!(report.patterns[0].path_pattern, "/orders/{order_id}");
/// assert_eq!(report.patterns[0].request_count, 100);
/// ```
#[derive(Clone, Debug)]
pub struct Patterns {
    /// Requests with a status other than 404, or without a known response.
    pub(crate) answered: Trie<Endpoint>,
    /// Requests that were answered with 404. They are kept apart, so that a scan for paths does not
    /// displace endpoints.
    pub(crate) not_found: Trie<Endpoint>,
    /// Number of observed flows.
    pub(crate) used: u64,
    pub(crate) skips: Skips,
    /// Observed flows over time.
    pub(crate) timeline: Timeline,
    /// Shapes of the bodies by path; `None` if bodies are not observed.
    pub(crate) bodies: Option<Box<PathShapes>>,
    /// The short texts in bodies, as evidence for templates; `None` if bodies are not read.
    pub(crate) scalars: Option<Box<ScalarSet>>,
    /// Scratch buffer, reused between flows.
    scratch: Vec<u8>,
    body_scratch: BodyScratch,
    facts: FactsReader,
}

impl Default for Patterns {
    fn default() -> Self {
        Self {
            answered: Trie::new(TrieBounds::ANSWERED),
            not_found: Trie::new(TrieBounds::NOT_FOUND),
            used: 0,
            skips: Skips::default(),
            timeline: Timeline::default(),
            bodies: None,
            scalars: None,
            scratch: Vec::new(),
            body_scratch: BodyScratch::default(),
            facts: FactsReader::default(),
        }
    }
}

impl Patterns {
    /// Creates an empty state.
    ///
    /// ```
    /// assert_eq!(api_patterns::Patterns::new().used(), 0);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty state that also observes the bodies and parameters of flows, for schemas: see
    /// [`Schemas::of`](crate::Schemas::of). Their shapes are kept by path, in bounded memory.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns, ReportOptions, Schemas};
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/7?limit=2").unwrap();
    /// let mut patterns = Patterns::with_bodies();
    /// patterns.observe(&flow);
    /// let decision = patterns.decide(&ReportOptions::default());
    /// let schemas = Schemas::of(&patterns, &decision).unwrap();
    /// let schema = schemas.endpoint(&decision.report.patterns[0].id).unwrap();
    /// assert_eq!(schema["parameters"]["properties"]["limit"]["type"], "integer");
    /// ```
    pub fn with_bodies() -> Self {
        Self { bodies: Some(Box::default()), ..Self::with_body_evidence() }
    }

    /// An empty state that reads bodies for what they say about paths, and not for schemas.
    pub(crate) fn with_body_evidence() -> Self {
        Self { scalars: Some(Box::default()), ..Self::default() }
    }

    /// Whether the state observes bodies: it was created [with bodies](Self::with_bodies), or one
    /// that was is merged into it.
    ///
    /// ```
    /// use api_patterns::Patterns;
    ///
    /// let mut patterns = Patterns::new();
    /// assert!(!patterns.has_bodies());
    /// patterns.merge(Patterns::with_bodies());
    /// assert!(patterns.has_bodies());
    /// ```
    pub fn has_bodies(&self) -> bool {
        self.bodies.is_some()
    }

    /// Observes one flow. A flow is counted in [`used`](Self::used) whatever its content.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/health").unwrap());
    /// assert_eq!(patterns.report().patterns[0].endpoint, "GET /health");
    /// ```
    pub fn observe(&mut self, flow: &Flow<'_>) {
        self.used += 1;
        self.timeline.observe(flow);
        let host = host_name(flow);
        let method = method_name(&flow.method);
        let bits = ByteMask::of(&flow.target);
        let (path, query) = path_and_query_of(&flow.target, bits.as_ref());
        let operation = operation_key_of(flow, path, query);
        // The target may be too long for `Bits` and its path still short enough.
        let bits = bits.map(|bits| bits.up_to(path.len())).or_else(|| ByteMask::of(path));
        let path = encoded(path, bits.as_ref());
        let trailing_slash = path.len() > 1 && path.ends_with(b"/");
        let bits = bits.filter(|_| matches!(path, Cow::Borrowed(_)));
        let segments = Segments::new(&path, bits.as_ref());
        let trie = if is_not_found(flow) { &mut self.not_found } else { &mut self.answered };
        let facts = self.scalars.as_deref_mut().filter(|_| !is_not_found(flow));
        let facts = facts.map(|scalars| self.facts.read(flow, &host, segments.clone(), scalars));
        trie.observe(&host, segments.clone(), &method, &operation, facts, |endpoint| {
            let scratch = &mut self.scratch;
            endpoint.observe(&mut Observation::new(flow, query, trailing_slash, scratch));
        });
        if let Some(bodies) = &mut self.bodies {
            let route = RequestRoute {
                host: (*host).into(),
                method: (*method).into(),
                operation: (*operation).into(),
                not_found: is_not_found(flow),
                steps: Vec::new(),
            };
            bodies.observe(flow, query, segments, route, &mut self.body_scratch);
        }
    }

    /// Counts one item that was skipped. It appears in [`Totals::skipped`](crate::Totals::skipped)
    /// of the report.
    ///
    /// ```
    /// use api_patterns::{Patterns, SkipReason};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.skip(SkipReason::NotHttp);
    /// assert_eq!(patterns.report().totals.skipped["not_http"], 1);
    /// ```
    pub fn skip(&mut self, reason: SkipReason) {
        self.skips.add(reason);
    }

    /// Adds everything that `other` observed. Merging is associative and commutative, and a new
    /// state is the neutral element.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/health").unwrap();
    /// let (mut first, mut second) = (Patterns::new(), Patterns::new());
    /// first.observe(&flow);
    /// second.observe(&flow);
    /// first.merge(second);
    /// assert_eq!(first.used(), 2);
    /// ```
    pub fn merge(&mut self, other: Self) {
        self.used += other.used;
        self.skips.merge(other.skips);
        self.timeline.merge(other.timeline);
        self.answered.merge(other.answered);
        self.not_found.merge(other.not_found);
        merge_option(&mut self.bodies, other.bodies);
        merge_option(&mut self.scalars, other.scalars);
    }

    /// A state without flows, with the given skips.
    pub(crate) fn of_skips(skips: Skips) -> Self {
        Self { skips, ..Self::default() }
    }

    /// Estimated memory of the state in bytes: a few kilobytes per endpoint, and the number of
    /// endpoints is bounded. Names of headers and parameters, methods and operations share one
    /// budget with the endpoints. A flood of names therefore takes at most as much memory again:
    /// endpoints then keep fewer names, and are kept themselves.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// let empty = patterns.size();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/health").unwrap());
    /// assert!(patterns.size() > empty);
    /// ```
    pub fn size(&self) -> usize {
        let bodies = self.bodies.as_ref().map_or(0, |bodies| bodies.heap_bytes());
        let scalars = self.scalars.as_ref().map_or(0, |scalars| scalars.heap_bytes());
        size_of::<Self>()
            + self.answered.heap_bytes()
            + self.not_found.heap_bytes()
            + bodies
            + scalars
    }

    /// The number of observed flows, in this state and in all states merged into it.
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.observe(&Flow::new("GET", "https://api.example.com/health").unwrap());
    /// assert_eq!(patterns.used(), 1);
    /// ```
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The skipped items by reason, with the first places of each.
    ///
    /// ```
    /// use api_patterns::{Patterns, SkipReason};
    ///
    /// let mut patterns = Patterns::new();
    /// patterns.skip(SkipReason::Udp);
    /// assert_eq!(patterns.skips().count(SkipReason::Udp), 1);
    /// ```
    pub fn skips(&self) -> &Skips {
        &self.skips
    }
}

/// Returns `true` if the response has status 404.
pub(crate) fn is_not_found(flow: &Flow<'_>) -> bool {
    flow.response.as_ref().is_some_and(|response| response.status == 404)
}

/// Bytes that may occur unescaped in a path.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21_u8;
    while byte <= 0x7e {
        table[byte as usize] = !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'{' | b'}');
        byte += 1;
    }
    table
};

/// The path of a flow with illegal bytes percent-encoded. Proxies record the bytes that a client
/// sent, while browsers record the encoded form; both must give the same segments.
pub(crate) fn encoded_path<'a>(flow: &'a Flow<'_>) -> Cow<'a, [u8]> {
    encoded(flow.path(), None)
}

/// Percent-encodes the illegal bytes of a path. `bits` belongs to `path`; `None` if the path is too
/// long.
fn encoded<'a>(path: &'a [u8], bits: Option<&ByteMask<'_>>) -> Cow<'a, [u8]> {
    let is_plain = |byte: &u8| IS_PLAIN[usize::from(*byte)];
    let all_plain = match bits {
        Some(bits) => {
            let usual = bits.find(|lane| lane.letter_or_digit() | lane.equal(b'/'));
            simd::places(bits.all() & !usual).all(|place| is_plain(&path[place]))
        }
        None => path.iter().all(is_plain),
    };
    if all_plain {
        return Cow::Borrowed(path);
    }
    let mut encoded = Vec::with_capacity(path.len() + 16);
    for byte in path {
        if is_plain(byte) {
            encoded.push(*byte);
        } else {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    Cow::Owned(encoded)
}

/// The segments of a path. Empty segments are dropped, and matrix parameters (`;jsessionid=...`)
/// are cut off.
pub(crate) fn segments(path: &[u8]) -> Segments<'_> {
    Segments::new(path, ByteMask::of(path).as_ref())
}

/// Iterator returned by [`segments`].
#[derive(Clone, Debug)]
pub(crate) struct Segments<'a> {
    path: &'a [u8],
    at: usize,
    /// Mask of the slashes; `None` if the path is longer than a mask.
    slashes: Option<u64>,
    /// False if the path contains no semicolon.
    has_parameters: bool,
}

impl<'a> Segments<'a> {
    /// `bits` belongs to `path`; `None` if the path is too long.
    fn new(path: &'a [u8], bits: Option<&ByteMask<'_>>) -> Self {
        Self {
            path,
            at: 0,
            slashes: bits.map(|bits| bits.equal(b'/')),
            has_parameters: bits.is_none_or(|bits| bits.equal(b';') != 0),
        }
    }
}

/// Index at which the matrix parameters of a segment begin: the first semicolon, unless a number
/// follows it, as in `52.5,13.4;48.8,2.3`.
fn start_of_parameters(segment: &[u8]) -> Option<usize> {
    let at = memchr::memchr(b';', segment).filter(|at| *at > 0)?;
    let goes_on = segment.get(at + 1).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    (!goes_on).then_some(at)
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.at < self.path.len() {
            let rest = &self.path[self.at..];
            let length = match self.slashes {
                Some(slashes) => ((slashes >> self.at).trailing_zeros() as usize).min(rest.len()),
                None => memchr::memchr(b'/', rest).unwrap_or(rest.len()),
            };
            self.at += length + 1;
            let segment = &rest[..length];
            if segment.is_empty() {
                continue;
            }
            let parameters = if self.has_parameters { start_of_parameters(segment) } else { None };
            return Some(parameters.map_or(segment, |at| &segment[..at]));
        }
        None
    }
}

/// The normalised host: lower case, without a trailing dot, with the port if it is not the default
/// port of the scheme.
pub(crate) fn host_name<'a>(flow: &'a Flow<'_>) -> Cow<'a, [u8]> {
    let host = &flow.host[..flow.host.len().min(limits::MAX_HOST_BYTES)];
    let host = host.strip_suffix(b".").unwrap_or(host);
    let has_upper = ByteMask::of(host).map_or_else(
        || host.iter().any(u8::is_ascii_uppercase),
        |bits| bits.between(b'A', b'Z') != 0,
    );
    let mut name =
        if has_upper { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) };
    if let Some(port) = flow.port {
        let bare_ipv6 = name.contains(&b':') && !name.starts_with(b"[");
        let text = if bare_ipv6 {
            [b"[", &*name, format!("]:{port}").as_bytes()].concat()
        } else {
            [&*name, format!(":{port}").as_bytes()].concat()
        };
        name = Cow::Owned(text);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn fast_segments_equal_plain_ones(path in "([a1;/]{0,12}|/[a-z0-9]{0,20}){0,8}") {
            let path = path.as_bytes();
            let plain: Vec<&[u8]> = path
                .split(|b| *b == b'/')
                .filter(|segment| !segment.is_empty())
                .map(|segment| match segment.iter().position(|b| *b == b';') {
                    Some(at) if at > 0 && !matches!(segment.get(at + 1), Some(b'0'..=b'9' | b'-')) => &segment[..at],
                    _ => segment,
                })
                .collect();
            prop_assert_eq!(segments(path).collect::<Vec<_>>(), plain);
        }
    }
}
