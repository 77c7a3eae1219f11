//! A JSON Schema as lines of places and types.

use serde_json::Value;

use crate::flow::text;

/// A place in a message: where it is, and what stands there.
pub(super) struct SchemaLine {
    pub(super) place: String,
    pub(super) kind: String,
}

/// Most lines for an endpoint.
const MAX_LINES: usize = 12;
/// Deepest place that has a line.
const MAX_DEPTH: usize = 3;

/// The lines of the messages of an endpoint: `request` and statuses, and below each the places of its schema.
pub(super) fn schema_lines(messages: &Value) -> Vec<SchemaLine> {
    let mut lines = Vec::new();
    let media_types = |value: &Value| -> Vec<Value> {
        value.as_object().map(|object| object.values().cloned().collect()).unwrap_or_default()
    };
    for message in media_types(&messages["request_body"]) {
        add(&mut lines, "request", &message["schema"], &message["schema"], 0, true);
    }
    let responses = messages["responses"].as_object();
    for (status, of_status) in responses.into_iter().flatten() {
        for message in media_types(of_status) {
            add(&mut lines, status, &message["schema"], &message["schema"], 0, true);
        }
    }
    if lines.len() > MAX_LINES {
        let more = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(SchemaLine { place: format!("and {more} more"), kind: String::new() });
    }
    lines
}

fn add(
    lines: &mut Vec<SchemaLine>,
    place: &str,
    schema: &Value,
    root: &Value,
    depth: usize,
    is_required: bool,
) {
    let schema = resolved(schema, root);
    if lines.len() > 10 * MAX_LINES {
        return;
    }
    let mut kind = kind_of(schema, root);
    if !is_required {
        kind.push('?');
    }
    lines.push(SchemaLine { place: text::printable(place.as_bytes()).into_owned(), kind });
    if depth >= MAX_DEPTH {
        return;
    }
    // What a list holds is said with the list.
    let (holder, prefix) = match &schema["items"] {
        Value::Object(_) => (resolved(&schema["items"], root), format!("{place}[]")),
        _ => (schema, place.to_owned()),
    };
    let required = holder["required"].as_array();
    for (name, inner) in holder["properties"].as_object().into_iter().flatten() {
        let is_required = required.is_some_and(|names| names.iter().any(|each| each == name));
        add(lines, &format!("{prefix}.{name}"), inner, root, depth + 1, is_required);
    }
}

/// The schema behind a reference to the definitions of the root.
fn resolved<'v>(schema: &'v Value, root: &'v Value) -> &'v Value {
    let target = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The type and format of a schema in words: `integer`, `string (uuid) or null`, `array of object`.
fn kind_of(schema: &Value, root: &Value) -> String {
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema["anyOf"].is_array() || schema["oneOf"].is_array() => vec!["several"],
        _ => vec!["any"],
    };
    let mut kind = names.join(" or ");
    if names.contains(&"array") && schema["items"].is_object() {
        let items = resolved(&schema["items"], root);
        if let Some(of) = items["type"].as_str() {
            kind.push_str(" of ");
            kind.push_str(of);
        }
    }
    if let Some(format) = schema["format"].as_str() {
        kind = format!("{kind} ({format})");
    }
    if let Some(values) = schema["enum"].as_array() {
        kind = format!("{kind}, one of {}", values.len());
    }
    if let Some(sensitive) = schema["x-sensitive"].as_str() {
        kind = format!("{kind}, {sensitive}");
    }
    text::printable(kind.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::schema_lines;

    #[test]
    fn places_have_types_formats_and_marks_for_what_may_be_missing() {
        let messages = json!({ "responses": { "200": { "application/json": { "schema": {
            "type": "array",
            "items": { "$ref": "#/$defs/User" },
            "$defs": { "User": {
                "type": "object",
                "required": ["id"],
                "properties": { "id": { "type": "string", "format": "uuid" }, "nick": { "type": ["string", "null"] } }
            } }
        } } } } });
        let lines: Vec<String> = schema_lines(&messages)
            .into_iter()
            .map(|line| format!("{} {}", line.place, line.kind))
            .collect();
        let wanted =
            ["200 array of object", "200[].id string (uuid)", "200[].nick string or null?"];
        assert_eq!(lines, wanted);
    }
}
