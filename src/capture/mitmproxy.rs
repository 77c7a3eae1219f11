//! Decoder of mitmproxy dumps: converts one record to one flow, for the format versions 0.11 to 21.
//!
//! The names of fields by version are those of mitmproxy's `io/compat.py`; the layout of version 21
//! is that of `flow.py`, `http.py` and `connection.py`.

use crate::capture::batch::Batch;
use crate::capture::chunk::CaptureItem;
use crate::capture::tnetstring::{LEFT_OUT, Tnetstring, TnetstringError, take};
use crate::flow::headers::match_known_names;
use crate::flow::proxy_request::Proxied;
use crate::flow::{Body, Flow, Header, HeaderEncoding, Headers, Outcome, Protocol, Response};
use crate::simd::is_same;
use crate::skip::SkipReason;

/// The newest flow format version that is supported (mitmproxy 11 to 13).
const NEWEST_VERSION: i64 = 21;

/// The result of decoding one record.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for a moment; nearly all are flows"
)]
pub(crate) enum DecodedRecord<'a> {
    Flow(Flow<'a>),
    Skipped(SkipReason, String),
}

/// Decodes the records of a batch.
pub(crate) fn decode_batch(batch: &Batch, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    decode_records(batch, &mut |offset, _, item| found(offset, item));
}

/// As [`decode_batch`], with the bytes of each record.
pub(crate) fn decode_records(batch: &Batch, found: &mut dyn FnMut(u64, &[u8], CaptureItem<'_>)) {
    let mut rest = batch.bytes();
    while let Some((record, after)) = take(rest) {
        let offset = batch.offset + (batch.bytes().len() - rest.len()) as u64;
        let bytes = &rest[..rest.len() - after.len()];
        match decode(record) {
            DecodedRecord::Flow(flow) => found(offset, bytes, CaptureItem::Flow(&flow)),
            DecodedRecord::Skipped(reason, message) => {
                found(offset, bytes, CaptureItem::Skipped(reason, message))
            }
        }
        rest = after;
    }
}

/// The fields of a record that are used, not yet decoded.
#[derive(Default)]
struct FlowRecord<'a> {
    version: Option<Tnetstring<'a>>,
    kind: Option<&'a [u8]>,
    id: &'a [u8],
    request: Option<Tnetstring<'a>>,
    response: Option<Tnetstring<'a>>,
    protocol: Protocol,
    outcome: Outcome,
    client: Option<Tnetstring<'a>>,
}

/// Decodes one record, which is a value at the top level of a dump.
pub(crate) fn decode(record: Tnetstring<'_>) -> DecodedRecord<'_> {
    if record.tag != b'}' {
        return bad("it is not a dict");
    }
    let Ok(record) = fields(record) else { return bad("its fields are damaged") };
    if let Some(refused) = check_version(record.version) {
        return refused;
    }
    match record.kind {
        Some(b"http") | None => {}
        Some(b"tcp") => return skipped(SkipReason::Tcp),
        Some(b"udp") => return skipped(SkipReason::Udp),
        Some(b"dns") => return skipped(SkipReason::Dns),
        Some(b"websocket") => return skipped(SkipReason::WebsocketMessages),
        Some(_) => {
            // The type is captured text, so it is not repeated in the message.
            let message = "record of an unknown type; skipped".to_owned();
            return DecodedRecord::Skipped(SkipReason::UnknownType, message);
        }
    }
    match http_flow(&record) {
        Ok(Some(flow)) => DecodedRecord::Flow(flow),
        Ok(None) => bad("it has no request with method, host and path"),
        Err(TnetstringError) => bad("its request or response is damaged"),
    }
}

fn skipped<'a>(reason: SkipReason) -> DecodedRecord<'a> {
    DecodedRecord::Skipped(reason, String::new())
}

fn bad<'a>(why: &str) -> DecodedRecord<'a> {
    DecodedRecord::Skipped(SkipReason::BadRecord, format!("record cannot be used: {why}; skipped"))
}

fn fields(record: Tnetstring<'_>) -> Result<FlowRecord<'_>, TnetstringError> {
    let mut found = FlowRecord::default();
    for pair in record.pairs() {
        let (key, value) = pair?;
        match key {
            b"version" => found.version = Some(value),
            b"type" => found.kind = value.text(),
            b"id" => found.id = value.text().unwrap_or_default(),
            b"request" => found.request = Some(value).filter(|v| !v.is_null()),
            b"response" => found.response = Some(value).filter(|v| !v.is_null()),
            b"websocket" if !value.is_null() => found.protocol = Protocol::Websocket,
            b"error" if !value.is_null() => found.outcome = Outcome::Failed,
            b"client_conn" => found.client = Some(value),
            _ => {}
        }
    }
    Ok(found)
}

/// Checks the version and returns the skipped record if it is not supported. Versions are `[major,
/// minor, patch]` up to 2.0 and whole numbers from 3 on.
fn check_version<'a>(version: Option<Tnetstring<'a>>) -> Option<DecodedRecord<'a>> {
    let version = version?;
    let refuse = |version: String, advice: &str| {
        let message = format!("record of flow format version {version}, {advice}; skipped");
        Some(DecodedRecord::Skipped(SkipReason::UnknownVersion, message))
    };
    if version.tag == b']' {
        let major = take(version.payload);
        let minor = major.and_then(|(_, rest)| take(rest));
        let number = |item: Option<(Tnetstring<'a>, &[u8])>| {
            item.and_then(|(value, _)| value.integer()).unwrap_or(-1)
        };
        return match (number(major), number(minor)) {
            (0, 11..=19) | (1 | 2, _) => None,
            (0, minor) => refuse(
                format!("0.{minor}"),
                "which mitmproxy itself no longer reads (0.11 is the oldest)",
            ),
            (major, minor) => {
                refuse(format!("{major}.{minor}"), "which no version of mitmproxy writes")
            }
        };
    }
    match version.integer() {
        Some(3..=NEWEST_VERSION) => None,
        Some(newer) if newer > NEWEST_VERSION => refuse(
            newer.to_string(),
            "newer than this program knows (21); update it, or save the flows as HAR",
        ),
        Some(other) => refuse(other.to_string(), "which no version of mitmproxy writes"),
        None => refuse("?".to_owned(), "which no version of mitmproxy writes"),
    }
}

#[derive(Default)]
struct RequestRecord<'a> {
    method: &'a [u8],
    scheme: &'a [u8],
    authority: &'a [u8],
    path: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    port: i64,
    headers: Headers<'a>,
    content: Body<'a>,
    multiplexed: bool,
    started: Option<i64>,
    ended: Option<i64>,
}

fn request(value: Tnetstring<'_>) -> Result<RequestRecord<'_>, TnetstringError> {
    let mut found = RequestRecord::default();
    for pair in value.pairs() {
        let (key, value) = pair?;
        match key {
            b"method" => found.method = value.text().unwrap_or_default(),
            b"scheme" => found.scheme = value.text().unwrap_or_default(),
            b"authority" => found.authority = value.text().unwrap_or_default(),
            b"path" => found.path = value.text(),
            b"host" => found.host = value.text(),
            b"port" => found.port = value.integer().unwrap_or_default(),
            b"headers" => found.headers = headers(value),
            b"content" | b"body" => found.content = body(value),
            b"http_version" => {
                found.multiplexed = value
                    .text()
                    .is_some_and(|v| v.starts_with(b"HTTP/2") || v.starts_with(b"HTTP/3"));
            }
            b"timestamp_start" => found.started = value.nanoseconds(),
            b"timestamp_end" => found.ended = value.nanoseconds(),
            _ => {}
        }
    }
    Ok(found)
}

fn response(value: Tnetstring<'_>) -> Result<(Response<'_>, Option<i64>), TnetstringError> {
    let mut found = Response::default();
    let mut ended = None;
    for pair in value.pairs() {
        let (key, value) = pair?;
        match key {
            // Versions up to 0.13 have `code`. The body is `content` until 0.13 and from 0.16 on,
            // and `body` in between.
            b"status_code" | b"code" => found.status = value.integer().unwrap_or_default(),
            b"headers" => found.headers = headers(value),
            b"content" | b"body" => {
                found.body_bytes = value.body_bytes();
                found.body = body(value);
            }
            b"timestamp_end" => ended = value.nanoseconds(),
            _ => {}
        }
    }
    Ok((found, ended))
}

/// Reads a body, which is stored as it was on the wire. Only its length is known if it was left out
/// of a large record.
fn body(value: Tnetstring<'_>) -> Body<'_> {
    match value.text() {
        Some(b"") => Body::default(),
        Some(bytes) => Body::wire(bytes),
        None if value.tag == LEFT_OUT => value.body_bytes().map(Body::left_out).unwrap_or_default(),
        None => Body::default(),
    }
}

fn headers(value: Tnetstring<'_>) -> Headers<'_> {
    if value.tag == b']' { Headers::encoded(value.payload, &LIST) } else { Headers::default() }
}

/// The encoding of headers: a list of pairs of name and value.
static LIST: HeaderEncoding = HeaderEncoding {
    next: next_header,
    beside: |list, names| match_known_names(list, names, after_header),
};

/// The rest after a header with this name. `None` if the header has another name.
#[inline]
fn after_header<'b>(list: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let (pair, rest) = take(list)?;
    let (first, _) = take(pair.payload)?;
    is_same(first.text()?, name).then_some(rest)
}

fn next_header(list: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let (pair, rest) = take(list)?;
    let (name, value) = take(pair.payload)?;
    let value = take(value).and_then(|(value, _)| value.text());
    Some(((name.text()?, value), rest))
}

fn http_flow<'a>(record: &FlowRecord<'a>) -> Result<Option<Flow<'a>>, TnetstringError> {
    let Some(request) = record.request.map(request).transpose()? else { return Ok(None) };
    let Some(path) = request.path else { return Ok(None) };
    let proxied = Proxied {
        method: request.method,
        scheme: request.scheme,
        authority: request.authority,
        path,
        headers: request.headers,
        address: request.host.map(|host| (host, request.port)),
        is_multiplexed: request.multiplexed,
    };
    let Some(mut flow) = proxied.flow(|| sni(record.client)) else { return Ok(None) };
    let response = record.response.map(response).transpose()?;
    let ended = response.as_ref().and_then(|response| response.1).or(request.ended);
    flow.id = record.id;
    flow.request_body = request.content;
    flow.started = request.started;
    flow.duration = ended
        .filter(|_| response.is_some())
        .zip(request.started)
        .and_then(|(end, start)| u64::try_from(end.checked_sub(start)?).ok());
    flow.response = response.map(|response| response.0);
    flow.outcome = record.outcome;
    flow.protocol = record.protocol;
    Ok(Some(flow))
}

fn sni(client: Option<Tnetstring<'_>>) -> Option<&[u8]> {
    let mut pairs = client?.pairs().map_while(Result::ok);
    pairs.find(|(key, _)| *key == b"sni").and_then(|(_, value)| value.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::headers::laws;
    use proptest::prelude::*;

    fn string(tag: char, payload: &[u8]) -> Vec<u8> {
        [format!("{}:", payload.len()).as_bytes(), payload, &[tag as u8]].concat()
    }

    proptest! {
        #[test]
        fn names_beside_known_ones_are_the_names((headers, keep) in laws::headers(), damage in "[,;#~\\]]?") {
            let tag = damage.chars().next().unwrap_or(',');
            let list: Vec<u8> = headers
                .iter()
                .flat_map(|(name, value)| string(']', &[string(',', name.as_bytes()), string(tag, value.as_bytes())].concat()))
                .collect();
            let known: Vec<_> = headers.iter().zip(keep).filter(|(_, keep)| *keep).map(|(pair, _)| pair.0.as_bytes()).collect();
            laws::names_beside(Headers::encoded(&list, &LIST), &known);
        }
    }
}
