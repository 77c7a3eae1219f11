//! A flow's cost in instructions, which are the same on a busy machine: `scripts/compare_instructions.sh` runs this under
//! callgrind and compares two commits.
//!
//! `instructions WORKLOAD REPEATS` takes the same 2,000 flows in `REPEATS` times. What is made ready before costs the same for
//! any number of repeats, so the difference between two numbers is what the flows cost.

#![allow(clippy::unwrap_used, reason = "a bench that fails has nothing to measure")]
#![allow(clippy::print_stdout, reason = "what was done is its output")]

use api_patterns::{
    Captures, Flow, Header, Headers, InputFormat, Patterns, Response, for_each_flow,
};

#[path = "support/traffic.rs"]
#[allow(dead_code, reason = "shared with the generator")]
mod traffic;

const FLOWS: u64 = 2_000;

const WORKLOADS: [&str; 5] = ["observe", "mitmproxy", "har", "lines", "database"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (workload, repeats) = match &arguments[..] {
        [workload, repeats] if WORKLOADS.contains(&&**workload) => {
            (&**workload, repeats.parse().unwrap())
        }
        // `cargo bench` runs every bench: show that all of them work.
        _ => {
            for workload in WORKLOADS {
                println!("{workload}: {} flows", run(workload, 1));
            }
            return;
        }
    };
    println!("{} flows", run(workload, repeats));
}

fn run(workload: &str, repeats: u32) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    // A file: what the system does to read it is not counted, where a copy of memory would be.
    let path = folder.path().join("flows");
    let mut bytes = Vec::new();
    match workload {
        "mitmproxy" => traffic::write_all(&mut bytes, FLOWS, traffic::write_record).unwrap(),
        "lines" => traffic::write_all(&mut bytes, FLOWS, traffic::write_line).unwrap(),
        "har" => traffic::write_har(&mut bytes, FLOWS, traffic::write_entry).unwrap(),
        "database" => write_database(&path),
        _ => return observe_flows(repeats),
    }
    if !bytes.is_empty() {
        std::fs::write(&path, bytes).unwrap();
    }
    observe_captures(&Captures::open(&[&path], InputFormat::Detect).unwrap(), repeats)
}

/// Decodes and observes what a capture holds.
fn observe_captures(captures: &Captures, repeats: u32) -> u64 {
    let mut patterns = Patterns::new();
    for _ in 0..repeats {
        for_each_flow(captures, |flow| patterns.observe(flow)).unwrap();
    }
    patterns.used()
}

/// Splits, classifies and observes flows in memory, with twelve request headers each.
fn observe_flows(repeats: u32) -> u64 {
    let mut traffic = traffic::Traffic::new(1);
    let exchanges: Vec<_> = (0..FLOWS).map(|_| traffic.exchange()).collect();
    let urls: Vec<String> = exchanges
        .iter()
        .map(|exchange| format!("https://{}{}", exchange.host, exchange.target))
        .collect();
    let request_headers: Vec<_> = exchanges.iter().map(traffic::request_headers).collect();
    let response_headers: [Header<'_>; 1] = [(b"content-type", Some(b"application/json"))];
    let mut patterns = Patterns::new();
    for _ in 0..repeats {
        for ((exchange, url), headers) in exchanges.iter().zip(&urls).zip(&request_headers) {
            let mut flow = Flow::new(exchange.method, url);
            let flow = flow.as_mut().unwrap();
            flow.id = exchange.id.as_bytes();
            flow.request_headers = Headers::new(headers);
            flow.started = i64::try_from(exchange.started_micros * 1000).ok();
            flow.duration = Some(20_000_000 + exchange.started_micros % 90_000 * 1000);
            flow.response = Some(Response {
                status: i64::from(exchange.status),
                headers: Headers::new(&response_headers),
                content_type: None,
                body_bytes: Some(exchange.body.len() as u64),
                ..Response::default()
            });
            patterns.observe(flow);
        }
    }
    patterns.used()
}

/// The database of mitmproxy-mcp with the flows.
fn write_database(path: &std::path::Path) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    let rows = connection.transaction().unwrap();
    rows.execute_batch(
        "CREATE TABLE flows (id TEXT PRIMARY KEY, url TEXT, method TEXT, status_code INTEGER, request_headers TEXT, \
         request_body TEXT, response_headers TEXT, response_body TEXT, timestamp REAL, size INTEGER)",
    )
    .unwrap();
    let mut traffic = traffic::Traffic::new(1);
    for _ in 0..FLOWS {
        let exchange = traffic.exchange();
        let headers = traffic::request_headers(&exchange);
        // A list of pairs, as it writes them.
        let headers: Vec<[String; 2]> = headers
            .iter()
            .map(|(name, value)| [text(name), text(value.unwrap_or_default())])
            .collect();
        rows.execute(
            "INSERT INTO flows VALUES (?1, ?2, ?3, ?4, ?5, NULL, '[[\"content-type\", \"application/json\"]]', ?6, ?7, ?8)",
            rusqlite::params![
                exchange.id,
                format!("https://{}{}", exchange.host, exchange.target),
                exchange.method,
                exchange.status,
                json_of_python(&headers),
                exchange.body,
                seconds(exchange.started_micros),
                i64::try_from(exchange.body.len()).unwrap(),
            ],
        )
        .unwrap();
    }
    rows.commit().unwrap();
}

/// With a space behind each comma, as Python writes it.
fn json_of_python(headers: &[[String; 2]]) -> String {
    let json = serde_json::to_string(headers).unwrap();
    json.replace("\",\"", "\", \"").replace("],[", "], [")
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
