//! One captured HTTP exchange, borrowed from the capture. Readers produce only this type.

pub(crate) mod body;
mod graphql;
pub(crate) mod headers;
pub(crate) mod json_string;
pub(crate) mod json_walk;
pub(crate) mod media_type;
pub(crate) mod noise;
pub(crate) mod operation;
pub(crate) mod owned;
pub(crate) mod proxy_request;
pub(crate) mod record_id;
pub(crate) mod request_context;
pub(crate) mod site;
pub(crate) mod status_filter;
pub mod text;
pub(crate) mod trackers;
pub mod url;

use std::borrow::Cow;

use crate::simd::ByteMask;
use crate::skip::SkipReason;
pub use body::Body;
pub use headers::{Header, Headers};
pub(crate) use headers::{HeaderEncoding, OwnedHeader};
pub(crate) use record_id::{RecordId, RecordIdText};

/// One captured exchange: a request, and its response if there was one.
///
/// All text is bytes as captured, because captures need not be valid UTF-8. Times are nanoseconds
/// since the Unix epoch.
///
/// ```
/// use api_patterns::{Flow, Headers, Patterns, Response};
///
/// let mut flow = Flow::new("GET", "https://api.example.com/users/42?full=1").unwrap();
/// flow.response = Some(Response { status: 200, content_type: Some(b"application/json"), ..Response::default() });
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&flow);
/// assert_eq!(patterns.report().patterns[0].endpoint, "GET /users/{user_id}");
/// ```
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    /// The id of the flow in the capture; empty if it has none.
    pub id: &'a [u8],
    /// The request method, in any case.
    pub method: Cow<'a, [u8]>,
    /// The scheme: `http`, `https`, `ws` or `wss`; empty if it is not known.
    pub scheme: Cow<'a, [u8]>,
    /// The host without port that the client requested: the HTTP/2 authority or the `Host` header,
    /// and otherwise the address that the proxy connected to. Empty if the request is not HTTP.
    pub host: Cow<'a, [u8]>,
    /// The port; `None` for the default port of the scheme.
    pub port: Option<u16>,
    /// Path and query as sent: `/users/42?full=1`, or `*`; empty for CONNECT.
    pub target: Cow<'a, [u8]>,
    /// The whole URL as captured; `None` if the capture stores its parts.
    pub url: Option<&'a [u8]>,
    /// Host and port that the proxy connected to; `None` if the capture does not have them.
    pub address: Option<(&'a [u8], i64)>,
    /// The request headers, in the order and case of the wire.
    pub request_headers: Headers<'a>,
    /// The request body, if it was recorded.
    pub request_body: Body<'a>,
    /// The operation, if it was determined before.
    pub(crate) known_operation: Option<&'a [u8]>,
    /// Start of the request, in nanoseconds since the Unix epoch; `None` if it is not known.
    pub started: Option<i64>,
    /// Time from the start of the request to the end of the response, in nanoseconds; `None` if it
    /// is not known.
    pub duration: Option<u64>,
    /// The response; `None` if there was none.
    pub response: Option<Response<'a>>,
    /// Whether the exchange was completed or failed.
    pub outcome: Outcome,
    /// The protocol that is spoken after the exchange.
    pub protocol: Protocol,
}

/// Whether an exchange was completed or failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The capture has no error for the exchange.
    #[default]
    Completed,
    /// The connection was lost, or the server did not answer in time.
    Failed,
}

/// The protocol that is spoken after an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP.
    #[default]
    Http,
    /// WebSocket. The exchange was its handshake.
    Websocket,
}

/// The response of a [`Flow`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The status code. Proxies write 0 or -1 if there was no response.
    pub status: i64,
    /// The response headers, in the order and case of the wire.
    pub headers: Headers<'a>,
    /// The content type, if the capture stores it beside or instead of the headers.
    pub content_type: Option<&'a [u8]>,
    /// Length of the body on the wire in bytes; `None` if it was not recorded.
    pub body_bytes: Option<u64>,
    /// The body, if it was recorded.
    pub body: Body<'a>,
}

impl<'a> Flow<'a> {
    /// Creates a request for `url`, without headers and response.
    ///
    /// `None` if `url` does not have a host that is requested over HTTP, such as `data:` and
    /// `blob:` URLs and an empty string.
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42").unwrap();
    /// assert_eq!(flow.host, &b"api.example.com"[..]);
    /// assert!(Flow::new("GET", "data:,text").is_none());
    /// ```
    pub fn new(method: &'a str, url: &'a str) -> Option<Self> {
        Self::of_bytes(method.as_bytes(), url.as_bytes())
    }

    /// As [`new`](Self::new), for bytes, which need not be UTF-8.
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// let flow = Flow::of_bytes(b"GET", b"https://api.example.com/\xff").unwrap();
    /// assert_eq!(flow.host, &b"api.example.com"[..]);
    /// ```
    pub fn of_bytes(method: &'a [u8], url: &'a [u8]) -> Option<Self> {
        Self::from_url(Cow::Borrowed(method), url)
    }

    /// Creates a flow from a method that may have been decoded.
    pub(crate) fn from_url(method: Cow<'a, [u8]>, url: &'a [u8]) -> Option<Self> {
        Some(Self::of_any_url(method, url)).filter(Self::is_http)
    }

    /// Creates a flow for any request. If the URL does not name an HTTP host, the flow has no host,
    /// and [`is_http`](Self::is_http) returns `false`. All readers use this function, so that one
    /// place decides which exchanges are used.
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// let flow = Flow::of_any_url(b"GET"[..].into(), b"data:text/plain,x");
    /// assert!(flow.host.is_empty() && !flow.is_http());
    /// ```
    pub fn of_any_url(method: Cow<'a, [u8]>, url: &'a [u8]) -> Self {
        let parts = if method.eq_ignore_ascii_case(b"CONNECT") {
            Some(url::split_connect(url))
        } else {
            url::split(url).filter(|parts| url::is_http(&parts.scheme))
        };
        let bare = Self::bare(method, url);
        match parts {
            Some(parts) => Self {
                scheme: parts.scheme,
                host: parts.host,
                port: parts.port,
                target: parts.target,
                ..bare
            },
            None => bare,
        }
    }

    /// Returns `true` if the request has a method and a host that is requested over HTTP. Other
    /// flows (`data:` URLs, rows without a method, paths alone) are not used, and counted by
    /// [`reason_to_skip`](Self::reason_to_skip).
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// assert!(Flow::new("GET", "https://api.example.com/").unwrap().is_http());
    /// assert!(!Flow::of_any_url(b"GET"[..].into(), b"data:text/plain,x").is_http());
    /// ```
    pub fn is_http(&self) -> bool {
        !self.host.is_empty() && !self.method.is_empty()
    }

    /// The reason why the flow is skipped. `None` if it [is HTTP](Self::is_http).
    ///
    /// ```
    /// use api_patterns::{Flow, SkipReason};
    ///
    /// let flow = Flow::of_any_url(b"GET"[..].into(), b"/users/7");
    /// assert_eq!(flow.reason_to_skip(), Some(SkipReason::NoHost));
    /// ```
    pub fn reason_to_skip(&self) -> Option<SkipReason> {
        if self.is_http() {
            return None;
        }
        let is_path = self.url.is_some_and(|url| url.starts_with(b"/") && !url.starts_with(b"//"));
        let names_no_host = is_path && !self.method.is_empty();
        Some(if names_no_host { SkipReason::NoHost } else { SkipReason::NotHttp })
    }

    /// Creates a flow of which only the method and the URL are known, and no part of the URL.
    pub(crate) fn bare(method: Cow<'a, [u8]>, url: &'a [u8]) -> Self {
        Self {
            id: b"",
            method,
            scheme: Cow::Borrowed(b""),
            host: Cow::Borrowed(b""),
            port: None,
            target: Cow::Borrowed(b""),
            url: Some(url),
            address: None,
            request_headers: Headers::default(),
            request_body: Body::default(),
            known_operation: None,
            started: None,
            duration: None,
            response: None,
            outcome: Outcome::default(),
            protocol: Protocol::default(),
        }
    }

    /// The id that is shown: that of the capture, otherwise a hash of the exchange, which is written to `text`.
    pub(crate) fn shown_id<'t>(&'t self, text: &'t mut RecordIdText) -> &'t [u8] {
        if !self.id.is_empty() {
            return self.id;
        }
        *text = RecordId::of(self).text();
        text.as_bytes()
    }

    /// Path and query: see [`path`](Self::path) and [`query`](Self::query).
    pub(crate) fn path_and_query(&self) -> (&[u8], &[u8]) {
        path_and_query_of(&self.target, None)
    }

    /// The path as sent, without query and fragment.
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42?full=1").unwrap();
    /// assert_eq!(flow.path(), b"/users/42");
    /// ```
    pub fn path(&self) -> &[u8] {
        self.path_and_query().0
    }

    /// The query as sent, without `?`; empty if there is none.
    ///
    /// ```
    /// use api_patterns::Flow;
    ///
    /// let flow = Flow::new("GET", "https://api.example.com/users/42?full=1").unwrap();
    /// assert_eq!(flow.query(), b"full=1");
    /// ```
    pub fn query(&self) -> &[u8] {
        self.path_and_query().1
    }
}

/// Splits a target into path and query. `bits` is the mask of the target, if it is short enough to
/// have one.
pub(crate) fn path_and_query_of<'t>(
    target: &'t [u8],
    bits: Option<&ByteMask<'_>>,
) -> (&'t [u8], &'t [u8]) {
    let (end, has_more) = match bits {
        Some(bits) => {
            let ends = bits.find(|lane| lane.equal(b'?') | lane.equal(b'#'));
            let first = (ends != 0).then(|| ends.trailing_zeros() as usize);
            (first, ends.count_ones() > 1)
        }
        None => (memchr::memchr2(b'?', b'#', target), true),
    };
    let Some(end) = end else { return (target, b"") };
    if target[end] == b'#' {
        return (&target[..end], b"");
    }
    let query = &target[end + 1..];
    let fragment = if has_more { memchr::memchr(b'#', query) } else { None };
    (&target[..end], fragment.map_or(query, |end| &query[..end]))
}

impl Response<'_> {
    /// The content type: as the capture stores it, otherwise the first `content-type` header.
    /// `None` if there is neither.
    ///
    /// ```
    /// use api_patterns::{Header, Headers, Response};
    ///
    /// let headers: [Header<'_>; 1] = [(b"Content-Type", Some(b"text/html"))];
    /// let response = Response { headers: Headers::new(&headers), ..Response::default() };
    /// assert_eq!(response.content_type(), Some(&b"text/html"[..]));
    /// ```
    pub fn content_type(&self) -> Option<&[u8]> {
        self.content_type.or_else(|| self.headers.get(b"content-type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn targets_are_split_at_once_as_byte_by_byte(target in "[a/]{0,60}[a?#/]{0,10}") {
            let target = target.as_bytes();
            let whole = target.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut parts = whole.splitn(2, |byte| *byte == b'?');
            let plain = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            prop_assert_eq!(path_and_query_of(target, None), plain);
            prop_assert_eq!(path_and_query_of(target, ByteMask::of(target).as_ref()), plain);
        }
    }
}
