//! A gateway in front of a server in this process that notes all that reaches it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;

use super::*;

/// Lines that reached the server.
type Reached = Arc<Mutex<Vec<Value>>>;

/// A server with a handshake. It answers calls with their arguments; `twice` twice, `ask` when the user has answered, `silent` never,
/// and `die` ends it.
fn server(reached: &Reached) -> Upstream {
    let reached = Arc::clone(reached);
    Upstream::Local(Arc::new(move |input, mut output| {
        let reached = Arc::clone(&reached);
        tokio::spawn(async move {
            let mut lines = BufReader::new(input).lines();
            let mut waiting = Value::Null;
            while let Ok(Some(line)) = lines.next_line().await {
                let message: Value = serde_json::from_str(&line).unwrap();
                reached.lock().unwrap().push(message.clone());
                let (id, params) = (&message["id"], &message["params"]);
                let said = |id: &Value, text: &Value| {
                    let content = json!([{"type": "text", "text": text.to_string()}]);
                    json!({"jsonrpc": "2.0", "id": id, "result": {"content": content}})
                };
                let tools = ["echo", "denied", "hidden", "limited", "asked"];
                let tools: Vec<Value> = tools.iter().map(|name| json!({"name": name})).collect();
                let answers = match message["method"].as_str() {
                    Some("initialize") => vec![json!({"jsonrpc": "2.0", "id": id, "result": {
                        "protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": true}},
                        "serverInfo": {"name": "fake", "version": "1"}}})],
                    Some("server/discover") => vec![
                        json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}}),
                    ],
                    Some("tools/list") => {
                        vec![json!({"jsonrpc": "2.0", "id": id, "result": {"tools": tools}})]
                    }
                    Some("tools/call") => match params["name"].as_str().unwrap_or_default() {
                        "die" => return,
                        "silent" => vec![],
                        "twice" => vec![said(id, &json!(1)), said(id, &json!(2))],
                        "ask" => {
                            waiting = id.clone();
                            vec![
                                json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": {}}),
                            ]
                        }
                        _ => vec![said(id, &params["arguments"])],
                    },
                    Some(_) if !id.is_null() => {
                        vec![json!({"jsonrpc": "2.0", "id": id, "result": {}})]
                    }
                    None => vec![said(&waiting, &message["result"])],
                    _ => vec![],
                };
                for answer in answers {
                    output.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                }
            }
        });
    }))
}

fn policy() -> Value {
    json!({"version": "1", "default": "allow", "hide": ["hidden"], "tools": {
        "denied": {"action": "deny", "reason": "not you"},
        "limited": {"limits": [{"max": 2, "window": "hour"}]},
        "asked": {"action": "require_approval"},
        "checked": {"require": [{"path": "args.host", "op": "eq", "value": "own"}]}}})
}

struct TestGateway {
    folder: tempfile::TempDir,
    reached: Reached,
    gateway: Arc<Gateway>,
    told: Arc<Mutex<Vec<String>>>,
}

impl TestGateway {
    fn new() -> Self {
        Self::of(&Reached::default(), tempfile::tempdir().unwrap())
    }

    fn of(reached: &Reached, folder: tempfile::TempDir) -> Self {
        let file = |name: &str| folder.path().join(name);
        if !file("policy.json").exists() {
            std::fs::write(file("policy.json"), policy().to_string()).unwrap();
        }
        let settings = GatewaySettings {
            upstream: server(reached),
            policy: Some(file("policy.json")),
            audit: AuditSettings { path: Some(file("audit.jsonl")), ..AuditSettings::default() },
            store: Some(file("store.db")),
            answer: Some(Vec::new()),
            better: false,
            database: PathBuf::new(),
            identity: String::new(),
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let complain: OperatorMessages =
            Arc::new(move |what: &str| tell.lock().unwrap().push(what.to_owned()));
        let gateway = Arc::new(Gateway::new(settings, true, &complain).unwrap());
        Self { folder, reached: Arc::clone(reached), gateway, told }
    }

    /// The tools whose calls reached the server.
    fn called(&self) -> Vec<String> {
        let reached = self.reached.lock().unwrap();
        let calls = reached.iter().filter(|message| {
            message["method"]
                .as_str()
                .is_some_and(|method| method.to_lowercase().contains("tools/call"))
        });
        calls.map(|call| call["params"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn log(&self) -> Vec<Value> {
        self.gateway.rulings.flush();
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn decisions(&self) -> Vec<String> {
        let lines = self.log().into_iter().filter(|line| line["event"] != "outcome");
        lines.map(|line| line["decision"].as_str().unwrap().to_owned()).collect()
    }
}

/// A client over pipes.
struct TestClient {
    output: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    session: JoinHandle<SessionEnd>,
    id: u64,
}

impl TestClient {
    fn connect(gateway: &TestGateway) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(far);
        let (port, _) = stdio::open(input, output);
        let caller = Caller { session: "test".to_owned(), ..Caller::default() };
        let session = tokio::spawn(session::serve(Arc::clone(&gateway.gateway), caller, port));
        let (input, output) = tokio::io::split(near);
        Self { output, lines: BufReader::new(input).lines(), session, id: 100 }
    }

    async fn initialized(gateway: &TestGateway, capabilities: Value) -> Self {
        let mut client = Self::connect(gateway);
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": {"name": "t\u{1b}[31m"}});
        let answer = client.ask("initialize", params).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "fake", "{answer}");
        client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    async fn send(&mut self, line: &str) {
        self.output.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("an answer in time").unwrap().unwrap()).unwrap()
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params});
        self.send(&request.to_string()).await;
        loop {
            let answer = self.next().await;
            if answer["id"] == self.id {
                return answer;
            }
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    async fn refusal(&mut self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments).await;
        assert_eq!(answer["result"]["isError"], true, "{tool}: {answer}");
        answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn calls_are_passed_on_by_the_rules_alone() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        let listed = client.ask("tools/list", json!({})).await;
        let names: Vec<&Value> = listed["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["name"])
            .collect();
        assert_eq!(names, ["echo", "limited", "asked"]);
        assert!(client.call("echo", json!({"a": 1})).await["result"]["isError"].is_null());
        assert_eq!(client.refusal("denied", json!({})).await, "not you");
        assert_eq!(client.call("hidden", json!({})).await["error"]["code"], -32602);
        assert!(client.refusal("asked", json!({})).await.contains("cannot ask"));
        for name in ["Denied", "ｄenied", "denied\u{200b}", "DENIED "] {
            client.refusal(name, json!({})).await;
        }
        client.refusal("checked", json!({"host": "own", "Host": "other"})).await;
        client.call("checked", json!({"host": "own"})).await;
        client.call("limited", json!({})).await;
        client.call("limited", json!({})).await;
        assert!(client.refusal("limited", json!({})).await.contains("2 calls of this tool"));
        assert_eq!(gateway.called(), ["echo", "checked", "limited", "limited"]);
        let decisions = gateway.decisions();
        let count = |word: &str| decisions.iter().filter(|decision| *decision == word).count();
        assert_eq!(
            (count("allow"), count("deny"), count("hidden"), count("rate_limited")),
            (4, 6, 1, 1)
        );
        let client_name = gateway.log()[0]["client"].as_str().unwrap().to_owned();
        assert!(!client_name.contains('\u{1b}'), "{client_name}");
    });
}

#[test]
fn limits_survive_a_restart_and_an_edit_of_the_policy() {
    run(async {
        let reached = Reached::default();
        let first = TestGateway::of(&reached, tempfile::tempdir().unwrap());
        let mut client = TestClient::initialized(&first, json!({})).await;
        client.call("limited", json!({})).await;
        client.call("limited", json!({})).await;
        drop(client);
        let TestGateway { folder, .. } = first;
        let second = TestGateway::of(&reached, folder);
        let mut client = TestClient::initialized(&second, json!({})).await;
        client.refusal("limited", json!({})).await;
        let mut new = policy();
        new["tools"]["limited"]["limits"] =
            json!([{"max": 3, "window": "day"}, {"max": 3, "window": "hour"}]);
        std::fs::write(second.folder.path().join("policy.json"), new.to_string()).unwrap();
        client.call("limited", json!({})).await;
        client.refusal("limited", json!({})).await;
        std::fs::write(second.folder.path().join("policy.json"), "{").unwrap();
        client.refusal("denied", json!({})).await;
        assert!(second.told.lock().unwrap().iter().any(|told| told.contains("stays in force")));
        assert_eq!(second.called().len(), 3);
    });
}

#[test]
fn what_is_not_a_call_does_not_become_one() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":9,"method":"x","params":{{"a":{}1{}}}}}"#,
            "[".repeat(100),
            "]".repeat(100)
        );
        let long = format!(
            r#"{{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{{"name":"{}"}}}}"#,
            "x".repeat(5 << 20)
        );
        let call = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":7,{rest}}}"#);
        for (line, code) in [
            (call(r#""method":"tools/call","method":"ping","params":{"name":"denied"}"#), -32600),
            (call(r#""method":"ping","Method":"tools/call","params":{"name":"denied"}"#), -32600),
            (call(r#""method":"Tools/Call","params":{"name":"denied"}"#), -32601),
            (call(r#""method":"tools/call2","params":{"name":"denied"}"#), -32601),
            (call(r#""method":"tools/call","params":{"name":"echo","Name":"denied"}"#), -32602),
            (call(r#""method":"tools/call","params":{"name":"echo","name":"denied"}"#), -32600),
            (call(r#""method":"tools/call","params":["denied"]"#), -32602),
            (call(r#""method":"tools/call","params":{"name":["denied"]}"#), -32602),
            (call(r#""method":"tools/call","params":{"name":"echo","arguments":[]}"#), -32602),
            (call(r#""method":"initialize","params":{}"#), -32600),
            (format!("[{}]", call(r#""method":"tools/call","params":{"name":"denied"}"#)), -32600),
            (deep, -32600),
            (long, -32600),
            ("nonsense".to_owned(), -32700),
        ] {
            client.send(&line).await;
            let answer = client.next().await;
            assert_eq!(answer["error"]["code"], code, "{line:.120}: {answer}");
        }
        // Without an id there is nobody to answer.
        client.send(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"denied"}}"#).await;
        // An answer to what was never asked.
        client.send(r#"{"jsonrpc":"2.0","id":"tools/call","result":{"action":"accept"}}"#).await;
        client.call("echo", json!({})).await;
        assert_eq!(gateway.called(), ["echo"]);
        assert_eq!(gateway.decisions().iter().filter(|it| *it == "invalid_message").count(), 15);
        let answers = |message: &Value| message.get("result").is_some();
        assert!(!gateway.reached.lock().unwrap().iter().any(answers));
    });
}

#[test]
fn an_approval_is_for_one_call() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({"elicitation": {}})).await;
        let approve = async |client: &mut TestClient, id: u64, arguments: &str, action: &str| {
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"asked","arguments":{arguments}}}}}"#
            );
            client.send(&call).await;
            let question = client.next().await;
            assert_eq!(question["method"], "elicitation/create");
            assert!(
                question["params"]["message"].as_str().unwrap().contains(arguments),
                "{question}"
            );
            let answer =
                json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action}});
            client.send(&answer.to_string()).await;
            // The second answer to one question is an answer to none.
            client.send(&answer.to_string()).await;
            client.next().await
        };
        let accepted = approve(&mut client, 1, r#"{"n":1}"#, "accept").await;
        assert!(accepted["result"]["isError"].is_null(), "{accepted}");
        let declined = approve(&mut client, 2, r#"{"n":2}"#, "decline").await;
        assert_eq!(declined["result"]["isError"], true);
        assert_eq!(gateway.called(), ["asked"]);
        assert_eq!(
            gateway.decisions(),
            ["approval_asked", "approved", "approval_asked", "declined"]
        );
    });
}

#[test]
fn an_approval_without_a_handshake_is_for_one_call() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::connect(&gateway);
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}});
        let call = |n: u64, more: Value| {
            let mut params = json!({"name": "asked", "arguments": {"n": n}, "_meta": meta});
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            params
        };
        let accept = |state: &Value| json!({"requestState": state, "inputResponses": {"approval": {"action": "accept"}}});
        let mut states = Vec::new();
        for _ in 0..3 {
            let asked = client.ask("tools/call", call(1, json!({}))).await;
            assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
            states.push(asked["result"]["requestState"].clone());
        }
        // Other arguments, the same state again, and one that was made up.
        let other = client.ask("tools/call", call(2, accept(&states[0]))).await;
        assert_eq!(other["result"]["isError"], true, "{other}");
        let done = client.ask("tools/call", call(1, accept(&states[1]))).await;
        assert_eq!(done["result"]["resultType"], "complete", "{done}");
        for state in [&states[1], &json!("made up")] {
            let again = client.ask("tools/call", call(1, accept(state))).await;
            assert_eq!(again["result"]["resultType"], "input_required", "{again}");
        }
        assert_eq!(gateway.called(), ["asked"]);
    });
}

#[test]
fn answers_are_those_of_the_requests_that_are_under_way() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({"elicitation": {}})).await;
        client.call("twice", json!({})).await;
        assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
        // A server that asks with the id of the client's call.
        client
            .send(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"ask"}}"#)
            .await;
        let question = client.next().await;
        assert_eq!(
            (&question["method"], &question["id"]),
            (&json!("elicitation/create"), &json!(5))
        );
        client.send(r#"{"jsonrpc":"2.0","id":5,"result":{"action":"accept"}}"#).await;
        assert!(
            client.next().await["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("accept")
        );
        // One id for two requests at once.
        client
            .send(r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"silent"}}"#)
            .await;
        client
            .send(r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"echo"}}"#)
            .await;
        assert_eq!(client.next().await["error"]["code"], -32600);
        client
            .send(
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}"#,
            )
            .await;
        client.call("echo", json!({})).await;
        let outcomes: Vec<Value> =
            gateway.log().into_iter().filter(|line| line["tool"] == "silent").collect();
        assert_eq!(outcomes[1]["upstream"], "canceled");
    });
}

#[test]
fn the_answer_of_a_canceled_request_is_not_that_of_another() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        let lines = [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        ];
        client.send(&lines.join("\n")).await;
        let answer = client.next().await;
        assert!(answer["error"]["code"] == -32600 || answer["result"] == json!({}), "{answer}");
        client.call("echo", json!({})).await;
    });
}

#[test]
fn many_requests_at_once_are_all_answered() {
    run(async {
        let gateway = TestGateway::new();
        let client = TestClient::initialized(&gateway, json!({})).await;
        let TestClient { mut output, mut lines, .. } = client;
        let big = "x".repeat(20_000);
        let writer = tokio::spawn(async move {
            for id in 0..900 {
                let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "arguments": {"a": big}}});
                output.write_all(format!("{call}\n").as_bytes()).await.unwrap();
            }
            output
        });
        for _ in 0..900 {
            let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line())
                .await
                .expect("an answer in time");
            assert!(line.unwrap().unwrap().contains("xxx"));
        }
        drop(writer.await.unwrap());
    });
}

#[test]
fn an_approval_is_for_numbers_as_they_were_written() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::connect(&gateway);
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
        let call = |id: u32, account: &str, more: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"asked","arguments":{{"account":{account}}},{meta}{more}}}}}"#
            )
        };
        client.send(&call(1, "100000000000000000000", "")).await;
        let asked = client.next().await;
        assert!(asked.to_string().contains("100000000000000000000"), "{asked}");
        let state = &asked["result"]["requestState"];
        let more = format!(
            r#","requestState":{state},"inputResponses":{{"approval":{{"action":"accept"}}}}"#
        );
        client.send(&call(2, "100000000000000000007", &more)).await;
        assert_eq!(client.next().await["result"]["isError"], true);
        assert_eq!(gateway.called(), Vec::<String>::new());
    });
}

#[test]
fn every_allowed_call_has_one_outcome_however_the_session_ends() {
    run(async {
        let gateway = TestGateway::new();
        let TestClient { mut output, session, .. } =
            TestClient::initialized(&gateway, json!({})).await;
        let mut calls = String::new();
        for id in 0..300 {
            let name = if id % 3 == 0 { "limited" } else { "silent" };
            let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name}});
            calls += &call.to_string();
            calls.push('\n');
        }
        output.write_all(calls.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        session.abort();
        session.await.unwrap_err();
        gateway.gateway.rulings.flush();
        // Rulings that nobody heard are noted after they were made.
        let log = gateway.log();
        let of = |event: &str, word: &str, value: &str| {
            let mut numbers: Vec<u64> = log
                .iter()
                .filter(|line| line["event"] == event && (value.is_empty() || line[word] == value))
                .map(|line| line["call"].as_u64().unwrap())
                .collect();
            numbers.sort_unstable();
            numbers
        };
        let allowed = of("decision", "decision", "allow");
        assert_eq!(allowed, of("outcome", "", ""));
        // What did not reach the server took nothing of its limit.
        let limited = gateway.called().iter().filter(|name| *name == "limited").count();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        for _ in limited..2 {
            assert!(client.call("limited", json!({})).await["result"]["isError"].is_null());
        }
        client.refusal("limited", json!({})).await;
    });
}

#[test]
fn calls_under_way_are_answered_when_the_server_ends() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        client
            .send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"silent"}}"#)
            .await;
        client
            .send(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"die"}}"#)
            .await;
        for _ in 0..2 {
            let answer = client.next().await;
            let why = answer["error"]["message"].as_str().unwrap();
            assert!(why.contains("ended before it answered"), "{answer}");
        }
        assert!(matches!(client.session.await.unwrap(), SessionEnd::Server(_)));
    });
}

#[test]
fn nothing_is_passed_on_that_cannot_be_logged_or_counted() {
    run(async {
        let gateway = TestGateway::new();
        let mut client = TestClient::initialized(&gateway, json!({})).await;
        client.call("echo", json!({})).await;
        let log = gateway.folder.path().join("audit.jsonl");
        gateway.gateway.rulings.flush();
        std::fs::remove_file(&log).unwrap();
        std::fs::create_dir(&log).unwrap();
        assert!(client.refusal("echo", json!({})).await.contains("audit log"));
        assert!(client.refusal("limited", json!({})).await.contains("audit log"));
        std::fs::remove_dir(&log).unwrap();
        // What was refused took nothing of the limit.
        client.call("limited", json!({})).await;
        let store = rusqlite::Connection::open(gateway.folder.path().join("store.db")).unwrap();
        store.execute_batch("DROP TABLE uses").unwrap();
        assert!(client.refusal("limited", json!({})).await.contains("cannot count"));
        client.call("echo", json!({})).await;
        // A store in the place of another counts nothing for those that have the old one.
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            std::fs::remove_file(gateway.folder.path().join(name)).unwrap_or_default();
        }
        assert!(client.refusal("limited", json!({})).await.contains("cannot count"));
        assert_eq!(gateway.called(), ["echo", "limited", "echo"]);
    });
}
