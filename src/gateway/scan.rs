//! The tools of a server, asked for with the client of the official SDK through a session of the gateway, which speaks to servers of
//! both eras.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use serde_json::Value;

use crate::error::Error;
use crate::gateway::session::{SessionEnd, serve};
use crate::gateway::tool_call::Caller;
use crate::gateway::{
    AuditSettings, Gateway, GatewaySettings, MAX_MESSAGE_BYTES, OperatorMessages, Upstream, child,
    runtime, stdio,
};

/// Time in which a server must have listed its tools.
const MAX_SCAN_TIME: Duration = Duration::from_secs(60);

/// Lists the tools of a server, as JSON.
///
/// # Errors
///
/// Fails if the server cannot be started or reached, or does not list its tools.
pub(crate) fn scan(upstream: Upstream, complain: &OperatorMessages) -> Result<Vec<Value>, Error> {
    let name = upstream.name();
    let settings = GatewaySettings {
        upstream,
        policy: None,
        audit: AuditSettings::default(),
        store: None,
        answer: Some(Vec::new()),
        better: false,
        database: PathBuf::new(),
        identity: String::new(),
    };
    let gateway = Arc::new(Gateway::new(settings, false, complain)?);
    let listed = runtime()?.block_on(async {
        let listed = tokio::time::timeout(MAX_SCAN_TIME, list(gateway)).await;
        // The session is over, and the program is asked to end.
        child::wait_for_all().await;
        listed.unwrap_or_else(|_| Err("it did not list its tools in a minute".to_owned()))
    });
    listed.map_err(|why| Error::usage(format!("{name}: {why}")))
}

async fn list(gateway: Arc<Gateway>) -> Result<Vec<Value>, String> {
    let (near, far) = tokio::io::duplex(MAX_MESSAGE_BYTES);
    let (input, output) = tokio::io::split(far);
    let (port, _) = stdio::open(input, output);
    let session = tokio::spawn(serve(gateway, Caller::default(), port));
    let implementation = Implementation::new("api-patterns", env!("CARGO_PKG_VERSION"));
    let client = ClientConfig::new(ClientCapabilities::default(), implementation);
    let listed = async {
        let client = client.serve(near).await.map_err(|error| error.to_string())?;
        let tools = client.list_all_tools().await.map_err(|error| error.to_string());
        client.cancel().await.ok();
        tools
    };
    let listed = listed.await;
    match (listed, session.await) {
        (Ok(tools), _) => Ok(tools
            .into_iter()
            .map(|tool| serde_json::to_value(tool).unwrap_or_default())
            .collect()),
        // What ended the session says more than that it ended.
        (Err(_), Ok(SessionEnd::Server(why))) => Err(why),
        (Err(why), _) => Err(format!("it does not list its tools: {why}")),
    }
}
