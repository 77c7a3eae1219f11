//! Connections to servers: messages in both directions, whatever carries them, and as lines.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use crate::jsonrpc::{Message, RequestId};

/// Messages that wait on a connection, in each direction.
pub(super) const MAX_QUEUED: usize = 64;

/// The longest message of a server, in bytes. What is longer ends the connection.
pub(super) const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// A connection to a server. It ends when it is dropped.
pub(super) struct Link {
    pub(super) outgoing: mpsc::Sender<Message>,
    pub(super) incoming: mpsc::Receiver<FromServer>,
}

/// An event of a connection to a server: a message, a failed request, or the end.
#[derive(Debug)]
pub(super) enum FromServer {
    Message(Message),
    /// A request that did not reach the server, and why.
    Unreached(RequestId, String),
    /// The connection is over, and why.
    Ended(String),
}

/// Writes messages as lines until there are no more or nobody reads them.
pub(super) async fn write_lines(
    mut output: impl AsyncWrite + Unpin,
    mut messages: mpsc::Receiver<Message>,
) {
    let mut lines = Vec::new();
    let mut batch = Vec::new();
    while messages.recv_many(&mut batch, MAX_QUEUED).await > 0 {
        lines.clear();
        for message in batch.drain(..) {
            lines.extend_from_slice(message.text.as_bytes());
            lines.push(b'\n');
        }
        if output.write_all(&lines).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}

/// Passes on the messages of a server until its output ends. Lines that are not messages are skipped, because some
/// servers print text.
pub(super) async fn read_messages(input: impl AsyncRead + Unpin, to: &mpsc::Sender<FromServer>) {
    let mut input = BufReader::with_capacity(64 << 10, input);
    loop {
        let mut line = Vec::new();
        let mut most = (&mut input).take(MAX_ANSWER_BYTES);
        match most.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.len() as u64 >= MAX_ANSWER_BYTES {
            let why = "the server sent a message that is longer than 64 MB".to_owned();
            to.send(FromServer::Ended(why)).await.unwrap_or_default();
            return;
        }
        line.truncate(line.trim_ascii_end().len());
        let Some(message) = String::from_utf8(line).ok().and_then(|it| Message::parse(it).ok())
        else {
            continue;
        };
        if to.send(FromServer::Message(message)).await.is_err() {
            return;
        }
    }
}
