//! Helpers of the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use api_patterns::{Captures, InputFormat, Options, Report, analyze};

/// A file of the project.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A file of the folder beside the project that has more to test on; says so where it is missing.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: ../shared/{name} is not here");
    None
}

/// What a run of the program gave.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program with a few bytes on standard input.
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
    // A program that refuses its arguments reads nothing.
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap_or_default());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    run_of(output)
}

/// Runs the program.
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

/// The report on bytes in memory.
#[track_caller]
pub fn report_of(bytes: &[u8], options: &Options) -> Report {
    analysis_of(bytes, options).report
}

/// The analysis of bytes in memory.
#[track_caller]
pub fn analysis_of(bytes: &[u8], options: &Options) -> api_patterns::Analysis {
    let captures = Captures::from_bytes("test", bytes.to_vec(), InputFormat::Detect).unwrap();
    analyze(&captures, options, &()).unwrap()
}

/// A tnetstring of a tag and a payload.
pub fn tnetstring(tag: char, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("{}:", payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out.push(tag as u8);
    out
}

/// A dict of keys (as text) and values (encoded).
pub fn dict(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let payload: Vec<u8> = pairs
        .iter()
        .flat_map(|(key, value)| [tnetstring(';', key.as_bytes()), value.clone()].concat())
        .collect();
    tnetstring('}', &payload)
}

/// Bytes.
pub fn bytes(payload: &str) -> Vec<u8> {
    tnetstring(',', payload.as_bytes())
}

/// A list of encoded values.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    tnetstring(']', &items.concat())
}

/// A number.
pub fn number(number: i64) -> Vec<u8> {
    tnetstring('#', number.to_string().as_bytes())
}

/// Nothing.
pub fn null() -> Vec<u8> {
    tnetstring('~', b"")
}

/// Headers.
pub fn headers(pairs: &[(&str, &str)]) -> Vec<u8> {
    list(&pairs.iter().map(|(name, value)| list(&[bytes(name), bytes(value)])).collect::<Vec<_>>())
}

/// A request of the current version.
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

/// A response of the current version.
pub fn response(status: i64) -> Vec<u8> {
    dict(&[
        ("status_code", number(status)),
        ("headers", headers(&[("Content-Type", "application/json")])),
        ("content", bytes("{}")),
        ("timestamp_end", tnetstring('^', b"1700000000.75")),
    ])
}

/// A record of an HTTP flow, version 21.
pub fn record(id: &str, request: Vec<u8>, response: Vec<u8>) -> Vec<u8> {
    record_of(&[
        ("response", response),
        ("request", request),
        ("id", tnetstring(';', id.as_bytes())),
        ("type", tnetstring(';', b"http")),
        ("version", number(21)),
    ])
}

/// A record of any fields.
pub fn record_of(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    dict(fields)
}

/// A plain flow.
pub fn flow(id: &str, path: &str) -> Vec<u8> {
    record(id, request("GET", "api.example.com", path, &[]), response(200))
}
