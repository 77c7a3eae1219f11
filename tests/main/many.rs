//! Path prefixes with very many children, scans and junk: names stay names, values stay values, and no host displaces
//! another.

use std::collections::BTreeSet;

use api_patterns::{Flow, Patterns, Report, ReportOptions, Response, Rules};

fn observe<'a>(requests: impl IntoIterator<Item = (&'a str, &'a str, i64)>) -> Patterns {
    let mut patterns = Patterns::new();
    for (method, url, status) in requests {
        add(&mut patterns, method, url, status);
    }
    patterns
}

fn add(patterns: &mut Patterns, method: &str, url: &str, status: i64) {
    let mut flow = Flow::new(method, url).unwrap();
    let content_type = Some(&b"application/json"[..]);
    flow.response = Some(Response { status, content_type, ..Response::default() });
    patterns.observe(&flow);
}

fn endpoints<'r>(report: &'r Report, host: &str) -> BTreeSet<&'r str> {
    report.patterns.iter().filter(|p| p.host == host).map(|p| &*p.endpoint).collect()
}

const VERBS: [&str; 20] = [
    "get", "list", "create", "update", "delete", "set", "add", "remove", "find", "search", "start",
    "stop", "send", "fetch", "check", "enable", "disable", "import", "export", "close",
];

const NOUNS: [&str; 50] = [
    "user",
    "account",
    "order",
    "invoice",
    "payment",
    "message",
    "channel",
    "file",
    "team",
    "group",
    "report",
    "event",
    "ticket",
    "contact",
    "product",
    "customer",
    "project",
    "task",
    "comment",
    "session",
    "device",
    "policy",
    "role",
    "token",
    "webhook",
    "workflow",
    "template",
    "document",
    "folder",
    "image",
    "video",
    "location",
    "address",
    "contract",
    "discount",
    "coupon",
    "refund",
    "shipment",
    "vendor",
    "warehouse",
    "category",
    "review",
    "rating",
    "profile",
    "setting",
    "permission",
    "notification",
    "subscription",
    "calendar",
    "meeting",
];

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn a_thousand_names_at_one_place_stay_names() {
    type Style = (&'static str, fn(&str, &str) -> String);
    let pairs = || NOUNS.iter().flat_map(|noun| VERBS.iter().map(move |verb| (*noun, *verb)));
    let styles: [Style; 4] = [
        ("GET", |noun, verb| format!("/api/{noun}.{verb}")),
        ("POST", |noun, verb| format!("/rpc/{verb}_{noun}")),
        ("POST", |noun, verb| {
            format!("/acme.{noun}.v1.{}Service/{}", capital(noun), capital(verb))
        }),
        ("GET", |noun, verb| format!("/api/trpc/{noun}.{verb}")),
    ];
    for (method, style) in styles {
        let paths: BTreeSet<String> = pairs().map(|(noun, verb)| style(noun, verb)).collect();
        assert_eq!(paths.len(), 1000);
        let urls: Vec<String> =
            paths.iter().map(|path| format!("https://chat.example{path}")).collect();
        let report = observe(urls.iter().map(|url| (method, &**url, 200))).report();
        let expected: BTreeSet<String> =
            paths.iter().map(|path| format!("{method} {path}")).collect();
        let found = endpoints(&report, "chat.example");
        assert!(found.iter().copied().eq(expected.iter().map(|name| &**name)), "{found:#?}");
    }
}

#[test]
fn a_thousand_tables_have_five_endpoints_each() {
    let mut patterns = Patterns::new();
    let tables: BTreeSet<String> = NOUNS
        .iter()
        .flat_map(|one| NOUNS.iter().take(20).map(move |two| format!("{one}_{two}s")))
        .collect();
    for (i, table) in tables.iter().enumerate() {
        let collection = format!("https://data.example/{table}");
        let item = format!("{collection}/{}", 10 + i * 7);
        for (method, url) in [
            ("GET", &collection),
            ("POST", &collection),
            ("GET", &item),
            ("PUT", &item),
            ("DELETE", &item),
        ] {
            add(&mut patterns, method, url, 200);
        }
    }
    assert_eq!(patterns.report().patterns.len(), 5 * tables.len());
}

#[test]
fn a_thousand_slugs_are_one_value() {
    let colors = "red blue green black white amber ivory olive coral navy".split(' ');
    let things = "shoes jacket shirt lamp chair mirror carpet bottle basket helmet".split(' ');
    let urls: Vec<String> = colors
        .flat_map(|color| things.clone().map(move |thing| (color, thing)))
        .flat_map(|(color, thing)| {
            (0..10).map(move |n| format!("https://shop.example/products/{color}-{thing}-mark-{n}"))
        })
        .collect();
    assert_eq!(urls.len(), 1000);
    let report = observe(urls.iter().map(|url| ("GET", &**url, 200))).report();
    assert_eq!(endpoints(&report, "shop.example"), ["GET /products/{slug}"].into());
    assert_eq!(report.totals.not_told_apart, 0);
}

const ENDPOINTS: [(&str, &str, i64); 7] = [
    ("GET", "https://api.example/api/me", 200),
    ("GET", "https://api.example/health", 200),
    ("GET", "https://api.example/api/users", 200),
    ("POST", "https://api.example/api/users", 201),
    ("GET", "https://api.example/api/users/1001", 200),
    ("GET", "https://api.example/api/users/1002", 200),
    ("GET", "https://api.example/api/users/1003/orders", 200),
];

#[test]
fn a_scan_changes_no_endpoint_that_answered() {
    let before = observe(ENDPOINTS).report();
    let mut patterns = observe(ENDPOINTS);
    for n in 0..20_000 {
        let word = format!("{}{}", NOUNS[n % 50], ["", "s", ".php", ".bak", "-old"][n / 50 % 5]);
        let place = ["", "/api", "/api/users", "/admin"][n / 250 % 4];
        let url = format!("https://api.example{place}/{word}/{}", VERBS[n / 1000]);
        add(&mut patterns, "GET", &url, 404);
    }
    let after = patterns.report();
    for endpoint in &before.patterns {
        let same = after.patterns.iter().find(|other| other.id == endpoint.id);
        let answers = same.map(|same| {
            let mut answers = same.status_codes.clone();
            answers.shift_remove("404");
            answers
        });
        assert_eq!(answers.as_ref(), Some(&endpoint.status_codes), "{}", endpoint.endpoint);
    }
    assert_eq!(
        after.totals.not_told_apart, 0,
        "what was not found is not told apart, and need not be"
    );
}

#[test]
fn a_scan_changes_neither_kind_nor_name_nor_samples_of_values() {
    let parameter = |words: usize| {
        let mut patterns = Patterns::new();
        for id in 1..=30 {
            let url = format!("https://api.example/users/{id}");
            let mut flow = Flow::new("GET", &url).unwrap();
            let id = format!("real-{id}");
            flow.id = id.as_bytes();
            flow.started = Some(1);
            flow.response = Some(Response {
                status: 200,
                content_type: Some(b"application/json"),
                ..Response::default()
            });
            patterns.observe(&flow);
        }
        for n in 0..words {
            let url = format!(
                "https://api.example/users/{}{}/",
                NOUNS[n % 50],
                VERBS[n / 50 % VERBS.len()]
            );
            let mut flow = Flow::new("GET", &url).unwrap();
            flow.started = Some(2);
            let content_type = Some(&b"text/html"[..]);
            flow.response = Some(Response { status: 404, content_type, ..Response::default() });
            patterns.observe(&flow);
        }
        let report = patterns.report();
        let found =
            report.patterns.iter().find(|pattern| pattern.endpoint == "GET /users/{user_id}");
        let found = found.unwrap_or_else(|| panic!("{words} words: {report:#?}"));
        assert!(found.sample_flow_ids.iter().all(|id| id.starts_with("real-")), "{found:?}");
        assert_eq!(found.class.name(), "api", "{found:?}");
        found.parameters[0].kind.clone()
    };
    // Nine words are kept, and of a thousand most are folded.
    for words in [0, 9, 1_000] {
        assert_eq!(parameter(words), "integer", "{words} words");
    }
}

#[test]
fn junk_requests_to_another_host_change_nothing() {
    const KINDS: [&str; 6] =
        ["12345", "2024-01-02", "10.0.0.1", "a@b.cd", "deadbeef01", "dQw4w9WgXcQ1a"];
    let alone = observe(ENDPOINTS).report();
    for status in [200, 404] {
        let mut patterns = observe(ENDPOINTS);
        for n in 0_usize..750 {
            let values: Vec<&str> =
                (0..46).map(|at| KINDS[(n * 31 + at * at * 7 + n * at) % 6]).collect();
            add(
                &mut patterns,
                "GET",
                &format!("https://junk.example/{}", values.join("/")),
                status,
            );
            let words: Vec<String> = (0..47).map(|at| format!("{}x{n}q{at}", NOUNS[at])).collect();
            add(
                &mut patterns,
                "GET",
                &format!("https://words.example/{}", words.join("/")),
                status,
            );
            // Long paths on the host itself: deep nodes are folded before the names of endpoints.
            add(&mut patterns, "GET", &format!("https://api.example/{}", values.join("/")), status);
        }
        let found = patterns.report();
        let expected = endpoints(&alone, "api.example");
        assert!(expected.is_subset(&endpoints(&found, "api.example")), "{status}");
    }
}

#[test]
fn names_that_were_folded_are_told() {
    let mut patterns = Patterns::new();
    for n in 0..9_000 {
        let (noun, verb) = (NOUNS[n % 50], VERBS[n / 50 % 20]);
        let word = format!("{verb}{}{}", capital(noun), capital(NOUNS[n / 1000]));
        add(&mut patterns, "POST", &format!("https://chat.example/api/{noun}.{word}"), 200);
    }
    let report = patterns.report();
    assert!(report.patterns.len() >= 4096, "{}", report.patterns.len());
    let missing = 9_000 - (report.patterns.len() as u64 - 1);
    let told = report.totals.not_told_apart;
    assert!(told.abs_diff(missing) * 4 <= missing, "{told} of {missing}");
}

#[test]
fn small_tenants_are_one_host_where_there_are_many_and_services_never_are() {
    let mut options = ReportOptions::default();
    options.group_hosts = true;
    let hosts = |urls: &[String]| -> BTreeSet<String> {
        let patterns = observe(urls.iter().map(|url| ("GET", &**url, 200)));
        let report = patterns.decide(&options).report;
        report.patterns.iter().map(|p| p.host.clone()).collect()
    };
    let artists = "skrillfox moonbirdz tarnished velvetine quasarr obelixia zephyrus";
    let urls: Vec<String> = artists
        .split(' ')
        .flat_map(|artist| {
            [
                format!("https://{artist}.music.example/album/songs-of-{artist}"),
                format!("https://{artist}.music.example/"),
            ]
        })
        .collect();
    assert_eq!(hosts(&urls), ["{tenant}.music.example".to_owned()].into());
    let avatars: Vec<String> =
        (0..4).map(|n| format!("https://avatars{n}.code.example/u/{}", 1000 + n)).collect();
    assert_eq!(hosts(&avatars), ["avatars{n}.code.example".to_owned()].into());
    let services: Vec<String> = ["api", "www", "static", "login", "accounts", "search"]
        .iter()
        .map(|label| format!("https://{label}.company.example/"))
        .collect();
    assert_eq!(hosts(&services).len(), 6);
}

#[test]
fn rules_pin_parts_of_segments() {
    let urls = ["shirt_12", "shirt_13", "shirt_about", "300x250", "728x90", "hat"]
        .map(|name| format!("https://h.example/shop/{name}"));
    let patterns = observe(urls.iter().map(|url| ("GET", &**url, 200)));
    let mut options = ReportOptions::default();
    options.rules = Rules::parse(
        "rules.toml",
        "[[template]]\npath = \"/shop/shirt_{shirt}\"\n[[template]]\npath = \"/shop/{w}x{h}\"\n\
         [[template]]\npath = \"/shop/{thing}\"\n",
    )
    .unwrap();
    let decision = patterns.decide(&options);
    let found = endpoints(&decision.report, "h.example");
    let expected = ["GET /shop/shirt_{shirt}", "GET /shop/{w}x{h}", "GET /shop/{thing}"];
    assert_eq!(found, expected.into());
    assert!(decision.unmatched_rules.is_empty(), "{:?}", decision.unmatched_rules);
    for url in &urls {
        let flow = Flow::new("GET", url).unwrap();
        assert!(decision.routes.label(&flow).is_some(), "{url}");
    }
    for path in ["/a{b}{c}", "/a{b", "/{path+}{x}", "/{a-b}"] {
        let rule = format!("[[template]]\npath = \"{path}\"\n");
        assert!(Rules::parse("rules.toml", &rule).is_err(), "{path}");
    }
}
