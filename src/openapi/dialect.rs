//! Schemas in the dialect of a version of OpenAPI.

use serde_json::{Map, Value, json};

use crate::openapi::OpenApiVersion;
use crate::schema::emit::OBSERVED;

/// Keywords whose values are schemas.
const ONE: [&str; 2] = ["items", "additionalProperties"];

/// Keywords whose values are lists of schemas.
const MANY: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// Brings a JSON Schema into a dialect. Conditions on the value of a tag are left out, with the name of the tag as
/// `x-discriminator`: no generator of clients reads them.
pub(super) fn in_dialect(version: OpenApiVersion, schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(tag) = object.shift_remove("discriminator") {
        object.shift_remove("oneOf");
        object.shift_remove("if");
        object.shift_remove("then");
        object.insert("x-discriminator".to_owned(), tag["propertyName"].clone());
    }
    for keyword in ONE {
        object.get_mut(keyword).into_iter().for_each(|inner| in_dialect(version, inner));
    }
    for keyword in MANY {
        let many = object.get_mut(keyword).and_then(Value::as_array_mut);
        many.into_iter().flatten().for_each(|inner| in_dialect(version, inner));
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        // Many tools take a property of this name for a reference.
        if properties.shift_remove("$ref").is_some() {
            let required = object.get_mut("required").and_then(Value::as_array_mut);
            required.into_iter().for_each(|names| names.retain(|name| name != "$ref"));
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|inner| in_dialect(version, inner));
    }
    if version == OpenApiVersion::V3_0 {
        to_3_0(object);
    }
}

/// Rewrites what OpenAPI 3.0 has no keyword for.
fn to_3_0(object: &mut Map<String, Value>) {
    if let Some(kinds) = object.shift_remove("prefixItems") {
        object.insert("items".to_owned(), json!({ "anyOf": kinds }));
    }
    // `{"anyOf": [{"$ref"}, {"type": "null"}]}`
    if let Some(Value::Array(many)) = object.get_mut("anyOf") {
        let before = many.len();
        let observed = many
            .iter()
            .filter(|inner| inner["type"] == "null")
            .find_map(|inner| inner.get(OBSERVED).cloned());
        many.retain(|inner| inner["type"] != "null");
        let is_nullable = many.len() < before;
        if let ([only], true) = (&many[..], is_nullable) {
            let only = only.clone();
            object.shift_remove("anyOf");
            object.insert("allOf".to_owned(), json!([only]));
        }
        if is_nullable {
            object.insert("nullable".to_owned(), json!(true));
        }
        if let Some(observed) = observed {
            object.insert(OBSERVED.to_owned(), observed);
        }
    }
    let Some(Value::Array(kinds)) = object.get("type").cloned() else { return };
    let is_nullable = kinds.contains(&json!("null"));
    let kinds: Vec<Value> = kinds.into_iter().filter(|kind| *kind != "null").collect();
    if is_nullable {
        object.insert("nullable".to_owned(), json!(true));
    }
    if let [only] = &kinds[..] {
        object.insert("type".to_owned(), only.clone());
        return;
    }
    // Each kind gets the keywords that are about it; those of others say nothing of it.
    object.shift_remove("type");
    let mut own = std::mem::take(object);
    for kept in ["nullable", "x-sensitive", "x-discriminator", "title", OBSERVED] {
        own.shift_remove(kept)
            .into_iter()
            .for_each(|value| drop(object.insert(kept.to_owned(), value)));
    }
    let of_kind = |kind: &Value| {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), kind.clone());
        for keyword in keywords_of(kind.as_str().unwrap_or_default()) {
            own.get(*keyword).into_iter().for_each(|value| {
                schema.insert((*keyword).to_owned(), value.clone());
            });
        }
        if is_nullable {
            schema.insert("nullable".to_owned(), json!(true));
        }
        Value::Object(schema)
    };
    object.insert("anyOf".to_owned(), kinds.iter().map(of_kind).collect());
}

/// The keywords that are about values of one kind.
fn keywords_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "string" => &["format", "pattern", "maxLength"],
        "array" => &["items", "minItems", "maxItems"],
        "object" => &["properties", "required", "additionalProperties"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut schema: Value) -> Value {
        in_dialect(OpenApiVersion::V3_0, &mut schema);
        schema
    }

    #[test]
    fn what_3_0_lacks_is_rewritten() {
        assert_eq!(
            written(json!({ "type": ["string", "null"], "format": "uuid" })),
            json!({ "type": "string", "format": "uuid", "nullable": true })
        );
        assert_eq!(
            written(json!({ "type": ["integer", "string"], "format": "date" })),
            json!({ "anyOf": [{ "type": "integer" }, { "type": "string", "format": "date" }] })
        );
        assert_eq!(
            written(json!({ "anyOf": [{ "$ref": "#/x" }, { "type": "null" }] })),
            json!({ "allOf": [{ "$ref": "#/x" }], "nullable": true })
        );
        assert_eq!(
            written(json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": {} })),
            json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }] } })
        );
    }
}
