use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::policy::ledger::Ledger;
use crate::policy::{KnownTools, Policy, PolicyDecision, Verdict, shown_identity};

fn policy(text: &Value) -> Policy {
    Policy::parse(&text.to_string(), KnownTools::Any).unwrap()
}

fn decide(text: &Value, identity: &str, tool: &str, arguments: &Value) -> PolicyDecision {
    policy(text).decide(identity, tool, arguments)
}

fn verdict(text: &Value, identity: &str, tool: &str) -> (Verdict, String) {
    let decision = decide(text, identity, tool, &json!({}));
    (decision.verdict, decision.rule)
}

#[test]
fn an_empty_rule_allows_and_the_default_denies() {
    let text = json!({ "version": "1", "default": "deny", "tools": { "read": {} } });
    assert_eq!(verdict(&text, "", "read"), (Verdict::Allow, "/tools/read".to_owned()));
    assert_eq!(verdict(&text, "", "write"), (Verdict::Deny, "/default".to_owned()));
    assert_eq!(verdict(&json!({ "version": "1" }), "", "read").0, Verdict::Deny);
    assert_eq!(Policy::allow_all().decide("", "any", &json!({})).verdict, Verdict::Allow);
}

#[test]
fn what_is_said_of_a_client_comes_first() {
    let text = json!({
        "version": "1", "default": "allow", "hide": ["old"],
        "tools": { "write": { "action": "deny", "reason": "not now" }, "a/b~c": { "action": "deny" } },
        "identities": {
            "inspector": { "tools": { "write": {} } },
            "stranger": { "default": "deny", "hide": ["*"] },
        },
    });
    assert_eq!(verdict(&text, "inspector", "write").0, Verdict::Allow);
    let of_inspector = "/identities/inspector/tools/write".to_owned();
    assert_eq!(verdict(&text, "inspector", "write").1, of_inspector);
    assert_eq!(verdict(&text, "inspector", "read").0, Verdict::Allow);
    assert_eq!(
        verdict(&text, "stranger", "read"),
        (Verdict::Hidden, "/identities/stranger/hide/0".to_owned())
    );
    assert_eq!(verdict(&text, "other", "old"), (Verdict::Hidden, "/hide/0".to_owned()));
    let denied = decide(&text, "other", "write", &json!({}));
    assert_eq!(
        (denied.rule.as_str(), denied.message.as_deref()),
        ("/tools/write/action", Some("not now"))
    );
    assert_eq!(verdict(&text, "", "a/b~c").1, "/tools/a~1b~0c/action");
    let invisible = json!({ "version": "1", "default": "allow", "identities": { "b\u{200b}b": { "default": "deny" } } });
    assert_eq!(verdict(&invisible, &shown_identity("b\u{200b}b"), "read").0, Verdict::Deny);
    let read = policy(&text);
    assert!(read.lists("", "read") && !read.lists("", "write") && !read.lists("", "old"));
    assert!(!read.lists("stranger", "read"));
}

#[test]
fn every_operator_judges_values_and_their_absence() {
    // Operator, value, arguments that hold, arguments that fail, arguments that cannot be judged.
    let cases = [
        ("eq", json!(1), json!({ "a": 1.0 }), json!({ "a": 2 }), Some(json!({ "a": "1" }))),
        (
            "neq",
            json!(false),
            json!({ "b": 1 }),
            json!({ "a": false }),
            Some(json!({ "a": "false" })),
        ),
        ("in", json!(["x", 2]), json!({ "a": 2.0 }), json!({}), Some(json!({ "a": true }))),
        ("not_in", json!(["x"]), json!({}), json!({ "a": "x" }), Some(json!({ "a": 1 }))),
        ("lt", json!(5), json!({ "a": 4.5 }), json!({ "a": 5 }), Some(json!({ "a": "4" }))),
        ("lte", json!(5), json!({ "a": 5 }), json!({ "a": null }), Some(json!({ "a": {} }))),
        ("gt", json!(5), json!({ "a": 6 }), json!({}), Some(json!({ "a": [6] }))),
        ("gte", json!(5), json!({ "a": 5 }), json!({ "a": -5 }), Some(json!({ "a": true }))),
        (
            "regex",
            json!("^a+$"),
            json!({ "a": "aa" }),
            json!({ "a": "ab" }),
            Some(json!({ "a": 1 })),
        ),
        (
            "contains",
            json!("x"),
            json!({ "a": ["x"] }),
            json!({ "a": "y" }),
            Some(json!({ "a": 7 })),
        ),
        ("exists", json!(true), json!({ "a": "" }), json!({ "a": null }), None),
        ("exists", json!(false), json!({ "a": null }), json!({ "a": false }), None),
    ];
    for (op, value, holds, fails, unknown) in cases {
        let condition = json!([{ "path": "args.a", "op": op, "value": value }]);
        let require = json!({ "version": "1", "tools": { "t": { "require": condition } } });
        let deny_if = json!({ "version": "1", "tools": { "t": { "deny_if": condition } } });
        let of = |text: &Value, arguments: &Value| decide(text, "", "t", arguments).verdict;
        assert_eq!(of(&require, &holds), Verdict::Allow, "{op} {holds}");
        assert_eq!(of(&require, &fails), Verdict::Deny, "{op} {fails}");
        assert_eq!(of(&deny_if, &holds), Verdict::Deny, "{op} {holds}");
        assert_eq!(of(&deny_if, &fails), Verdict::Allow, "{op} {fails}");
        // What cannot be judged is refused on both ways.
        if let Some(arguments) = unknown {
            assert_eq!(of(&require, &arguments), Verdict::Deny, "{op} {arguments}");
            assert_eq!(of(&deny_if, &arguments), Verdict::Deny, "{op} {arguments}");
        }
    }
}

#[test]
fn what_a_tool_might_take_for_another_value_is_not_judged() {
    for (op, value, argument) in [
        ("eq", json!(false), json!("False ")),
        ("eq", json!([false]), json!(["no"])),
        ("eq", json!({ "n": 1 }), json!({ "n": "1.0" })),
        ("in", json!(["x", 1]), json!("1")),
        ("in", json!([true]), json!(1)),
        ("contains", json!(false), json!(["false"])),
        ("contains", json!(5), json!(["5"])),
        ("contains", json!(1), json!([18_446_744_073_709_551_617_f64])),
    ] {
        let condition = json!([{ "path": "args.a", "op": op, "value": value }]);
        for key in ["require", "deny_if"] {
            let text = json!({ "version": "1", "tools": { "t": { key: condition } } });
            let verdict = decide(&text, "", "t", &json!({ "a": argument })).verdict;
            assert_eq!(verdict, Verdict::Deny, "{key} {op} {value}: {argument}");
        }
    }
}

#[test]
fn whole_numbers_are_compared_exactly() {
    let text = json!({ "version": "1", "tools": { "t": { "deny_if": [{ "path": "args.id", "op": "gt", "value": 9_007_199_254_740_992_u64 }],
        "require": [{ "path": "args.other", "op": "neq", "value": 9_007_199_254_740_993_u64 }] } } });
    let of =
        |id: u64, other: u64| decide(&text, "", "t", &json!({ "id": id, "other": other })).verdict;
    assert_eq!(of(9_007_199_254_740_993, 1), Verdict::Deny);
    assert_eq!(of(9_007_199_254_740_992, 9_007_199_254_740_992), Verdict::Allow);
    assert_eq!(of(1, 9_007_199_254_740_993), Verdict::Deny);
}

#[test]
fn parents_of_another_kind_cannot_be_judged() {
    let of = |rule: Value, arguments: Value| {
        let text = json!({ "version": "1", "tools": { "t": rule } });
        decide(&text, "", "t", &arguments).verdict
    };
    let eq = |path: &str| json!([{ "path": path, "op": "eq", "value": "1" }]);
    assert_eq!(of(json!({ "deny_if": eq("args.ids[*]") }), json!({ "ids": "1" })), Verdict::Deny);
    let nested = json!({ "opts": [{ "mode": "1" }] });
    assert_eq!(of(json!({ "deny_if": eq("args.opts.mode") }), nested), Verdict::Deny);
    let neq = json!({ "require": [{ "path": "args.opts.mode", "op": "neq", "value": "1" }] });
    assert_eq!(of(neq.clone(), json!({ "opts": "mode" })), Verdict::Deny);
    assert_eq!(of(neq, json!({})), Verdict::Allow);
}

#[test]
fn conditions_are_about_every_item_and_hold_together() {
    let each = json!({ "version": "1", "tools": { "t": {
        "require": [{ "path": "args.ids[*].id", "op": "regex", "value": "^[0-9]+$" }],
        "deny_if": [{ "all": [
            { "path": "args.ids[0].id", "op": "eq", "value": "1" },
            { "path": "args.force", "op": "eq", "value": true },
        ] }],
        "on_deny": "only numbers",
    } } });
    let of = |arguments: Value| decide(&each, "", "t", &arguments);
    assert_eq!(of(json!({ "ids": [{ "id": "1" }, { "id": "2" }] })).verdict, Verdict::Allow);
    assert_eq!(of(json!({ "ids": [] })).verdict, Verdict::Allow);
    for bypass in [
        json!({ "ids": [{ "id": "1" }, { "id": "x" }] }),
        json!({ "ids": [{ "id": "1" }, {}] }),
        json!({ "ids": { "id": "1" } }),
        json!({}),
    ] {
        let denied = of(bypass.clone());
        assert_eq!(denied.rule, "/tools/t/require/0", "{bypass}");
        assert_eq!(denied.message.as_deref(), Some("only numbers"));
    }
    let both = of(json!({ "ids": [{ "id": "1" }], "force": true }));
    assert_eq!((both.verdict, &*both.rule), (Verdict::Deny, "/tools/t/deny_if/0"));
    assert_eq!(of(json!({ "ids": [{ "id": "2" }], "force": true })).verdict, Verdict::Allow);
}

#[test]
fn rules_for_all_tools_come_after_those_of_the_tool() {
    let text = json!({
        "version": "1", "default": "allow",
        "all_tools": { "deny_if": [{ "path": "args.path", "op": "contains", "value": ".." }], "limits": [{ "max": 3, "window": "minute" }] },
        "tools": { "t": { "action": "require_approval", "reason": "why", "deny_if": [{ "path": "args.path", "op": "exists" }] } },
        "identities": { "ci": { "all_tools": { "require": [{ "path": "args.dry_run", "op": "eq", "value": true }] } } },
    });
    let up = json!({ "path": "../x" });
    assert_eq!(decide(&text, "", "t", &up).rule, "/tools/t/deny_if/0");
    assert_eq!(decide(&text, "", "other", &up).rule, "/all_tools/deny_if/0");
    assert_eq!(decide(&text, "ci", "other", &up).rule, "/identities/ci/all_tools/require/0");
    let asked = decide(&text, "", "t", &json!({}));
    assert_eq!((asked.verdict, &*asked.rule), (Verdict::Ask, "/tools/t/action"));
    assert_eq!(asked.message.as_deref(), Some("why"));
    assert_eq!(asked.limits.len(), 1);
}

#[test]
fn limits_count_calls_and_sums_together_or_not_at_all() {
    let text = json!({ "version": "1", "default": "allow",
        "all_tools": { "limits": [{ "max": 4, "window": 60 }] },
        "tools": { "pay": { "limits": [{ "max": 2, "window": 10 }, { "max": 100, "window": "day", "sum": "args.amount" }] } } });
    let policy = policy(&text);
    let mut ledger = Ledger::default();
    let start = Instant::now();
    let mut call = |tool: &str, amount: u64, after: u64| {
        let decision = policy.decide("", tool, &json!({ "amount": amount }));
        assert_eq!(decision.verdict, Verdict::Allow);
        ledger.reserve(&decision.limits, start + Duration::from_secs(after), true)
    };
    assert!(call("pay", 60, 0).is_ok());
    let too_much = call("pay", 50, 1).unwrap_err();
    assert_eq!(
        (&*too_much.limit.rule, too_much.wait),
        ("/tools/pay/limits/1", Some(Duration::from_secs(86_399)))
    );
    assert!(call("pay", 40, 2).is_ok(), "what was refused took nothing");
    let third = call("pay", 0, 3).unwrap_err();
    assert_eq!(
        (&*third.limit.rule, third.wait),
        ("/tools/pay/limits/0", Some(Duration::from_secs(7)))
    );
    assert!(call("read", 0, 4).is_ok() && call("write", 0, 4).is_ok());
    assert_eq!(call("read", 0, 5).unwrap_err().limit.rule, "/all_tools/limits/0");
    assert!(call("read", 0, 61).is_ok(), "the window has passed");
    assert_eq!(call("pay", 101, 90_000).unwrap_err().wait, None);
    // What takes nothing is not held.
    for second in 0..1000 {
        assert!(call("read", 0, 100_000 + 61 * second).is_ok());
    }
    // An amount that is not one is refused.
    for amount in [json!("5"), json!(-1), json!(null)] {
        let denied = policy.decide("", "pay", &json!({ "amount": amount }));
        assert_eq!((denied.verdict, &*denied.rule), (Verdict::Deny, "/tools/pay/limits/1"));
    }
    assert_eq!(policy.decide("", "pay", &json!({})).verdict, Verdict::Deny);
}

#[test]
fn clients_without_rules_of_their_own_share_a_limit() {
    let text = json!({ "version": "1", "tools": { "t": { "rate_limit": { "max": 1, "window": 9 } } },
        "identities": { "ci": {} } });
    let policy = policy(&text);
    let counter =
        |identity: &str| policy.decide(identity, "t", &json!({})).limits[0].counter.clone();
    assert_eq!(counter("one"), counter("other"));
    assert_ne!(counter("one"), counter("ci"));
    // A limit for all is one for all.
    let text = json!({ "version": "1", "default": "allow", "all_tools": { "limits": [{ "max": 1, "window": 9 }] },
        "identities": { "ci": { "tools": {} } } });
    let policy = self::policy(&text);
    let counter =
        |identity: &str| policy.decide(identity, "t", &json!({})).limits[0].counter.clone();
    assert_eq!(counter("one"), counter("ci"));
}

#[test]
fn all_that_is_wrong_is_said_with_its_place() {
    let text = r#"{"version":"2","defalt":"allow","default":"ask","hide":["gone",5],
        "tools":{"read":{"action":"dent","limits":[{"max":0,"window":"week"},{"max":1.5,"window":1},{"max":1,"window":1,"sum":"amount"}],
            "rate_limit":{"max":1,"window":1,"per":"day"},"require":[{"path":"x","op":"is"},{"path":"args.a","op":"lt","value":"x"}],
            "deny_if":[{"path":"args.a","op":"regex","value":"("},{"all":[]},{"path":"args.a","op":"eq"}],"reason":5},
            "read":{},"nothing":{}},"identities":{"a":[]},"all_tools":{"action":"deny"}}"#;
    let wrong = Policy::parse(text, KnownTools::These(&["read"])).unwrap_err();
    let begins = [
        "/tools/read: read appears twice",
        "the policy: unknown field `defalt`",
        "/version: version must be \"1\"",
        "/default: unknown variant `ask`; it must be allow or deny",
        "/hide/0: there is no tool gone; the tools are read",
        "/hide/1: must be the name of a tool",
        "/all_tools: unknown field `action`",
        "/tools/nothing: there is no tool nothing",
        "/identities/a: expected an object",
    ];
    for begin in begins {
        assert!(wrong.iter().any(|sentence| sentence.starts_with(begin)), "{begin}: {wrong:#?}");
    }
    // The last of several rules of one name is read, for what else is wrong.
    let text = text.replace(r#""read":{},"nothing""#, r#""nothing""#);
    let wrong = Policy::parse(&text, KnownTools::These(&["read"])).unwrap_err();
    for begin in [
        "/tools/read/action: unknown variant `dent`",
        "/tools/read/limits/0/max: max must be",
        "/tools/read/limits/0/window: window must be",
        "/tools/read/limits/1/max: max must be",
        "/tools/read/limits/2/sum: must be a place",
        "/tools/read/rate_limit: unknown field `per`",
        "/tools/read/require/0/path: must be a place",
        "/tools/read/require/0/op: must be one of eq, neq",
        "/tools/read/require/1/value: lt compares with a number",
        "/tools/read/deny_if/0/value: this regular expression cannot be used: unclosed group",
        "/tools/read/deny_if/1/all: must have a condition",
        "/tools/read/deny_if/2/value: eq needs a value",
        "/tools/read/reason: must be a text",
    ] {
        assert!(wrong.iter().any(|sentence| sentence.starts_with(begin)), "{begin}: {wrong:#?}");
    }
    let short = r#"{"version":"1","tools":{"t":{"limits":[{"max":1,"window":1e-10}]}}}"#;
    assert!(Policy::parse(short, KnownTools::Any).unwrap_err()[0].contains("from 0.001"));
    assert!(Policy::parse("{", KnownTools::Any).unwrap_err()[0].contains("EOF while parsing"));
    assert!(Policy::parse("[]", KnownTools::Any).unwrap_err()[0].contains("expected an object"));
}

#[test]
fn hostile_patterns_and_deep_arguments_are_bounded() {
    let bomb = json!({ "version": "1", "tools": { "t": { "require": [
        { "path": "args.a", "op": "regex", "value": "(a{1000}){1000}" }] } } });
    let wrong = Policy::parse(&bomb.to_string(), KnownTools::Any).unwrap_err();
    assert!(wrong[0].contains("cannot be used"), "{wrong:?}");
    let slow = json!({ "version": "1", "tools": { "t": { "require": [
        { "path": "args.a", "op": "regex", "value": "^(a+)+$" }] } } });
    let long = json!({ "a": "a".repeat(60_000) + "!" });
    assert_eq!(decide(&slow, "", "t", &long).verdict, Verdict::Deny);
    let longer = json!({ "a": "a".repeat(100_000) });
    assert_eq!(decide(&slow, "", "t", &longer).verdict, Verdict::Deny, "too long to be judged");
}
