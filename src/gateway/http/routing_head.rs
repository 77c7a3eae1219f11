//! The headers of a request that say what its message is, for proxies that do not read bodies.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HeaderName;
use serde_json::Value;

use crate::gateway::era::version_of;
use crate::gateway::http::answers::header;
use crate::jsonrpc::Message;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The headers that say what a message is.
pub(super) struct RoutingHead {
    pub(super) session: Option<String>,
    pub(super) version: Option<String>,
    method: Option<String>,
    name: Option<String>,
    pub(super) has_repeated: bool,
}

impl RoutingHead {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        let own = |name: &HeaderName| header(request, name).map(str::to_owned);
        let (method, name) =
            (HeaderName::from_static("mcp-method"), HeaderName::from_static("mcp-name"));
        let is_repeated =
            |name: &HeaderName| request.headers().get_all(name).iter().nth(1).is_some();
        let has_repeated = [&VERSION, &SESSION, &method, &name].into_iter().any(is_repeated);
        Self {
            session: own(&SESSION),
            version: own(&VERSION),
            method: own(&method),
            name: own(&name),
            has_repeated,
        }
    }

    /// Compares the headers with the request that they repeat; returns a sentence about the first that differs.
    pub(super) fn mismatch(&self, message: &Message, params: &Value) -> Option<String> {
        let differs =
            |name: &str| Some(format!("the header {name} does not agree with the message"));
        if self.version.as_deref() != version_of(params) {
            return differs("MCP-Protocol-Version");
        }
        if self.method.as_deref() != message.method() {
            return differs("Mcp-Method");
        }
        let name = match message.method() {
            Some("tools/call" | "prompts/get") => params["name"].as_str(),
            Some("resources/read") => params["uri"].as_str(),
            _ => return None,
        };
        let said = self.name.as_deref().map(decoded);
        if said.as_deref() == name { None } else { differs("Mcp-Name") }
    }
}

/// A header value that may be in base64.
fn decoded(value: &str) -> String {
    let inner = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let bytes = inner.and_then(|inner| BASE64_STANDARD.decode(inner).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| value.to_owned())
}
