//! Decisions of a policy with 1,000 rules, compared with those of one with a single rule: what a gateway adds to a call by them.

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

use api_patterns::fuzzing::PolicyUnderTest;

/// A policy with so many tools, each with conditions and limits, and as many clients with a rule of their own.
fn policy(rules: usize) -> PolicyUnderTest {
    let rule = json!({
        "require": [{"path": "args.host", "op": "in", "value": ["a.example", "b.example"]}],
        "deny_if": [{"path": "args.query", "op": "regex", "value": "(?i)drop\\s+table"}, {"path": "args.limit", "op": "gt", "value": 100}],
        "limits": [{"max": 100, "window": "hour"}, {"max": 1000, "window": "day"}],
    });
    let tools: serde_json::Map<String, Value> =
        (0..rules).map(|n| (format!("tool_{n}"), rule.clone())).collect();
    let identities: serde_json::Map<String, Value> = (0..rules)
        .map(|n| {
            (
                format!("client_{n}"),
                json!({"default": "deny", "tools": {format!("tool_{n}"): rule}}),
            )
        })
        .collect();
    let text = json!({"version": "1", "default": "deny", "hide": ["hidden"], "tools": tools, "identities": identities});
    PolicyUnderTest::parse(&text.to_string()).expect("the policy is right")
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy decision");
    let arguments = json!({"host": "a.example", "query": "select * from t", "limit": 10});
    for rules in [1, 1000] {
        let policy = policy(rules);
        let last = rules - 1;
        for (what, identity, tool) in [
            ("allowed", String::new(), format!("tool_{last}")),
            ("allowed for a client", format!("client_{last}"), format!("tool_{last}")),
            ("unknown", String::new(), "nothing".to_owned()),
        ] {
            group.bench_function(format!("{what}, {rules} rules"), |bencher| {
                bencher.iter(|| policy.decide(&identity, &tool, &arguments));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
