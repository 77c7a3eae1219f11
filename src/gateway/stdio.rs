//! A client on standard input and output.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::gateway::MAX_MESSAGE_BYTES;
use crate::gateway::link::{MAX_QUEUED, write_lines};
use crate::gateway::session::{ClientPort, FromClient};
use crate::jsonrpc::envelope::Envelope;
use crate::jsonrpc::lines::skip_line;
use crate::jsonrpc::{INVALID_REQUEST, Message, MessageRefusal};

/// The port of a client that writes lines, and a task that ends when all answers are written. Must be called within a runtime.
pub(super) fn open(
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> (ClientPort, JoinHandle<()>) {
    let (from_client, incoming) = mpsc::channel(MAX_QUEUED);
    let (outgoing, to_client) = mpsc::channel(MAX_QUEUED);
    tokio::spawn(read(input, from_client));
    let writer = tokio::spawn(write_lines(output, to_client));
    (ClientPort { incoming, outgoing }, writer)
}

async fn read(input: impl AsyncRead + Unpin, to: mpsc::Sender<FromClient>) {
    let mut input = BufReader::with_capacity(64 << 10, input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut most = (&mut input).take(MAX_MESSAGE_BYTES as u64);
        match most.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let is_whole = line.ends_with(b"\n") || line.len() < MAX_MESSAGE_BYTES;
        if !is_whole && !skip_line(&mut input).await {
            return;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let from = if is_whole { parse_client_message(text) } else { too_long(text) };
        if to.send(from).await.is_err() {
            return;
        }
    }
}

/// Parses a message of a client; a text that is not one gives the answer to it.
pub(super) fn parse_client_message(text: &[u8]) -> FromClient {
    match Message::parse_strictly(text) {
        Ok((message, whole)) => FromClient::Message(message, whole),
        Err(refusal) => FromClient::Refused(refusal),
    }
}

/// Returns the answer to a message that is too long, given its beginning.
pub(super) fn too_long(text: &[u8]) -> FromClient {
    let id = Envelope::of(text).id.unwrap_or_else(|| "null".to_owned());
    let why =
        format!("this message is longer than the {} MB that are read", MAX_MESSAGE_BYTES >> 20);
    FromClient::Refused(MessageRefusal { id, code: INVALID_REQUEST, why })
}
