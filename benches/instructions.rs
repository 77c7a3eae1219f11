//! Cost of a flow in instructions, a count that does not depend on the load of the machine.
//! `scripts/compare_instructions.sh` runs this under callgrind and compares two commits.
//!
//! `instructions WORKLOAD REPEATS` processes the same 2,000 flows `REPEATS` times. The preparation costs the same for
//! any number of repeats, so the difference between two counts is the cost of the flows.

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
        // `cargo bench` runs every benchmark without arguments: run each workload once to check that it works.
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
    // Read from a file: callgrind does not count the kernel's work, but it would count a copy in memory.
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

/// Decodes and observes the flows of a capture.
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

/// Writes the flows to a database of mitmproxy-mcp.
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
        // Headers are a list of pairs, as mitmproxy-mcp writes them.
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

/// Formats headers as JSON with a space after each comma, as Python does.
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
