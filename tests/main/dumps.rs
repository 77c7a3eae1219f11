use api_patterns::{Options, Report, SkipReason};

use crate::support::{
    analysis_of, bytes, dict, fixture, flow, headers, list, null, number, record, record_of,
    report_of, request, response, tnetstring,
};

fn hosts(report: &Report) -> Vec<&str> {
    report.patterns.iter().map(|pattern| &*pattern.host).collect()
}

#[track_caller]
fn host_of(dump: &[u8]) -> String {
    let report = report_of(dump, &Options::default());
    assert_eq!(report.totals.used, 1);
    hosts(&report)[0].to_owned()
}

#[test]
fn the_recorded_demo_has_its_endpoints() {
    let report = report_of(&std::fs::read(fixture("demo.mitm")).unwrap(), &Options::default());
    let endpoints: Vec<(&str, &str, u64)> =
        report.patterns.iter().map(|p| (&*p.host, &*p.endpoint, p.request_count)).collect();
    for expected in [
        ("api.shop.example", "GET /v1/users/{user_id}", 15),
        ("api.shop.example", "GET /v1/users/me", 4),
        ("api.shop.example", "GET /v1/users/{user_id}/orders/{order_id}", 5),
        ("api.shop.example", "GET /v1/reports/{date}.csv", 4),
        ("api.shop.example", "GET /live", 1),
        ("files.shop.example:8080", "GET /files/{file_id}", 5),
        ("gone.shop.example", "GET /v1/users", 1),
    ] {
        assert!(endpoints.contains(&expected), "{expected:?} is not in {endpoints:#?}");
    }
    let of = |endpoint: &str| {
        report
            .patterns
            .iter()
            .find(|p| p.endpoint == endpoint && p.host != "gone.shop.example")
            .unwrap()
    };
    let users = of("GET /v1/users");
    assert_eq!(users.query_params, ["limit", "page"]);
    assert_eq!(users.common_headers["authorization"], 3);
    assert_eq!(users.content_types["json"], 3);
    assert_eq!(users.media_types["application/json"], 3);
    assert_eq!(users.sample_flow_ids.len(), 3);
    assert!(users.first_seen.as_ref().unwrap().starts_with("2026-11-22T"));
    let user = of("GET /v1/users/{user_id}");
    assert_eq!(
        user.status_codes.iter().map(|(code, n)| (&**code, *n)).collect::<Vec<_>>(),
        [("200", 14), ("404", 1)]
    );
    assert_eq!(
        (&*user.parameters[0].kind, user.parameters[0].segment, user.parameters[0].distinct),
        ("integer", Some(3), Some(14))
    );
    assert_eq!(of("GET /live").websocket_count, 1);
    assert!(of("GET /v1/slow").latency_ms.as_ref().unwrap().p50 > 290.0);
    let gone = report.patterns.iter().find(|p| p.host == "gone.shop.example").unwrap();
    assert_eq!((gone.failed_count, gone.status_codes.len()), (1, 0));
}

/// Field names of mitmproxy 0.11 to 0.13, 0.14 and 0.15, 0.16 and 0.17. Keys are bytes up to 0.17.
#[test]
fn old_versions_are_read_by_their_own_names() {
    let old = |fields: &[(&str, Vec<u8>)]| {
        let payload: Vec<u8> =
            fields.iter().flat_map(|(key, value)| [bytes(key), value.clone()].concat()).collect();
        tnetstring('}', &payload)
    };
    let version = |minor| list(&[number(0), number(minor), number(1)]);
    let common = [
        ("method", bytes("GET")),
        ("scheme", bytes("http")),
        ("host", bytes("old.example.com")),
        ("port", number(80)),
        ("path", bytes("/users/1234")),
        ("headers", headers(&[])),
        ("timestamp_start", tnetstring('^', b"1400000000.25")),
    ];
    for (minor, status, reason, body) in [
        (11, "code", "msg", "content"),
        (13, "code", "msg", "content"),
        (14, "status_code", "msg", "body"),
        (16, "status_code", "reason", "content"),
    ] {
        let answer = old(&[
            (status, number(204)),
            (reason, bytes("No Content")),
            (body, number(0)),
            ("headers", headers(&[("content-type", "text/plain")])),
            ("timestamp_end", null()),
        ]);
        let dump = old(&[
            ("request", old(&common)),
            ("response", answer),
            ("type", bytes("http")),
            ("id", bytes("x1")),
            ("version", version(minor)),
        ]);
        let report = report_of(&dump, &Options::default());
        assert_eq!(report.patterns[0].endpoint, "GET /users/{user_id}", "0.{minor}");
        assert_eq!(report.patterns[0].host, "old.example.com");
        assert_eq!(report.patterns[0].status_codes["204"], 1);
        assert_eq!(report.patterns[0].sample_flow_ids, ["x1"]);
        assert!(
            report.patterns[0].response_bytes.is_none(),
            "the number 0 stands for a body that was not recorded"
        );
    }
}

#[test]
fn the_host_is_what_the_client_meant() {
    let with = |version: &str, authority: &str, host: &[(&str, &str)]| {
        let fields = [
            ("http_version", bytes(version)),
            ("authority", bytes(authority)),
            ("headers", headers(host)),
        ];
        record("x", request("GET", "10.0.0.1", "/", &fields), null())
    };
    assert_eq!(
        host_of(&with("HTTP/2.0", "meant.example", &[("Host", "other.example")])),
        "meant.example"
    );
    assert_eq!(host_of(&with("HTTP/3", "meant.example:8443", &[])), "meant.example:8443");
    assert_eq!(
        host_of(&with("HTTP/1.1", "proxied.example:443", &[("HOST", "Meant.Example:443")])),
        "meant.example"
    );
    assert_eq!(host_of(&with("HTTP/1.1", "proxied.example", &[])), "proxied.example");
    assert_eq!(host_of(&with("HTTP/2.0", "", &[(":authority", "old.example")])), "old.example");
    assert_eq!(host_of(&with("HTTP/1.1", "", &[("Host", "no host at all")])), "10.0.0.1");
    assert_eq!(
        host_of(&with("HTTP/1.1", "", &[("Host", "[2001:db8::1]:8080")])),
        "[2001:db8::1]:8080"
    );
    let fields = [("headers", headers(&[]))];
    let transparent = record_of(&[
        ("client_conn", dict(&[("sni", tnetstring(';', b"sni.example"))])),
        ("request", request("GET", "10.0.0.1", "/", &fields)),
        ("type", tnetstring(';', b"http")),
        ("version", number(21)),
    ]);
    assert_eq!(host_of(&transparent), "sni.example");
}

#[test]
fn tunnels_and_server_wide_options_are_endpoints_of_their_host() {
    let tunnel = request(
        "CONNECT",
        "example.com",
        "",
        &[("authority", bytes("example.com:443")), ("scheme", bytes(""))],
    );
    let report = report_of(&record("t", tunnel, null()), &Options::default());
    assert_eq!(report.patterns[0].endpoint, "CONNECT example.com:443");
    assert_eq!(report.patterns[0].path_pattern, "");
    let options = record("o", request("OPTIONS", "example.com", "*", &[]), response(204));
    assert_eq!(report_of(&options, &Options::default()).patterns[0].endpoint, "OPTIONS /*");
}

#[test]
fn other_protocols_are_counted_and_skipped() {
    let other = |kind: &str| {
        record_of(&[("type", tnetstring(';', kind.as_bytes())), ("version", number(21))])
    };
    let dump = [
        other("tcp"),
        other("udp"),
        flow("a", "/x"),
        other("dns"),
        other("dns"),
        other("websocket"),
    ]
    .concat();
    let analysis = analysis_of(&dump, &Options::default());
    assert_eq!(analysis.report.totals.flows, 6);
    assert_eq!(analysis.report.totals.used, 1);
    for (reason, count) in [
        (SkipReason::Tcp, 1),
        (SkipReason::Udp, 1),
        (SkipReason::Dns, 2),
        (SkipReason::WebsocketMessages, 1),
    ] {
        assert_eq!(analysis.skips.count(reason), count, "{reason:?}");
    }
    // The request and response of a DNS flow have other fields.
    let dns = record_of(&[
        ("request", dict(&[("query", number(1))])),
        ("type", tnetstring(';', b"dns")),
        ("version", number(21)),
    ]);
    assert_eq!(analysis_of(&dns, &Options::default()).skips.count(SkipReason::Dns), 1);
}

/// A flow that a user edited contains its previous state under `backup`, which is not a second request.
#[test]
fn a_backup_is_not_another_flow() {
    let former = dict(&[
        ("request", request("GET", "other.example", "/former", &[])),
        ("version", number(21)),
    ]);
    let dump = record_of(&[
        ("backup", former),
        ("request", request("GET", "api.example.com", "/now", &[])),
        ("type", tnetstring(';', b"http")),
        ("version", number(21)),
    ]);
    let report = report_of(&dump, &Options::default());
    assert_eq!(hosts(&report), ["api.example.com"]);
    assert_eq!(report.patterns[0].endpoint, "GET /now");
}

#[test]
fn unusual_types_of_values_are_taken_as_mitmproxy_takes_them() {
    let fields = [
        ("method", tnetstring(';', b"post")),
        ("host", bytes("bytes.example")),
        ("port", tnetstring('#', b" 443 ")),
        ("path", tnetstring(';', b"/a/1234?x=1#frag")),
        ("headers", headers(&[])),
        ("timestamp_start", number(1_700_000_000)),
        ("timestamp_end", null()),
    ];
    let report = report_of(
        &record("x", request("GET", "h", "/", &fields), response(200)),
        &Options::default(),
    );
    let pattern = &report.patterns[0];
    assert_eq!((&*pattern.host, &*pattern.endpoint), ("bytes.example", "POST /a/{a_id}"));
    assert_eq!(pattern.query_params, ["x"]);
    assert_eq!(pattern.first_seen.as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[test]
fn both_spellings_of_a_trailing_slash_are_one_endpoint() {
    let dump =
        [flow("a", "/users/"), flow("b", "/users/"), flow("c", "/users"), flow("d", "//orders")]
            .concat();
    let report = report_of(&dump, &Options::default());
    let found: Vec<(&str, u64)> =
        report.patterns.iter().map(|p| (&*p.path_pattern, p.request_count)).collect();
    assert_eq!(found, [("/users/", 3), ("/orders", 1)]);
}
