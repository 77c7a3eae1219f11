//! The tools of a server, asked for with the client of the official SDK over the gateway's own connections.

use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::error::Error;
use crate::gateway::link::{FromServer, Link};
use crate::gateway::{Complain, MAX_MESSAGE_BYTES, Upstream, child, runtime};
use crate::jsonrpc::Message;

/// Time in which a server must have listed its tools.
const MAX_SCAN_TIME: Duration = Duration::from_mins(1);

/// Lists the tools of a server, as JSON.
///
/// # Errors
///
/// Fails if the server cannot be started or reached, or does not list its tools.
pub(crate) fn scan(upstream: &Upstream, complain: &Complain) -> Result<Vec<Value>, Error> {
    let runtime = runtime()?;
    let name = upstream.name();
    let listed = runtime.block_on(async {
        let link = upstream.connect(complain)?;
        let listed = tokio::time::timeout(MAX_SCAN_TIME, list(link)).await;
        // The session is over, and the program is asked to end.
        child::all_ended().await;
        listed.unwrap_or_else(|_| Err("it did not list its tools in a minute".to_owned()))
    });
    listed.map_err(|why| Error::usage(format!("{name}: {why}")))
}

async fn list(link: Link) -> Result<Vec<Value>, String> {
    let (near, far) = tokio::io::duplex(MAX_MESSAGE_BYTES);
    let carrier = tokio::spawn(carry(link, far));
    let client = ClientConfig::new(
        ClientCapabilities::default(),
        Implementation::new("api-patterns", env!("CARGO_PKG_VERSION")),
    );
    let client = client
        .serve(near)
        .await
        .map_err(|error| format!("it does not speak the protocol: {error}"))?;
    let tools = client
        .list_all_tools()
        .await
        .map_err(|error| format!("it does not list its tools: {error}"));
    client.cancel().await.ok();
    carrier.abort();
    let tools = tools?.into_iter().map(|tool| serde_json::to_value(tool).unwrap_or_default());
    Ok(tools.collect())
}

/// Carries lines of the SDK's client to a server, and the messages of the server back.
async fn carry(mut link: Link, client: tokio::io::DuplexStream) {
    let (input, mut output) = tokio::io::split(client);
    let mut lines = BufReader::new(input).lines();
    loop {
        tokio::select! {
            read = lines.next_line() => {
                let Ok(Some(text)) = read else { return };
                let Ok(message) = Message::parse(text) else { continue };
                if link.outgoing.send(message).await.is_err() {
                    return;
                }
            }
            from = link.incoming.recv() => {
                let Some(FromServer::Message(message)) = from else { return };
                let text = message.text + "\n";
                if output.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}
