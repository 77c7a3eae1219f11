//! Properties that must hold for any input, for the fuzz targets in `fuzz/`. Each function panics
//! if its property is violated.

use crate::capture::{Captures, InputFormat, json_laws};
use crate::engine::{Options, analyze, for_each_flow};
use crate::flow::Flow;
use crate::flow::url;
use crate::patterns::Patterns;

/// Method and target of every flow; empty if the bytes are not a capture.
fn flows(bytes: &[u8], format: InputFormat) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut flows = Vec::new();
    if let Ok(captures) = Captures::from_bytes("fuzz", bytes.to_vec(), format) {
        let see = |flow: &Flow<'_>| flows.push((flow.method.to_vec(), flow.target.to_vec()));
        // Compressed bytes may be damaged; the flows before the damage count.
        for_each_flow(&captures, see).unwrap_or_default();
    }
    flows
}

/// Checks that the report does not depend on the number of threads and, for undamaged captures, on
/// the batch size. (How damage is grouped into ranges does depend on the batch size.)
fn check_threads_and_batches(bytes: &[u8], format: InputFormat) {
    let Ok(captures) = Captures::from_bytes("fuzz", bytes.to_vec(), format) else { return };
    let report = |threads, batch_bytes| {
        let options = Options { threads, batch_bytes, ..Options::default() };
        let analysis = analyze(&captures, &options, &()).expect("an analysis");
        let report = serde_json::to_string(&analysis.report).expect("JSON");
        (report, analysis.skips.iter().any(|(reason, _, _)| reason.is_damage()))
    };
    let (whole, is_damaged) = report(1, 0);
    assert!(!whole.chars().any(crate::flow::text::is_unsafe), "an unsafe character is shown");
    let (small, _) = report(1, 500);
    assert_eq!(report(3, 500).0, small);
    if !is_damaged {
        assert_eq!(small, whole);
        assert_eq!(report(1, 64).0, whole);
    }
}

/// Checks mitmproxy dumps: a complete record is read whatever bytes follow it.
pub fn dump(bytes: &[u8]) {
    check_threads_and_batches(bytes, InputFormat::Mitmproxy);
    let whole = include_bytes!("../fixtures/fuzz/record.mitm");
    let alone = flows(whole, InputFormat::Mitmproxy);
    assert_eq!(alone.len(), 1);
    let followed = flows(&[whole, bytes].concat(), InputFormat::Mitmproxy);
    assert_eq!(followed.first(), alone.first(), "a whole record is lost");
}

/// Checks HAR files: a complete entry is read whatever bytes follow it, and the SIMD scanner finds
/// the same brackets as the byte-wise one.
pub fn har(bytes: &[u8]) {
    check_threads_and_batches(bytes, InputFormat::Har);
    json_laws::scan(bytes);
    let whole =
        br#"{"log":{"entries":[{"request":{"method":"GET","url":"https://h.example/first"}},"#;
    let found = flows(&[whole, bytes].concat(), InputFormat::Har);
    assert_eq!(found.first().map(|flow| &*flow.1), Some(&b"/first"[..]), "a whole entry is lost");
}

/// Checks JSON lines: a damaged line does not affect the lines around it.
pub fn lines(bytes: &[u8]) {
    check_threads_and_batches(bytes, InputFormat::JsonLines);
    let line = br#"{"method":"GET","url":"https://h.example/first"}"#;
    let alone = flows(bytes, InputFormat::JsonLines);
    let around = [&line[..], b"\n", bytes, b"\n", line].concat();
    assert_eq!(flows(&around, InputFormat::JsonLines).len(), alone.len() + 2);
}

/// Checks URLs: if the fast path splits a URL, the `url` crate splits it in the same way.
pub fn url(bytes: &[u8]) {
    url::laws::split(bytes);
}

/// Checks header lists of databases: lazy and eager parsing agree, and agree with `serde_json` if
/// that succeeds.
#[cfg(feature = "sqlite")]
pub fn headers(bytes: &[u8]) {
    crate::capture::header_laws::read(bytes);
}

/// Checks states: the bytes are rejected, or they give a usable state that serialises to the bytes
/// it is read from.
pub fn state(bytes: &[u8]) {
    let mut sealed = b"APST".to_vec();
    sealed.push(crate::patterns::codec::VERSION);
    sealed.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes());
    sealed.extend_from_slice(bytes);
    for bytes in [bytes, &sealed] {
        let Ok(mut patterns) = Patterns::from_bytes(bytes) else { continue };
        let written = patterns.to_bytes();
        let read = Patterns::from_bytes(&written).expect("what was written is read");
        assert_eq!(read.to_bytes(), written);
        assert_eq!(read.report(), patterns.report());
        patterns.merge(read);
        let report = serde_json::to_string(&patterns.report()).expect("JSON");
        assert!(!report.chars().any(crate::flow::text::is_unsafe), "an unsafe character is shown");
    }
}

/// A policy, for the bench of its decisions.
#[cfg(feature = "mcp")]
#[derive(Debug)]
pub struct PolicyUnderTest(crate::policy::Policy);

#[cfg(feature = "mcp")]
impl PolicyUnderTest {
    /// Reads a policy; `None` if it is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        crate::policy::Policy::parse(text, crate::policy::KnownTools::Any).ok().map(Self)
    }

    /// The rule that decides about a call, as a JSON Pointer.
    pub fn decide(&self, identity: &str, tool: &str, arguments: &serde_json::Value) -> String {
        self.0.decide(identity, tool, arguments).rule
    }
}
