//! Schemas in one pass: shapes by path give the schemas that a second pass gives.

use api_patterns::{
    Captures, Follower, InputFormat, LiveCaptures, Options, Patterns, ReportOptions, Rules,
    Schemas, analyze, for_each_flow,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::fixture;

fn lines(flows: &[Value]) -> Captures {
    let text = flows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    Captures::from_bytes("lines", text.into_bytes(), InputFormat::Detect).unwrap()
}

fn with_bodies() -> Options {
    let mut options = Options::default();
    options.bodies = true;
    options
}

fn in_two_passes(captures: &Captures) -> Value {
    let analysis = analyze(captures, &with_bodies(), &()).unwrap();
    analysis.schemas.as_ref().unwrap().all(&analysis.report)
}

fn state(captures: &Captures) -> Patterns {
    let mut patterns = Patterns::with_bodies();
    for_each_flow(captures, |flow| patterns.observe(flow)).unwrap();
    patterns
}

fn schemas_of(patterns: &Patterns) -> Value {
    let decision = patterns.decide(&ReportOptions::default());
    Schemas::of(patterns, &decision).unwrap().all(&decision.report)
}

#[test]
fn every_capture_gives_the_schemas_of_two_passes() {
    for name in ["demo.mitm", "demo.har", "demo.db"] {
        let captures = Captures::open(&[fixture(name)], InputFormat::Detect).unwrap();
        let two = in_two_passes(&captures);
        assert!(two["hosts"]["api.shop.example"].is_object());
        let patterns = state(&captures);
        assert_eq!(schemas_of(&patterns), two, "{name}");
        let back = Patterns::from_bytes(&patterns.to_bytes()).unwrap();
        assert_eq!(schemas_of(&back), two, "{name}, stored");
    }
}

#[test]
fn a_followed_file_and_the_server_give_them_too() {
    let path = fixture("demo.mitm");
    let captures = Captures::open(&[&path], InputFormat::Detect).unwrap();
    let two = in_two_passes(&captures);
    let mut follower = Follower::open(&path, InputFormat::Detect, with_bodies()).unwrap();
    follower.poll(&()).unwrap();
    let analysis = follower.analysis();
    assert_eq!(analysis.schemas.unwrap().all(&analysis.report), two);
    let has_summary = |pattern: &api_patterns::Pattern| !pattern.responses.is_empty();
    assert!(analysis.report.patterns.iter().any(has_summary));
    let live = LiveCaptures::new(vec![path], InputFormat::Detect, Options::default());
    let (view, schemas) = live.schemas(&()).unwrap();
    assert_eq!(schemas.all(&view.report), two);
}

#[test]
fn a_state_gives_the_report_and_the_problems_of_two_passes() {
    let captures = Captures::open(&[fixture("demo.mitm")], InputFormat::Detect).unwrap();
    let toml = "[[property]]\npath = \"200.no_such_key\"\nmap = true";
    let mut options = with_bodies();
    options.report.rules = Rules::parse("rules.toml", toml).unwrap();
    let analysis = analyze(&captures, &options, &()).unwrap();
    let (decision, schemas) = state(&captures).decide_with_schemas(&options.report);
    assert_eq!(decision.report, analysis.report);
    assert_eq!(decision.unmatched_rules, analysis.unmatched_rules);
    assert_eq!(decision.unmatched_rules.len(), 1);
    let two = analysis.schemas.unwrap().all(&analysis.report);
    assert_eq!(schemas.unwrap().all(&decision.report), two);
    assert!(Patterns::new().decide_with_schemas(&options.report).1.is_none());
}

#[test]
fn a_state_without_bodies_takes_in_one_with_them() {
    let captures = Captures::open(&[fixture("demo.mitm")], InputFormat::Detect).unwrap();
    let mut patterns = Patterns::new();
    patterns.merge(state(&captures));
    assert_eq!(schemas_of(&patterns), in_two_passes(&captures));
    let bodies = state(&captures).size();
    let mut without = Patterns::new();
    for_each_flow(&captures, |flow| without.observe(flow)).unwrap();
    assert!(without.size() < bodies);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn order_and_split_do_not_show_in_bodies(
        flows in prop::collection::vec(
            ("(users|orders|products|vzqk)", "(/([0-9]{4}|[a-z]{3,9}|me))?(/(items|zzq))?", "[a-e]{1,3}", 0_usize..4),
            1..60,
        ),
        split in 0_usize..60,
    ) {
        let flows: Vec<Value> = flows
            .iter()
            .map(|(noun, rest, keys, kind)| {
                let mut body: Value = keys.chars().map(|key| (key.to_string(), json!(kind))).collect();
                body["name"] = json!(keys);
                let status = [200, 200, 201, 404][*kind];
                json!({
                    "method": "GET", "url": format!("https://api.example.com/{noun}{rest}?page={kind}"),
                    "status": status, "content_type": "application/json",
                    "response_body": body.to_string(),
                })
            })
            .collect();
        let whole = state(&lines(&flows));
        let (left, right) = flows.split_at(split.min(flows.len()));
        let mut right = right.to_vec();
        right.reverse();
        let mut merged = state(&lines(&right));
        merged.merge(state(&lines(left)));
        prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
        prop_assert_eq!(schemas_of(&whole), in_two_passes(&lines(&flows)));
    }
}
