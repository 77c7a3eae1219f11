//! Generator of traffic of any size for measurements. The output depends only on the seed, and mitmproxy can read it.
//!
//! It resembles a day of recording an API: twelve endpoint shapes with ids of all kinds, twelve request headers per
//! flow, and a certificate and JSON bodies in each record.

#![allow(clippy::unwrap_used, reason = "writing into memory does not fail")]

use std::fmt::Write as _;
use std::io::{self, Write};

/// `SplitMix64` random numbers (Steele et al. 2014), which are identical on every machine.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn letters(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.index(alphabet.len())])).collect()
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A request and its response.
pub(crate) struct Exchange {
    pub(crate) id: String,
    pub(crate) method: &'static str,
    pub(crate) host: &'static str,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) started_micros: u64,
    pub(crate) body: String,
}

/// Iterator over generated exchanges.
pub(crate) struct Traffic {
    draw: Draw,
    clock_micros: u64,
}

impl Traffic {
    pub(crate) fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed), clock_micros: 1_790_000_000_000_000 }
    }

    pub(crate) fn exchange(&mut self) -> Exchange {
        let draw = &mut self.draw;
        let (method, host, target, statuses): (_, _, _, [u16; 4]) = match draw.below(12) {
            0 => (
                "GET",
                "api.example.com",
                format!("/v1/users/{}", 1000 + draw.below(500_000)),
                [200, 200, 200, 404],
            ),
            1 => (
                "GET",
                "api.example.com",
                format!("/v1/users?page={}&limit=50", draw.below(90)),
                [200; 4],
            ),
            2 => (
                "PATCH",
                "api.example.com",
                format!("/v1/users/{}", 1000 + draw.below(500_000)),
                [200, 200, 422, 200],
            ),
            3 => {
                let target =
                    format!("/v1/users/{}/orders/{}", 1000 + draw.below(500_000), draw.uuid());
                ("GET", "api.example.com", target, [200; 4])
            }
            4 => (
                "POST",
                "api.example.com",
                format!("/v1/orders/{}/refunds", draw.uuid()),
                [202, 202, 409, 202],
            ),
            5 => (
                "GET",
                "api.example.com",
                format!("/v1/products/{}", draw.letters(HEX, 24)),
                [200, 304, 200, 200],
            ),
            6 => (
                "GET",
                "api.example.com",
                format!("/v1/search?q={}&sort=price", draw.letters(BASE62, 6)),
                [200; 4],
            ),
            7 => (
                "GET",
                "cdn.example.com",
                format!("/assets/{}/main.js", draw.letters(HEX, 40)),
                [200, 200, 304, 200],
            ),
            8 => {
                let customer = format!("cus_{}7aB", draw.letters(BASE62, 11));
                (
                    "GET",
                    "pay.example.com",
                    format!("/v2/customers/{customer}/invoices"),
                    [200, 200, 200, 500],
                )
            }
            9 => {
                let day = format!("2026-{:02}-{:02}", 1 + draw.below(12), 1 + draw.below(28));
                ("GET", "api.example.com", format!("/v1/reports/{day}.csv"), [200; 4])
            }
            10 => (
                "PUT",
                "api.example.com",
                format!("/v1/events/0{}", draw.letters(CROCKFORD, 25)),
                [204, 204, 204, 400],
            ),
            _ => ("GET", "api.example.com", "/v1/users/me".to_owned(), [200, 200, 401, 200]),
        };
        let status = statuses[draw.index(4)];
        let id = draw.uuid();
        let mut body = format!("{{\"id\":\"{}\",\"items\":[", draw.uuid());
        for item in 0..15 + draw.below(14) {
            let comma = if item == 0 { "" } else { "," };
            write!(
                body,
                "{comma}{{\"sku\":\"{}\",\"price\":{},\"stock\":true}}",
                draw.letters(BASE62, 12),
                draw.below(100_000)
            )
            .unwrap();
        }
        body.push_str("]}");
        self.clock_micros += 1 + draw.below(400_000);
        Exchange { id, method, host, target, status, started_micros: self.clock_micros, body }
    }
}

/// Request headers besides `host`: twelve in total.
const HEADERS: [(&str, &str); 11] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "application/json, text/plain, */*"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("authorization", "Bearer not-a-real-token-not-a-real-token-not-a-real-token"),
    ("origin", "https://app.example.com"),
    ("referer", "https://app.example.com/dashboard"),
    ("x-request-id", "0"),
    ("x-client-version", "2026.11.3"),
    ("cookie", "session=not-a-real-session; theme=dark; consent=all"),
    ("connection", "keep-alive"),
];

/// Returns the request headers of an exchange in the form that the library takes.
pub(crate) fn request_headers(exchange: &Exchange) -> [api_patterns::Header<'_>; 12] {
    std::array::from_fn(|i| match i.checked_sub(1) {
        None => (&b"host"[..], Some(exchange.host.as_bytes())),
        Some(i) => (HEADERS[i].0.as_bytes(), Some(HEADERS[i].1.as_bytes())),
    })
}

/// Encoder of tnetstrings that writes back to front, as mitmproxy does, because the length precedes its payload.
struct Tnetstring {
    /// Output in reverse order.
    bytes: Vec<u8>,
}

impl Tnetstring {
    fn value(&mut self, tag: u8, payload: &[u8]) {
        let start = self.open(tag);
        self.bytes.extend(payload.iter().rev());
        self.close(start);
    }

    fn open(&mut self, tag: u8) -> usize {
        self.bytes.push(tag);
        self.bytes.len()
    }

    fn close(&mut self, start: usize) {
        let length = format!("{}:", self.bytes.len() - start);
        self.bytes.extend(length.bytes().rev());
    }

    fn pair(&mut self, key: &str, tag: u8, payload: &[u8]) {
        self.value(tag, payload);
        self.value(b';', key.as_bytes());
    }

    fn dict(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        let start = self.open(b'}');
        fill(self);
        self.close(start);
        self.value(b';', key.as_bytes());
    }

    /// Encodes a list. `fill` must write the items in reverse order.
    fn list(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        let start = self.open(b']');
        fill(self);
        self.close(start);
        self.value(b';', key.as_bytes());
    }

    fn header(&mut self, name: &str, value: &str) {
        let start = self.open(b']');
        self.value(b',', value.as_bytes());
        self.value(b',', name.as_bytes());
        self.close(start);
    }

    fn address(&mut self, key: &str, host: &str, port: u16) {
        self.list(key, |list| {
            list.value(b'#', port.to_string().as_bytes());
            list.value(b';', host.as_bytes());
        });
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000 / 10 * 10 + 1)
}

/// Appends an exchange as a mitmproxy record of format version 21.
pub(crate) fn write_record(out: &mut Vec<u8>, exchange: &Exchange) {
    let start = exchange.started_micros;
    let mut record = Tnetstring { bytes: Vec::with_capacity(8192) };
    let outer = record.open(b'}');
    record.pair("version", b'#', b"21");
    record.pair("type", b';', b"http");
    record.pair("id", b';', exchange.id.as_bytes());
    record.pair("error", b'~', b"");
    record.dict("client_conn", |client| {
        connection(client, exchange, "192.0.2.7", 51_000);
        client.list("certificate_list", |_| ());
        client.pair("mitmcert", b'~', b"");
        client.pair("proxy_mode", b';', b"regular");
    });
    record.dict("server_conn", |server| {
        connection(server, exchange, "198.51.100.9", 443);
        server.list("certificate_list", |list| list.value(b',', CERTIFICATE.as_bytes()));
        server.address("address", exchange.host, 443);
        server.pair("timestamp_tcp_setup", b'^', seconds(start).as_bytes());
        server.pair("via", b'~', b"");
    });
    record.pair("intercepted", b'!', b"false");
    record.pair("is_replay", b'~', b"");
    record.pair("marked", b';', b"");
    record.dict("metadata", |_| ());
    record.pair("comment", b';', b"");
    record.pair("timestamp_created", b'^', seconds(start).as_bytes());
    record.pair("backup", b'~', b"");
    record.dict("request", |request| {
        request.pair("http_version", b',', b"HTTP/1.1");
        request.list("headers", |list| {
            HEADERS.iter().rev().for_each(|(name, value)| list.header(name, value));
            list.header("host", exchange.host);
        });
        request.pair("content", b',', b"");
        request.pair("trailers", b'~', b"");
        request.pair("timestamp_start", b'^', seconds(start).as_bytes());
        request.pair("timestamp_end", b'^', seconds(start + 900).as_bytes());
        request.pair("host", b';', exchange.host.as_bytes());
        request.pair("port", b'#', b"443");
        request.pair("method", b',', exchange.method.as_bytes());
        request.pair("scheme", b',', b"https");
        request.pair("authority", b',', b"");
        request.pair("path", b',', exchange.target.as_bytes());
    });
    record.dict("response", |response| {
        response.pair("http_version", b',', b"HTTP/1.1");
        response.list("headers", |list| {
            list.header("cache-control", "no-store");
            list.header("content-length", &exchange.body.len().to_string());
            list.header("content-type", "application/json; charset=utf-8");
            list.header("date", "Sun, 22 Nov 2026 08:00:00 GMT");
        });
        response.pair("content", b',', exchange.body.as_bytes());
        response.pair("trailers", b'~', b"");
        response.pair("timestamp_start", b'^', seconds(start + 20_000).as_bytes());
        response.pair("timestamp_end", b'^', seconds(start + 20_000 + start % 90_000).as_bytes());
        response.pair("status_code", b'#', exchange.status.to_string().as_bytes());
        response.pair("reason", b',', b"");
    });
    record.pair("websocket", b'~', b"");
    record.close(outer);
    out.extend(record.bytes.iter().rev());
}

fn connection(value: &mut Tnetstring, exchange: &Exchange, peer: &str, port: u16) {
    let start = seconds(exchange.started_micros);
    value.address("peername", peer, port);
    value.address("sockname", "192.0.2.1", 8080);
    value.pair("id", b';', exchange.id.as_bytes());
    value.pair("transport_protocol", b';', b"tcp");
    value.pair("error", b'~', b"");
    value.pair("tls", b'!', b"true");
    value.pair("alpn", b',', b"http/1.1");
    value.list("alpn_offers", |list| list.value(b',', b"http/1.1"));
    value.pair("cipher", b';', b"TLS_AES_256_GCM_SHA384");
    value.list("cipher_list", |_| ());
    value.pair("tls_version", b';', b"TLSv1.3");
    value.pair("sni", b';', exchange.host.as_bytes());
    value.pair("timestamp_start", b'^', start.as_bytes());
    value.pair("timestamp_end", b'~', b"");
    value.pair("timestamp_tls_setup", b'^', start.as_bytes());
}

/// Server certificate: a real one, for a host that does not exist.
const CERTIFICATE: &str = include_str!("certificate.pem");

/// Appends an exchange as a JSON line.
pub(crate) fn write_line(out: &mut Vec<u8>, exchange: &Exchange) {
    let Exchange { id, method, host, target, status, started_micros, .. } = exchange;
    let time = seconds(*started_micros);
    write!(out, r#"{{"id":"{id}","request":{{"method":"{method}","url":"https://{host}{target}","headers":{{"host":"{host}""#).unwrap();
    for (name, value) in HEADERS {
        write!(out, r#","{name}":"{value}""#).unwrap();
    }
    writeln!(out, r#"}}}},"response":{{"status_code":{status},"headers":{{"content-type":"application/json"}}}},"timestamp":{time}}}"#).unwrap();
}

/// Appends an exchange as a HAR entry like those of browsers, with the body as JSON text within JSON.
pub(crate) fn write_entry(out: &mut Vec<u8>, exchange: &Exchange) {
    let Exchange { method, host, target, status, started_micros, body, .. } = exchange;
    let seconds =
        jiff::Timestamp::from_microsecond(i64::try_from(*started_micros).unwrap()).unwrap();
    let (wait, receive) =
        (20.5, f64::from(u32::try_from(started_micros % 90_000).unwrap()) / 1000.0);
    let header = |name: &str, value: &str| serde_json::json!({"name": name, "value": value});
    let mut request_headers = vec![header("host", host)];
    request_headers.extend(HEADERS.iter().map(|(name, value)| header(name, value)));
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let query: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let entry = serde_json::json!({
        "startedDateTime": seconds.to_string(),
        "time": wait + receive,
        "request": {
            "method": method,
            "url": format!("https://{host}{target}"),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": request_headers,
            "queryString": query.iter().map(|(name, value)| header(name, value)).collect::<Vec<_>>(),
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [
                header("cache-control", "no-store"),
                header("content-length", &body.len().to_string()),
                header("content-type", "application/json; charset=utf-8"),
                header("date", "Sun, 22 Nov 2026 08:00:00 GMT"),
            ],
            "content": {"size": body.len(), "mimeType": "application/json; charset=utf-8", "text": body},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": body.len(),
        },
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
        "serverIPAddress": "198.51.100.9",
        "connection": "443",
    });
    serde_json::to_writer(&mut *out, &entry).unwrap();
}

/// Appends an exchange as an indented HAR entry over several lines.
pub(crate) fn write_pretty_entry(out: &mut Vec<u8>, exchange: &Exchange) {
    let mut minified = Vec::new();
    write_entry(&mut minified, exchange);
    let entry: serde_json::Value = serde_json::from_slice(&minified).unwrap();
    serde_json::to_writer_pretty(&mut *out, &entry).unwrap();
}

/// Writes a complete HAR with `flows` entries.
pub(crate) fn write_har(
    out: &mut dyn Write,
    flows: u64,
    write_one: fn(&mut Vec<u8>, &Exchange),
) -> io::Result<()> {
    out.write_all(
        br#"{"log":{"version":"1.2","creator":{"name":"generate","version":"1"},"entries":["#,
    )?;
    let mut traffic = Traffic::new(1);
    let mut buffer = Vec::new();
    for flow in 0..flows {
        if flow > 0 {
            buffer.push(b',');
        }
        write_one(&mut buffer, &traffic.exchange());
        if buffer.len() > 1 << 20 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(b"]}}");
    out.write_all(&buffer)
}

/// Writes `flows` exchanges with one of the writers above.
pub(crate) fn write_all(
    out: &mut dyn Write,
    flows: u64,
    write_one: fn(&mut Vec<u8>, &Exchange),
) -> io::Result<()> {
    let mut traffic = Traffic::new(1);
    let mut buffer = Vec::new();
    for _ in 0..flows {
        write_one(&mut buffer, &traffic.exchange());
        if buffer.len() > 1 << 20 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}
