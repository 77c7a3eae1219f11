//! The gateway as its users run it: in front of a program over pipes and over HTTP, with grants, and the commands around it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::fixture;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_api-patterns"))
}

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The server of captures as the program behind the gateway.
fn server() -> Vec<String> {
    vec![
        "--".to_owned(),
        binary().display().to_string(),
        "mcp".to_owned(),
        fixture("demo.mitm").display().to_string(),
    ]
}

struct HttpGateway {
    child: Child,
    address: String,
    page_token: String,
}

impl HttpGateway {
    fn start(options: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["gateway", "--listen", "127.0.0.1:0"])
            .args(options)
            .args(server())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let page_token = line.trim_end().rsplit('#').next().unwrap().to_owned();
        Self { child, address, page_token }
    }

    /// The whole answer to a request, of which the head is given without the host.
    fn ask(&self, head: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, headers: &str, message: &Value) -> String {
        let headers = format!(
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{headers}"
        );
        self.ask("POST /mcp", &headers, &message.to_string())
    }

    fn initialize(&self, headers: &str) -> String {
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        self.post(
            headers,
            &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}),
        )
    }
}

impl Drop for HttpGateway {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn grant(store: &str, name: &str, more: &[&str]) -> String {
    let made = run(&[&["gateway", "grant", name, "--store", store], more].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout).trim().to_owned()
}

fn session_of(answer: &str) -> String {
    let line = answer.lines().find(|line| line.to_lowercase().starts_with("mcp-session-id:"));
    line.unwrap_or_else(|| panic!("{answer}")).split(": ").nth(1).unwrap().to_owned()
}

#[test]
fn a_server_behind_the_gateway_answers_as_without_it() {
    let requests = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":"three","method":"tools/call","params":{"name":"get_api_patterns","arguments":{"limit":5}}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"get_endpoint","arguments":{"id":"nothing"}}}"#,
    ];
    let answers = |command: &mut Command| {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(output).lines().map(Result::unwrap);
        let mut answers = Vec::new();
        for request in requests {
            writeln!(input, "{request}").unwrap();
            if request.contains("\"id\"") {
                answers.push(lines.next().unwrap());
            }
        }
        drop(input);
        answers.extend(lines);
        assert!(child.wait().unwrap().success());
        answers
    };
    let server = server();
    let without = answers(Command::new(&server[1]).args(&server[2..]));
    let through = answers(Command::new(binary()).arg("gateway").args(&server));
    assert_eq!(without.len(), 4);
    assert_eq!(without, through);
}

/// A script writes all that it asks at once and ends its input, also before the server has started.
#[test]
fn what_was_asked_before_the_input_ended_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.json");
    std::fs::write(&policy, r#"{"version": "1", "default": "allow", "tools": {"get_auth": {"action": "deny", "reason": "No."}}}"#).unwrap();
    let start = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    let call = |id: u64, name: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": {}}});
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": start}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        call(2, "get_api_patterns"),
        call(3, "get_auth"),
    ];
    let input = lines.map(|line| line.to_string()).join("\n") + "\n";
    let server = server();
    let store = folder.path().join("store.db");
    let mut arguments =
        vec!["gateway", "--policy", policy.to_str().unwrap(), "--store", store.to_str().unwrap()];
    arguments.extend(server.iter().map(String::as_str));
    let output = crate::support::program_with_input(&arguments, input.as_bytes());
    let mut answers: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    let ids: Vec<u64> = answers.iter().filter_map(|answer| answer["id"].as_u64()).collect();
    assert_eq!((output.code, ids), (Some(0), vec![1, 2, 3]), "{}", output.stderr);
    assert!(answers[1]["result"]["structuredContent"].is_object(), "{}", answers[1]);
    assert!(answers[2].to_string().contains("No."), "{}", answers[2]);
}

#[test]
fn a_grant_opens_its_own_sessions_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let store = file("store.db");
    let refused = run(&["gateway", "--listen", "127.0.0.1:0", "--store", &store, "--", "true"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("gateway grant NAME"), "{}", text(&refused.stderr));
    let (alice, bob) = (grant(&store, "alice", &[]), grant(&store, "bob", &[]));
    let policy =
        json!({"version": "1", "default": "allow", "identities": {"bob": {"default": "deny"}}});
    std::fs::write(file("policy.json"), policy.to_string()).unwrap();
    let (policy, log) = (file("policy.json"), file("audit.jsonl"));
    let gateway =
        HttpGateway::start(&["--store", &store, "--policy", &policy, "--audit-log", &log]);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for headers in [
        String::new(),
        bearer("apg_nothing"),
        format!("{}{}", bearer(&alice), bearer(&bob)),
        format!("Authorization: Basic {alice}\r\n"),
    ] {
        assert!(gateway.initialize(&headers).starts_with("HTTP/1.1 401"), "{headers}");
    }
    let in_url = gateway.ask(&format!("POST /mcp?access_token={alice}"), "", "");
    assert!(in_url.starts_with("HTTP/1.1 400"), "{in_url}");
    let opened = gateway.initialize(&bearer(&alice));
    let session = session_of(&opened);
    let call =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_auth"}});
    let with =
        |token: &str, session: &str| format!("{}Mcp-Session-Id: {session}\r\n", bearer(token));
    assert!(gateway.post(&with(&alice, &session), &call).contains("\"content\""));
    assert!(gateway.post(&with(&bob, &session), &call).starts_with("HTTP/1.1 404"));
    assert!(gateway.ask("DELETE /mcp", &with(&bob, &session), "").starts_with("HTTP/1.1 404"));
    let own = session_of(&gateway.initialize(&bearer(&bob)));
    let denied = gateway.post(&with(&bob, &own), &call);
    assert!(denied.contains("policy does not allow"), "{denied}");
    // Another host, and a page of another site.
    let rebound = gateway.ask("POST /mcp", "Origin: http://evil.example\r\n", "{}");
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    stream
        .write_all(b"GET /mcp HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // From the next request on.
    assert!(run(&["gateway", "revoke", "alice", "--store", &store]).status.success());
    assert!(gateway.post(&with(&alice, &session), &call).starts_with("HTTP/1.1 401"));
    let new = grant(&store, "bob", &["--rotate"]);
    assert!(gateway.post(&with(&bob, &own), &call).starts_with("HTTP/1.1 401"));
    assert!(gateway.post(&with(&new, &own), &call).starts_with("HTTP/1.1 200"));
    let listed = text(&run(&["gateway", "grants", "--store", &store]).stdout);
    assert!(listed.starts_with("bob  made ") && listed.lines().count() == 1, "{listed}");
    let log = std::fs::read_to_string(&log).unwrap();
    for secret in [&alice, &bob, &new] {
        assert!(!log.contains(secret.as_str()) && !listed.contains(secret.as_str()));
    }
    let summary = run(&["audit", &file("audit.jsonl")]);
    let summary = text(&summary.stdout);
    assert!(
        summary.contains("/identities/bob/default") && summary.contains("get_auth"),
        "{summary}"
    );
}

#[test]
fn requests_without_a_handshake_need_headers_that_agree() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db").display().to_string();
    let gateway = HttpGateway::start(&["--without-grants", "--store", &store]);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "get_auth", "_meta": meta}});
    let headers = |version: &str, method: &str, name: &str| {
        format!("MCP-Protocol-Version: {version}\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n")
    };
    let answer = gateway.post(&headers("2026-07-28", "tools/call", "get_auth"), &call);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"id\":7,"), "{answer}");
    for wrong in [
        headers("2026-07-28", "tools/list", "get_auth"),
        headers("2026-07-28", "tools/call", "get_sample"),
        headers("2025-06-18", "tools/call", "get_auth"),
        headers("2026-07-28", "tools/call", "get_auth\r\nMcp-Name: get_sample"),
    ] {
        let answer = gateway.post(&wrong, &call);
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("-32020"),
            "{wrong}: {answer}"
        );
    }
    let smuggled = gateway.post("Transfer-Encoding: chunked\r\n", &call);
    assert!(!smuggled.contains("\"content\""), "{smuggled}");
}

#[test]
fn the_page_of_the_operator_needs_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db").display().to_string();
    let gateway = HttpGateway::start(&["--without-grants", "--store", &store]);
    let page = gateway.ask("GET /", "", "");
    assert!(
        page.starts_with("HTTP/1.1 200")
            && page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    for headers in ["", "Authorization: Bearer nothing\r\n"] {
        assert!(gateway.ask("GET /operator/state", headers, "").starts_with("HTTP/1.1 401"));
        assert!(gateway.ask("POST /operator/try", headers, "{}").starts_with("HTTP/1.1 401"));
    }
    let session = session_of(&gateway.initialize(""));
    let in_session = format!("Mcp-Session-Id: {session}\r\n");
    gateway.post(&in_session, &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    gateway.post(
        &in_session,
        &json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "get_auth"}}),
    );
    let own = format!("Authorization: Bearer {}\r\n", gateway.page_token);
    let answer = gateway.ask("GET /operator/state", &own, "");
    let state: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        (state["tools"].as_array().unwrap().len(), &state["calls"][0]["tool"]),
        (9, &json!("get_auth"))
    );
    let draft = json!({"version": "1", "tools": {"a": {}}}).to_string();
    let trial = json!({"policy": draft, "tool": "b", "arguments": {}, "identity": ""});
    let answer = gateway.ask("POST /operator/try", &own, &trial.to_string());
    assert!(answer.contains(r#""decision":"deny","rule":"/default""#), "{answer}");
}

#[test]
fn a_scan_writes_a_policy_that_the_check_takes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.json").display().to_string();
    let server: Vec<String> = server();
    let server: Vec<&str> = server.iter().map(|part| &**part).collect();
    let scan = run(&[&["policy", "scan", "--output", &path], &*server].concat());
    assert!(scan.status.success(), "{}", text(&scan.stderr));
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(policy["tools"].as_object().unwrap().len(), 9);
    assert!(text(&scan.stderr).contains("the server says readOnlyHint: true"));
    assert!(run(&[&["policy", "check", &path], &*server].concat()).status.success());
    // It is not written over.
    assert_eq!(
        run(&[&["policy", "scan", "--output", &path], &*server].concat()).status.code(),
        Some(2)
    );
    std::fs::write(&path, r#"{"version": "1", "tools": {"start_proxy": {}}}"#).unwrap();
    let wrong = run(&[&["policy", "check", &path], &*server].concat());
    assert!(
        text(&wrong.stderr).contains("there is no tool start_proxy"),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn what_cannot_be_run_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nothing").display().to_string();
    for (arguments, why) in [
        (vec!["gateway"], "no server was named"),
        (vec!["gateway", "--policy", &missing, "--", "true"], "no such file"),
        (vec!["gateway", "--answer", "list_rules", "--", "true"], "the gateway answers"),
        (vec!["gateway", "--upstream", "ftp://x"], "http or https"),
        (vec!["gateway", "--upstream", "http://a:b@x"], "password"),
        (
            vec!["gateway", "--upstream", "http://x", "--header-env", "A=NOT_SET_ANYWHERE"],
            "NOT_SET_ANYWHERE",
        ),
        (
            vec![
                "gateway",
                "--listen",
                "0.0.0.0:0",
                "--without-grants",
                "--store",
                "STORE",
                "--",
                "true",
            ],
            "loopback",
        ),
        (vec!["policy", "scan", "--", "/nothing/there"], "cannot be started"),
        (vec!["audit", &missing], "no such file"),
        (vec!["audit", "README.md"], "README.md: this is not an audit log"),
        (vec!["audit", "fixtures/demo.jsonl"], "this is not an audit log"),
        (vec!["audit", "fixtures/demo.mitm"], "this is not an audit log"),
    ] {
        let store = folder.path().join("store.db").display().to_string();
        let arguments: Vec<&str> =
            arguments.into_iter().map(|it| if it == "STORE" { &*store } else { it }).collect();
        let output = Command::new(binary()).args(&arguments).stdin(Stdio::null()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
    assert!(!Path::new(&missing).exists());
}

#[test]
fn the_server_of_captures_is_served_over_http_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db").display().to_string();
    let mut child = Command::new(binary())
        .args([
            "mcp",
            &fixture("demo.mitm").display().to_string(),
            "--listen",
            "127.0.0.1:0",
            "--without-grants",
            "--store",
            &store,
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let gateway = HttpGateway { child, address, page_token: String::new() };
    let session = session_of(&gateway.initialize(""));
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_api_patterns"}});
    let answer = gateway.post(&format!("Mcp-Session-Id: {session}\r\n"), &call);
    assert!(answer.contains("/v1/users/{user_id}"), "{answer}");
}
