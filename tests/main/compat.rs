use api_patterns::compat::{CompatFlow, get_api_patterns, newest_first};
use api_patterns::{Captures, Flow, InputFormat, Options, compat_answer};
use serde_json::Value;

use crate::support::{fixture, program, program_with_input, record, request, response};

/// Quirks that the recorded cases cover, reproduced without them: ids, the parameters of the newest flow, deduplicated
/// header names.
#[test]
fn quirks_of_the_original_are_kept() {
    let lines = r#"
{"id":"old","request":{"url":"https://h/u/507f1f77bcf86cd799439011;v=1?a=1&b&c=","method":"GET","headers":{"X-A":"1","x-a":"2","Host":"h"}},"response":{"status_code":404,"headers":{"Content-Type":"text/plain; format=flowed"}}}
{"id":"new","request":{"url":"https://h/u/507f1f77bcf86cd799439012","method":"GET","headers":[["X-A","1"],["X-A","2"]]},"response":null}
{"id":"é","request":{"url":"https://h/u/١٢","method":"GET","headers":{}},"response":{"status_code":200,"headers":{"CONTENT-TYPE":"text/xml"}}}
"#
    .as_bytes();
    let run = program_with_input(&["analyze", "-", "--compat", "mitmproxy-mcp"], lines);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected = r#"[
  {
    "endpoint": "GET /u/{objectId}",
    "method": "GET",
    "path_pattern": "/u/{objectId}",
    "path_params": [
      "objectId"
    ],
    "query_params": [
      "a"
    ],
    "common_headers": {
      "X-A": 2,
      "x-a": 1
    },
    "status_codes": {
      "404": 1
    },
    "content_types": {
      "form": 1
    },
    "request_count": 2,
    "sample_flow_ids": [
      "new",
      "old"
    ]
  },
  {
    "endpoint": "GET /u/{id}",
    "method": "GET",
    "path_pattern": "/u/{id}",
    "path_params": [
      "id"
    ],
    "query_params": [],
    "common_headers": {},
    "status_codes": {
      "200": 1
    },
    "content_types": {
      "unknown": 1
    },
    "request_count": 1,
    "sample_flow_ids": [
      "\u00e9"
    ]
  }
]"#;
    assert_eq!(run.stdout, expected);
}

#[test]
fn a_flow_that_the_original_raises_for_is_named() {
    for (url, content_type, why) in [
        ("https://[::1/1", "\"text/html\"", "bracket"),
        ("https://[zz]/1", "\"text/html\"", "not an IPv6 address"),
        ("https://[1.2.3.4]/1", "\"text/html\"", "not an IPv6 address"),
        ("https://ex\u{2100}mple.com/1", "\"text/html\"", "NFKC"),
        ("https://h/c", "null", "content type without a value"),
    ] {
        let line = format!(
            r#"{{"id":"f7","request":{{"url":"{url}","method":"GET","headers":{{}}}},"response":{{"status_code":200,"headers":{{"content-type":{content_type}}}}}}}"#
        );
        let run =
            program_with_input(&["analyze", "-", "--compat", "mitmproxy-mcp"], line.as_bytes());
        assert_eq!(run.code, Some(2));
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr.starts_with("api-patterns: flow f7 cannot be part of the answer: "),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains(why), "{}", run.stderr);
        // Flows that the domain excludes are never parsed, so they cannot raise.
        let run = program_with_input(
            &["analyze", "-", "--compat", "mitmproxy-mcp", "--domain", "zzz"],
            line.as_bytes(),
        );
        assert_eq!((run.code, &*run.stdout), (Some(1), "[]"), "{}", run.stderr);
    }
}

#[test]
fn domain_is_a_substring_and_limit_a_slice_as_in_the_original() {
    let urls = ["https://a.com/1", "https://b.com/x?next=a.com", "https://c.com/y"];
    let flows: Vec<CompatFlow> =
        urls.iter().map(|url| CompatFlow::new(&Flow::new("GET", url).unwrap())).collect();
    let count = |domain, limit| {
        let answer: Vec<Value> =
            serde_json::from_str(&get_api_patterns(&flows, domain, limit).unwrap()).unwrap();
        answer.len()
    };
    assert_eq!(count(None, None), 3);
    assert_eq!(count(Some(""), None), 3);
    assert_eq!(count(Some("a.com"), None), 2);
    assert_eq!(count(Some("A.com"), None), 0);
    assert_eq!(count(None, Some(0)), 0);
    assert_eq!(count(None, Some(2)), 2);
    assert_eq!(count(None, Some(-1)), 2);
    assert_eq!(count(None, Some(-100)), 0);
    assert_eq!(count(Some("a.com"), Some(-1)), 1);
}

/// Import of a dump: the address connected to, one row per id, newest first, the time of the first insert.
#[test]
fn a_dump_is_answered_for_as_if_the_original_had_imported_it() {
    let at = |time: &str| ("timestamp_start", crate::support::tnetstring('^', time.as_bytes()));
    let dump = [
        record("a", request("get", "10.0.0.1", "/x/1", &[at("1700000005.5")]), response(200)),
        record("b", request("GET", "10.0.0.1", "/y", &[at("1700000009.0")]), response(200)),
        record("a", request("GET", "10.0.0.1", "/x/2", &[at("1700000001.0")]), response(404)),
        record(
            "c",
            request("GET", "10.0.0.1", "/z", &[at("1700000001.0")]),
            crate::support::null(),
        ),
    ]
    .concat();
    let captures = Captures::from_bytes("dump", dump, InputFormat::Detect).unwrap();
    let answer = compat_answer(&captures, None, None, &Options::default(), &()).unwrap();
    let clusters: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
    let endpoints: Vec<&str> =
        clusters.iter().map(|cluster| cluster["endpoint"].as_str().unwrap()).collect();
    // The second record with the id `a` replaced the first except for its time.
    assert_eq!(endpoints, ["GET /y", "GET /x/{id}", "GET /z"]);
    assert_eq!(clusters[1]["status_codes"], serde_json::json!({"404": 1}));
}

#[test]
fn answers_are_the_same_for_any_number_of_threads_and_any_batch() {
    let dump = std::fs::read(fixture("demo.mitm")).unwrap();
    let answer = |threads, batch_bytes| {
        let captures = Captures::from_bytes("demo", dump.clone(), InputFormat::Detect).unwrap();
        let mut options = Options::default();
        (options.threads, options.batch_bytes) = (threads, batch_bytes);
        compat_answer(&captures, None, None, &options, &()).unwrap().text
    };
    let one = answer(1, 0);
    for (threads, batch_bytes) in [(2, 1000), (3, 5000), (16, 100)] {
        assert_eq!(answer(threads, batch_bytes), one);
    }
}

/// `fixtures/demo.mitm.original.json` was recorded with the original, and its query names were sorted.
#[test]
fn the_demo_dump_is_answered_for_as_by_the_original() {
    let expected = std::fs::read_to_string(fixture("demo.mitm.original.json")).unwrap();
    let demo = fixture("demo.mitm");
    let run = program(&["analyze", demo.to_str().unwrap(), "--compat", "mitmproxy-mcp", "--quiet"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(run.stdout, expected.trim_end());
}

#[test]
fn rows_without_an_id_are_all_kept() {
    let flow = Flow::new("GET", "https://h/a").unwrap();
    let rows = newest_first([CompatFlow::new(&flow), CompatFlow::new(&flow)]);
    assert_eq!(rows.len(), 2);
}
