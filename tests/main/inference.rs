use std::collections::BTreeSet;
use std::fs;

use api_patterns::{Flow, Options, Patterns, Report, ReportOptions, Rules};

use crate::support::{
    bytes, fixture, headers, program, program_with_input, record, report_of, request, response,
};

fn observe<'a>(urls: impl IntoIterator<Item = &'a str>) -> Patterns {
    let mut patterns = Patterns::new();
    for url in urls {
        let (method, url) = url.split_once(' ').unwrap_or(("GET", url));
        patterns.observe(
            &Flow::new(method, &format!("https://{}", url.trim_start_matches("https://"))).unwrap(),
        );
    }
    patterns
}

fn paths(report: &Report) -> BTreeSet<String> {
    report.patterns.iter().map(|pattern| pattern.path_pattern.clone()).collect()
}

#[track_caller]
fn has(report: &Report, wanted: &[&str]) {
    let found = paths(report);
    for path in wanted {
        assert!(found.contains(*path), "no {path} in {found:#?}");
    }
}

#[test]
fn slugs_become_parameters_where_what_stands_below_is_the_same() {
    let users = [
        "torvalds",
        "ada-lovelace",
        "gvanrossum",
        "antirez",
        "matz",
        "dhh42",
        "burntsushi",
        "fabpot",
    ];
    let urls: Vec<String> = users
        .iter()
        .flat_map(|user| {
            ["", "/repos", "/followers", "/gists"]
                .map(|below| format!("api.example.com/users/{user}{below}"))
        })
        .chain(
            ["api.example.com/users", "api.example.com/search", "api.example.com/emojis"]
                .map(str::to_owned),
        )
        .collect();
    let report = observe(urls.iter().map(String::as_str)).report();
    has(
        &report,
        &[
            "/users",
            "/search",
            "/emojis",
            "/users/{username}",
            "/users/{username}/repos",
            "/users/{username}/followers",
        ],
    );
    assert_eq!(report.patterns.len(), 7, "{:#?}", paths(&report));
}

#[test]
fn names_stand_beside_values_and_large_sets_of_names_stay() {
    let names = "users accounts orders invoices payments refunds customers products prices plans coupons events balance \
                 charges disputes files payouts topups transfers reviews";
    let urls: Vec<String> = names
        .split_whitespace()
        .flat_map(|name| {
            (0..6).map(move |i| format!("api.example.com/v1/{name}/{}", 5000 + i * 37))
        })
        .chain(["api.example.com/v1/users/me".to_owned()])
        .collect();
    let report = observe(urls.iter().map(String::as_str)).report();
    has(&report, &["/v1/users/{user_id}", "/v1/users/me", "/v1/coupons/{coupon_id}"]);
    assert_eq!(report.patterns.len(), 21, "{:#?}", paths(&report));
}

#[test]
fn small_numbers_near_the_root_are_versions() {
    let report = observe([
        "h.example/rest/api/3/issue/10001",
        "h.example/rest/api/3/search",
        "h.example/rest/api/3/project/10002",
        "h.example/rest/api/3/user",
        "h.example/rest/api/2/issue/10001",
        "h.example/rest/api/2/search",
        "h.example/rest/api/2/project/7",
    ])
    .report();
    has(&report, &["/rest/api/3/issue/{issue_id}", "/rest/api/2/search"]);
}

#[test]
fn paths_of_files_are_one_value() {
    let files = [
        "README.md",
        "src/main.rs",
        "src/lib.rs",
        "src/capture/har.rs",
        "docs/guide/start/index.html",
        "Cargo.toml",
        "a/b/c/d.py",
    ];
    let urls: Vec<String> =
        files.iter().map(|file| format!("h.example/repos/acme/app/contents/{file}")).collect();
    let patterns = observe(urls.iter().map(String::as_str));
    let (report, routes) = patterns.report_and_routes();
    assert_eq!(report.patterns.len(), 1, "{:#?}", paths(&report));
    let pattern = &report.patterns[0];
    assert!(pattern.path_pattern.ends_with("/contents/{path+}"), "{}", pattern.path_pattern);
    assert_eq!((&*pattern.parameters.last().unwrap().kind, pattern.request_count), ("path", 7));
    let flow = Flow::new("GET", "https://h.example/repos/acme/app/contents/src/main.rs").unwrap();
    assert_eq!(routes.label(&flow).unwrap().path_pattern, pattern.path_pattern);
}

#[test]
fn one_path_is_split_into_operations_where_the_traffic_shows_it() {
    let graphql = |id: &str, body: &str| {
        record(
            id,
            request("POST", "h.example", "/graphql", &[("content", bytes(body))]),
            response(200),
        )
    };
    let dump = [
        graphql("1", r#"{"operationName":"GetUser","query":"query GetUser { id }"}"#),
        graphql("2", r#"{"query":"mutation AddUser { id }"}"#),
        graphql("3", r#"{"query":"mutation AddUser { id }"}"#),
        record(
            "4",
            request(
                "POST",
                "h.example",
                "/rpc",
                &[("content", bytes(r#"{"jsonrpc":"2.0","method":"eth_call"}"#))],
            ),
            response(200),
        ),
        record(
            "5",
            request(
                "POST",
                "h.example",
                "/aws",
                &[("headers", headers(&[("X-Amz-Target", "DynamoDB_20120810.GetItem")]))],
            ),
            response(200),
        ),
        record(
            "6",
            request(
                "POST",
                "h.example",
                "/soap",
                &[("headers", headers(&[("SOAPAction", "\"http://x/GetPrice\"")]))],
            ),
            response(200),
        ),
        // A form that happens to have a field of that name, and a field without others.
        record(
            "7",
            request(
                "POST",
                "h.example",
                "/search",
                &[("content", bytes(r#"{"query":"red shoes"}"#))],
            ),
            response(200),
        ),
        record("8", request("GET", "h.example", "/items?action=list", &[]), response(200)),
    ]
    .concat();
    let report = report_of(&dump, &Options::default());
    let endpoints: BTreeSet<&str> = report.patterns.iter().map(|p| &*p.endpoint).collect();
    let expected = [
        "POST /graphql#GetUser",
        "POST /graphql#AddUser",
        "POST /rpc#eth_call",
        "POST /aws#DynamoDB_20120810.GetItem",
        "POST /soap#GetPrice",
        "POST /search",
        "GET /items",
    ];
    assert_eq!(endpoints, BTreeSet::from(expected));
    let add = report.patterns.iter().find(|p| p.operation.as_deref() == Some("AddUser")).unwrap();
    assert_eq!((&*add.path_pattern, add.request_count), ("/graphql", 2));

    let actions: Vec<String> = (0..40)
        .map(|i| format!("h.example/api.php?action={}&q={i}", ["query", "edit", "login"][i % 3]))
        .collect();
    let report = observe(actions.iter().map(String::as_str)).report();
    assert_eq!(
        report.patterns.len(),
        3,
        "{:#?}",
        report.patterns.iter().map(|p| &p.endpoint).collect::<Vec<_>>()
    );
    assert!(report.patterns[0].endpoint.starts_with("GET /api.php#"));
}

#[test]
fn hosts_with_the_same_endpoints_are_one_when_asked() {
    let urls: Vec<String> = ["acme", "globex", "initech"]
        .iter()
        .flat_map(|tenant| {
            ["/api/users", "/api/users/1234", "/api/orders", "/api/orders/77777"]
                .map(|path| format!("{tenant}.shop.example{path}"))
        })
        .chain(
            ["www.shop.example/", "www.shop.example/about", "www.shop.example/pricing"]
                .map(str::to_owned),
        )
        .collect();
    let patterns = observe(urls.iter().map(String::as_str));
    assert_eq!(patterns.report().totals.hosts, 4);
    let mut options = ReportOptions::default();
    options.group_hosts = true;
    let decision = patterns.decide(&options);
    assert_eq!(decision.report.totals.hosts, 2);
    assert_eq!(
        (&*decision.report.patterns[0].host, decision.report.patterns[0].request_count),
        ("{tenant}.shop.example", 3)
    );
    assert_eq!(decision.report.patterns.len(), 4 + 3);
    for url in &urls {
        assert!(
            decision.routes.label(&Flow::new("GET", &format!("https://{url}")).unwrap()).is_some(),
            "{url}"
        );
    }
}

const TRAFFIC: [&str; 8] = [
    "api.example.com/users/1001",
    "api.example.com/users/1002",
    "api.example.com/auth/login",
    "api.example.com/auth/logout",
    "api.example.com/teams/red",
    "api.example.com/teams/blue",
    "api.example.com/items/x1y2z3a4b5c6/parts",
    "b.example.com/users/7777",
];

fn decide(rules: &str) -> api_patterns::Decision {
    let mut options = ReportOptions::default();
    options.rules = Rules::parse("rules.toml", rules).unwrap();
    observe(TRAFFIC).decide(&options)
}

#[test]
fn rules_pin_keep_forbid_rename_and_group() {
    let pinned = decide("[[template]]\nhost = \"api.example.com\"\npath = \"/teams/{color}\"\n");
    has(&pinned.report, &["/teams/{color}"]);
    assert!(pinned.unmatched_rules.is_empty());
    let both =
        decide("[[template]]\npath = \"/teams/{color}\"\n[[literal]]\npath = \"/teams/blue\"\n");
    has(&both.report, &["/teams/{color}", "/teams/blue"]);
    let forbidden =
        decide("[[template]]\npath = \"/teams/{color}\"\n[[forbid]]\npath = \"/auth/*\"\n");
    has(&forbidden.report, &["/auth/login", "/auth/logout", "/teams/{color}"]);
    let renamed = decide(
        "[[rename]]\nhost = \"api.example.com\"\npath = \"/users/{user_id}\"\nto = \"login\"\n",
    );
    has(&renamed.report, &["/users/{login}", "/users/{user_id}"]);
    assert_eq!(
        renamed
            .report
            .patterns
            .iter()
            .find(|p| p.path_pattern == "/users/{login}")
            .unwrap()
            .path_params,
        ["login"]
    );
    let grouped = decide("[[host]]\ntemplate = \"{service}.example.com\"\n");
    assert_eq!(grouped.report.totals.hosts, 1);
    assert_eq!(
        grouped
            .report
            .patterns
            .iter()
            .find(|p| p.path_pattern == "/users/{user_id}")
            .unwrap()
            .request_count,
        3
    );
}

#[test]
fn a_rule_that_matches_nothing_is_reported() {
    let decision = decide(
        "[[template]]\npath = \"/users/{user_id}\"\n[[literal]]\npath = \"/nothing/here\"\n[[rename]]\npath = \"/users/{x}/{y}\"\nto = \"z\"\n\
         [[host]]\ntemplate = \"{t}.other.example\"\n",
    );
    assert_eq!(
        decision.unmatched_rules,
        ["[[literal]] /nothing/here", "[[rename]] /users/{x}/{y}", "[[host]] {t}.other.example"]
    );
}

#[test]
fn rules_that_cannot_be_followed_are_refused_with_a_sentence() {
    for (toml, words) in [
        ("[[template]]\npath = \"users\"\n", "begins with /"),
        ("[[template]]\npath = \"/users/*\"\n", "no *"),
        ("[[literal]]\npath = \"/users/{id}\"\n", "ends with the segment"),
        ("[[forbid]]\npath = \"/auth/login\"\n", "ends with *"),
        ("[[rename]]\npath = \"/users/{id}\"\nto = \"a b\"\n", "letters, digits and _"),
        ("[[host]]\ntemplate = \"example.com\"\n", "{tenant}.example.com"),
        ("[[templates]]\npath = \"/\"\n", "unknown field"),
        ("not toml", "rules file"),
    ] {
        let error = Rules::parse("rules.toml", toml).unwrap_err().to_string();
        assert!(error.starts_with("rules.toml: ") && error.contains(words), "{error}");
    }
}

/// A report made with the rules that `rules init` wrote has the templates of the report they were written from.
#[test]
fn written_rules_give_the_same_report() {
    let demo = fixture("demo.mitm");
    let demo = demo.to_str().unwrap();
    let rules = program(&["rules", "init", demo, "--quiet"]);
    assert_eq!(rules.code, Some(0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    fs::write(&path, &rules.stdout).unwrap();
    let with = program(&["analyze", demo, "--rules", path.to_str().unwrap(), "--format", "csv"]);
    assert!(!with.stderr.contains("matched nothing"), "{}", with.stderr);
    assert_eq!(with.stdout, program(&["analyze", demo, "--format", "csv"]).stdout);
    fs::write(&path, "[[literal]]\npath = \"/nothing\"\n").unwrap();
    let run = program(&["label", demo, "--rules", path.to_str().unwrap()]);
    assert!(run.stderr.contains("the rule [[literal]] /nothing matched nothing"), "{}", run.stderr);
    let run = program(&["analyze", demo, "--rules", "no-such-rules.toml"]);
    assert_eq!(
        (run.code, run.stderr.contains("no-such-rules.toml: there is no such file")),
        (Some(2), true),
        "{}",
        run.stderr
    );
}

#[test]
fn an_endpoint_is_explained_with_its_near_misses() {
    let lines: Vec<String> = ["torvalds", "ada", "security", "burntsushi", "fabpot"]
        .iter()
        .flat_map(|user| ["", "/repos"].map(|below| format!(r#"{{"method":"GET","url":"https://h.example/users/{user}{below}","status":200}}"#)))
        .collect();
    let input = lines.join("\n");
    let report = report_of(input.as_bytes(), &Options::default());
    let endpoint = &report.patterns.iter().find(|p| p.path_pattern.contains('{')).unwrap().endpoint;
    let run = program_with_input(&["analyze", "-", "--explain", endpoint], input.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let explanation: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(explanation[0]["pattern"]["endpoint"], **endpoint);
    let reasons = explanation[0]["pattern"]["parameters"][0]["reasons"].to_string();
    assert!(reasons.contains("mainly because of"), "{reasons}");
    let text = program_with_input(
        &["analyze", "-", "--explain", endpoint, "--format", "table"],
        input.as_bytes(),
    );
    assert!(text.stdout.contains("different values, confidence 0."), "{}", text.stdout);
    let none = program_with_input(&["analyze", "-", "--explain", "GET /none"], input.as_bytes());
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("there is no endpoint GET /none"), "{}", none.stderr);
}

/// A name is proof: requests without one do not undo it, and are named by what they ask for.
#[test]
fn anonymous_queries_do_not_undo_named_ones() {
    let line = |number: usize, body: &str| {
        let body = serde_json::to_string(body).unwrap();
        format!(
            "{{\"id\":\"f{number}\",\"method\":\"POST\",\"url\":\"https://h.example/graphql\",\"status\":200,\"request_body\":{body}}}\n"
        )
    };
    let mut lines = String::new();
    for number in 0..20 {
        let name = ["GetUser", "ListOrders"][number % 2];
        lines += &line(number, &format!("{{\"query\":\"query {name} {{ id }}\"}}"));
    }
    for number in 20..25 {
        lines += &line(number, "{\"query\":\"{ users { id } }\"}");
    }
    for number in 25..60 {
        lines += &line(number, "no document");
    }
    let report = report_of(lines.as_bytes(), &Options::default());
    let found: Vec<(&str, u64)> =
        report.patterns.iter().map(|p| (&*p.endpoint, p.request_count)).collect();
    let expected = [
        ("POST /graphql", 35),
        ("POST /graphql#GetUser", 10),
        ("POST /graphql#ListOrders", 10),
        ("POST /graphql#{users}", 5),
    ];
    assert_eq!(found, expected);
}
