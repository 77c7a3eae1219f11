//! Answers of the MCP server: correct, small, deterministic and current.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::agent::{Agent, ProtocolEra, text_of};
use crate::support::{fixture, flow, program};

fn demo() -> String {
    fixture("demo.mitm").display().to_string()
}

fn lines(paths: impl IntoIterator<Item = String>) -> String {
    paths
        .into_iter()
        .enumerate()
        .map(|(i, path)| {
            let url = format!("https://{path}");
            json!({"id": format!("{i}"), "method": "GET", "url": url, "status": 200, "timestamp": 1e9 + f64::from(u32::try_from(i).unwrap())})
                .to_string()
                + "\n"
        })
        .collect()
}

/// 5,000 endpoints: 10 services with 20 resources and 25 actions each.
fn large_api() -> String {
    let services = "billing support identity catalog shipping search media reports admin mobile";
    let resources = "users orders invoices tickets comments projects messages accounts payments products \
                     files groups events jobs devices images videos pages posts teams";
    let sides = "settings members history status permissions notes tags labels metrics alerts tokens roles items logs \
                 attachments preferences activity versions reviews links channels rules stats profile summary \
                 drafts exports imports invites keys locks modes owners peers queues quotas ranks scopes shares sites slots sources \
                 stages targets themes timers tokens traces units users values vendors views visits votes wallets webhooks";
    let sides: Vec<&str> = sides.split_whitespace().collect();
    let mut paths = Vec::new();
    for service in services.split_whitespace() {
        for (i, resource) in resources.split_whitespace().enumerate() {
            for side in sides.iter().cycle().skip(i * 17 % sides.len()).take(25) {
                for id in 1001..1004 {
                    paths.push(format!("{service}.example.com/api/{resource}/{id}/{side}"));
                }
            }
        }
    }
    assert_eq!(paths.len(), 15_000);
    lines(paths)
}

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn both_eras_list_and_call_the_same_tools() {
    let mut answers = Vec::new();
    for era in [
        ProtocolEra::Stateless,
        ProtocolEra::Legacy("2025-11-25"),
        ProtocolEra::Legacy("2025-06-18"),
        ProtocolEra::Legacy("2025-03-26"),
        ProtocolEra::Legacy("2024-11-05"),
    ] {
        let mut agent = Agent::of(era, "test", json!({}), &[&demo()]);
        let listed = agent.ask("tools/list", json!({}));
        let tools = listed["result"]["tools"].clone();
        assert_eq!(tools[0]["name"], "get_api_patterns");
        assert_eq!(tools[1]["name"], "get_endpoint");
        for tool in tools.as_array().unwrap() {
            let hints = &tool["annotations"];
            assert_eq!(hints["readOnlyHint"], true);
            assert_eq!(hints["destructiveHint"], false);
            assert_eq!(hints["idempotentHint"], true);
            assert!(tool["title"].is_string() && tool["outputSchema"]["type"] == "object");
            assert!(tool["description"].as_str().unwrap().len() < 2000);
        }
        let patterns = agent.patterns(json!({"detail": "full"}));
        assert_eq!(patterns["totals"]["used"], 65);
        assert_eq!(patterns["truncated"], false);
        let id = patterns["patterns"][0]["id"].clone();
        let endpoint = agent.call("get_endpoint", json!({"id": id}));
        assert_eq!(endpoint["structuredContent"]["pattern"]["endpoint"], "GET /v1/users/{user_id}");
        answers.push((patterns, text_of(&endpoint).to_owned()));
        assert_eq!(agent.leave().0, Some(0));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_answer_is_that_of_analyze() {
    let mut agent = Agent::start(&[&demo()]);
    for (limit, arguments) in [(None, json!({})), (Some("7"), json!({"limit": 7}))] {
        let mut options = vec!["analyze", "--quiet", "--format", "json"];
        if let Some(limit) = limit {
            options.extend(["--limit", limit]);
        }
        let path = demo();
        options.push(&path);
        let report: Value = serde_json::from_str(&program(&options).stdout).unwrap();
        let answer = agent.patterns(arguments);
        for key in ["flows", "used", "skipped", "hosts", "patterns"] {
            assert_eq!(answer["totals"][key], report["totals"][key]);
        }
        let pairs = |list: &Value| -> Vec<(String, u64)> {
            let entry = |p: &Value| {
                (p["endpoint"].as_str().unwrap().to_owned(), p["request_count"].as_u64().unwrap())
            };
            let mut pairs: Vec<_> = list.as_array().unwrap().iter().map(entry).collect();
            pairs.sort();
            pairs
        };
        assert_eq!(pairs(&answer["patterns"]), pairs(&report["patterns"]));
    }
}

#[test]
fn every_argument_narrows_the_question() {
    let mut agent = Agent::start(&[&demo()]);
    let count = |answer: &Value| answer["matched"]["patterns"].as_u64().unwrap();
    assert_eq!(count(&agent.patterns(json!({}))), 21);
    assert_eq!(count(&agent.patterns(json!({"domain": "files.shop.example"}))), 2);
    assert_eq!(count(&agent.patterns(json!({"domain": "shop.example"}))), 21);
    assert_eq!(count(&agent.patterns(json!({"path_prefix": "/v1/users/{id}/orders"}))), 2);
    assert_eq!(count(&agent.patterns(json!({"method": "post"}))), 5);
    assert_eq!(count(&agent.patterns(json!({"min_count": 5}))), 4);
    assert_eq!(count(&agent.patterns(json!({"limit": 0}))), 0);
    assert_eq!(count(&agent.patterns(json!({"limit": null, "domain": null}))), 21);
    assert_eq!(count(&agent.patterns(json!({"limit": 1000.0}))), 21);
    let nothing = agent.patterns(json!({"path_prefix": "/no/such"}));
    assert!(nothing["advice"][0].as_str().unwrap().starts_with("Nothing matches."));
    let summary = agent.patterns(json!({"detail": "summary"}));
    assert!(
        summary["patterns"][0].get("parameters").is_none()
            && summary["patterns"][0]["host"] == "api.shop.example"
            && summary["patterns"][1].get("host").is_none()
            && summary.get("tree").is_none()
    );
    // What a summary leaves out is not needed to go on.
    let endpoint = summary["patterns"][1]["endpoint"].clone();
    let known = agent.call("get_endpoint", json!({"id": endpoint}));
    assert_eq!(known["structuredContent"]["pattern"]["endpoint"], endpoint);
    let full = agent.patterns(json!({"detail": "full", "max_bytes": 40000}));
    assert!(full["patterns"][0]["latency_ms"]["p95"].is_f64());
}

#[test]
fn bad_arguments_are_answered_with_what_to_change() {
    let mut agent = Agent::start(&[&demo()]);
    for (arguments, said) in [
        (json!({"domains": "a"}), "unknown field `domains`"),
        (json!({"limit": "ten"}), "invalid type: string \"ten\""),
        (json!({"limit": -1}), "limit must be the number"),
        (json!({"detail": "most"}), "unknown variant `most`"),
        (json!({"max_bytes": 10}), "max_bytes must be from 2000 to 40000"),
        (json!({"max_bytes": 1_000_000}), "max_bytes must be from 2000 to 40000"),
        (json!({"domain": "https://a.example/"}), "domain must be a host name"),
        (json!({"path_prefix": "https://a.example/b"}), "path_prefix must be the start of a path"),
        (json!({"method": "GET POST"}), "method must be one HTTP method"),
        (json!({"cursor": "x"}), "ask again without cursor"),
        (json!({"detail": "compat", "method": "GET"}), "takes domain and limit alone"),
    ] {
        let refusal = agent.refusal("get_api_patterns", arguments);
        assert!(refusal.contains(said), "{refusal}");
    }
    assert!(agent.refusal("get_endpoint", json!({})).contains("missing field `id`"));
    assert!(
        agent
            .refusal("get_endpoint", json!({"id": "0123456789ab"}))
            .contains("no endpoint with this id")
    );
    let unknown = agent.ask("tools/call", json!({"name": "get_flows", "arguments": {}}));
    assert!(unknown["error"]["message"].as_str().unwrap().contains("no such tool"));
}

#[test]
fn five_thousand_endpoints_are_a_tree_and_the_top_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "large.jsonl", &large_api());
    let mut agent = Agent::start(&[&path]);
    let result = agent.call("get_api_patterns", json!({}));
    assert!(text_of(&result).len() <= 16_000);
    assert_eq!(text_of(&agent.call("get_api_patterns", json!({}))), text_of(&result));
    let answer = &result["structuredContent"];
    let matched = answer["matched"]["patterns"].as_u64().unwrap();
    assert!(matched > 4000, "{matched}");
    assert_eq!(
        (answer["truncated"].clone(), answer["matched"]["requests"].clone()),
        (json!(true), json!(15_000))
    );
    let tree = answer["tree"].as_array().unwrap();
    assert!(tree.len() >= 20);
    let sum = |key: &str| tree.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("patterns"), sum("requests")), (matched, 15_000));
    assert!(answer["patterns"].as_array().unwrap().len() > 20);
    assert!(answer["advice"][0].as_str().unwrap().contains("drill down"));
    // A row of the tree counts exactly the endpoints below its prefix.
    let row = &tree[3];
    let below = agent.patterns(
        json!({"domain": row["host"], "path_prefix": row["path_prefix"], "detail": "summary"}),
    );
    assert_eq!(below["matched"]["patterns"], row["patterns"]);
}

/// Schemas fit into the bytes that were asked for, and a path leads to what was left out.
#[test]
fn schemas_are_cut_and_drilled_into() {
    let folder = tempfile::tempdir().unwrap();
    let wide: serde_json::Map<String, Value> = ["user", "order", "image", "group", "label", "team"]
        .iter()
        .flat_map(|word| {
            (0..12).map(move |n| {
                (
                    format!("{word}_{}", ["a", "b", "c"][n % 3].repeat(n / 3 + 1)),
                    json!({"name": "x y", "size": 1}),
                )
            })
        })
        .collect();
    let lines: String = (0..8)
        .map(|n| {
            let body = json!({"id": n, "inner": wide}).to_string();
            json!({"method": "GET", "url": format!("https://api.example.com/things/{n}"), "status": 200,
                "content_type": "application/json", "response_body": body}).to_string() + "\n"
        })
        .collect();
    let path = written(&folder, "bodies.jsonl", &lines);
    let mut agent = Agent::start(&[&path]);
    let answer = agent.call("get_api_patterns", json!({"detail": "full"}));
    let id = answer["structuredContent"]["patterns"][0]["id"].clone();
    let cut = agent.call("get_schema", json!({"id": id, "max_bytes": 2000}));
    assert!(text_of(&cut).len() <= 2000, "{}", text_of(&cut).len());
    let cut = &cut["structuredContent"];
    assert_eq!(cut["truncated"], true);
    let top = &cut["schemas"]["responses"]["200"]["application/json"]["schema"]["properties"];
    assert!(top["inner"]["x-omitted-properties"].as_u64().unwrap() > 20, "{top}");
    let inner = agent.call("get_schema", json!({"id": id, "path": "200.inner.user_a"}));
    assert_eq!(inner["structuredContent"]["schemas"]["properties"]["size"]["type"], "integer");
    assert_eq!(inner["structuredContent"]["truncated"], false);
    assert!(
        agent
            .refusal("get_schema", json!({"id": id, "path": "200.nothing"}))
            .contains("no such place")
    );
    assert!(agent.refusal("get_schema", json!({"id": "0123456789ab"})).contains("no endpoint"));
    assert!(agent.refusal("get_schema", json!({"id": id, "max_bytes": 1})).contains("from 2000"));
}

#[test]
fn descriptions_credentials_and_changes_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |removed: &str| -> String {
        let line = |n: u32| {
            let mut body = json!({"id": n, "name": "x", "email": null});
            body.as_object_mut().unwrap().remove(removed);
            json!({"method": "GET", "url": format!("https://api.example.com/v1/users/{n}"), "status": 200,
                "request_headers": [["Authorization", "Bearer hunter2-secret"]],
                "content_type": "application/json", "response_body": body.to_string()})
            .to_string()
                + "\n"
        };
        (100..130).map(line).collect()
    };
    let before = written(&folder, "before.jsonl", &lines(""));
    let after = written(&folder, "after.jsonl", &lines("name"));
    let mut agent = Agent::start(&[&before, &after]);
    let openapi = agent.call("get_openapi", json!({"path_prefix": "/v1/users"}));
    let answer = &openapi["structuredContent"];
    assert_eq!(answer["openapi"]["paths"]["/users/{user_id}"]["get"]["operationId"], "getUser");
    assert_eq!((&answer["matched"], &answer["truncated"]), (&json!(1), &json!(false)));
    let small = agent.call("get_openapi", json!({"max_bytes": 2000}));
    assert!(text_of(&small).len() <= 2000, "{}", text_of(&small).len());
    let auth = agent.call("get_auth", json!({}));
    let row = &auth["structuredContent"]["credentials"][0];
    assert_eq!((&row["sent"], &row["accepted"]), (&json!(["Authorization: bearer"]), &json!(60)));
    let changes =
        agent.call("compare_captures", json!({"before": "before.jsonl", "after": "after.jsonl"}));
    let found = &changes["structuredContent"]["found"][0];
    assert_eq!(
        (&found["rule"], &found["place"]),
        (&json!("response-property-removed"), &json!("response 200 name"))
    );
    for answer in [&openapi, &auth, &changes] {
        assert!(!text_of(answer).contains("hunter2"), "{}", text_of(answer));
    }
    // Only what the operator named can be compared.
    let refused =
        agent.refusal("compare_captures", json!({"before": "/etc/passwd", "after": "after.jsonl"}));
    assert!(refused.ends_with("the captures are: before.jsonl, after.jsonl"), "{refused}");
    assert!(agent.refusal("get_openapi", json!({"version": "2.0"})).contains("3.1 or 3.0"));
    // In the words of mitmproxy-mcp.
    let exported =
        agent.call("export_openapi_spec", json!({"domain": "api.example.com", "limit": 50}));
    assert_eq!(exported["structuredContent"]["openapi"]["info"]["title"], "api.example.com");
    let detected = agent.call("detect_auth_pattern", json!({"flow_ids": "a,b"}));
    assert_eq!(detected["structuredContent"], auth["structuredContent"]);
}

#[test]
fn pages_hold_every_endpoint_once_whatever_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "large.jsonl", &large_api());
    let mut agent = Agent::start(&[&path]);
    for (detail, max_bytes) in [("summary", 40_000), ("full", 9_000), ("standard", 2_000)] {
        let mut question =
            json!({"detail": detail, "max_bytes": max_bytes, "domain": "billing.example.com"});
        let mut ids = Vec::new();
        loop {
            let result = agent.call("get_api_patterns", question.clone());
            assert!(text_of(&result).len() <= max_bytes);
            let answer = &result["structuredContent"];
            let page = answer["patterns"].as_array().unwrap();
            assert!(!page.is_empty());
            ids.extend(page.iter().map(|row| row["endpoint"].as_str().unwrap().to_owned()));
            assert_eq!(answer["returned"]["patterns"].as_u64().unwrap(), page.len() as u64);
            if let Some(cursor) = answer.get("next_cursor") {
                question["cursor"] = cursor.clone();
                continue;
            }
            assert_eq!(answer["matched"]["patterns"].as_u64().unwrap(), ids.len() as u64);
            assert_eq!(answer["truncated"], false);
            break;
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
    // A cursor is valid for one question only.
    let first = agent.patterns(json!({"max_bytes": 2000}));
    let other = json!({"max_bytes": 2000, "method": "GET", "cursor": first["next_cursor"]});
    assert!(agent.refusal("get_api_patterns", other).contains("ask again without cursor"));
    // Another process accepts the cursor of this one.
    let mut second = Agent::start(&[&path]);
    let next = json!({"max_bytes": 2000, "cursor": first["next_cursor"]});
    assert_eq!(second.patterns(next.clone()), agent.patterns(next));
}

#[test]
fn answers_stay_small_whatever_was_captured() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for i in 0..300 {
        let parameter = |q: usize| {
            let name = ["filter", "page", "user", "order"][q % 4];
            format!("&{}_{i}_{}=1", format!("{name}_").repeat(15), q / 4)
        };
        let query = (0..60).map(parameter).collect::<Vec<_>>().concat();
        let url = format!(
            "https://{}.example.com/{}/word{i}?{query}",
            "label".repeat(11),
            (0..40).map(|_| "segment".repeat(6)).collect::<Vec<_>>().join("/"),
        );
        let headers: Vec<Value> =
            (0..100).map(|h| json!([format!("header-{h}-{}", "y".repeat(80)), "v"])).collect();
        for status in 200..240 {
            text +=
                &json!({"method": "GET", "url": url, "status": status, "request_headers": headers})
                    .to_string();
            text.push('\n');
            if i > 0 {
                break;
            }
        }
    }
    let path = written(&folder, "wide.jsonl", &text);
    let mut agent = Agent::start(&[&path]);
    for detail in ["summary", "standard", "full"] {
        for max_bytes in [2_000, 16_000, 40_000] {
            let result =
                agent.call("get_api_patterns", json!({"detail": detail, "max_bytes": max_bytes}));
            assert!(
                text_of(&result).len() <= max_bytes,
                "{detail} {max_bytes}: {}",
                text_of(&result).len()
            );
            assert!(result["structuredContent"]["returned"]["patterns"].as_u64().unwrap() > 0);
        }
    }
    let id = agent.patterns(json!({"detail": "full"}))["patterns"][0]["id"].clone();
    let endpoint = agent.call("get_endpoint", json!({"id": id}));
    assert!(text_of(&endpoint).len() <= 16_000);
    assert!(endpoint["structuredContent"]["omitted"]["parameters"].as_u64().unwrap() > 0);
}

#[test]
fn what_is_added_is_in_the_next_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "dump.mitm", "");
    let missing = folder.path().join("later.jsonl").display().to_string();
    let mut agent = Agent::start(&[&path, &missing]);
    let empty = agent.patterns(json!({}));
    assert!(
        empty["advice"][0].as_str().unwrap().starts_with("The captures hold no HTTP flows yet")
    );
    let mut dump = flow("a", "/a");
    fs::write(&path, &dump).unwrap();
    let answer = agent.patterns(json!({}));
    assert_eq!(
        (&answer["totals"]["used"], &answer["totals"]["captures_unreadable"]),
        (&json!(1), &json!(1))
    );
    assert!(answer["advice"][0].as_str().unwrap().starts_with("Some captures cannot be read"));
    for n in 2..20 {
        dump.extend(flow("b", &format!("/b/{n}")));
        fs::write(&path, &dump).unwrap();
        assert_eq!(agent.patterns(json!({}))["totals"]["used"], n);
        assert_eq!(agent.patterns(json!({"limit": 2}))["totals"]["used"], 2);
    }
    fs::write(&missing, lines(["other.example.com/c".to_owned()])).unwrap();
    assert_eq!(agent.patterns(json!({}))["totals"]["captures_unreadable"], 0);
    assert_eq!(agent.patterns(json!({"domain": "other.example.com"}))["matched"]["patterns"], 1);
    let (code, said) = agent.leave();
    assert_eq!(code, Some(0));
    assert!(said.contains("later.jsonl: there is no such file"), "{said}");
}

#[test]
fn twenty_calls_at_once_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "large.jsonl", &large_api());
    let mut agent = Agent::start(&[&path]);
    let numbers: Vec<u64> = (0..20)
        .map(|i| {
            let arguments = json!({"min_count": i % 2, "limit": 15_000 - i % 3});
            agent.request("tools/call", json!({"name": "get_api_patterns", "arguments": arguments}))
        })
        .collect();
    let together: Vec<Value> =
        numbers.into_iter().map(|number| agent.answer(number)["result"].clone()).collect();
    let mut other = Agent::start(&[&path]);
    for (i, result) in together.into_iter().enumerate() {
        let arguments = json!({"min_count": i % 2, "limit": 15_000 - i % 3});
        assert_eq!(result, other.call("get_api_patterns", arguments));
    }
}

#[test]
fn compat_is_the_answer_of_the_original_tool() {
    for path in [demo(), fixture("demo.db").display().to_string()] {
        let mut agent = Agent::start(&[&path]);
        check_compat(&mut agent, &path);
    }
}

/// The answer equals that of the command line, which the recorded cases of the original check.
fn check_compat(agent: &mut Agent, path: &str) {
    for (arguments, options) in [
        (json!({"detail": "compat"}), vec![]),
        (
            json!({"detail": "compat", "domain": "files.", "limit": 3}),
            vec!["--domain", "files.", "--limit", "3"],
        ),
        (json!({"detail": "compat", "limit": -60}), vec!["--limit", "-60"]),
    ] {
        let mut all = vec!["analyze", "--quiet", "--compat", "mitmproxy-mcp", path];
        all.extend(options);
        let result = agent.call("get_api_patterns", arguments);
        assert_eq!(text_of(&result), program(&all).stdout);
        assert_eq!(result["structuredContent"]["result"], text_of(&result));
    }
}

#[test]
fn every_format_is_served_and_a_folder_as_well() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["demo.mitm", "demo.har", "demo.zhar", "demo.db", "demo.playwright.zip"] {
        fs::copy(fixture(name), folder.path().join(name)).unwrap();
    }
    let mut agent = Agent::start(&[&folder.path().display().to_string()]);
    let answer = agent.patterns(json!({}));
    assert_eq!(answer["totals"]["captures_read"], 5);
    let whole: Value = serde_json::from_str(
        &program(&["analyze", "-q", "--format", "json", &folder.path().display().to_string()])
            .stdout,
    )
    .unwrap();
    assert_eq!(answer["totals"]["used"], whole["totals"]["used"]);
    // A capture that can be read only by writing a temporary file is refused with a message.
    let packed = folder.path().join("packed.db.gz");
    let gzip =
        std::process::Command::new("gzip").arg("-c").arg(fixture("demo.db")).output().unwrap();
    fs::write(&packed, gzip.stdout).unwrap();
    let mut other = Agent::start(&[&packed.display().to_string()]);
    assert!(
        other.refusal("get_api_patterns", json!({})).contains("None of the captures can be read")
    );
    assert!(other.leave().1.contains("nothing may be written here; unpack it first"));
    assert!(Path::new(&packed).exists());
}

#[test]
fn what_a_server_cannot_start_with_is_said() {
    let run = program(&["mcp", "-"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("standard input (-) has the messages of the client"),
        "{}",
        run.stderr
    );
    let run = program(&["mcp"]);
    assert!(run.stderr.contains("no capture was named"), "{}", run.stderr);
    let run = crate::support::program_with_input(&["mcp", &demo()], b"hello\n");
    let error: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &error["error"]["code"]), (Some(0), &json!(-32700)), "{}", run.stderr);
}

#[test]
fn more_hosts_than_are_told_apart_are_still_found() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = (0..5000).map(|i| format!("h{i}.x.example/a"));
    let path = written(&folder, "hosts.jsonl", &lines(hosts.chain(["other.example/b".to_owned()])));
    let mut agent = Agent::start(&[&path]);
    let all = agent.patterns(json!({"domain": "x.example"}));
    assert_eq!(all["matched"]["requests"], 5000);
    for host in ["h7.x.example", "h4990.x.example"] {
        let one = agent.patterns(json!({"domain": host}));
        assert_eq!(one["matched"]["requests"], 1, "{host}");
        // The id is also found without the domain.
        let id = one["patterns"][0]["id"].clone();
        let endpoint = agent.call("get_endpoint", json!({"id": id}));
        assert_eq!(endpoint["structuredContent"]["pattern"]["host"], host);
    }
    let rest = agent.patterns(json!({"domain": "(other hosts)"}));
    assert!(rest["matched"]["requests"].as_u64().unwrap() > 0);
}

#[test]
fn a_tenant_is_one_host_also_where_hosts_are_grouped() {
    let folder = tempfile::tempdir().unwrap();
    let paths = (0..30).flat_map(|i| {
        let tenant = ["acme", "globex", "initech"][i % 3];
        ["users", "orders", "invoices"].map(|what| format!("{tenant}.shop.example/{what}/{i}"))
    });
    let path = written(&folder, "tenants.jsonl", &lines(paths));
    let mut agent = Agent::start(&["--group-hosts", &path]);
    assert_eq!(agent.patterns(json!({}))["patterns"][0]["host"], "{tenant}.shop.example");
    assert_eq!(agent.patterns(json!({"domain": "acme.shop.example"}))["matched"]["requests"], 30);
    assert_eq!(agent.patterns(json!({"domain": "nobody.shop.example"}))["matched"]["requests"], 0);
}

#[test]
fn limits_and_domains_together_are_those_of_analyze() {
    let folder = tempfile::tempdir().unwrap();
    // More flows than are cached for questions with a limit.
    let path = written(&folder, "large.jsonl", &large_api());
    let mut agent = Agent::start(&[&path]);
    for (limit, domain) in [
        (40, ""),
        (14_000, ""),
        (40, "media.example.com"),
        (1400, "media.example.com"),
        (1600, "media.example.com"),
    ] {
        let limit_text = limit.to_string();
        let mut options =
            vec!["analyze", "--quiet", "--format", "json", "--limit", &limit_text, &path];
        if !domain.is_empty() {
            options.extend(["--domain", domain]);
        }
        let report: Value = serde_json::from_str(&program(&options).stdout).unwrap();
        let answer = agent.patterns(json!({"limit": limit, "domain": domain, "detail": "summary"}));
        assert_eq!(answer["matched"]["requests"], report["totals"]["used"], "{limit} {domain}");
        assert_eq!(answer["matched"]["patterns"], report["totals"]["patterns"], "{limit} {domain}");
    }
}

#[test]
fn what_can_no_longer_be_read_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = written(&folder, "a.jsonl", &lines(["a.example/a".to_owned()]));
    let second = written(&folder, "b.jsonl", &lines(["b.example/b".to_owned()]));
    let mut agent = Agent::start(&[&first, &second]);
    assert_eq!(agent.patterns(json!({}))["totals"]["captures_read"], 2);
    fs::remove_file(&second).unwrap();
    for _ in 0..3 {
        assert_eq!(agent.patterns(json!({}))["totals"]["captures_unreadable"], 1);
    }
    let said = agent.leave().1;
    assert_eq!(said.matches("b.jsonl: there is no such file").count(), 1, "{said}");
}

/// From the list to a call, without another server.
#[test]
fn an_agent_goes_from_a_word_to_a_request_and_back() {
    let demo = crate::support::fixture("demo.mitm").to_str().unwrap().to_owned();
    let mut agent = Agent::start(&[&demo]);
    let found = agent.call("search_endpoints", json!({"query": "Orders expand"}));
    let row = &found["structuredContent"]["found"][0];
    assert_eq!(row["pattern"]["endpoint"], "GET /v1/users/{user_id}/orders");
    assert_eq!(row["words_in"], json!(["path", "parameter"]));
    let field = agent.call("search_endpoints", json!({"query": "users name", "method": "PATCH"}));
    let none = agent.call("search_endpoints", json!({"query": "zzz"}));
    assert_eq!(none["structuredContent"]["matched"], 0);
    let row_of_field = &field["structuredContent"]["found"][0];
    assert_eq!(row_of_field["pattern"]["endpoint"], "PATCH /v1/users/{user_id}");
    assert_eq!(row_of_field["words_in"], json!(["path", "field"]));
    let id = row["pattern"]["id"].as_str().unwrap();

    let sample = agent.call("get_sample", json!({"endpoint": id}));
    let sample = &sample["structuredContent"];
    assert_eq!(sample["request"]["method"], "GET");
    assert_eq!(sample["request"]["headers"]["authorization"], "Bearer [masked]");
    assert_eq!(sample["response"]["status"], 200);
    let flow_id = sample["flow_id"].as_str().unwrap();
    let again = agent.call("get_sample", json!({"flow_id": flow_id}));
    assert_eq!(again["structuredContent"]["request"], sample["request"]);
    let small = agent.call("get_sample", json!({"endpoint": id, "max_bytes": 2000}));
    assert!(text_of(&small).len() <= 2000);
    assert!(agent.refusal("get_sample", json!({})).contains("either endpoint or flow_id"));
    assert!(agent.refusal("get_sample", json!({"flow_id": "nope"})).contains("no flow has the id"));

    let url = sample["request"]["url"].as_str().unwrap();
    let explained = agent.call("explain_url", json!({"url": format!("GET {url}")}));
    let endpoint = &explained["structuredContent"]["endpoints"][0]["pattern"];
    assert_eq!(endpoint["id"], *id);
    assert!(endpoint["parameters"][0]["reasons"][0].is_string());
    let unknown = agent.call("explain_url", json!({"url": "/v1/user/7/order"}));
    assert_eq!(unknown["structuredContent"]["endpoints"], json!([]));
    for name in ["GET /v1/users/{id}/orders", url] {
        let by_name = agent.call("get_endpoint", json!({"id": name}));
        assert_eq!(by_name["structuredContent"]["pattern"]["id"], *id, "{name}");
    }
}

#[test]
fn a_standard_answer_repeats_nothing_and_names_lead_on() {
    let demo = crate::support::fixture("demo.mitm").to_str().unwrap().to_owned();
    let mut agent = Agent::start(&[&demo]);
    let answer = agent.patterns(json!({}));
    let rows = answer["patterns"].as_array().unwrap();
    let orders =
        rows.iter().find(|row| row["endpoint"] == "GET /v1/users/{user_id}/orders").unwrap();
    assert_eq!(orders["path_parameters"], json!({"user_id": "integer"}));
    assert_eq!(orders["query_parameters"], json!({"expand": "string", "status": "string"}));
    assert!(orders.get("parameters").is_none() && orders.get("id").is_none());
    assert!(orders.get("content_types").is_none());
    let hosts: Vec<&Value> = rows.iter().filter_map(|row| row.get("host")).collect();
    assert_eq!(hosts.len() as u64, answer["totals"]["hosts"].as_u64().unwrap());
    for tool in ["get_schema", "get_openapi"] {
        let by_name = agent.call(tool, json!({"id": "GET /v1/users/{user_id}/orders"}));
        let by_url =
            agent.call(tool, json!({"id": "GET https://api.shop.example/v1/users/7/orders"}));
        assert!(!by_name["isError"].as_bool().unwrap_or_default(), "{tool}: {by_name}");
        assert_eq!(by_name["structuredContent"], by_url["structuredContent"], "{tool}");
    }
    for tool in ["get_endpoint", "get_schema", "get_openapi"] {
        let refused = agent.refusal(tool, json!({"id": "GET /v1/users/{user_id}/order"}));
        assert!(
            refused.contains("similar are GET /v1/users/{user_id}/orders"),
            "{tool}: {refused}"
        );
    }
}

#[test]
fn the_text_form_lists_every_endpoint_once_and_is_short() {
    let demo = crate::support::fixture("demo.mitm").to_str().unwrap().to_owned();
    let mut agent = Agent::start(&[&demo]);
    let whole = agent.call("get_api_patterns", json!({"format": "text"}));
    let json = agent.call("get_api_patterns", json!({}));
    let text = text_of(&whole);
    assert_eq!(whole["structuredContent"]["result"], text);
    assert!(text.len() * 2 < text_of(&json).len(), "{}", text.len());
    assert!(
        text.contains("\n15 GET /v1/users/{user_id} 200x14 404\n")
            || text.contains("\n15 GET /v1/users/{user_id} 200x14 404x1\n"),
        "{text}"
    );
    assert_eq!(text.matches(" id=").count(), 2, "one name is on two hosts: {text}");
    let summary = agent.call("get_api_patterns", json!({"format": "text", "detail": "summary"}));
    assert!(text_of(&summary).contains("\n15 GET /v1/users/{user_id}\n"));
    let endpoints = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" /"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(endpoints(text).len(), 21);

    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "large.jsonl", &large_api());
    let mut agent = Agent::start(&[&path]);
    let (mut cursor, mut seen) = (String::new(), std::collections::BTreeSet::new());
    loop {
        let page = agent.call(
            "get_api_patterns",
            json!({"format": "text", "max_bytes": 4000, "cursor": cursor}),
        );
        let text = text_of(&page);
        assert!(text.len() <= 4000);
        for line in endpoints(text) {
            // Each endpoint is on ten hosts.
            let (_, id) = line.rsplit_once(" id=").expect("an id");
            assert!(seen.insert(id.to_owned()), "twice: {line}");
        }
        match page["structuredContent"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let all = agent.call("get_api_patterns", json!({"detail": "summary"}));
    assert_eq!(all["structuredContent"]["totals"]["patterns"], seen.len());
}

#[test]
fn endpoints_are_sorted_filtered_and_cut_as_by_the_program() {
    let demo = crate::support::fixture("demo.mitm").to_str().unwrap().to_owned();
    let mut agent = Agent::start(&[&demo]);
    let mut ask = |arguments: Value| {
        let answer = agent.call("get_api_patterns", arguments);
        answer["structuredContent"]["patterns"].as_array().unwrap().clone()
    };
    let slowest = ask(json!({"sort": "latency", "top": 2, "detail": "summary"}));
    assert_eq!(slowest.len(), 2);
    assert_eq!(slowest[0]["endpoint"], "GET /v1/slow");
    // A row has what it is sorted by, whatever the detail.
    assert!(slowest.iter().all(|row| row["latency_ms"]["p50"].is_number()), "{slowest:?}");
    let errors = ask(json!({"sort": "errors", "top": 1, "detail": "summary"}));
    assert_eq!(errors[0]["status_codes"], json!({"500": 2}));
    let found = ask(json!({"filter": "REFUNDS", "detail": "summary"}));
    assert_eq!(found.len(), 1);
    assert!(agent.refusal("get_api_patterns", json!({"top": 0})).contains("top must be"));
    // The words of the program's options are taken, too.
    let endpoint = agent.call("get_endpoint", json!({"endpoint": "GET /v1/slow"}));
    assert_eq!(endpoint["structuredContent"]["pattern"]["endpoint"], "GET /v1/slow");
    let found = agent.call("search_endpoints", json!({"query": "websocket"}));
    assert_eq!(found["structuredContent"]["found"][0]["words_in"], json!(["protocol"]));
}
