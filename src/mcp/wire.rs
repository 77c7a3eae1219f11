//! Guard between the client and the protocol library: answers invalid messages with an error, and limits requests
//! without an answer.
//!
//! The library ignores lines that it cannot parse, so the client would wait for ever. It also accepts requests while
//! the client does not read the answers, so they would accumulate in memory. Error codes:
//! <https://www.jsonrpc.org/specification>.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::service::RxJsonRpcMessage;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::jsonrpc::envelope::{Envelope, is_too_deep};
use crate::jsonrpc::lines::skip_line;
use crate::jsonrpc::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR};

/// Maximum length of a message, in bytes.
const MAX_MESSAGE_BYTES: u64 = 1 << 20;

/// Maximum number of requests that were not answered yet, or whose answer the client has not read yet.
const MAX_WAITING: usize = 64;

/// Capacity of the pipes between the library and the client's streams, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// Ids of the requests that were not answered yet.
#[derive(Default)]
struct PendingRequests {
    ids: Mutex<BTreeSet<String>>,
    answered: Notify,
}

impl PendingRequests {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>)) {
        change(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner));
        self.answered.notify_one();
    }

    async fn wait_for_capacity(&self) {
        loop {
            let answered = self.answered.notified();
            if self.ids.lock().unwrap_or_else(PoisonError::into_inner).len() < MAX_WAITING {
                return;
            }
            answered.await;
        }
    }
}

/// Wraps the client's two streams. Returns the streams for the library, and a task that ends once all answers are
/// written. Must be called within a Tokio runtime.
pub(super) fn guard_streams(
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> ((DuplexStream, DuplexStream), JoinHandle<()>) {
    let (requests, passed_on) = tokio::io::duplex(BUFFER_BYTES);
    let (answers, answered) = tokio::io::duplex(BUFFER_BYTES);
    let (errors, refused) = mpsc::channel(1);
    let waiting = Arc::new(PendingRequests::default());
    tokio::spawn(read(input, requests, errors, Arc::clone(&waiting)));
    let writer = tokio::spawn(write(output, answered, refused, waiting));
    ((passed_on, answers), writer)
}

/// Reads the client's messages line by line and forwards the valid ones.
async fn read(
    input: impl AsyncRead + Unpin,
    mut requests: DuplexStream,
    errors: mpsc::Sender<Vec<u8>>,
    waiting: Arc<PendingRequests>,
) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        waiting.wait_for_capacity().await;
        line.clear();
        let mut most = (&mut input).take(MAX_MESSAGE_BYTES);
        match most.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let is_whole = line.ends_with(b"\n") || (line.len() as u64) < MAX_MESSAGE_BYTES;
        if !is_whole && !skip_line(&mut input).await {
            return;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let envelope = Envelope::of(text);
        let refusal = if is_whole {
            refusal(text, &envelope)
        } else {
            Some((INVALID_REQUEST, "this message is longer than the 1 MB that are read"))
        };
        if let Some((code, why)) = refusal {
            if errors.send(error(&envelope, code, why)).await.is_err() {
                return;
            }
            continue;
        }
        waiting.change(|ids| {
            if let Some(id) = envelope.canceled.as_ref() {
                ids.remove(id);
            } else if let Some(id) = envelope.id.filter(|_| envelope.has_method) {
                ids.insert(id);
            }
        });
        line.truncate(line.trim_ascii_end().len());
        line.push(b'\n');
        if requests.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Returns the error code and message for a line that cannot be forwarded, or `None` for a valid message.
fn refusal(text: &[u8], envelope: &Envelope) -> Option<(i32, &'static str)> {
    if is_too_deep(text) {
        return Some((
            INVALID_REQUEST,
            "this message is nested more than 64 levels deep; send it with fewer",
        ));
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err()
        || std::str::from_utf8(text).is_err()
    {
        return Some((
            PARSE_ERROR,
            "this line is not JSON; a message is one JSON object in one line",
        ));
    }
    if serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(text).is_ok() {
        return None;
    }
    if envelope.has_method && envelope.has_version {
        return Some((INVALID_PARAMS, "the parameters of this message do not fit its method"));
    }
    Some((
        INVALID_REQUEST,
        "this is not a message of JSON-RPC 2.0; one is an object with \"jsonrpc\": \"2.0\" and a \"method\"",
    ))
}

fn error(envelope: &Envelope, code: i32, why: &str) -> Vec<u8> {
    let id = envelope.id.as_deref().unwrap_or("null");
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":{}}}}}\n",
        quoted(why)
    )
    .into_bytes()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes answers and errors to the client, line by line.
async fn write(
    mut output: impl AsyncWrite + Unpin,
    answered: DuplexStream,
    mut refused: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<PendingRequests>,
) {
    let mut answers = BufReader::new(answered);
    let mut line = Vec::new();
    let mut has_reader = true;
    loop {
        let is_answer = tokio::select! {
            // Cancel-safe: the part of a line that was read stays in `line`.
            read = answers.read_until(b'\n', &mut line) => {
                if !matches!(read, Ok(count) if count > 0) && line.is_empty() {
                    return;
                }
                true
            }
            error = refused.recv(), if has_reader => {
                match error {
                    Some(error) => {
                        if output.write_all(&error).await.is_err() || output.flush().await.is_err() {
                            return;
                        }
                    }
                    None => has_reader = false,
                }
                false
            }
        };
        if !is_answer {
            continue;
        }
        if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
            return;
        }
        let envelope = Envelope::of(&line);
        if let Some(id) = envelope.id.filter(|_| !envelope.has_method) {
            waiting.change(|ids| {
                ids.remove(&id);
            });
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn what_is_no_message_is_answered_and_the_rest_passed_on() {
        run(async {
            let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
            let long =
                format!(r#"{{"jsonrpc":"2.0","id":"x","method":"{}"}}"#, "y".repeat(2 << 20));
            let deep = format!(r#"{{"id":3,"a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
            let lines =
                ["nonsense", ping, "[1]", &long, &deep, r#"{"id":4}"#, ping].join("\n") + "\n";
            let input = std::io::Cursor::new(lines.into_bytes());
            let (output, mut client) = tokio::io::duplex(1 << 20);
            let ((mut requests, answers), _writer) = guard_streams(input, output);
            let mut passed = String::new();
            requests.read_to_string(&mut passed).await.unwrap();
            assert_eq!(passed, format!("{ping}\n{ping}\n"));
            drop(answers);
            let mut said = String::new();
            client.read_to_string(&mut said).await.unwrap();
            let codes: Vec<serde_json::Value> =
                said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let ids: Vec<String> = codes.iter().map(|error| error["id"].to_string()).collect();
            assert_eq!(ids, ["null", "null", "\"x\"", "3", "4"]);
            assert_eq!(codes[0]["error"]["code"], PARSE_ERROR);
        });
    }

    #[test]
    fn a_client_that_does_not_read_is_not_read_from_for_long() {
        run(async {
            let ping = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
            let lines = (0..1000).map(ping).collect::<Vec<_>>().concat();
            let (output, client) = tokio::io::duplex(64);
            let ((requests, mut answers), _writer) =
                guard_streams(std::io::Cursor::new(lines.into_bytes()), output);
            let mut requests = BufReader::new(requests).lines();
            let mut taken = 0;
            let patience = std::time::Duration::from_millis(200);
            while let Ok(Ok(Some(_))) = tokio::time::timeout(patience, requests.next_line()).await {
                taken += 1;
            }
            assert_eq!(taken, MAX_WAITING);
            let mut client = BufReader::new(client).lines();
            answers.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n").await.unwrap();
            client.next_line().await.unwrap();
            assert!(requests.next_line().await.unwrap().is_some());
        });
    }
}
