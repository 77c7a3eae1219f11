//! Laws of the state, on random traffic: any order, any split and any number of threads give identical bytes.

use api_patterns::{
    Body, Captures, Flow, InputFormat, Options, Patterns, Report, ReportOptions, Response, analyze,
};
use proptest::prelude::*;

use crate::support::fixture;

fn json(report: &Report) -> String {
    serde_json::to_string(report).unwrap()
}

fn observe<'a>(flows: impl IntoIterator<Item = &'a (String, String)>) -> Patterns {
    let mut patterns = Patterns::new();
    for (method, url) in flows {
        patterns.observe(&Flow::new(method, url).unwrap());
    }
    patterns
}

/// URLs with names, ids of several kinds, suffixes and unusual bytes, on a few hosts.
fn flows() -> impl Strategy<Value = Vec<(String, String)>> {
    let segment = prop_oneof![
        4 => "(users|orders|v1|api|search|me)",
        3 => "[0-9]{1,6}",
        3 => "[a-z]{1,3}",
        1 => "[0-9a-f]{24}",
        1 => "[0-9]{1,5}\\.(json|csv)",
        1 => "[a-z]{2}:(cancel|start)",
        1 => "%[0-9a-f]{2}",
    ];
    let path = prop::collection::vec(segment, 0..6)
        .prop_map(|segments| format!("/{}", segments.join("/")));
    let url = ("[abc]\\.example", path, "(\\?[a-c]=[0-9x]{0,2}(&[a-c]=1)?)?")
        .prop_map(|(host, path, query)| format!("https://{host}{path}{query}"));
    prop::collection::vec(("(GET|POST|X[A-Z])", url), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_order_and_any_split_give_the_same_report(flows in flows(), seed in any::<u64>(), cuts in prop::collection::vec(0_usize..400, 0..5)) {
        let whole = json(&observe(&flows).report());
        let mut shuffled = flows.clone();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(shuffled.len())).chain([0, shuffled.len()]).collect();
        cuts.sort_unstable();
        // Merge from the last part to the first, into an empty state.
        let mut merged = Patterns::new();
        for pair in cuts.windows(2).rev() {
            merged.merge(observe(&shuffled[pair[0]..pair[1]]));
        }
        prop_assert_eq!(json(&merged.report()), whole);
    }

    #[test]
    fn merging_is_associative_and_the_empty_state_is_neutral(a in flows(), b in flows(), c in flows()) {
        let (left, right) = {
            let mut ab = observe(&a);
            ab.merge(observe(&b));
            ab.merge(observe(&c));
            let mut bc = observe(&b);
            bc.merge(observe(&c));
            let mut abc = observe(&a);
            abc.merge(bc);
            (ab, abc)
        };
        prop_assert_eq!(json(&left.report()), json(&right.report()));
        let mut with_empty = observe(&a);
        with_empty.merge(Patterns::new());
        let mut into_empty = Patterns::new();
        into_empty.merge(observe(&a));
        prop_assert_eq!(json(&with_empty.report()), json(&observe(&a).report()));
        prop_assert_eq!(json(&into_empty.report()), json(&observe(&a).report()));
    }

    #[test]
    fn every_flow_has_one_endpoint_and_counts_add_up(flows in flows()) {
        let patterns = observe(&flows);
        let (report, routes) = patterns.report_and_routes();
        prop_assert_eq!(report.patterns.iter().map(|p| p.request_count).sum::<u64>(), flows.len() as u64);
        prop_assert_eq!(report.totals.used, flows.len() as u64);
        let mut counts = std::collections::BTreeMap::new();
        for (method, url) in &flows {
            let flow = Flow::new(method, url).unwrap();
            let label = routes.label(&flow).expect("a flow that was observed has an endpoint");
            *counts.entry((String::from_utf8_lossy(&flow.host).into_owned(), label.endpoint.clone())).or_insert(0) += 1;
        }
        for pattern in &report.patterns {
            prop_assert_eq!(counts.get(&(pattern.host.clone(), pattern.endpoint.clone())), Some(&pattern.request_count), "{}", pattern.endpoint);
        }
        let ids: std::collections::BTreeSet<&str> = report.patterns.iter().map(|p| &*p.id).collect();
        prop_assert_eq!(ids.len(), report.patterns.len());
    }

    /// Words that only got 404 have a parameter of their own beside values with a prefix.
    #[test]
    fn every_word_of_a_scan_has_one_endpoint_too(
        values in prop::collection::vec("/items/(item_[0-9]{1,3}|item_[0-9]{2}|item_[a-z]{3})(/parts)?", 0..12),
        tried in prop::collection::vec("/items/(item_[0-9]{1,3}|item_[a-z]{3}|[a-z]{4}|[0-9]{2}|item_[0-9]\\.pdf)(/parts)?", 0..30),
    ) {
        let mut patterns = Patterns::new();
        let mut flows = Vec::new();
        let url = |path: &String| format!("https://h.example{path}");
        let tried = tried.iter().map(|path| (url(path), 404));
        let requests: Vec<(String, i64)> = values.iter().map(|path| (url(path), 200)).chain(tried).collect();
        for (url, status) in &requests {
            let (mut flow, status) = (Flow::new("GET", url).unwrap(), *status);
            flow.response = Some(Response { status, ..Response::default() });
            patterns.observe(&flow);
            flows.push(flow);
        }
        let (report, routes) = patterns.report_and_routes();
        let mut counts = std::collections::BTreeMap::new();
        for flow in &flows {
            let label = routes.label(flow).expect("a flow that was observed has an endpoint");
            *counts.entry(label.id.clone()).or_insert(0) += 1;
        }
        let shown = report.patterns.iter().map(|p| (p.id.clone(), p.request_count)).collect();
        prop_assert_eq!(counts, shown, "{:?}", report.patterns.iter().map(|p| &p.endpoint).collect::<Vec<_>>());
        let names: std::collections::BTreeSet<&str> = report.patterns.iter().map(|p| &*p.endpoint).collect();
        prop_assert_eq!(names.len(), report.patterns.len());
    }

    /// The serialized state depends only on the set of flows, and deserialization restores the state.
    #[test]
    fn states_have_one_form(flows in flows(), cut in 0_usize..400) {
        let whole = observe(&flows);
        let bytes = whole.to_bytes();
        let (left, right) = flows.split_at(cut.min(flows.len()));
        let mut merged = Patterns::from_bytes(&observe(right.iter().rev()).to_bytes()).unwrap();
        merged.merge(Patterns::from_bytes(&observe(left).to_bytes()).unwrap());
        prop_assert!(merged.to_bytes() == bytes, "another order gave other bytes");
        let read = Patterns::from_bytes(&bytes).unwrap();
        prop_assert!(read.to_bytes() == bytes, "reading and writing gave other bytes");
        prop_assert_eq!(json(&read.report()), json(&whole.report()));
    }

    /// Modified bytes with a valid checksum are either rejected or give a usable state.
    #[test]
    fn made_up_states_are_refused_or_work(
        flows in flows(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = observe(&flows).to_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len() - 13);
            bytes[13 + at] = byte;
        }
        let hash = xxhash_rust::xxh3::xxh3_64(&bytes[13..]);
        bytes[5..13].copy_from_slice(&hash.to_le_bytes());
        if let Ok(mut state) = Patterns::from_bytes(&bytes) {
            state.merge(observe(&flows));
            let _report = state.report();
            prop_assert!(Patterns::from_bytes(&state.to_bytes()).is_ok());
        }
    }

    /// A parameter stays a parameter if the templates themselves are observed as traffic.
    #[test]
    fn parameters_of_a_template_stay_parameters(flows in flows()) {
        let report = observe(&flows).report();
        let templates: Vec<(String, String)> =
            report.patterns.iter().map(|p| (p.method.clone(), format!("https://{}{}", p.host, p.path_pattern))).collect();
        let (_, routes) = observe(&templates).report_and_routes();
        for (method, url) in &templates {
            let again = routes.label(&Flow::new(method, url).unwrap()).unwrap();
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            for (before, after) in path.split('/').zip(again.path_pattern.trim_start_matches('/').split('/')) {
                prop_assert!(!before.contains('{') || after.contains('{'), "{} became {}", url, again.path_pattern);
            }
        }
    }

    #[test]
    fn any_bytes_are_observed_without_a_panic_and_shown_without_controls(
        method in "\\PC{0,8}|GET", target in prop::collection::vec(any::<u8>(), 0..60), host in "\\PC{1,12}"
    ) {
        let url = [format!("https://{host}/").as_bytes(), &target].concat();
        let url = String::from_utf8_lossy(&url).into_owned();
        if let Some(flow) = Flow::new(&method, &url) {
            let mut patterns = Patterns::new();
            patterns.observe(&flow);
            let text = json(&patterns.report());
            prop_assert!(!text.chars().any(api_patterns::text::is_unsafe), "{}", text);
            prop_assert!(!text.contains("\\u00"), "{}", text);
        }
    }
}

/// Requests with bodies that hold parts of their own path, of other paths, and neither.
fn flows_with_bodies() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let path = "/(users|orders|[qx]{3}|me)(/([qxz]{2,3}|[0-9]{2,6}|all)){0,2}";
    let body = prop_oneof![
        Just(String::new()),
        "\\{\"(id|login|type|x)\":\"(qq|qx|zz|users|all)\",\"owner\":\\{\"name\":\"(qx|me)\"\\}\\}",
        "\\[(\\{\"id\":[0-9]{2,6},\"(qxq|note)\":null\\},){0,3}\\{\\}\\]",
        "\\{\"id\":[0-9]{2,6}",
        // More keys of identifiers than an object keeps, each with a value of its own.
        prop::collection::vec("\"[a-z]{3}_id\":\"[qxz]{3}[0-9]{3}\"", 40..60)
            .prop_map(|fields| format!("{{{}}}", fields.join(","))),
    ];
    prop::collection::vec(
        (prop_oneof![Just("GET"), Just("POST")].prop_map(str::to_owned), path, body),
        0..60,
    )
}

fn observe_with_bodies(flows: &[(String, String, String)]) -> Patterns {
    let mut patterns = Patterns::with_bodies();
    for (method, path, body) in flows {
        let url = format!("https://h.example{path}");
        let mut flow = Flow::new(method, &url).unwrap();
        let body = Body::decoded(body.as_bytes());
        flow.response = Some(Response { status: 200, body, ..Response::default() });
        patterns.observe(&flow);
    }
    patterns
}

proptest! {
    /// What bodies say about paths depends on the set of the requests alone, and is all stored.
    #[test]
    fn bodies_give_one_state_in_any_order_and_split(flows in flows_with_bodies(), cut in 0_usize..60, seed in any::<u64>()) {
        let whole = observe_with_bodies(&flows);
        let mut shuffled = flows.clone();
        let mut random = seed | 1;
        for at in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, usize::try_from(random >> 33).unwrap() % (at + 1));
        }
        let (left, right) = shuffled.split_at(cut.min(shuffled.len()));
        let mut merged = observe_with_bodies(right);
        merged.merge(observe_with_bodies(left));
        prop_assert!(merged.to_bytes() == whole.to_bytes());
        let stored = Patterns::from_bytes(&whole.to_bytes()).unwrap();
        prop_assert!(stored.to_bytes() == whole.to_bytes());
        let (decision, _) = stored.decide_with_schemas(&ReportOptions::default());
        let (expected, _) = whole.decide_with_schemas(&ReportOptions::default());
        prop_assert_eq!(json(&decision.report), json(&expected.report));
    }
}

#[test]
fn damaged_states_are_named() {
    let bytes = observe(&[("GET".to_owned(), "https://h.example/a/1".to_owned())]).to_bytes();
    let error = |bytes: &[u8]| Patterns::from_bytes(bytes).unwrap_err().to_string();
    assert!(error(b"APST").contains("too short"));
    assert!(error(&[b"x", &bytes[..]].concat()).contains("not a state"));
    let mut newer = bytes.clone();
    newer[4] = u8::MAX;
    assert!(error(&newer).contains("version 255"), "{}", error(&newer));
    assert!(error(&bytes[..bytes.len() - 1]).contains("damaged"));
}

#[test]
fn threads_and_batches_do_not_show_in_the_bytes() {
    let dump = std::fs::read(fixture("demo.mitm")).unwrap().repeat(3);
    let report = |threads, batch_bytes| {
        let captures = Captures::from_bytes("demo", dump.clone(), InputFormat::Detect).unwrap();
        let mut options = Options::default();
        (options.threads, options.batch_bytes) = (threads, batch_bytes);
        json(&analyze(&captures, &options, &()).unwrap().report)
    };
    let one = report(1, 0);
    for threads in [1, 2, 3, 16] {
        for batch_bytes in [1, 5_000, 70_000, 0] {
            assert_eq!(report(threads, batch_bytes), one, "{threads} threads, {batch_bytes} bytes");
        }
    }
}

#[test]
fn templating_the_templates_of_real_traffic_changes_nothing() {
    let captures = Captures::open(&[fixture("demo.mitm")], InputFormat::Detect).unwrap();
    let report = analyze(&captures, &Options::default(), &()).unwrap().report;
    let templates: Vec<(String, String)> = report
        .patterns
        .iter()
        .map(|p| (p.method.clone(), format!("https://{}{}", p.host, p.path_pattern)))
        .collect();
    let endpoints = |report: &Report| {
        let mut all: Vec<(String, String)> = report
            .patterns
            .iter()
            .map(|p| {
                // Templates do not contain the kinds of values after which some parameters are named.
                let names = p.path_params.iter().fold(p.path_pattern.clone(), |path, name| {
                    path.replace(&format!("{{{name}}}"), "{}")
                });
                (p.host.clone(), format!("{} {names}", p.method))
            })
            .collect();
        all.sort();
        // Operations are named in bodies, which templates do not have.
        all.dedup();
        all
    };
    assert_eq!(endpoints(&observe(&templates).report()), endpoints(&report));
}

/// Random paths of random words: memory is bounded in the number of flows and of paths.
#[test]
fn a_flood_of_distinct_paths_is_bounded() {
    let mut patterns = Patterns::new();
    let mut state = 7_u64;
    let mut word = |letters: u32| {
        (0..letters)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap())
            })
            .collect::<String>()
    };
    for _ in 0..120_000 {
        let url = format!("https://flood.example/{}/{}/{}", word(6), word(7), word(8));
        patterns.observe(&Flow::new("GET", &url).unwrap());
    }
    let report = patterns.report();
    assert_eq!(report.patterns.iter().map(|p| p.request_count).sum::<u64>(), 120_000);
    assert!(patterns.size() < 64 << 20, "{} bytes", patterns.size());
    assert!(report.patterns.len() < 1_000, "{}", report.patterns.len());
}
