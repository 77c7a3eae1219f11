//! Laws that hold for any bytes, for the fuzzers of `fuzz/`. Each panics where its law is broken.

use crate::capture::{Captures, InputFormat, json_laws};
use crate::engine::{Options, analyze, for_each_flow};
use crate::flow::Flow;
use crate::flow::url;
use crate::patterns::Patterns;

/// Methods and targets of all flows; none where the bytes are no capture.
fn flows(bytes: &[u8], format: InputFormat) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut flows = Vec::new();
    if let Ok(captures) = Captures::from_bytes("fuzz", bytes.to_vec(), format) {
        let see = |flow: &Flow<'_>| flows.push((flow.method.to_vec(), flow.target.to_vec()));
        // Bytes that are packed may be damaged: what came before counts.
        for_each_flow(&captures, see).unwrap_or_default();
    }
    flows
}

/// A capture gives the same report with any number of threads; and where it is not damaged (how much of damage belongs
/// together depends on how far one sees), in batches of any size.
fn threads_and_batches_do_not_show(bytes: &[u8], format: InputFormat) {
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

/// Whatever follows a whole record, that record is read.
pub fn dump(bytes: &[u8]) {
    threads_and_batches_do_not_show(bytes, InputFormat::Mitmproxy);
    let whole = include_bytes!("../fixtures/fuzz/record.mitm");
    let alone = flows(whole, InputFormat::Mitmproxy);
    assert_eq!(alone.len(), 1);
    let followed = flows(&[whole, bytes].concat(), InputFormat::Mitmproxy);
    assert_eq!(followed.first(), alone.first(), "a whole record is lost");
}

/// Whatever follows a whole entry, that entry is read; and brackets are counted the same at once and one by one.
pub fn har(bytes: &[u8]) {
    threads_and_batches_do_not_show(bytes, InputFormat::Har);
    json_laws::scan(bytes);
    let whole =
        br#"{"log":{"entries":[{"request":{"method":"GET","url":"https://h.example/first"}},"#;
    let found = flows(&[whole, bytes].concat(), InputFormat::Har);
    assert_eq!(found.first().map(|flow| &*flow.1), Some(&b"/first"[..]), "a whole entry is lost");
}

/// A line costs itself and no other.
pub fn lines(bytes: &[u8]) {
    threads_and_batches_do_not_show(bytes, InputFormat::JsonLines);
    let line = br#"{"method":"GET","url":"https://h.example/first"}"#;
    let alone = flows(bytes, InputFormat::JsonLines);
    let around = [&line[..], b"\n", bytes, b"\n", line].concat();
    assert_eq!(flows(&around, InputFormat::JsonLines).len(), alone.len() + 2);
}

/// Where the plain way to split an URL answers, it answers as the `url` crate does.
pub fn url(bytes: &[u8]) {
    url::laws::split(bytes);
}

/// Headers are read alike when somebody looks and at once; and as `serde_json` reads them where that does.
#[cfg(feature = "sqlite")]
pub fn headers(bytes: &[u8]) {
    crate::capture::header_laws::read(bytes);
}

/// Bytes are no state, or they are one that works and is written as it was read.
pub fn state(bytes: &[u8]) {
    let mut sealed = b"APST\x01".to_vec();
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
