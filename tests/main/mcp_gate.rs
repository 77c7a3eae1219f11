//! Access control of the MCP server: policy, approval, rate limits, and the audit log.

use std::fs;

use serde_json::{Value, json};

use crate::agent::{Agent, ProtocolEra, text_of};
use crate::support::{fixture, program};

struct Operator {
    folder: tempfile::TempDir,
}

impl Operator {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn agent(&self, era: ProtocolEra, name: &str, capabilities: Value, policy: &Value) -> Agent {
        fs::write(self.folder.path().join("policy.json"), policy.to_string()).unwrap();
        let demo = fixture("demo.mitm").display().to_string();
        let (policy, log) = (self.path("policy.json"), self.path("audit.jsonl"));
        Agent::of(era, name, capabilities, &[&demo, "--policy", &policy, "--audit-log", &log])
    }

    fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn decisions(&self) -> Vec<String> {
        self.log().iter().map(|entry| entry["decision"].as_str().unwrap().to_owned()).collect()
    }
}

fn names(listed: &Value) -> Vec<&str> {
    listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_denied_tool_is_not_listed_and_its_reason_is_told() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "default": "deny", "tools": {"get_api_patterns": {}}});
    let mut agent = operator.agent(ProtocolEra::Stateless, "test", json!({}), &policy);
    let listed = agent.ask("tools/list", json!({}));
    assert_eq!(names(&listed), ["get_api_patterns"]);
    agent.patterns(json!({}));
    assert!(agent.refusal("get_endpoint", json!({"id": "1"})).contains("policy does not allow"));
    drop(agent.leave());

    let policy = json!({"version": "1", "default": "allow",
        "tools": {"get_endpoint": {"action": "deny", "reason": "Ask Kim for the details."}}});
    let mut agent = operator.agent(ProtocolEra::Legacy("2025-06-18"), "test", json!({}), &policy);
    assert_eq!(agent.refusal("get_endpoint", json!({"id": "1"})), "Ask Kim for the details.");
    assert_eq!(operator.decisions(), ["allow", "deny", "deny"]);
}

#[test]
fn clients_have_rules_of_their_own_by_name() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "default": "deny", "identities": {"inspector": {"default": "allow"}}});
    for (era, name, count) in [
        (ProtocolEra::Stateless, "inspector", 9),
        (ProtocolEra::Stateless, "other", 0),
        (ProtocolEra::Legacy("2025-11-25"), "inspector", 9),
        (ProtocolEra::Legacy("2025-11-25"), "other", 0),
    ] {
        let mut agent = operator.agent(era, name, json!({}), &policy);
        let listed = agent.ask("tools/list", json!({}));
        assert_eq!(names(&listed).len(), count);
    }
}

#[test]
fn a_limit_holds_and_says_when_it_ends() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "tools": {"get_api_patterns": {"rate_limit": {"max": 3, "window": 4.5}}}});
    let mut agent = operator.agent(ProtocolEra::Stateless, "test", json!({}), &policy);
    for _ in 0..3 {
        agent.patterns(json!({}));
    }
    let refusal = agent.refusal("get_api_patterns", json!({}));
    assert!(refusal.contains("allows 3 calls of this tool in 4.5 seconds; wait"), "{refusal}");
    // When calls are allowed again is tested where the time is an argument (src/policy/tests.rs).
    assert_eq!(operator.decisions(), ["allow", "allow", "allow", "rate_limited"]);
}

const ASKS: &str = r#"{"version":"1","tools":{"get_api_patterns":{"action":"require_approval","reason":"The traffic is of customers."}}}"#;

#[test]
fn a_client_with_a_handshake_asks_its_user() {
    let operator = Operator::new();
    let policy: Value = serde_json::from_str(ASKS).unwrap();
    let can_ask = json!({"elicitation": {}});
    let mut agent = operator.agent(ProtocolEra::Legacy("2025-11-25"), "test", can_ask, &policy);
    for (action, is_error) in [("accept", false), ("decline", true), ("cancel", true)] {
        let call = json!({"name": "get_api_patterns", "arguments": {"limit": 3}});
        let number = agent.request("tools/call", call);
        let question = agent.next();
        assert_eq!(question["method"], "elicitation/create");
        let message = question["params"]["message"].as_str().unwrap();
        assert_eq!(
            message,
            r#"Allow one call of get_api_patterns with the arguments {"limit":3}? The operator says: The traffic is of customers."#
        );
        agent.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {}}}));
        let result = agent.answer(number)["result"].clone();
        assert_eq!(result["isError"], is_error);
    }
    assert_eq!(operator.decisions(), ["approved", "declined", "declined"]);
}

#[test]
fn a_client_without_a_handshake_asks_its_user_and_calls_again() {
    let operator = Operator::new();
    let policy: Value = serde_json::from_str(ASKS).unwrap();
    let mut agent = operator.agent(
        ProtocolEra::Stateless,
        "test",
        json!({"elicitation": {"form": {}}}),
        &policy,
    );
    let call = |state: &Value, action: &str, limit: u64| {
        let mut call = json!({"name": "get_api_patterns", "arguments": {"limit": limit}});
        if state.is_string() {
            call["requestState"] = state.clone();
            call["inputResponses"] = json!({"approval": {"action": action, "content": {}}});
        }
        call
    };
    let ask = |agent: &mut Agent| {
        let result = agent.ask("tools/call", call(&Value::Null, "", 3))["result"].clone();
        assert_eq!(result["resultType"], "input_required");
        assert_eq!(result["inputRequests"]["approval"]["method"], "elicitation/create");
        result["requestState"].clone()
    };
    let state = ask(&mut agent);
    let allowed = agent.ask("tools/call", call(&state, "accept", 3))["result"].clone();
    assert_ne!(allowed["isError"], true);
    // An approval is valid for one call: not twice, not for other arguments, and not without a question.
    for (state, action, limit) in [
        (state, "accept", 3),
        (ask(&mut agent), "accept", 60),
        (ask(&mut agent), "decline", 3),
        (json!("approval-9"), "accept", 3),
    ] {
        let refused = agent.ask("tools/call", call(&state, action, limit))["result"].clone();
        assert!(text_of(&refused).contains("did not approve"), "{refused}");
    }
    assert_eq!(
        operator.decisions(),
        [
            "approval_asked",
            "approved",
            "approval_asked",
            "approval_asked",
            "declined",
            "declined",
            "declined",
            "declined"
        ]
    );
}

#[test]
fn a_client_that_cannot_ask_is_told_what_the_operator_must_do() {
    let operator = Operator::new();
    let policy: Value = serde_json::from_str(ASKS).unwrap();
    for era in [ProtocolEra::Stateless, ProtocolEra::Legacy("2025-06-18")] {
        let mut agent = operator.agent(era, "test", json!({}), &policy);
        assert_eq!(names(&agent.ask("tools/list", json!({}))), ["get_api_patterns"]);
        let refusal = agent.refusal("get_api_patterns", json!({}));
        assert!(refusal.contains("ask the operator to allow the tool"), "{refusal}");
    }
    assert_eq!(operator.decisions(), ["approval_unavailable", "approval_unavailable"]);
}

#[test]
fn every_call_is_in_the_log_before_it_is_answered() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "default": "allow"});
    for round in 1..=20 {
        let mut agent = operator.agent(ProtocolEra::Stateless, "a\u{202e}b", json!({}), &policy);
        let answer =
            agent.call("get_api_patterns", json!({"limit": round, "domain": "shop.example"}));
        // Simulate a crash right after the answer.
        agent.kill();
        let log = operator.log();
        assert_eq!(log.len(), round);
        let entry = &log[round - 1];
        assert_eq!(entry["identity"], "a%E2%80%AEb");
        assert_eq!(entry["tool"], "get_api_patterns");
        assert_eq!(entry["arguments"], json!({"limit": round, "domain": "shop.example"}));
        assert_eq!(entry["decision"], "allow");
        assert_eq!(entry["bytes"], text_of(&answer).len());
        assert!(entry["duration"].as_f64().unwrap() > 0.0);
        assert!(entry["time"].as_str().unwrap().ends_with('Z'));
    }
}

#[test]
fn a_policy_that_is_not_understood_stops_the_server() {
    let operator = Operator::new();
    let demo = fixture("demo.mitm").display().to_string();
    for (policy, said) in [
        ("{", "this policy cannot be used, so the server does not start"),
        (
            r#"{"version":"1","tools":{"get_flows":{}}}"#,
            "there is no tool get_flows; the tools are get_api_patterns, get_endpoint, get_schema, get_openapi",
        ),
        (r#"{"version":"1","polices":{}}"#, "unknown field `polices`"),
    ] {
        fs::write(operator.folder.path().join("policy.json"), policy).unwrap();
        let run = program(&["mcp", &demo, "--policy", &operator.path("policy.json")]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(said) && run.stderr.lines().count() == 1, "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    let run = program(&["mcp", &demo, "--policy", &operator.path("none.json")]);
    assert!(run.stderr.contains("there is no such file"), "{}", run.stderr);
    let run = program(&["mcp", &demo, "--audit-log", &operator.path("no/such/folder.jsonl")]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("folder.jsonl: "), "{}", run.stderr);
}

#[test]
fn another_name_does_not_reset_a_limit() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "tools": {"get_api_patterns": {"rate_limit": {"max": 2, "window": 600}}},
        "identities": {"known": {"tools": {"get_api_patterns": {"rate_limit": {"max": 1, "window": 600}}}}}});
    let mut agent = operator.agent(ProtocolEra::Stateless, "a", json!({}), &policy);
    let mut errors = Vec::new();
    for name in ["a", "b", "c", "known", "known"] {
        agent.rename(name);
        errors.push(agent.call("get_api_patterns", json!({}))["isError"] == true);
    }
    assert_eq!(errors, [false, false, true, false, true]);
}

#[test]
fn a_tool_that_there_is_none_of_is_in_the_log() {
    let operator = Operator::new();
    let mut agent = operator.agent(
        ProtocolEra::Stateless,
        "a",
        json!({}),
        &json!({"version": "1", "default": "allow"}),
    );
    let answer = agent.ask("tools/call", json!({"name": "get_secrets", "arguments": {"a": 1}}));
    assert!(answer["error"]["message"].as_str().unwrap().contains("no such tool"));
    let log = operator.log();
    assert_eq!(
        (&log[0]["decision"], &log[0]["tool"], &log[0]["is_error"]),
        (&json!("unknown_tool"), &json!("(unknown)"), &json!(true))
    );
}

#[test]
fn a_log_among_the_captures_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("a.mitm");
    fs::copy(fixture("demo.mitm"), &capture).unwrap();
    let before = fs::read(&capture).unwrap();
    let capture = capture.display().to_string();
    for (captures, log) in [
        (capture.clone(), capture.clone()),
        (
            folder.path().display().to_string(),
            folder.path().join("log.jsonl").display().to_string(),
        ),
    ] {
        let run = program(&["mcp", &captures, "--audit-log", &log]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("the audit log is one of the captures"), "{}", run.stderr);
    }
    assert_eq!(fs::read(&capture).unwrap(), before);
}

#[test]
fn two_clients_that_are_one_once_their_names_are_cut_are_refused() {
    let operator = Operator::new();
    let long = "x".repeat(150);
    let policy = format!(
        r#"{{"version": "1", "identities": {{"{long}a": {{"default": "allow"}}, "{long}b": {{"default": "deny"}}}}}}"#
    );
    fs::write(operator.folder.path().join("policy.json"), policy).unwrap();
    let run = program(&[
        "mcp",
        &fixture("demo.mitm").display().to_string(),
        "--policy",
        &operator.path("policy.json"),
    ]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("two identities are"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn an_audit_log_is_a_file_of_its_own() {
    let operator = Operator::new();
    let (capture, policy) = (operator.path("demo.mitm"), operator.path("policy.json"));
    fs::copy(fixture("demo.mitm"), &capture).unwrap();
    fs::write(&policy, r#"{"version": "1", "default": "allow"}"#).unwrap();
    let other_name = operator.path("other-name");
    fs::hard_link(&capture, &other_name).unwrap();
    let link = operator.path("link");
    std::os::unix::fs::symlink(&capture, &link).unwrap();
    for (log, why) in [
        (&*other_name, "one of the captures"),
        (&link, "one of the captures"),
        (&policy, "is the policy"),
        ("/dev/null", "an audit log must be a file"),
    ] {
        let run = program(&["mcp", &capture, "--policy", &policy, "--audit-log", log]);
        assert_eq!(run.code, Some(2), "{log}");
        assert!(run.stderr.contains(why), "{log}: {}", run.stderr);
    }
    assert_eq!(fs::read(&capture).unwrap(), fs::read(fixture("demo.mitm")).unwrap());
}

#[test]
fn arguments_decide_and_the_log_names_the_rule() {
    let operator = Operator::new();
    let policy = json!({"version": "1", "default": "allow", "hide": ["get_sample"],
    "all_tools": {"deny_if": [{"path": "args.domain", "op": "regex", "value": "^gone\\."}]},
    "tools": {
        "get_api_patterns": {"require": [{"path": "args.domain", "op": "in", "value": ["api.shop.example", "gone.shop.example"]}], "on_deny": "name a domain"},
        "get_openapi": {"deny_if": [{"path": "args.domain", "op": "exists", "value": false}]},
    }});
    let mut agent = operator.agent(ProtocolEra::Stateless, "test", json!({}), &policy);
    let listed = agent.ask("tools/list", json!({}));
    assert!(!names(&listed).contains(&"get_sample") && names(&listed).contains(&"get_openapi"));
    agent.patterns(json!({"domain": "api.shop.example"}));
    assert_eq!(agent.refusal("get_api_patterns", json!({})), "name a domain");
    assert_eq!(
        agent.refusal("get_api_patterns", json!({"domain": ["api.shop.example"]})),
        "name a domain"
    );
    let gone = agent.refusal("get_api_patterns", json!({"domain": "gone.shop.example"}));
    assert!(gone.contains("/all_tools/deny_if/0"), "{gone}");
    assert_eq!(agent.refusal("get_api_patterns", json!({"domain": null})), "name a domain");
    let refused =
        agent.refusal("search_endpoints", json!({"query": "x", "domain": "gone.shop.example"}));
    assert!(refused.contains("with these arguments (rule /all_tools/deny_if/0)"), "{refused}");
    // The names of the original's tools are answered under the policy of the tool that answers.
    let refused = agent.refusal("export_openapi_spec", json!({}));
    assert!(refused.contains("/tools/get_openapi/deny_if/0"), "{refused}");
    let hidden = agent.ask("tools/call", json!({"name": "get_sample", "arguments": {}}));
    let message = hidden["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("there is no such tool") && !message.contains("get_sample"),
        "{message}"
    );
    drop(agent.leave());
    let log = operator.log();
    let rules: Vec<&str> = log.iter().map(|entry| entry["rule"].as_str().unwrap()).collect();
    let wanted = [
        "/tools/get_api_patterns",
        "/tools/get_api_patterns/require/0",
        "/tools/get_api_patterns/require/0",
        "/all_tools/deny_if/0",
        "/tools/get_api_patterns/require/0",
        "/all_tools/deny_if/0",
        "/tools/get_openapi/deny_if/0",
        "/hide/0",
    ];
    assert_eq!(rules, wanted);
    assert_eq!(operator.decisions().last().map(String::as_str), Some("hidden"));
}

#[test]
fn a_policy_is_checked_and_tried_out_without_a_server() {
    let operator = Operator::new();
    let file = operator.path("policy.json");
    let policy = json!({"version": "1", "tools": {"replay_flow": {"action": "require_approval", "reason": "it sends",
        "limits": [{"max": 5, "window": "hour"}], "deny_if": [{"path": "args.id", "op": "gt", "value": 9}]}}});
    fs::write(&file, policy.to_string()).unwrap();
    let run = program(&["policy", "check", &file]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("/tools/replay_flow: there is no tool replay_flow"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.ends_with("1 error found\n"), "{}", run.stderr);
    let run = program(&["policy", "check", "--any-tools", &file]);
    assert_eq!((run.code, run.stdout.contains("nothing is wrong")), (Some(0), true));
    let test = |tool: &str, arguments: &str| {
        program(&["policy", "test", "--any-tools", &file, "--tool", tool, "--arguments", arguments])
    };
    let asked = test("replay_flow", r#"{"id": 5}"#);
    assert_eq!(asked.code, Some(0));
    let wanted = "allowed if the user approves\nrule: /tools/replay_flow/action\ntold to the user: it sends\n\
        limit /tools/replay_flow/limits/0: 1 call of 5 in 3600 seconds\n";
    assert_eq!(asked.stdout, wanted);
    let denied = test("replay_flow", r#"{"id": "5"}"#);
    assert_eq!(denied.code, Some(1));
    assert!(
        denied.stdout.starts_with("denied\nrule: /tools/replay_flow/deny_if/0\n"),
        "{}",
        denied.stdout
    );
    let unlisted = test("clear_traffic", "{}").stdout;
    assert!(
        unlisted.starts_with("denied\nrule: /default\ntold to the agent: The operator's"),
        "{unlisted}"
    );
    fs::write(&file, r#"{"version":"1","default":"allow"}"#).unwrap();
    let wrong = program(&["policy", "test", &file, "--tool", "get_opnapi"]);
    assert!(wrong.stderr.contains("there is no such tool"), "{}", wrong.stderr);
    fs::write(&file, policy.to_string()).unwrap();
    let broken = test("replay_flow", "[");
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.contains("--arguments is not a JSON object"), "{}", broken.stderr);
}
