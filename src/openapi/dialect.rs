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
pub(super) fn convert_to_dialect(version: OpenApiVersion, schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(tag) = object.shift_remove("discriminator") {
        object.shift_remove("oneOf");
        object.shift_remove("if");
        object.shift_remove("then");
        object.insert("x-discriminator".to_owned(), tag["propertyName"].clone());
    }
    for keyword in ONE {
        object.get_mut(keyword).into_iter().for_each(|inner| convert_to_dialect(version, inner));
    }
    for keyword in MANY {
        let many = object.get_mut(keyword).and_then(Value::as_array_mut);
        many.into_iter().flatten().for_each(|inner| convert_to_dialect(version, inner));
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        // Many tools take a property of this name for a reference.
        if properties.shift_remove("$ref").is_some()
            && let Some(names) = object.get_mut("required").and_then(Value::as_array_mut)
        {
            names.retain(|name| name != "$ref");
            // An empty list is not valid in OpenAPI 3.0.
            if names.is_empty() {
                object.shift_remove("required");
            }
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|inner| convert_to_dialect(version, inner));
    }
    if version == OpenApiVersion::V3_0 {
        to_3_0(object);
    }
    split_kinds(version, object);
}

/// Rewrites what OpenAPI 3.0 has no keyword for, but for lists of types.
fn to_3_0(object: &mut Map<String, Value>) {
    if let Some(kinds) = object.shift_remove("prefixItems") {
        object.insert("items".to_owned(), json!({ "anyOf": kinds }));
    }
    // `{"anyOf": [{"$ref"}, {"type": "null"}]}`
    let Some(Value::Array(many)) = object.get_mut("anyOf") else { return };
    let before = many.len();
    let observed = many
        .iter()
        .filter(|inner| inner["type"] == "null")
        .find_map(|inner| inner.get(OBSERVED).cloned());
    many.retain(|inner| inner["type"] != "null");
    if many.len() < before {
        // `nullable` counts beside a type alone (OpenAPI 3.0.3, schema object); what is referred to is an object.
        let nullable =
            |schema: &Value| json!({ "type": "object", "allOf": [schema], "nullable": true });
        if let [only] = &many[..] {
            let only = nullable(only);
            object.shift_remove("anyOf");
            object.extend(only.as_object().cloned().unwrap_or_default());
        } else if let Some(typed) = many.iter_mut().find(|inner| inner["type"].is_string()) {
            typed["nullable"] = json!(true);
        } else if let Some(first) = many.first_mut() {
            *first = nullable(first);
        }
    }
    if let Some(observed) = observed {
        object.insert(OBSERVED.to_owned(), observed);
    }
}

/// Writes a schema of several kinds as `anyOf`, so that each kind gets the keywords that are about it: OpenAPI 3.0 has no list of
/// types, and generators of clients drop a list or an object that is in one. So does text that has one of several formats: they
/// make nothing of a format without a type beside it.
fn split_kinds(version: OpenApiVersion, object: &mut Map<String, Value>) {
    let mut kinds = match object.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind @ Value::String(_)) => vec![kind.clone()],
        _ => return,
    };
    let before = kinds.len();
    kinds.retain(|kind| kind != "null");
    let is_nullable = kinds.len() < before;
    let has_formats = object.contains_key("anyOf");
    let has_parts = kinds.iter().any(|kind| kind == "array" || kind == "object");
    let is_3_0 = version == OpenApiVersion::V3_0;
    if !has_formats && (kinds.len() < 2 || !(is_3_0 || has_parts)) {
        if is_3_0 && let [only] = &kinds[..] {
            object.insert("type".to_owned(), only.clone());
            if is_nullable {
                object.insert("nullable".to_owned(), json!(true));
            }
        }
        return;
    }
    object.shift_remove("type");
    let mut own = std::mem::take(object);
    for kept in ["nullable", "x-sensitive", "x-discriminator", "title", OBSERVED] {
        own.shift_remove(kept)
            .into_iter()
            .for_each(|value| drop(object.insert(kept.to_owned(), value)));
    }
    let mut branches: Vec<Value> = Vec::new();
    for kind in &kinds {
        let mut branch = Map::new();
        branch.insert("type".to_owned(), kind.clone());
        for keyword in keywords_of(kind.as_str().unwrap_or_default()) {
            own.get(*keyword).into_iter().for_each(|value| {
                branch.insert((*keyword).to_owned(), value.clone());
            });
        }
        if is_3_0 && is_nullable {
            branch.insert("nullable".to_owned(), json!(true));
        }
        let formats = own.get("anyOf").and_then(Value::as_array).filter(|_| kind == "string");
        match formats {
            Some(formats) => {
                branches.extend(formats.iter().filter_map(Value::as_object).map(|format| {
                    Value::Object(branch.clone().into_iter().chain(format.clone()).collect())
                }))
            }
            None => branches.push(Value::Object(branch)),
        }
    }
    if is_nullable && !is_3_0 {
        branches.push(json!({ "type": "null" }));
    }
    object.insert("anyOf".to_owned(), Value::Array(branches));
}

/// The keywords that are about values of one kind.
fn keywords_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "string" => &["format", "pattern", "maxLength", "enum"],
        "array" => &["items", "prefixItems", "minItems", "maxItems"],
        "object" => &["properties", "required", "additionalProperties"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut schema: Value) -> Value {
        convert_to_dialect(OpenApiVersion::V3_0, &mut schema);
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
            json!({ "type": "object", "allOf": [{ "$ref": "#/x" }], "nullable": true })
        );
        assert_eq!(
            written(json!({ "anyOf": [{ "$ref": "#/x" }, { "type": ["string", "null"] }] })),
            json!({ "anyOf": [{ "$ref": "#/x" }, { "type": "string", "nullable": true }] })
        );
        assert_eq!(
            written(json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": {} })),
            json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }] } })
        );
    }

    #[test]
    fn properties_that_look_like_references_are_left_out() {
        let schema =
            json!({ "type": "object", "properties": { "$ref": {} }, "required": ["$ref"] });
        assert_eq!(written(schema), json!({ "type": "object", "properties": {} }));
    }

    #[test]
    fn kinds_that_generators_cannot_tell_apart_are_split() {
        let of_3_1 = |mut schema: Value| {
            convert_to_dialect(OpenApiVersion::V3_1, &mut schema);
            schema
        };
        let scalars = json!({ "type": ["integer", "string", "null"] });
        assert_eq!(of_3_1(scalars.clone()), scalars);
        let mixed = json!({ "type": ["string", "array", "null"], "format": "uuid", "items": {} });
        assert_eq!(
            of_3_1(mixed.clone()),
            json!({ "anyOf": [
                { "type": "string", "format": "uuid" },
                { "type": "array", "items": {} },
                { "type": "null" },
            ] })
        );
        let formats =
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "maxLength": 0 }] });
        let split = json!({ "anyOf": [
            { "type": "string", "format": "ipv4" },
            { "type": "string", "maxLength": 0 },
        ] });
        assert_eq!(of_3_1(formats.clone()), split);
        assert_eq!(written(formats), split);
    }
}
