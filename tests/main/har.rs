use std::collections::BTreeMap;

use api_patterns::{Captures, InputFormat, Options, Report, SkipReason, analyze};

use crate::support::{analysis_of, fixture, program_with_input, report_of};

fn entry(url: &str) -> String {
    format!(
        r#"{{"startedDateTime": "2026-11-22T08:00:00.000+01:00", "time": 12.5, "request": {{"method": "GET", "url": "{url}", "headers": [{{"name": "X-Key", "value": "1"}}]}}, "response": {{"status": 200, "headers": [], "content": {{"size": 7, "mimeType": "application/json; charset=utf-8", "text": "{{\"a\": \"}}]\"}}"}}}}}}"#
    )
}

fn har(entries: &[String]) -> String {
    format!(
        "{{\"log\": {{\"version\": \"1.2\", \"creator\": {{}}, \"entries\": [{}]}}}}",
        entries.join(", ")
    )
}

/// Returns the paths of the flows that were read, and the skips. Checks that small batches, several threads and a pipe
/// give the same result.
#[track_caller]
fn read(text: &[u8]) -> (Vec<String>, BTreeMap<SkipReason, u64>) {
    let captures = Captures::from_bytes("test", text.to_vec(), InputFormat::Har).unwrap();
    let mut paths = Vec::new();
    let skips = api_patterns::for_each_flow(&captures, |flow| {
        paths.push(String::from_utf8_lossy(flow.path()).into_owned());
    })
    .unwrap();
    for (threads, batch_bytes) in [(1, 64), (3, 100), (2, 1000)] {
        let mut options = Options::default();
        (options.threads, options.batch_bytes) = (threads, batch_bytes);
        let pipe = Box::new(std::io::Cursor::new(text.to_vec()));
        let pipe = Captures::from_reader("pipe", pipe, InputFormat::Har).unwrap();
        for captures in [&captures, &pipe] {
            let analysis = analyze(captures, &options, &()).unwrap();
            let counts = (analysis.report.totals.used, analysis.skips.total());
            assert_eq!(
                counts,
                (paths.len() as u64, skips.total()),
                "batches of {batch_bytes} bytes: {:?}",
                analysis.skips
            );
        }
    }
    (paths, skips.iter().map(|(reason, count, _)| (reason, count)).collect())
}

fn paths(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("/{i}")).collect()
}

fn entries(count: usize) -> Vec<String> {
    paths(count).iter().map(|path| entry(&format!("https://h.example{path}"))).collect()
}

#[test]
fn the_har_of_a_dump_gives_the_endpoints_of_the_dump() {
    let endpoints = |report: &Report| {
        let all = report.patterns.iter().filter(|pattern| pattern.method != "CONNECT");
        let seen = |p: &api_patterns::Pattern| {
            (p.endpoint.clone(), p.request_count, p.status_codes.clone(), p.query_params.clone())
        };
        let mut all: Vec<_> = all.map(seen).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let report = |name: &str| {
        let captures = Captures::open(&[fixture(name)], InputFormat::Detect).unwrap();
        analyze(&captures, &Options::default(), &()).unwrap().report
    };
    assert_eq!(endpoints(&report("demo.har")), endpoints(&report("demo.mitm")));
}

#[test]
fn the_order_of_keys_is_free_and_other_parts_may_be_anything() {
    let list = entries(3).join(",\n");
    for text in [
        format!("\u{feff}{{\"log\": {{\"entries\": [{list}], \"creator\": {{\"name\": \"x\"}}}}}}"),
        format!(
            " \n{{\"comment\": \"entries\", \"log\": {{\"pages\": [{{\"entries\": [1]}}], \"entries\": [{list}]}}, \"z\": NaN}}"
        ),
        format!("{{\"test\": {{\"log\": {{\"x\": \"\\\"]}}\", \"entries\" : [ {list} ]}}}}}}"),
        format!("{{\"entries\": [{list}]}}"),
        format!("[{list}]"),
        format!("onHarLoaded({{\"log\": {{\"entries\": [{list}]}}}});\n"),
        format!("{{\"log\": {{\"big\": \"{}\", \"entries\": [{list}]}}}}", "x\\\"".repeat(100_000)),
    ] {
        assert_eq!(
            read(text.as_bytes()),
            (paths(3), BTreeMap::new()),
            "{}",
            &text[..60.min(text.len())]
        );
    }
    let two = format!("{}\n{}", har(&entries(2)), har(&entries(3)));
    assert_eq!(read(two.as_bytes()).0.len(), 5, "files that were put one after the other");
}

#[test]
fn what_writers_do_otherwise_is_taken_as_they_mean_it() {
    let entries = [
        r#"{"request": {"method": "GET", "url": "https://h.example/bare"}}"#,
        r#"{"startedDateTime": "", "time": null, "request": {"method": "GET", "url": "https://h.example/nulls", "headers": null, "queryString": null, "postData": null}, "response": null}"#,
        r#"{"time": -1, "request": {"method": "GET", "url": "https://h.example/status?x=1#part", "headers": {"X-Key": 7}}, "response": {"status": "404", "headers": [["Content-Type", "text/html"], ["a"], []], "content": {}}}"#,
        r#"{"request": {"method": "GET", "url": "https://h.example/float", "headers": [{"name": "x-key"}, {"name": ":authority", "value": "h"}, null]}, "response": {"status": 503.0, "content": {"size": NaN}}}"#,
        r#"{"request": {"method": "GET", "url": "https://h.example/search", "queryString": [{"name": "page", "value": "2"}, {"name": "q", "value": "a b&c"}]}, "response": {"status": 0}}"#,
        r#"{"request": {"method": "GET", "url": "https://h.example/\udce9\ud83d", "headers": [{"name": "a\udcff", "value": "\udcff"}]}, "response": {"status": -1, "_error": "net::ERR_ABORTED"}}"#,
        r#"{"_resourceType": "websocket", "_webSocketMessages": [{"type": "send", "data": "}]"}], "request": {"method": "GET", "url": "wss://h.example/socket"}, "response": {"status": 101}}"#,
        r#"{"request": {"method": "GET", "url": "data:image/png;base64,xxxx"}}"#,
        r#"{"request": {"method": "GET", "url": "blob:https://h.example/1"}}"#,
        r#"{"request": {"method": "GET", "url": "chrome-extension://abc/x.js"}}"#,
        r#"{"request": {"method": "CONNECT", "url": "h.example:443"}}"#,
    ];
    let text = har(&entries.map(str::to_owned));
    let (paths, skipped) = read(text.as_bytes());
    assert_eq!(paths.len(), 8, "{paths:?}");
    assert_eq!(skipped, BTreeMap::from([(SkipReason::NotHttp, 3)]));
    let report = report_of(text.as_bytes(), &Options::default());
    let of = |path: &str| {
        let found = report.patterns.iter().find(|pattern| pattern.path_pattern == path);
        found.unwrap_or_else(|| panic!("{path} in {:#?}", report.patterns))
    };
    assert_eq!(of("/status").status_codes["404"], 1);
    assert_eq!(
        (&of("/status").media_types["text/html"], &of("/status").query_params[..]),
        (&1, &["x".to_owned()][..])
    );
    assert_eq!(of("/float").status_codes["503"], 1);
    assert_eq!(of("/float").common_headers.keys().collect::<Vec<_>>(), ["x-key"]);
    assert_eq!(of("/search").query_params, ["page", "q"]);
    assert!(of("/nulls").status_codes.is_empty());
    assert_eq!(of("/socket").websocket_count, 1);
    assert_eq!(report.patterns.iter().map(|pattern| pattern.failed_count).sum::<u64>(), 1);
}

#[test]
fn one_bad_entry_costs_one_entry() {
    for bad in [
        "null",
        "17",
        "\"x\"",
        "[1, 2]",
        "{}",
        r#"{"request": {"url": "https://h.example/x"}}"#,
        r#"{"request" "x"}"#,
        "{\"a\": tru}",
    ] {
        let mut all = entries(4);
        all.insert(2, bad.to_owned());
        let (paths, skipped) = read(har(&all).as_bytes());
        assert_eq!(
            (paths.len(), skipped),
            (4, BTreeMap::from([(SkipReason::BadRecord, 1)])),
            "{bad}"
        );
    }
}

#[test]
fn a_truncated_har_yields_its_whole_entries() {
    let text = har(&entries(4));
    let ends: Vec<usize> = text.match_indices("}}}").map(|(at, _)| at + 3).collect();
    for cut in 1..text.len() {
        let analysis = {
            let bytes = text.as_bytes()[..cut].to_vec();
            let captures = Captures::from_bytes("test", bytes, InputFormat::Har).unwrap();
            analyze(&captures, &Options::default(), &()).unwrap()
        };
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
        assert_eq!(analysis.report.totals.used, whole.min(4), "cut after {cut} bytes");
        assert_eq!(
            analysis.skips.count(SkipReason::Truncated),
            1,
            "cut after {cut} bytes: {:?}",
            analysis.skips
        );
    }
}

#[test]
fn what_follows_the_har_is_reported() {
    for junk in ["\0\0\0\0", "<html>", "\"x\""] {
        let (paths, skipped) = read(format!("{}{junk}", har(&entries(2))).as_bytes());
        assert_eq!(
            (paths.len(), skipped),
            (2, BTreeMap::from([(SkipReason::Garbage, 1)])),
            "{junk:?}"
        );
    }
}

/// After damage that unbalances quotes or brackets, reading continues at the next entry.
#[test]
fn entries_after_damage_are_found() {
    let mut all = entries(6);
    for damaged in [
        all[2].replacen('"', "", 1),
        all[2].replace("}}}", "}"),
        all[2][..100].to_owned(),
        format!("}}{}", all[2]),
        "{\"a\": [}]}".to_owned(),
    ] {
        all[2] = damaged;
        let (paths, skipped) = read(har(&all).as_bytes());
        assert!(skipped.values().sum::<u64>() <= 4, "{skipped:?}");
        for other in ["/0", "/1", "/3", "/4", "/5"] {
            assert!(
                paths.iter().any(|path| path == other),
                "{other} is lost: {paths:?} {skipped:?} {}",
                all[2]
            );
        }
    }
}

/// An entry of 40 MB is read without its body, from a file and from a pipe, and so is one with a path of 8 MB.
#[test]
fn large_bodies_are_left_out() {
    let body = "\\\"}]".repeat(10 << 20);
    let large = entry("https://h.example/large").replace(r#"{\"a\": \"}]\"}"#, &body);
    assert!(large.len() > 40 << 20);
    let mut all = entries(2);
    all.insert(1, large);
    all.push(entry(&format!("https://h.example/{}", "a".repeat(8 << 20))));
    let (paths, skipped) = read(har(&all).as_bytes());
    assert_eq!(skipped, BTreeMap::new());
    assert_eq!(&paths[..3], ["/0", "/large", "/1"]);
    assert!(paths[3].len() < 100_000);
}

#[test]
fn a_session_of_charles_is_read() {
    let text = r#"[{"status": "COMPLETE", "method": "POST", "scheme": "https", "host": "h.example", "port": null, "actualPort": 8443,
        "path": "/v1/users/1001", "query": "a=1", "times": {"start": "2026-01-15T10:00:00.000Z"}, "durations": {"total": 53},
        "request": {"header": {"headers": [{"name": "X-Key", "value": "1"}]}, "body": {"text": "{}"}},
        "response": {"status": 201, "sizes": {"body": 34}, "mimeType": "application/json", "header": {"headers": []}}},
       {"status": "EXCEPTION", "method": "CONNECT", "scheme": "https", "host": "h.example", "port": 443, "path": null, "tunnel": true}]"#;
    let report = report_of(text.as_bytes(), &Options::default());
    let endpoint = report.patterns.iter().find(|pattern| pattern.method == "POST").unwrap();
    assert_eq!(
        (&*endpoint.endpoint, &*endpoint.host),
        ("POST /v1/users/{user_id}", "h.example:8443")
    );
    assert_eq!((endpoint.status_codes["201"], endpoint.content_types["json"]), (1, 1));
    assert_eq!(endpoint.query_params, ["a"]);
    assert_eq!(
        endpoint.latency_ms.as_ref().map(|ms| (ms.p50 / 53.0 - 1.0).abs() < 1.0 / 32.0),
        Some(true)
    );
    assert_eq!(report.totals.used, 2);
}

#[test]
fn a_list_of_plain_flows_is_read() {
    let text = br#"[{"method": "GET", "url": "https://h.example/a"}, {"method": "GET", "url": "https://h.example/b"}]"#;
    assert_eq!(report_of(text, &Options::default()).totals.used, 2);
}

#[test]
fn what_has_no_traffic_is_named_with_exit_code_2() {
    for (text, word) in [
        ("{\"log\": {\"version\": \"1.2\", \"creator\": {}}}", "no list of entries"),
        (
            "{\"log\": {\"entries\": [{\"request\": {\"method\": \"GET\", \"url\": \"about:blank\"}}]}}",
            "none of the traffic is HTTP",
        ),
        ("{\"info\": {\"_postman_id\": \"x\"}, \"item\": []}", "Postman"),
        ("{\"_type\":\"export\",\"__export_format\":4}", "Insomnia"),
        (
            "<?xml version=\"1.0\"?><!DOCTYPE items [<!ELEMENT items (item*)>]><items burpVersion=\"x\"><item>",
            "Burp",
        ),
    ] {
        let run = program_with_input(&["analyze", "-"], text.as_bytes());
        assert_eq!(run.code, Some(2), "{text}: {}", run.stderr);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
    let empty = program_with_input(&["analyze", "-"], b"{\"log\": {\"entries\": []}}");
    assert_eq!(empty.code, Some(1), "{}", empty.stderr);
}

#[test]
fn messages_say_where() {
    let text = format!("{}x", har(&entries(1)));
    let analysis = analysis_of(text.as_bytes(), &Options::default());
    let (_, _, places) = analysis.skips.iter().next().unwrap();
    assert_eq!(places[0].offset, text.len() as u64 - 1);
}

/// A missing quote exchanges the inside and the outside of strings; later entries are found nevertheless.
#[test]
fn a_wrong_quote_costs_few_entries() {
    let text = std::fs::read(fixture("demo.chromium.har")).unwrap();
    let whole = analysis_of(&text, &Options::default()).report.totals.used;
    let quotes: Vec<usize> =
        text.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at).collect();
    let list = text.windows(10).position(|bytes| bytes == b"\"entries\":").unwrap() + 10;
    let mut worst = (0, 0);
    for at in quotes.iter().step_by(7) {
        let mut damaged = text.clone();
        damaged[*at] = b'#';
        // A pipe cannot be read again, so damage before the list of entries loses all of them.
        let pipe = Box::new(std::io::Cursor::new(damaged.clone()));
        let pipe =
            (*at > list).then(|| Captures::from_reader("pipe", pipe, InputFormat::Har).unwrap());
        let file = Captures::from_bytes("damaged", damaged, InputFormat::Har).unwrap();
        for captures in std::iter::once(file).chain(pipe) {
            let found = analyze(&captures, &Options::default(), &()).unwrap();
            let missing = whole - found.report.totals.used.min(whole);
            worst = worst.max((missing, *at));
        }
    }
    assert!(worst.0 <= 3, "the quote at byte {} costs {} of {whole} entries", worst.1, worst.0);
}

#[test]
fn every_item_that_is_no_entry_is_counted() {
    let count = |items: &str| {
        analysis_of(
            format!("{{\"log\": {{\"entries\": [{items}]}}}}").as_bytes(),
            &Options::default(),
        )
    };
    let found = count("5, \"x\", null, true, {\"a\": 1}");
    assert_eq!(found.skips.count(SkipReason::BadRecord), 5);
    let entry = entry("https://h.example/a");
    let found = count(&format!("{entry}, null, 5, \"x\", [], {entry}"));
    assert_eq!((found.report.totals.used, found.skips.count(SkipReason::BadRecord)), (2, 4));
}

/// The original stores no response if a program wrote the status 0.
#[test]
fn status_0_is_no_response_for_the_original() {
    let text = har(&[entry("https://h.example/a").replace("\"status\": 200", "\"status\": 0")]);
    let run = program_with_input(&["analyze", "-", "--compat", "mitmproxy-mcp"], text.as_bytes());
    assert!(run.stdout.contains("\"status_codes\": {}"), "{}", run.stdout);
}

/// Entries are found even if damage before the list, or in its key, hides the list.
#[test]
fn a_list_that_damage_hides_is_found() {
    let entry = |n: usize| {
        format!(
            r#"{{"ourOwnKey": {n}, "request": {{"method": "GET", "url": "https://h.example/a{n}"}}}}"#
        )
    };
    let entries = (0..5).map(entry).collect::<Vec<_>>().join(",");
    let pages = r#""pages": [{"startedDateTime": "x", "id": "p", "title": "t"}]"#;
    for head in [
        format!(r#"{{"log": {{{pages}, "ent}}ries": ["#),
        format!(r#"{{"log": {{"creator": {{"name": "x"}}}}, {pages}, "entries": ["#),
        format!(r#"{{"log": {{{pages}[, "entries": ["#),
        format!(r#"{{"log": {{"comment": "a, {pages}, "entries": ["#),
    ] {
        let report = report_of(format!("{head}{entries}]}}}}").as_bytes(), &Options::default());
        assert_eq!(report.totals.used, 5, "{head}");
    }
}

#[test]
fn forms_of_fields_are_read_as_their_text_would_be() {
    let request = |media_type: &str| {
        let params = r#"[{"name": "name", "value": "A & B"}, {"name": "age", "value": "7"}]"#;
        format!(
            r#"{{"startedDateTime": "2026-11-22T08:00:00.000+01:00", "time": 1, "request": {{"method": "POST", "url": "https://h.example/people", "headers": [{{"name": "X-Key", "value": "1"}}], "postData": {{"mimeType": "{media_type}", "params": {params}}}}}, "response": {{"status": 200, "headers": [], "content": {{"size": 2, "mimeType": "application/json", "text": "{{}}"}}}}}}"#
        )
    };
    for media_type in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=xyz"] {
        let text = har(&vec![request(media_type); 6]);
        let captures = Captures::from_bytes("test", text.into_bytes(), InputFormat::Har).unwrap();
        let mut options = Options::default();
        options.bodies = true;
        let analysis = analyze(&captures, &options, &()).unwrap();
        let id = &analysis.report.patterns[0].id;
        let schema = analysis.schemas.unwrap().endpoint(id).unwrap();
        let media_type = media_type.split(';').next().unwrap();
        let properties = &schema["request_body"][media_type]["schema"]["properties"];
        assert_eq!(properties["age"]["type"], "integer", "{schema}");
        assert_eq!(properties["name"]["type"], "string", "{schema}");
    }
}
