//! Exchanges as a mitmproxy dump.

use std::io::{self, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::flow::Flow;
use crate::output::exchange::ExchangeOutput;
use crate::report::exchange::{BodyContent, Exchange, MessageBody};

/// Version of the records: that of mitmproxy 10, which later versions read too.
const RECORD_VERSION: i64 = 20;

/// Exchanges as a mitmproxy dump, for `mitmweb -r FILE` and other tools.
///
/// Bodies are decoded, so headers that say how they were encoded are left out, and `content-length` is that of what is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExchangeDump;

impl ExchangeOutput for ExchangeDump {
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()> {
        let mut record = Vec::new();
        for exchange in exchanges {
            record.clear();
            record_of(exchange).encode(&mut record);
            out.write_all(&record)?;
        }
        Ok(())
    }
}

/// A value of a record, as mitmproxy's `io/tnetstring.py` has them.
enum RecordValue {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<RecordValue>),
    Map(Vec<(&'static str, RecordValue)>),
}

impl RecordValue {
    /// Appends the value: its length, a colon, the payload, and the tag.
    fn encode(&self, out: &mut Vec<u8>) {
        let (payload, tag) = match self {
            Self::Null => (Vec::new(), b'~'),
            Self::Bool(value) => (value.to_string().into_bytes(), b'!'),
            Self::Integer(value) => (value.to_string().into_bytes(), b'#'),
            Self::Float(value) => (format!("{value:?}").into_bytes(), b'^'),
            Self::Text(value) => (value.clone().into_bytes(), b';'),
            Self::Bytes(value) => (value.clone(), b','),
            Self::List(values) => {
                let mut payload = Vec::new();
                values.iter().for_each(|value| value.encode(&mut payload));
                (payload, b']')
            }
            Self::Map(values) => {
                let mut payload = Vec::new();
                for (key, value) in values {
                    Self::Text((*key).to_owned()).encode(&mut payload);
                    value.encode(&mut payload);
                }
                (payload, b'}')
            }
        };
        out.extend_from_slice(payload.len().to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(&payload);
        out.push(tag);
    }

    fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    fn bytes(value: &str) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
    }

    fn empty_list() -> Self {
        Self::List(Vec::new())
    }
}

/// The times of an exchange, in seconds since 1970.
#[derive(Clone, Copy)]
struct RecordTimes {
    start: f64,
    end: f64,
}

impl RecordTimes {
    fn of(exchange: &Exchange) -> Self {
        let start =
            exchange.started.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        #[expect(clippy::cast_precision_loss, reason = "microseconds, as mitmproxy writes them")]
        let start = start.map_or(0.0, |time| time.as_microsecond() as f64 / 1e6);
        Self { start, end: start + exchange.duration_ms.unwrap_or_default() / 1000.0 }
    }
}

fn record_of(exchange: &Exchange) -> RecordValue {
    use RecordValue::{Bool, Float, Integer, Map, Null};

    let times = RecordTimes::of(exchange);
    let parts = TargetParts::of(&exchange.request.method, &exchange.request.url);
    let error = if exchange.failed {
        Map(vec![
            ("msg", RecordValue::text("the exchange failed")),
            ("timestamp", Float(times.end)),
        ])
    } else {
        Null
    };
    let websocket = if exchange.websocket {
        Map(vec![
            ("messages", RecordValue::empty_list()),
            ("closed_by_client", Null),
            // mitmproxy takes a connection without a code for one that failed. 1000 is a normal closure (RFC 6455, section 7.4.1).
            ("close_code", Integer(1000)),
            ("close_reason", Null),
            ("timestamp_end", Null),
        ])
    } else {
        Null
    };
    Map(vec![
        ("version", Integer(RECORD_VERSION)),
        ("type", RecordValue::text("http")),
        ("id", RecordValue::text(&exchange.id)),
        ("timestamp_created", Float(times.start)),
        ("intercepted", Bool(false)),
        ("is_replay", Null),
        ("marked", RecordValue::text("")),
        ("comment", RecordValue::text("")),
        ("metadata", Map(Vec::new())),
        ("backup", Null),
        ("error", error),
        ("client_conn", client_connection(exchange, &parts, times)),
        ("server_conn", server_connection(exchange, &parts, times)),
        ("websocket", websocket),
        ("response", response_of(exchange, times)),
        ("request", request_of(exchange, parts, times)),
    ])
}

fn client_connection(exchange: &Exchange, parts: &TargetParts, times: RecordTimes) -> RecordValue {
    let mut fields = connection(format!("{}-client", exchange.id), parts, times);
    fields.extend([("mitmcert", RecordValue::Null), ("proxy_mode", RecordValue::text("regular"))]);
    RecordValue::Map(fields)
}

fn server_connection(exchange: &Exchange, parts: &TargetParts, times: RecordTimes) -> RecordValue {
    let mut fields = connection(format!("{}-server", exchange.id), parts, times);
    let address = vec![RecordValue::text(&parts.host), RecordValue::Integer(parts.port)];
    fields.extend([
        ("address", RecordValue::List(address)),
        ("timestamp_tcp_setup", RecordValue::Null),
        ("via", RecordValue::Null),
    ]);
    RecordValue::Map(fields)
}

/// The fields that both connections of an exchange have.
fn connection(
    id: String,
    parts: &TargetParts,
    times: RecordTimes,
) -> Vec<(&'static str, RecordValue)> {
    use RecordValue::{Bool, Float, Integer, List, Null, Text};

    // mitmproxy wants addresses, and exchanges do not have them.
    let unknown_address = || List(vec![RecordValue::text(""), Integer(0)]);
    let is_tls = parts.scheme == "https";
    vec![
        ("id", Text(id)),
        ("transport_protocol", RecordValue::text("tcp")),
        ("error", Null),
        ("peername", unknown_address()),
        ("sockname", unknown_address()),
        ("tls", Bool(is_tls)),
        ("certificate_list", RecordValue::empty_list()),
        ("alpn", Null),
        ("alpn_offers", RecordValue::empty_list()),
        ("cipher", Null),
        ("cipher_list", RecordValue::empty_list()),
        ("tls_version", Null),
        ("sni", if is_tls { RecordValue::text(&parts.host) } else { Null }),
        ("timestamp_start", Float(times.start)),
        ("timestamp_end", Null),
        ("timestamp_tls_setup", Null),
    ]
}

fn request_of(exchange: &Exchange, parts: TargetParts, times: RecordTimes) -> RecordValue {
    use RecordValue::{Bytes, Float, Integer, Null};

    let request = &exchange.request;
    let (headers, content) = message_of(&request.headers, &request.body);
    RecordValue::Map(vec![
        ("host", RecordValue::text(&parts.host)),
        ("port", Integer(parts.port)),
        ("method", RecordValue::bytes(&request.method)),
        ("scheme", RecordValue::bytes(parts.scheme)),
        ("authority", Bytes(parts.authority)),
        ("path", Bytes(parts.target)),
        ("http_version", RecordValue::bytes("HTTP/1.1")),
        ("headers", headers),
        ("content", Bytes(content)),
        ("trailers", Null),
        ("timestamp_start", Float(times.start)),
        ("timestamp_end", Float(times.start)),
    ])
}

fn response_of(exchange: &Exchange, times: RecordTimes) -> RecordValue {
    use RecordValue::{Bytes, Float, Integer, Null};

    let Some(response) = &exchange.response else { return Null };
    let (headers, content) = message_of(&response.headers, &response.body);
    let end = exchange.duration_ms.map_or(Null, |_| Float(times.end));
    RecordValue::Map(vec![
        ("http_version", RecordValue::bytes("HTTP/1.1")),
        ("status_code", Integer(response.status)),
        ("reason", Bytes(Vec::new())),
        ("headers", headers),
        ("content", Bytes(content)),
        ("trailers", Null),
        ("timestamp_start", Float(times.end)),
        ("timestamp_end", end),
    ])
}

/// The parts of a URL that a record has in fields of their own.
struct TargetParts {
    scheme: &'static str,
    host: String,
    port: i64,
    /// Host and port of a CONNECT; empty for other requests.
    authority: Vec<u8>,
    /// Path and query; empty for a CONNECT.
    target: Vec<u8>,
}

impl TargetParts {
    fn of(method: &str, url: &str) -> Self {
        let flow = Flow::of_any_url(method.as_bytes().into(), url.as_bytes());
        let is_connect = method == "CONNECT";
        let scheme = match &*flow.scheme {
            _ if is_connect => "",
            b"https" | b"wss" => "https",
            _ => "http",
        };
        let port = flow.port.unwrap_or(if scheme == "http" { 80 } else { 443 });
        let target = if is_connect { Vec::new() } else { flow.target.to_vec() };
        Self {
            scheme,
            host: String::from_utf8_lossy(&flow.host).into_owned(),
            port: i64::from(port),
            authority: if is_connect { url.as_bytes().to_vec() } else { Vec::new() },
            target,
        }
    }
}

/// Headers and content of a message.
fn message_of(headers: &[(String, String)], body: &MessageBody) -> (RecordValue, Vec<u8>) {
    let content = content_of(body);
    let is_text = matches!(body.content, BodyContent::Json { .. } | BodyContent::Text { .. });
    let describes_encoding = |name: &str| {
        ["content-encoding", "transfer-encoding"].iter().any(|one| name.eq_ignore_ascii_case(one))
    };
    let pairs = headers.iter().filter(|(name, _)| content.is_empty() || !describes_encoding(name));
    let pairs = pairs.map(|(name, value)| {
        let is_length = !content.is_empty() && name.eq_ignore_ascii_case("content-length");
        let value = if is_length {
            content.len().to_string()
        } else if is_text && name.eq_ignore_ascii_case("content-type") {
            in_utf8(value)
        } else {
            value.clone()
        };
        RecordValue::List(vec![RecordValue::bytes(name), RecordValue::Bytes(value.into_bytes())])
    });
    (RecordValue::List(pairs.collect()), content)
}

/// A content type whose charset is that of decoded text.
fn in_utf8(content_type: &str) -> String {
    let parts = content_type.split(';').map(|part| {
        let is_charset =
            part.trim_start().get(..8).is_some_and(|name| name.eq_ignore_ascii_case("charset="));
        if is_charset { " charset=utf-8" } else { part }
    });
    parts.collect::<Vec<_>>().join(";")
}

fn content_of(body: &MessageBody) -> Vec<u8> {
    match &body.content {
        BodyContent::Empty => Vec::new(),
        BodyContent::Json { json } => json.to_string().into_bytes(),
        BodyContent::Text { text } => text.clone().into_bytes(),
        BodyContent::Bytes { base64 } => {
            BASE64_STANDARD.decode(base64).unwrap_or_else(|_| base64.clone().into_bytes())
        }
        BodyContent::Hidden { bytes, why } => {
            format!("({bytes} bytes are not shown: {why})").into_bytes()
        }
    }
}
