//! The description that mitmproxy-mcp makes of its patterns.

use serde_json::{Map, Value, json};

use crate::gateway::own_answers::python_json;

/// The description of patterns, given as the text of `get_api_patterns`.
pub(super) fn of_patterns(patterns: &str, domain: Option<&str>) -> String {
    let patterns: Vec<Value> = serde_json::from_str(patterns).unwrap_or_default();
    let mut paths = Map::new();
    for pattern in &patterns {
        let path = pattern["path_pattern"].as_str().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let method = pattern["method"].as_str().unwrap_or_default();
        let operations = paths.entry(path.clone()).or_insert_with(|| json!({}));
        operations[method.to_lowercase()] = operation(pattern, method, &path);
    }
    let domain = domain.filter(|domain| !domain.is_empty()).unwrap_or("All");
    python_json(&json!({
        "openapi": "3.0.0",
        "info": {"title": format!("Reconstructed API - {domain}"), "version": "1.0.0"},
        "paths": paths,
    }))
}

fn operation(pattern: &Value, method: &str, path: &str) -> Value {
    let names = |key: &str| pattern[key].as_array().cloned().unwrap_or_default();
    let in_path = names("path_params").into_iter().map(
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}),
    );
    let in_query = names("query_params")
        .into_iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut content = Map::new();
    for name in pattern["content_types"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let media_type = match &**name {
            "json" => "application/json",
            "xml" => "application/xml",
            "form" => "application/x-www-form-urlencoded",
            _ => "text/plain",
        };
        content.insert(media_type.to_owned(), json!({"schema": {"type": "object"}}));
    }
    let mut responses = Map::new();
    for status in pattern["status_codes"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let mut response = json!({"description": format!("Response with status {status}")});
        if !content.is_empty() {
            response["content"] = Value::Object(content.clone());
        }
        responses.insert(status.clone(), response);
    }
    let summary = format!("{} {path}", method.to_uppercase());
    json!({"summary": summary, "parameters": parameters, "responses": responses})
}
