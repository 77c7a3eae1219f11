//! What people see first: calls of the captured application, and third parties in short.

use crate::support::program_with_input;

/// A session in a browser: a shop with an API of its own, a chat that it embeds, a tracker, and a page in a frame.
const SESSION: &str = r#"{"method":"GET","url":"https://www.shop.example/cart","status":200,"content_type":"text/html","request_headers":{"Sec-Fetch-Dest":"document","Sec-Fetch-Site":"none"}}
{"method":"GET","url":"https://www.shop.example/app","status":200,"content_type":"text/javascript","request_headers":{"Sec-Fetch-Dest":"script","Sec-Fetch-Site":"same-origin","Referer":"https://www.shop.example/cart"}}
{"method":"GET","url":"https://img.shop-cdn.example/a/1","status":200,"content_type":"image/webp","request_headers":{"Sec-Fetch-Dest":"image","Sec-Fetch-Site":"cross-site","Referer":"https://www.shop.example/"}}
{"method":"GET","url":"https://img.shop-cdn.example/a/2","status":200,"content_type":"image/webp","request_headers":{"Sec-Fetch-Dest":"image","Sec-Fetch-Site":"cross-site","Referer":"https://www.shop.example/"}}
{"method":"GET","url":"https://api.shop.example/v1/carts/7","status":200,"content_type":"application/json","request_headers":{"Sec-Fetch-Dest":"empty","Sec-Fetch-Site":"same-site","Origin":"https://www.shop.example"}}
{"method":"GET","url":"https://www.shop.example/fragments/basket","status":200,"content_type":"text/html","request_headers":{"X-Requested-With":"XMLHttpRequest","Referer":"https://www.shop.example/cart"}}
{"method":"POST","url":"https://chat.example/v2/sessions","status":200,"content_type":"application/json","request_headers":{"Sec-Fetch-Dest":"empty","Sec-Fetch-Site":"cross-site","Origin":"https://www.shop.example"}}
{"method":"GET","url":"https://chat.example/widget","status":200,"content_type":"text/html","request_headers":{"Sec-Fetch-Dest":"iframe","Sec-Fetch-Site":"cross-site","Referer":"https://www.shop.example/"}}
{"method":"POST","url":"https://www.google-analytics.com/g/collect","status":204}
{"method":"OPTIONS","url":"https://api.shop.example/v1/carts/7","status":204,"request_headers":{"Access-Control-Request-Method":"GET","Origin":"https://www.shop.example"}}
"#;

/// The paths of a table, and the domains of third parties, in order.
fn shown(arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["analyze", "-", "--format", "table"];
    all.extend(arguments);
    let run = program_with_input(&all, SESSION.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows = run.stdout.lines().map(cells).filter(|cells| {
        cells.first().is_some_and(|first| first.bytes().all(|byte| byte.is_ascii_digit()))
    });
    rows.map(|cells| cells[2].clone()).collect()
}

#[test]
fn calls_of_the_application_come_first_and_third_parties_are_folded() {
    let api = ["/v1/carts/{cart_id}", "/v1/carts/{cart_id}"];
    let site = ["/fragments/basket", "/cart", "/app"];
    let third = ["chat.example", "shop-cdn.example", "google-analytics.com"];
    let all: Vec<&str> = site.into_iter().chain(api).chain(third).collect();
    let mut found = shown(&[]);
    let mut wanted = all;
    // Both hosts have one call; their order is that of the report.
    found[..5].sort();
    wanted[..5].sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(shown(&["--only", "api"])[2..], ["chat.example", "google-analytics.com"]);
    assert_eq!(shown(&["--only", "asset"]), ["/app", "shop-cdn.example"]);
    assert_eq!(shown(&["--filter", "BASKET"]), ["/fragments/basket"]);
    assert_eq!(shown(&["--all", "--filter", "chat.example"]), ["/v2/sessions", "/widget"]);
    assert_eq!(shown(&["--filter", "chat.example", "--first-party", "chat.example"]).len(), 2);
}

#[test]
fn the_report_has_class_and_party_in_its_order() {
    let run = program_with_input(&["analyze", "-", "--format", "json"], SESSION.as_bytes());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let facts: Vec<String> = report["patterns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pattern| {
            let text = |key: &str| pattern[key].as_str().unwrap().to_owned();
            format!("{} {} {}", text("endpoint"), text("class"), text("party"))
        })
        .collect();
    for fact in [
        "GET /cart page first",
        "GET /app asset first",
        "GET /a/{id} asset third",
        "GET /v1/carts/{cart_id} api first",
        "OPTIONS /v1/carts/{cart_id} other first",
        "GET /fragments/basket api first",
        "POST /v2/sessions api third",
        "GET /widget page third",
        "POST /g/collect api third",
    ] {
        let is_there = facts.iter().any(|found| found == fact)
            || fact.starts_with("GET /a/")
                && facts.iter().any(|found| found.ends_with("asset third"));
        assert!(is_there, "{fact}: {facts:?}");
    }
}

#[test]
fn a_tree_sums_up_prefixes_and_a_hint_names_the_option() {
    let run = program_with_input(&["analyze", "-", "--tree"], SESSION.as_bytes());
    assert!(run.stdout.contains("api.shop.example\n"), "{}", run.stdout);
    assert!(run.stdout.contains("/v1/carts/{cart_id}  GET OPTIONS"), "{}", run.stdout);
    assert!(run.stdout.contains("third parties: 3 domains"), "{}", run.stdout);
    assert!(run.stderr.contains("--only api shows the"), "{}", run.stderr);
    let run = program_with_input(&["analyze", "-", "--format", "json"], SESSION.as_bytes());
    assert!(!run.stderr.contains("--only"), "{}", run.stderr);
    let run = program_with_input(&["analyze", "-", "--first-party", "a/b"], SESSION.as_bytes());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--first-party a/b is not a host name"), "{}", run.stderr);
}

/// A scan is named below a table, with the option that leaves it out; a few requests that were not found are not a scan.
#[test]
fn a_scan_is_said_where_most_endpoints_were_not_found() {
    let shown = |not_found: usize| {
        let line = |path: &str, status: u16| {
            format!(r#"{{"method":"GET","url":"https://h.example{path}","status":{status}}}"#)
        };
        let mut lines = vec![line("/api/me", 200), line("/health", 200)];
        let words = ["admin", "backup", "config", "login", "portal", "shop", "mail", "static"];
        let found = words.iter().flat_map(|a| words.map(|b| format!("/{a}/{b}"))).take(not_found);
        lines.extend(found.map(|path| line(&path, 404)));
        let input = lines.join("\n");
        program_with_input(&["analyze", "-", "--format", "table"], input.as_bytes()).stderr
    };
    assert!(shown(40).contains("--exclude errors-only-404 leaves them out"), "{}", shown(40));
    assert!(!shown(10).contains("errors-only-404"), "{}", shown(10));
}
