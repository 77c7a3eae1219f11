//! Helpers shared by the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use api_patterns::{Captures, InputFormat, Options, Report, analyze};

/// Returns the path of a file in `fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Exit code and output of a run of the program.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program with the given standard input.
pub fn program_with_input(arguments: &[&str], input: &[u8]) -> Run {
    use std::io::Write;
    use std::process::Stdio;

    let mut child = Command::new(env!("CARGO_BIN_EXE_api-patterns"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that rejects its arguments does not read its input.
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap_or_default());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    run_of(output)
}

/// Runs the program with an empty standard input.
pub fn program(arguments: &[&str]) -> Run {
    program_with_input(arguments, b"")
}

fn run_of(output: Output) -> Run {
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Returns the report on captured bytes.
#[track_caller]
pub fn report_of(bytes: &[u8], options: &Options) -> Report {
    analysis_of(bytes, options).report
}

/// Returns the analysis of captured bytes.
#[track_caller]
pub fn analysis_of(bytes: &[u8], options: &Options) -> api_patterns::Analysis {
    let captures = Captures::from_bytes("test", bytes.to_vec(), InputFormat::Detect).unwrap();
    analyze(&captures, options, &()).unwrap()
}

/// Encodes a payload as a tnetstring with the given type tag.
pub fn tnetstring(tag: char, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("{}:", payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out.push(tag as u8);
    out
}

/// Encodes a dict of keys and encoded values.
pub fn dict(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let payload: Vec<u8> = pairs
        .iter()
        .flat_map(|(key, value)| [tnetstring(';', key.as_bytes()), value.clone()].concat())
        .collect();
    tnetstring('}', &payload)
}

/// Encodes bytes.
pub fn bytes(payload: &str) -> Vec<u8> {
    tnetstring(',', payload.as_bytes())
}

/// Encodes a list of encoded values.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    tnetstring(']', &items.concat())
}

/// Encodes a number.
pub fn number(number: i64) -> Vec<u8> {
    tnetstring('#', number.to_string().as_bytes())
}

/// Encodes null.
pub fn null() -> Vec<u8> {
    tnetstring('~', b"")
}

/// Encodes headers.
pub fn headers(pairs: &[(&str, &str)]) -> Vec<u8> {
    list(&pairs.iter().map(|(name, value)| list(&[bytes(name), bytes(value)])).collect::<Vec<_>>())
}

/// Encodes a request of the current format version, with additional fields.
pub fn request(method: &str, host: &str, path: &str, with: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut fields = vec![
        ("method", bytes(method)),
        ("scheme", bytes("https")),
        ("authority", bytes("")),
        ("host", tnetstring(';', host.as_bytes())),
        ("port", number(443)),
        ("path", bytes(path)),
        ("http_version", bytes("HTTP/1.1")),
        ("headers", headers(&[("Host", host)])),
        ("content", bytes("")),
        ("timestamp_start", tnetstring('^', b"1700000000.5")),
        ("timestamp_end", tnetstring('^', b"1700000000.6")),
    ];
    for (key, value) in with {
        fields.retain(|(have, _)| have != key);
        fields.push((key, value.clone()));
    }
    dict(&fields)
}

/// Encodes a response of the current format version.
pub fn response(status: i64) -> Vec<u8> {
    dict(&[
        ("status_code", number(status)),
        ("headers", headers(&[("Content-Type", "application/json")])),
        ("content", bytes("{}")),
        ("timestamp_end", tnetstring('^', b"1700000000.75")),
    ])
}

/// Encodes a record of an HTTP flow, format version 21.
pub fn record(id: &str, request: Vec<u8>, response: Vec<u8>) -> Vec<u8> {
    record_of(&[
        ("response", response),
        ("request", request),
        ("id", tnetstring(';', id.as_bytes())),
        ("type", tnetstring(';', b"http")),
        ("version", number(21)),
    ])
}

/// Encodes a record with the given fields.
pub fn record_of(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    dict(fields)
}

/// Encodes a GET request to `path` and its response.
pub fn flow(id: &str, path: &str) -> Vec<u8> {
    record(id, request("GET", "api.example.com", path, &[]), response(200))
}

/// The table of mitmproxy-mcp.
pub const TABLE: &str = "CREATE TABLE flows (id TEXT PRIMARY KEY, url TEXT, method TEXT, status_code INTEGER, request_headers TEXT, \
     request_body TEXT, response_headers TEXT, response_body TEXT, timestamp REAL, size INTEGER); \
     CREATE INDEX idx_timestamp ON flows(timestamp); CREATE INDEX idx_url ON flows(url); CREATE INDEX idx_method ON flows(method);";

/// Creates an empty database in a folder, after the given statements.
pub fn create_database(folder: &Path, pragmas: &str) -> (PathBuf, rusqlite::Connection) {
    let path = folder.join("mitm_mcp_traffic.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&format!("{pragmas} {TABLE}")).unwrap();
    (path, connection)
}

/// Inserts a flow, as the values of its columns.
pub fn insert(connection: &rusqlite::Connection, row: &[rusqlite::types::Value]) {
    let query = "INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(query).unwrap().execute(rusqlite::params_from_iter(row)).unwrap();
}
