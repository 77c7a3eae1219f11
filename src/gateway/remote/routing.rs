//! Headers that repeat what a message says, for proxies that do not read bodies:
//! <https://modelcontextprotocol.io/specification/2026-07-28/basic/transports>.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::gateway::era::{is_modern, version_of};
use crate::jsonrpc::strict_json::escaped;
use crate::jsonrpc::{Message, MessageKind};

/// The most properties of one tool that are repeated in headers.
const MAX_PARAMETERS: usize = 64;

/// The arguments that tools want repeated, as the list of the server says: JSON Pointers with the names of headers, by tool.
#[derive(Default)]
pub(super) struct RoutingHeaders {
    parameters: BTreeMap<String, Vec<(String, HeaderName)>>,
}

impl RoutingHeaders {
    /// Takes what a list of tools says.
    pub(super) fn learn(&mut self, result: &Value) {
        for tool in result["tools"].as_array().into_iter().flatten() {
            let Some(name) = tool["name"].as_str() else { continue };
            let mut found = Vec::new();
            find(&tool["inputSchema"], "", &mut found);
            if found.is_empty() {
                self.parameters.remove(name);
            } else {
                self.parameters.insert(name.to_owned(), found);
            }
        }
    }

    /// The headers of a message; none in versions of the protocol that have sessions.
    pub(super) fn of(&self, message: &Message) -> Vec<(HeaderName, HeaderValue)> {
        let MessageKind::Request { method, .. } = &message.kind else { return Vec::new() };
        let Some(params) = message.member("params") else { return Vec::new() };
        let Some(version) = version_of(&params).filter(|version| is_modern(version)) else {
            return Vec::new();
        };
        let mut headers = vec![
            (super::VERSION, encoded(version)),
            (HeaderName::from_static("mcp-method"), encoded(method)),
        ];
        let name = match &**method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            _ => None,
        };
        if let Some(name) = name {
            headers.push((HeaderName::from_static("mcp-name"), encoded(name)));
        }
        let wanted = name.filter(|_| method == "tools/call").and_then(|it| self.parameters.get(it));
        for (pointer, header) in wanted.into_iter().flatten() {
            let value = match params["arguments"].pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(plain @ (Value::Number(_) | Value::Bool(_))) => plain.to_string(),
                _ => continue,
            };
            headers.push((header.clone(), encoded(&value)));
        }
        headers
    }
}

/// Collects the properties of a schema that are to be repeated.
fn find(schema: &Value, pointer: &str, found: &mut Vec<(String, HeaderName)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        if found.len() >= MAX_PARAMETERS {
            return;
        }
        let pointer = format!("{pointer}/{}", escaped(key));
        if let Some(name) = property["x-mcp-header"].as_str()
            && let Ok(header) = format!("mcp-param-{}", name.to_ascii_lowercase()).parse()
        {
            found.push((pointer.clone(), header));
        }
        find(property, &pointer, found);
    }
}

/// A value for a header: as it is where it is plain, else in base64.
fn encoded(value: &str) -> HeaderValue {
    let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && value.trim() == value
        && !value.starts_with("=?base64?");
    let text = if is_plain {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
    };
    // Both are printable ASCII.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jsonrpc::RequestId;

    #[test]
    fn headers_say_what_the_message_says() {
        let mut routing = RoutingHeaders::default();
        let schema = json!({"type": "object", "properties": {
            "where": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"}, "other": {"type": "string"}}});
        routing.learn(&json!({"tools": [{"name": "t\u{e9}", "inputSchema": schema}]}));
        let params = json!({"name": "t\u{e9}", "arguments": {"where": {"region": "eu"}, "dry": true},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
        let id = RequestId::of_text("1");
        let headers = routing.of(&Message::request(id.clone(), "tools/call", &params));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(
            headers,
            [
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "=?base64?dMOp?="),
                ("mcp-param-region", "eu"),
                ("mcp-param-dry", "true"),
            ]
        );
        assert!(routing.of(&Message::request(id, "tools/list", &json!({}))).is_empty());
    }
}
