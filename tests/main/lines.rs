use api_patterns::{Options, SkipReason};

use crate::support::{analysis_of, report_of};

#[test]
fn both_spellings_of_a_line_give_the_same_endpoint() {
    let lines = r#"
{"id":"f1","request":{"url":"https://h.example/users/1001?page=2","method":"GET","headers":{"X-Key":"1","Host":"h"}},"response":{"status_code":200,"headers":{"content-type":"application/json"}},"timestamp":1700000000.5}
{"method":"GET","url":"https://h.example/users/1002","status":404,"request_headers":[["x-key","1"],["x-key","2"]],"content_type":"application/json","timestamp":"2023-11-14T22:13:21Z","duration_ms":41.5,"response_bytes":812}
{"method":"get","url":"https://H.example:443/users/1003","status":null,"request_headers":[{"name":"X-KEY","value":7}]}
"#;
    let report = report_of(lines.as_bytes(), &Options::default());
    assert_eq!(report.patterns.len(), 1, "{report:#?}");
    let pattern = &report.patterns[0];
    assert_eq!((&*pattern.endpoint, pattern.request_count), ("GET /users/{user_id}", 3));
    assert_eq!(pattern.common_headers["x-key"], 3);
    assert_eq!((pattern.status_codes["200"], pattern.status_codes["404"]), (1, 1));
    assert_eq!(pattern.content_types["json"], 2);
    // What was not found comes last.
    assert_eq!(pattern.sample_flow_ids[0], "f1");
    assert!(pattern.sample_flow_ids[1].starts_with("record-"), "{pattern:?}");
    assert_eq!(pattern.first_seen.as_deref(), Some("2023-11-14T22:13:20.5Z"));
    assert_eq!(pattern.last_seen.as_deref(), Some("2023-11-14T22:13:21Z"));
    assert!((pattern.latency_ms.as_ref().unwrap().p50 - 41.5).abs() < 1.5);
    assert!(pattern.response_bytes.as_ref().unwrap().p50.abs_diff(812) < 26);
}

#[test]
fn bad_lines_are_counted_named_and_skipped() {
    let lines = b"{\"method\":\"GET\",\"url\":\"https://h/a\"}\n\
        not json\n\
        {\"method\":\"GET\"}\n\
        \n\
        {\"method\":\"GET\",\"url\":7}\n\
        {\"method\":\"GET\",\"url\":\"data:text/plain,x\"}\n\
        {\"method\":\"GET\",\"url\":\"https://h/b\"}\r\n\
        {\"method\":\"GET\",\"url\":\"https://h/\xff\"}\n\
        {\"method\":\"GET\",\"url\":\"https://h/c";
    let analysis = analysis_of(lines, &Options::default());
    assert_eq!(analysis.report.totals.used, 3);
    assert_eq!(analysis.skips.count(SkipReason::BadLine), 4);
    assert_eq!(analysis.skips.count(SkipReason::NotHttp), 1);
    let (_, _, places) = analysis.skips.iter().next().unwrap();
    assert_eq!(places[0].offset, 37);
    assert!(places[0].message.starts_with("line is not JSON"), "{}", places[0].message);
    assert!(places[1].message.contains("no \"url\""), "{}", places[1].message);
}

/// The error message of a parser may quote the line, which may hold a secret.
#[test]
fn messages_do_not_quote_the_line() {
    let line = br#"{"method":"GET","url":"https://h/a","status":{"secret-canary":1}} secret-canary
{"method":{"secret-canary":1},"url":"https://h/a"}"#;
    let captures = api_patterns::Captures::from_bytes(
        "x",
        line.to_vec(),
        api_patterns::InputFormat::JsonLines,
    )
    .unwrap();
    let analysis = api_patterns::analyze(&captures, &Options::default(), &()).unwrap();
    assert!(!format!("{analysis:?}").contains("canary"));
}

#[test]
fn a_line_longer_than_what_is_read_is_one_skip() {
    let long = format!("{{\"method\":\"GET\",\"url\":\"https://h/{}\"}}", "a".repeat(17 << 20));
    let lines = format!(
        "{{\"method\":\"GET\",\"url\":\"https://h/a\"}}\n{long}\n{{\"method\":\"GET\",\"url\":\"https://h/b\"}}\n"
    );
    let analysis = analysis_of(lines.as_bytes(), &Options::default());
    assert_eq!(analysis.report.totals.used, 2);
    assert_eq!(analysis.skips.count(SkipReason::TooLarge), 1);
}

/// A first line that is longer than the head used to detect the format, and a first line that is not JSON.
#[test]
fn the_first_line_does_not_decide_for_the_others() {
    let good = r#"{"method":"GET","url":"https://h/a"}"#;
    let long = format!(
        r#"{{"method":"POST","url":"https://h/b","request_body":"{}"}}"#,
        "x".repeat(70_000)
    );
    let object = r#"{"method":"POST","url":"https://h/c","content_type":5,"request_body":{"jsonrpc":"2.0","method":"add"}}"#;
    for (first, used) in [(&*long, 2), (object, 2), ("garbage", 1), (r#"{"log":"started"}"#, 1)] {
        let analysis = analysis_of(format!("{first}\n{good}\n").as_bytes(), &Options::default());
        assert_eq!(analysis.report.totals.used, used, "{}", &first[..first.len().min(40)]);
    }
    let report = report_of(object.as_bytes(), &Options::default());
    assert_eq!(report.patterns[0].endpoint, "POST /c#add");
}

#[test]
fn a_long_first_line_is_a_flow_all_the_same() {
    let body = "x".repeat(200_000);
    let text = format!(
        "{{\"method\": \"POST\", \"request_body\": \"{body}\", \"url\": \"https://h.example/a\"}}\n{{\"method\": \"GET\", \"url\": \"https://h.example/b\"}}\n"
    );
    let captures = api_patterns::Captures::from_bytes(
        "long",
        text.into_bytes(),
        api_patterns::InputFormat::Detect,
    )
    .unwrap();
    let analysis =
        api_patterns::analyze(&captures, &api_patterns::Options::default(), &()).unwrap();
    assert_eq!(analysis.report.totals.used, 2);
}
