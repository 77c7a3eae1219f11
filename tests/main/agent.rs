//! Client of `api-patterns mcp` that implements the protocol by hand, so that a test sees every byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Variant of the protocol that the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolEra {
    /// Protocol version with an initialization handshake.
    Legacy(&'static str),
    /// Protocol version without a handshake: every request carries the client's name and capabilities.
    Stateless,
}

pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    era: ProtocolEra,
    name: String,
    /// Capabilities that the client declares.
    capabilities: Value,
    last: u64,
    early: BTreeMap<u64, Value>,
    /// All lines received from the server.
    pub transcript: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Agent {
    /// Starts a server with the given arguments and initializes the session.
    pub fn start(arguments: &[&str]) -> Self {
        Self::of(ProtocolEra::Stateless, "test", json!({}), arguments)
    }

    pub fn of(era: ProtocolEra, name: &str, capabilities: Value, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_api-patterns"));
        command.arg("mcp").args(arguments);
        Self::run(era, name, capabilities, command)
    }

    pub fn run(era: ProtocolEra, name: &str, capabilities: Value, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut agent = Self {
            child,
            stdin,
            lines,
            era,
            name: name.to_owned(),
            capabilities,
            last: 0,
            early: BTreeMap::new(),
            transcript: Vec::new(),
        };
        if let ProtocolEra::Legacy(version) = era {
            let hello = json!({
                "protocolVersion": version,
                "capabilities": agent.capabilities,
                "clientInfo": {"name": name, "version": "1"},
            });
            let answer = agent.ask("initialize", hello);
            assert_eq!(answer["result"]["protocolVersion"], version);
            agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
        agent
    }

    /// Changes the name of the client in later requests, which is possible only without a handshake.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    pub fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a request and returns its id.
    pub fn request(&mut self, method: &str, mut params: Value) -> u64 {
        self.last += 1;
        if self.era == ProtocolEra::Stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": self.name, "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            });
        }
        let message =
            json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.send(&message);
        self.last
    }

    /// Returns the next message from the server.
    pub fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("the server says something");
        self.transcript.push(line.clone());
        serde_json::from_str(&line).expect("one JSON message a line")
    }

    /// Returns the answer to a request.
    pub fn answer(&mut self, number: u64) -> Value {
        if let Some(answer) = self.early.remove(&number) {
            return answer;
        }
        loop {
            let message = self.next();
            match message["id"].as_u64().filter(|_| message.get("method").is_none()) {
                Some(id) if id == number => return message,
                Some(id) => drop(self.early.insert(id, message)),
                None => {}
            }
        }
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let number = self.request(method, params);
        self.answer(number)
    }

    /// Calls a tool and returns its result.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments are written where they are needed"
    )]
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// Returns the answer of `get_api_patterns`.
    pub fn patterns(&mut self, arguments: Value) -> Value {
        let result = self.call("get_api_patterns", arguments);
        assert_ne!(result["isError"], true, "{result}");
        let text: Value = serde_json::from_str(text_of(&result)).unwrap();
        assert_eq!(text, result["structuredContent"], "both say the same");
        text
    }

    /// Returns the error message of a tool call that must fail.
    pub fn refusal(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{result}");
        text_of(&result).to_owned()
    }

    /// Disconnects. Returns the exit code and the server's stderr.
    pub fn leave(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }

    /// Kills the server, as in a crash.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the text of a result.
pub fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}
