//! Splitting of URLs. Plain URLs take a fast path; the `url` crate, which takes seven times as
//! long, handles all others.

use std::borrow::Cow;

use crate::simd::{self, ByteMask};

/// The parts of a URL that this crate uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlParts<'a> {
    /// The scheme in lower case, without `:`; empty if there is none.
    pub scheme: Cow<'a, [u8]>,
    /// The host in lower case, with IPv6 addresses in brackets.
    pub host: Cow<'a, [u8]>,
    /// The port; `None` for the default port of the scheme.
    pub port: Option<u16>,
    /// Path and query, without fragment. The path begins with `/`.
    pub target: Cow<'a, [u8]>,
}

/// Bytes that the URL standard leaves unchanged both in a path and in a query.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let plain =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&()*+,;=:@%/?[]|";
    let mut i = 0;
    while i < plain.len() {
        table[plain[i] as usize] = true;
        i += 1;
    }
    table
};

/// Splits an absolute URL. `None` if it is not absolute or has no host, such as a `data:` URL.
///
/// ```
/// let parts = api_patterns::url::split(b"https://API.example.com:443/a/../b?x=1#top").unwrap();
/// assert_eq!(parts.host, &b"api.example.com"[..]);
/// assert_eq!(parts.port, None);
/// assert_eq!(parts.target, &b"/b?x=1"[..]);
/// ```
pub fn split(url: &[u8]) -> Option<UrlParts<'_>> {
    split_plain(url).or_else(|| split_any(url))
}

/// The fast path. `None` if the URL standard would change or refuse any part.
fn split_plain(url: &[u8]) -> Option<UrlParts<'_>> {
    let (scheme, rest, default_port): (&[u8], _, _) =
        if let Some(rest) = url.strip_prefix(b"https://") {
            (b"https", rest, 443)
        } else if let Some(rest) = url.strip_prefix(b"http://") {
            (b"http", rest, 80)
        } else if let Some(rest) = url.strip_prefix(b"wss://") {
            (b"wss", rest, 443)
        } else {
            (b"ws", url.strip_prefix(b"ws://")?, 80)
        };
    let (host, mut tail) = plain_host(rest)?;
    let mut port = None;
    if let Some(digits) = tail.strip_prefix(b":") {
        let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
        let number = plain_port(&digits[..end])?;
        port = Some(number).filter(|number| *number != default_port);
        tail = &digits[end..];
    }
    let target: Cow<'_, [u8]> = match tail.first() {
        None => Cow::Borrowed(b"/"),
        Some(b'/') if is_plain_target(tail) => Cow::Borrowed(tail),
        Some(b'/') => Cow::Borrowed(plain_target(tail)?),
        _ => return None,
    };
    Some(UrlParts { scheme: Cow::Borrowed(scheme), host: Cow::Borrowed(host), port, target })
}

/// Splits a host of ordinary labels off the front.
fn plain_host(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    // Most hosts are shorter than half of the maximum that a mask covers.
    for most in [simd::MAX_BYTES / 2, simd::MAX_BYTES] {
        let bits = ByteMask::of(&rest[..rest.len().min(most)])?;
        let of_host = bits.find(|lane| {
            lane.between(b'a', b'z')
                | lane.between(b'0', b'9')
                | lane.equal(b'.')
                | lane.equal(b'-')
                | lane.equal(b'_')
        });
        let end = (!of_host).trailing_zeros() as usize;
        if end < most {
            let (host, tail) = rest.split_at(end);
            return is_plain_short_host(host, &bits.up_to(end)).then_some((host, tail));
        }
    }
    long_plain_host(rest)
}

/// As [`is_plain_host`], for a short host and its mask.
fn is_plain_short_host(host: &[u8], bits: &ByteMask<'_>) -> bool {
    let (dots, dashes) = (bits.equal(b'.'), bits.equal(b'-'));
    let last_label = simd::MAX_BYTES - dots.leading_zeros() as usize;
    host.get(last_label).is_some_and(u8::is_ascii_lowercase)
        && dots & 1 == 0
        && dots & (dots >> 1) == 0
        // Punycode contains two consecutive dashes.
        && (dashes & (dashes >> 1) == 0 || memchr::memmem::find(host, b"xn--").is_none())
}

/// As [`plain_host`], for a host of any length, byte by byte.
fn long_plain_host(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.iter().position(|b| !is_host_byte(*b)).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    is_plain_host(host).then_some((host, tail))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
}

/// Returns `true` for a host of ordinary labels: without punycode, and without numbers that could
/// be read as an IPv4 address.
fn is_plain_host(host: &[u8]) -> bool {
    let last_label = host.iter().rposition(|b| *b == b'.').map_or(host, |dot| &host[dot + 1..]);
    last_label.first().is_some_and(u8::is_ascii_lowercase)
        && host.first() != Some(&b'.')
        && !host.windows(2).any(|pair| pair == b"..")
        && memchr::memmem::find(host, b"xn--").is_none()
}

fn plain_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits[0] == b'0' || digits.len() > 5 {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns `true` if the fast check proves that the target is plain. Otherwise [`plain_target`]
/// decides.
fn is_plain_target(tail: &[u8]) -> bool {
    let Some(bits) = ByteMask::of(tail) else { return false };
    let usual = bits.find(|lane| lane.letter_or_digit() | lane.equal(b'/'));
    simd::places(bits.all() & !usual).all(|place| {
        let byte = tail[place];
        // A segment that begins with a dot may be a dot segment.
        PLAIN[usize::from(byte)]
            && !(matches!(byte, b'.' | b'%') && place > 0 && tail[place - 1] == b'/')
    })
}

/// `tail` up to its fragment. `None` if a byte needs encoding or a segment may be a dot segment.
fn plain_target(tail: &[u8]) -> Option<&[u8]> {
    let mut previous = 0;
    let mut in_query = false;
    for (i, &byte) in tail.iter().enumerate() {
        if !PLAIN[byte as usize] {
            return if byte == b'#' { Some(&tail[..i]) } else { None };
        }
        // A segment that begins with a dot, or with the encoding of one, may be a dot segment.
        if previous == b'/'
            && !in_query
            && (byte == b'.' || (byte == b'%' && tail.get(i + 1) == Some(&b'2')))
        {
            return None;
        }
        in_query |= byte == b'?';
        previous = byte;
    }
    Some(tail)
}

/// Splits any URL by the URL standard, and URLs that it refuses by [`split_roughly`].
fn split_any(url: &[u8]) -> Option<UrlParts<'_>> {
    let text = String::from_utf8_lossy(url);
    match url::Url::parse(&text) {
        Ok(parsed) => {
            let host = parsed.host_str()?;
            let mut target = parsed.path().as_bytes().to_vec();
            if target.first() != Some(&b'/') {
                target.insert(0, b'/');
            }
            if let Some(query) = parsed.query() {
                target.push(b'?');
                target.extend_from_slice(query.as_bytes());
            }
            Some(UrlParts {
                scheme: Cow::Owned(parsed.scheme().as_bytes().to_vec()),
                host: Cow::Owned(host.to_ascii_lowercase().into_bytes()),
                port: parsed.port(),
                target: Cow::Owned(target),
            })
        }
        Err(_) => split_roughly(url),
    }
}

/// Splits URLs that the standard refuses: unbracketed IPv6 addresses, unusual ports, forbidden
/// hosts.
fn split_roughly(url: &[u8]) -> Option<UrlParts<'_>> {
    let start = memchr::memmem::find(url, b"://")?;
    let (scheme, rest) = (&url[..start], &url[start + 3..]);
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = &rest[..end];
    let authority = memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..]);
    let (host, port) = split_port(authority);
    if host.is_empty() {
        return None;
    }
    let tail = &rest[end..];
    let tail = &tail[..memchr::memchr(b'#', tail).unwrap_or(tail.len())];
    let target = if tail.first() == Some(&b'/') {
        Cow::Borrowed(tail)
    } else {
        Cow::Owned([b"/", tail].concat())
    };
    Some(UrlParts {
        scheme: Cow::Owned(scheme.to_ascii_lowercase()),
        host: Cow::Owned(host.to_ascii_lowercase()),
        port: port.filter(|port| Some(*port) != default_port(scheme)),
        target,
    })
}

/// Splits the target of a CONNECT request, `host:port`, which some proxies write as
/// `https://host:port/`.
pub(crate) fn split_connect(authority: &[u8]) -> UrlParts<'_> {
    let rest = memchr::memmem::find(authority, b"://").map_or(authority, |at| &authority[at + 3..]);
    let rest = &rest[..memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len())];
    let (host, port) = split_port(rest);
    UrlParts {
        scheme: Cow::Borrowed(b""),
        host: Cow::Owned(host.to_ascii_lowercase()),
        port,
        target: Cow::Borrowed(b""),
    }
}

/// Splits `host[:port]`. A colon is part of the host if no valid port follows it, or if the host is
/// an IPv6 address.
pub(crate) fn split_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = memchr::memrchr(b':', authority) else { return (authority, None) };
    let (host, digits) = (&authority[..colon], &authority[colon + 1..]);
    // Without brackets, `::1:8080` is read as mitmproxy writes it: an address and a port.
    let bare_ipv6 = host.contains(&b':') && host.first() != Some(&b'[') && !is_ipv6_address(host);
    if bare_ipv6 && is_ipv6_address(authority) {
        return (authority, None);
    }
    if digits.is_empty() {
        return (host, None);
    }
    let port = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    match port.and_then(|digits| digits.parse().ok()) {
        Some(port) => (host, Some(port)),
        None => (authority, None),
    }
}

fn is_ipv6_address(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Returns `true` for the schemes of HTTP requests. Other schemes, such as `chrome-extension:` and
/// `ftp:`, can have hosts as well.
pub(crate) fn is_http(scheme: &[u8]) -> bool {
    [&b"http"[..], b"https", b"ws", b"wss", b""].contains(&scheme)
}

/// The default port of a scheme.
pub(crate) fn default_port(scheme: &[u8]) -> Option<u16> {
    if scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"ws") {
        Some(80)
    } else {
        None
    }
}

#[cfg(feature = "fuzzing")]
pub(crate) mod laws {
    use super::{split_connect, split_plain};

    /// Checks that the fast path, if it gives a result, equals the `url` crate.
    pub(crate) fn split(bytes: &[u8]) {
        let _connect = split_connect(bytes);
        let (Some(fast), Ok(text)) = (split_plain(bytes), std::str::from_utf8(bytes)) else {
            let _any = super::split(bytes);
            return;
        };
        let parsed = url::Url::parse(text).expect("the plain way took what the crate refuses");
        assert_eq!(parsed.scheme().as_bytes(), &*fast.scheme);
        assert_eq!(parsed.host_str().map(str::as_bytes), Some(&*fast.host));
        assert_eq!(parsed.port(), fast.port);
        let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
        assert_eq!(format!("{}{query}", parsed.path()).as_bytes(), &*fast.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(parts: &UrlParts<'_>) -> String {
        let host = String::from_utf8_lossy(&parts.host);
        let port = parts.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!(
            "{}|{host}{port}|{}",
            String::from_utf8_lossy(&parts.scheme),
            String::from_utf8_lossy(&parts.target)
        )
    }

    #[test]
    fn urls_that_no_standard_allows_are_split_all_the_same() {
        for (url, expected) in [
            ("https://::1:8080/p", "https|::1:8080|/p"),
            ("https://2001:db8::1/p", "https|2001:db8::1|/p"),
            ("https://a..b/c?d", "https|a..b|/c?d"),
            ("https://ex.com:99999/p", "https|ex.com:99999|/p"),
            ("HTTPS://u:p@EX.com:443/p#f", "https|ex.com|/p"),
            ("http://h:8080?x=1", "http|h:8080|/?x=1"),
        ] {
            let parts = split(url.as_bytes()).expect(url);
            assert_eq!(text(&parts), expected, "{url}");
        }
        assert!(split(b"data:text/plain,x").is_none());
        assert!(split(b"").is_none());
        assert!(split(b"/relative").is_none());
    }

    #[test]
    fn connect_targets_are_authorities() {
        let parts = split_connect(b"EX.com:443");
        assert_eq!((&*parts.host, parts.port), (&b"ex.com"[..], Some(443)));
        assert_eq!(split_port(b"[::1]:8080"), (&b"[::1]"[..], Some(8080)));
        assert_eq!(split_port(b"2001:db8::1"), (&b"2001:db8::1"[..], None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// The result of the fast path, if there is one, equals that of the `url` crate.
        #[test]
        fn fast_split_equals_the_url_crate(
            scheme in "https?|wss?|HTTP",
            host in "([a-z0-9._-]{0,6}|[a-z0-9-]{24,36}|[a-z0-9.-]{56,70})[.]?(com|x1|1|xn--a|[A-Z]|%41)?",
            port in "(:[0-9]{0,6})?",
            target in "(/?[a-z0-9./%?#&=+;:@!|\\[\\]'\"<>^`{} \\\\é~_-]{0,16})?",
        ) {
            let url = format!("{scheme}://{host}{port}{target}");
            if let Some(fast) = split_plain(url.as_bytes()) {
                let parsed = url::Url::parse(&url).expect("the fast path took what the crate refuses");
                let query = parsed.query().map(|q| format!("?{q}")).unwrap_or_default();
                let expected = format!(
                    "{}|{}{}|{}{query}", parsed.scheme(), parsed.host_str().unwrap_or_default(),
                    parsed.port().map(|p| format!(":{p}")).unwrap_or_default(), parsed.path(),
                );
                prop_assert_eq!(text(&fast), expected);
            }
        }

        #[test]
        fn any_bytes_are_split_without_a_panic(url in prop::collection::vec(any::<u8>(), 0..40)) {
            let _parts = split(&url);
            let _connect = split_connect(&url);
        }
    }
}
