//! A request as a proxy records it, and the host that the client requested.

use std::borrow::Cow;

use crate::flow::{Flow, Headers, url};

/// A request as a proxy records it: the fields that the client sent, and the address that the proxy
/// connected to.
///
/// ```
/// use api_patterns::{Header, Headers, Proxied};
///
/// let headers: [Header<'_>; 1] = [(b"host", Some(b"api.example.com"))];
/// let request = Proxied {
///     method: b"GET",
///     scheme: b"https",
///     authority: b"",
///     path: b"/users/42",
///     headers: Headers::new(&headers),
///     address: Some((b"192.0.2.7", 443)),
///     is_multiplexed: false,
/// };
/// assert_eq!(request.flow(|| None).unwrap().host, &b"api.example.com"[..]);
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers create it")]
pub struct Proxied<'a> {
    /// The method, in any case.
    pub method: &'a [u8],
    /// The scheme: `http` or `https`.
    pub scheme: &'a [u8],
    /// The authority of the request line or of HTTP/2, `host[:port]`; empty if there was none.
    pub authority: &'a [u8],
    /// Path and query as sent.
    pub path: &'a [u8],
    /// The request headers.
    pub headers: Headers<'a>,
    /// Host and port that the proxy connected to; `None` if they are not known.
    pub address: Option<(&'a [u8], i64)>,
    /// Whether the request was sent over HTTP/2 or HTTP/3, where the authority has the role of
    /// `Host`.
    pub is_multiplexed: bool,
}

impl<'a> Proxied<'a> {
    /// Converts the request to a flow without id, times and response. `None` if it has no method or
    /// host. `server_name` returns the name that the client sent in its TLS handshake; it is called
    /// only if no other field names a host.
    ///
    /// ```
    /// use api_patterns::{Headers, Proxied};
    ///
    /// let request = Proxied {
    ///     method: b"GET",
    ///     scheme: b"https",
    ///     authority: b"",
    ///     path: b"/users/42",
    ///     headers: Headers::default(),
    ///     address: Some((b"192.0.2.7", 443)),
    ///     is_multiplexed: false,
    /// };
    /// let flow = request.flow(|| Some(&b"api.example.com"[..])).unwrap();
    /// assert_eq!(flow.host, &b"api.example.com"[..]);
    /// ```
    pub fn flow(self, server_name: impl FnOnce() -> Option<&'a [u8]>) -> Option<Flow<'a>> {
        let (host, port) = self.meant_host(server_name);
        if host.is_empty() || self.method.is_empty() {
            return None;
        }
        let is_connect = self.method.eq_ignore_ascii_case(b"CONNECT");
        Some(Flow {
            scheme: Cow::Borrowed(self.scheme),
            host: Cow::Borrowed(host),
            port: port.filter(|port| is_connect || Some(*port) != url::default_port(self.scheme)),
            target: Cow::Borrowed(if is_connect { b"" } else { self.path }),
            url: None,
            address: self.address,
            request_headers: self.headers,
            ..Flow::bare(Cow::Borrowed(self.method), b"")
        })
    }

    /// The host that the client requested; otherwise the address that the proxy connected to.
    fn meant_host(
        &self,
        server_name: impl FnOnce() -> Option<&'a [u8]>,
    ) -> (&'a [u8], Option<u16>) {
        let address = || {
            let (host, port) = self.address.unwrap_or_default();
            (host, u16::try_from(port).ok())
        };
        if self.method.eq_ignore_ascii_case(b"CONNECT") {
            return valid_host(self.authority).unwrap_or_else(address);
        }
        let authority = Some(self.authority).filter(|_| self.is_multiplexed);
        let in_headers = || self.headers.get(b"host").or_else(|| self.headers.get(b":authority"));
        authority
            .and_then(valid_host)
            .or_else(|| in_headers().and_then(valid_host))
            .or_else(|| valid_host(self.authority))
            .or_else(|| server_name().and_then(valid_host))
            .unwrap_or_else(address)
    }
}

/// Splits `host[:port]`. `None` if the host has bytes other than letters, digits, `.`, `-`, `_`,
/// non-ASCII bytes, and the bytes of IPv6 addresses.
fn valid_host(authority: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (host, port) = url::split_port(authority);
    let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | 0x80..)
    };
    (!bare.is_empty() && bare.iter().all(allowed)).then_some((host, port))
}
