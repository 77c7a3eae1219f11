//! Reader of access logs of web servers and proxies, one request per line.
//!
//! The common and combined formats of Apache and nginx (<https://httpd.apache.org/docs/2.4/logs.html>), also with the name of the
//! host before them, and the default format of Envoy
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage>):
//!
//! ```text
//! 203.0.113.5 - - [22/Nov/2026:15:10:37 +0100] "GET /users/7 HTTP/1.1" 200 43 "-" "curl/7.88.1" 0.012
//! api.example.com:443 203.0.113.5 - - [22/Nov/2026:15:10:37 +0100] "GET /users/7 HTTP/1.1" 200 43
//! [2026-11-22T14:10:37.310Z] "GET /users/7 HTTP/2" 200 - 0 154 26 25 "-" "curl" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "api.example.com" "10.0.2.1:80"
//! ```

use std::borrow::Cow;

use crate::capture::batch::Batch;
use crate::capture::chunk::CaptureItem;
use crate::capture::fields::integer;
use crate::capture::time;
use crate::flow::{Flow, Response};
use crate::skip::SkipReason;

/// Host of requests in logs that do not name it.
pub(crate) const DEFAULT_LOG_HOST: &str = "localhost";

/// The parts of one line.
#[derive(Debug, Default, PartialEq)]
struct LogLine<'a> {
    /// Host and port, if the line names them.
    host: Option<&'a [u8]>,
    time: &'a [u8],
    method: &'a [u8],
    /// The target as sent: a path, or a URL for a proxy.
    target: Cow<'a, [u8]>,
    status: i64,
    bytes: Option<u64>,
    /// In nanoseconds.
    duration: Option<u64>,
}

/// Returns `true` if a line is of an access log.
pub(crate) fn is_log_line(line: &[u8]) -> bool {
    matches!(parse(line), LineContent::Request(_))
}

pub(crate) fn decode(batch: &Batch, log_host: &str, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    let mut start = 0;
    for line in batch.bytes().split_inclusive(|byte| *byte == b'\n') {
        let offset = batch.offset + start as u64;
        start += line.len();
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match parse(line) {
            LineContent::Request(parts) => emit_log_flow(&parts, offset, log_host, found),
            // Noise on the port, such as a TLS handshake, is logged in place of a request.
            LineContent::OtherTraffic => {
                found(offset, CaptureItem::Skipped(SkipReason::NotHttp, String::new()))
            }
            LineContent::NotALog => {
                let message = "line is not of an access log (a time in brackets, then a request in quotes); skipped";
                found(offset, CaptureItem::Skipped(SkipReason::BadLine, message.to_owned()));
            }
        }
    }
}

fn emit_log_flow(
    line: &LogLine<'_>,
    offset: u64,
    log_host: &str,
    found: &mut dyn FnMut(u64, CaptureItem<'_>),
) {
    let is_url = line.target.windows(3).take(8).any(|three| three == b"://");
    let url = if is_url || line.method == b"CONNECT" {
        line.target.to_vec()
    } else {
        url_of(line.host.unwrap_or(log_host.as_bytes()), None, &line.target)
    };
    let mut flow = Flow::of_any_url(Cow::Borrowed(line.method), &url);
    flow.started = time::nanoseconds(line.time);
    flow.duration = line.duration;
    flow.response =
        Some(Response { status: line.status, body_bytes: line.bytes, ..Response::default() });
    found(offset, CaptureItem::Flow(&flow));
}

/// The URL of a request from the host and the path that a log names. Without a scheme it is `http` for port 80 and `localhost`, and
/// `https` otherwise.
pub(super) fn url_of(host: &[u8], scheme: Option<&[u8]>, target: &[u8]) -> Vec<u8> {
    let is_plain = host.ends_with(b":80") || host.starts_with(DEFAULT_LOG_HOST.as_bytes());
    let scheme = scheme.unwrap_or(if is_plain { b"http" } else { b"https" });
    let slash: &[u8] = if target.starts_with(b"/") { b"" } else { b"/" };
    [scheme, b"://", host, slash, target].concat()
}

/// The kind of a line, by its request.
#[derive(Debug, PartialEq)]
enum LineContent<'a> {
    Request(LogLine<'a>),
    /// A line of an access log whose request is not HTTP, such as a TLS handshake.
    OtherTraffic,
    NotALog,
}

fn parse(line: &[u8]) -> LineContent<'_> {
    let Some((parts, request)) = parts_of(line) else { return LineContent::NotALog };
    match method_and_target(request) {
        Some((method, target)) => LineContent::Request(LogLine { method, target, ..parts }),
        None => LineContent::OtherTraffic,
    }
}

/// Texts in quotes behind the request in Envoy's default format: client, user agent, id, host, upstream.
const ENVOY_TEXTS: usize = 5;

/// Splits a line into its request and its other parts. `None` if it is not of an access log.
fn parts_of(line: &[u8]) -> Option<(LogLine<'_>, &[u8])> {
    let open = memchr::memchr(b'[', line)?;
    let close = open + memchr::memchr(b']', &line[open..])?;
    let time = &line[open + 1..close];
    let (request, rest) = quoted(&line[close + 1..])?;
    let mut fields = rest.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let status = integer(fields.next()?)?;
    if !(0..1000).contains(&status) {
        return None;
    }
    let is_envoy = open == 0;
    let mut parts = LogLine { time, status, ..LogLine::default() };
    if is_envoy {
        let strings = quoted_strings(rest);
        // The host stands behind the id of the request, which is the third of five texts and a UUID unless the client sent one.
        let id = strings.iter().position(|text| is_uuid(text));
        let id = id.or_else(|| (strings.len() == ENVOY_TEXTS).then_some(2));
        parts.host = id.and_then(|at| strings.get(at + 1)).copied().filter(|host| *host != b"-");
        // Status, bytes received, bytes sent, duration in milliseconds.
        if let [_, _, sent, duration, ..] = unquoted_numbers(rest)[..] {
            parts.bytes = Some(sent);
            parts.duration = duration.checked_mul(1_000_000);
        }
    } else {
        parts.host = named_host(&line[..open]);
        parts.bytes = fields.next().and_then(integer).and_then(|bytes| u64::try_from(bytes).ok());
        parts.duration = rest.rsplit(|byte| *byte == b'"').next().and_then(find_request_time);
    }
    Some((parts, request))
}

/// The host before the address of the client, as in `%v:%p %h`.
fn named_host(before: &[u8]) -> Option<&[u8]> {
    let fields: Vec<&[u8]> =
        before.split(|byte| *byte == b' ').filter(|field| !field.is_empty()).collect();
    let [host, client, _, _, ..] = fields[..] else { return None };
    let is_address = |text: &[u8]| {
        std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok())
    };
    let is_host = host.iter().any(u8::is_ascii_alphabetic) && host.contains(&b'.');
    (is_host && !is_address(host) && is_address(client)).then_some(host)
}

/// The first quoted string, with its escapes, and the text behind it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = memchr::memchr(b'"', text)? + 1;
    let mut at = start;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return Some((&text[start..at], &text[at + 1..])),
            _ => at += 1,
        }
    }
    None
}

fn quoted_strings(mut text: &[u8]) -> Vec<&[u8]> {
    let mut strings = Vec::new();
    while let Some((string, rest)) = quoted(text) {
        strings.push(string);
        text = rest;
    }
    strings
}

/// The first whole numbers outside of quotes, up to a quoted string.
fn unquoted_numbers(text: &[u8]) -> Vec<u64> {
    let mut rest = text;
    let mut numbers = Vec::new();
    loop {
        let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
        let fields = rest[..end].split(|byte| *byte == b' ').filter(|field| !field.is_empty());
        numbers.extend(
            fields.filter_map(|field| std::str::from_utf8(field).ok()?.parse::<u64>().ok()),
        );
        match quoted(&rest[end..]) {
            Some((_, after)) if numbers.len() < 4 => rest = after,
            _ => return numbers,
        }
    }
}

/// Method and target of a request line. `None` for anything else.
fn method_and_target(request: &[u8]) -> Option<(&[u8], Cow<'_, [u8]>)> {
    let (method, rest) = request.split_at(memchr::memchr(b' ', request)?);
    let rest = rest.trim_ascii();
    // Requests of HTTP/0.9 have no version.
    let target = match memchr::memrchr(b' ', rest) {
        Some(end) if rest[end + 1..].starts_with(b"HTTP/") => rest[..end].trim_ascii(),
        Some(_) => return None,
        None => rest,
    };
    let is_method = !method.is_empty()
        && method.len() <= 20
        && method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    let is_target = target.starts_with(b"/")
        || target.starts_with(b"http")
        || target == b"*"
        || method == b"CONNECT";
    (is_method && is_target).then(|| (method, unescaped(target)))
}

/// Removes the escapes `\"`, `\\` and `\xHH` of Apache and nginx.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match tail {
            [b'x', high, low, after @ ..] if *first == b'\\' => {
                let byte = hex(&[*high, *low]);
                out.push(byte.unwrap_or(b'?'));
                rest = after;
            }
            [escaped, after @ ..] if *first == b'\\' => {
                out.push(*escaped);
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

/// Seconds with a fraction at the front, as `$request_time` of nginx, in nanoseconds.
fn find_request_time(text: &[u8]) -> Option<u64> {
    let first = text.split(|byte| *byte == b' ').find(|field| !field.is_empty())?;
    first.contains(&b'.').then(|| nanoseconds_of(first)).flatten()
}

/// Seconds as decimal text, in nanoseconds.
pub(super) fn nanoseconds_of(seconds: &[u8]) -> Option<u64> {
    let seconds: f64 = std::str::from_utf8(seconds).ok()?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
    (0.0..1e9).contains(&seconds).then_some((seconds * 1e9) as u64)
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> LogLine<'_> {
        match parse(line.as_bytes()) {
            LineContent::Request(parts) => parts,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_usual_formats_are_read() {
        let common = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?a=1 HTTP/1.0" 200 2326"#;
        let line = parsed(common);
        assert_eq!(
            (line.method, &*line.target, line.status),
            (&b"GET"[..], &b"/apache_pb.gif?a=1"[..], 200)
        );
        assert_eq!((line.host, line.bytes, line.duration), (None, Some(2326), None));
        let combined = format!("{common} \"http://x/\" \"Mozilla/4.08 [en] \\\"q\\\"\" 0.250");
        let line = parsed(&combined);
        assert_eq!((line.bytes, line.duration), (Some(2326), Some(250_000_000)));
        let line =
            parsed(r#"api.example.com:443 ::1 - - [t] "POST /a\x22b HTTP/2.0" 204 - "-" "-""#);
        assert_eq!((line.host, line.bytes), (Some(&b"api.example.com:443"[..]), None));
        assert_eq!(&*line.target, b"/a\"b");
        let old = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 7 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#;
        let line = parsed(old);
        assert_eq!((line.host, line.bytes), (Some(&b"locations"[..]), Some(7)));
        assert_eq!(line.duration, Some(226_000_000));
        let own = r#"[2016-04-15T20:17:00.310Z] "GET /a HTTP/2" 200 - 0 7 2 1 "-" "curl/8" "rid-0" "api.example.com" "10.0.0.1:80""#;
        assert_eq!(parsed(own).host, Some(&b"api.example.com"[..]));
        let istio = r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound"#;
        let line = parsed(istio);
        assert_eq!((line.host, line.bytes), (Some(&b"httpbin:8000"[..]), Some(135)));
        assert_eq!((line.status, line.duration), (418, Some(3_000_000)));
    }

    #[test]
    fn what_is_not_a_request_is_told_from_what_is_not_a_log() {
        assert_eq!(parse(br#"1.2.3.4 - - [t] "\x16\x03\x01" 400 157"#), LineContent::OtherTraffic);
        assert_eq!(parse(br#"1.2.3.4 - - [t] "-" 408 -"#), LineContent::OtherTraffic);
        for other in
            ["", "2026-11-22 08:00:00 GET /", "[t] \"GET / HTTP/1.1", "[t] \"GET / HTTP/1.1\" x"]
        {
            assert_eq!(parse(other.as_bytes()), LineContent::NotALog, "{other}");
        }
    }
}
