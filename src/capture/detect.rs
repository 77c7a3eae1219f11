//! Detection of the format of a file by its first bytes, and advice for files that cannot be read.

use crate::capture::source::Format;
use crate::capture::tnetstring::{LengthPrefix, prefix};
use crate::capture::{access_log, har, jsonl};

/// Number of bytes that are examined.
pub(crate) const MAX_HEAD_BYTES: usize = 64 << 10;

/// Returns `true` for a SQLite database.
pub(crate) fn is_database(head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0")
}

/// A sentence about bytes that are not a capture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotACapture {
    /// Another known format, which could be converted to a capture.
    Known(&'static str),
    /// Anything else: a page, a list, a body that is stored beside a capture.
    Vague(&'static str),
}

/// Detects the format. The error describes bytes that are not a capture.
pub(crate) fn detect(head: &[u8]) -> Result<Format, NotACapture> {
    let (has_bom, text) =
        head.strip_prefix(b"\xef\xbb\xbf").map_or((false, head), |text| (true, text));
    let text = text.trim_ascii_start();
    match text {
        // An empty file is a dump to which nothing was written yet.
        [] if head.is_empty() => Ok(Format::Mitmproxy),
        [] => Ok(Format::JsonLines),
        [b'0'..=b'9', ..] if !has_bom && looks_like_dump(text) => Ok(Format::Mitmproxy),
        [b'{', ..] => detect_json(text),
        [b'[', ..] if begins_entries(text) => Ok(Format::Har),
        _ if har::opening_bracket(text).is_some_and(|at| begins_har(&text[at..])) => {
            Ok(Format::Har)
        }
        // A damaged first line does not make the other lines unreadable.
        _ if has_flow_line(text) => Ok(Format::JsonLines),
        _ if has_log_line(text) => Ok(Format::AccessLog),
        _ => Err(describe_unreadable(text, head)),
    }
}

/// Returns `true` if one of the first lines is a flow.
fn has_flow_line(text: &[u8]) -> bool {
    text.split(|b| *b == b'\n').any(|line| jsonl::is_flow(line.trim_ascii()))
}

/// Returns `true` if one of the first lines is of an access log.
fn has_log_line(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| access_log::is_log_line(line.trim_ascii()))
}

/// Returns `true` if the bytes are an object whose first line is longer than they are and may be a
/// flow.
pub(crate) fn is_open_line(head: &[u8]) -> bool {
    head.len() == MAX_HEAD_BYTES
        && head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().first()
            == Some(&b'{')
        && memchr::memchr(b'\n', head).is_none()
        && !matches!(detect(head), Ok(_) | Err(NotACapture::Known(_)))
}

/// Returns `true` if the first key is `log` and its value is an object.
fn begins_har(text: &[u8]) -> bool {
    let after = ["{", "\"log\"", ":", "{"]
        .iter()
        .try_fold(text, |rest, token| rest.trim_ascii_start().strip_prefix(token.as_bytes()));
    after.is_some()
}

/// Returns `true` if a list begins with an entry of a HAR, an exchange of Charles, or a flow.
fn begins_entries(text: &[u8]) -> bool {
    let inside = text[1..].trim_ascii_start();
    let has = |key: &str| memchr::memmem::find(inside, key.as_bytes()).is_some();
    (inside.starts_with(b"{") && has("\"method\"") && (has("\"url\"") || has("\"host\"")))
        || inside.starts_with(b"]")
}

/// Returns `true` for a length and a colon, or for only the digits of a length.
fn looks_like_dump(text: &[u8]) -> bool {
    match prefix(text) {
        LengthPrefix::Length { bytes, length } => {
            // After the colon, a dict has the length of its first key. Any other value is complete
            // and has its tag.
            let inside = &text[bytes..];
            length == 0
                || inside.is_empty()
                || inside[0].is_ascii_digit()
                || length < MAX_HEAD_BYTES as u64
        }
        LengthPrefix::Incomplete => true,
        LengthPrefix::Bad => false,
    }
}

fn detect_json(text: &[u8]) -> Result<Format, NotACapture> {
    let har = begins_har(text);
    if !har && has_flow_line(text) {
        return Ok(Format::JsonLines);
    }
    let has = |key: &str| memchr::memmem::find(text, key.as_bytes()).is_some();
    let has_entries = has("\"entries\"") || has("\"creator\"");
    if har || (has("\"log\"") && has_entries) || (has("\"startedDateTime\"") && has("\"request\""))
    {
        return Ok(Format::Har);
    }
    Err(if has("_postman_id") || has("schema.getpostman.com") {
        NotACapture::Known(
            "this is a Postman collection, which holds requests and no traffic; send them through a proxy and give what it \
             recorded (mitmdump -w dump.mitm), or export the history of the Postman proxy as HAR",
        )
    } else if has("__export_format") || has("\"_type\":\"export\"") {
        NotACapture::Known(INSOMNIA)
    } else {
        NotACapture::Vague(
            "this is JSON, and neither a HAR (it has no \"log\" with a list of \"entries\") nor JSON lines: a line needs \
             \"method\" and \"url\", or \"request\" with both",
        )
    })
}

const INSOMNIA: &str = "this is an Insomnia export, which holds requests and no traffic; in Insomnia choose Export > HAR (HTTP \
                        Archive Format) and give that file";

fn describe_unreadable(text: &[u8], head: &[u8]) -> NotACapture {
    let is = |magic: &[u8]| head.starts_with(magic);
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    let is_packet_capture = is(&[0xd4, 0xc3, 0xb2, 0xa1])
        || is(&[0xa1, 0xb2, 0xc3, 0xd4])
        || is(&[0x4d, 0x3c, 0xb2, 0xa1])
        || is(&[0xa1, 0xb2, 0x3c, 0x4d])
        || is(&[0x0a, 0x0d, 0x0d, 0x0a]);
    if is_packet_capture {
        NotACapture::Known(
            "this is a packet capture, in which HTTPS is encrypted; save a HAR in the browser's developer tools, or record \
             with a proxy: mitmdump -w dump.mitm",
        )
    } else if text.starts_with(b"type: collection.insomnia") {
        NotACapture::Known(INSOMNIA)
    } else if is(b"\xff\xfe") || is(b"\xfe\xff") {
        NotACapture::Known("this is UTF-16 text; save it as UTF-8")
    } else if text.starts_with(b"[") {
        NotACapture::Vague(
            "this is a JSON array, and its first item is neither an entry of a HAR nor a flow: an item needs \"request\", or \
             \"method\" and \"url\"",
        )
    } else if has("<items") && has("<item") {
        NotACapture::Known(
            "these are items saved by Burp, which is not a HAR; in Burp install the extension \"HAR Exporter\" from the BApp \
             store, export the same items with it, and give that file",
        )
    } else if text.starts_with(b"<") {
        NotACapture::Vague(
            "this is XML or HTML and not a capture; export the traffic as HAR, or record it with mitmdump -w dump.mitm",
        )
    } else if is(b"\xac\xed") || has("com.xk72.charles") {
        NotACapture::Known(
            "this is a Charles session (.chls); in Charles choose File > Export Session, the format HTTP Archive (.har), and \
             give that file",
        )
    } else {
        NotACapture::Vague(
            "this is not a capture that can be read; give a mitmproxy dump (mitmdump -w dump.mitm), a HAR, the database of \
             mitmproxy-mcp, JSON lines (an object with method and url a line), or an access log (a time in brackets, then a request in \
             quotes)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_format() {
        for (head, format) in [
            (&b""[..], Format::Mitmproxy),
            (b"212:4:path;2:/a,", Format::Mitmproxy),
            (b"0:]", Format::Mitmproxy),
            (b"999999999999:", Format::Mitmproxy),
            (b"{\"log\": {\"version\": \"1.2\"", Format::Har),
            (b"\xef\xbb\xbf{\n \"log\" : {", Format::Har),
            (b"load({\"log\": {", Format::Har),
            (b"[{\"request\": {\"method\": \"GET\", \"url\": \"x\"", Format::Har),
            (b"{\"method\":\"GET\",\"url\":\"http://h/\"}\n", Format::JsonLines),
            (b"1.2.3.4 - - [t] \"GET / HTTP/1.1\" 200 5\n", Format::AccessLog),
            (b"\n[2016-04-15T20:17:00.310Z] \"GET / HTTP/2\" 204 - 1", Format::AccessLog),
            (
                b"{\"request_method\":\"GET\",\"request_uri\":\"/a\",\"status\":200}\n",
                Format::JsonLines,
            ),
            (b"{\"request\":\"GET /a HTTP/1.1\",\"status\":\"200\"}\n", Format::JsonLines),
            (
                b"\xef\xbb\xbf\n {\"request\":{\"method\":\"GET\",\"url\":\"http://h/\"}}",
                Format::JsonLines,
            ),
        ] {
            assert_eq!(detect(head), Ok(format), "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_a_way_out() {
        for (head, word) in [
            (&b"\x89PNG\r\n"[..], "not a capture"),
            (b"\x0a\x0d\x0d\x0a\x6c\0\0\0", "packet capture"),
            (b"\xd4\xc3\xb2\xa1", "packet capture"),
            (b"<items burpVersion='1'><item>", "Burp"),
            (b"\xac\xed\0\x05", "Charles"),
            (b"[1, 2]", "array"),
            (b"2026-11-22 08:00:00 GET /", "not a capture"),
            (b"{}", "neither a HAR"),
        ] {
            let (NotACapture::Known(message) | NotACapture::Vague(message)) =
                detect(head).unwrap_err();
            assert!(message.contains(word), "{message}");
            assert!(message.contains(';') || message.contains("needs"), "no way out: {message}");
        }
    }
}
