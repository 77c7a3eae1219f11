//! JSON Schema 2020-12 from decided schemas.

use serde_json::{Map, Value, json};

use crate::schema::decide::{
    ListSchema, NumberSchema, ObjectSchema, SchemaNode, StringSchema, UnionSchema,
};

/// The schema of a place as JSON.
pub(super) fn emit(node: &SchemaNode) -> Value {
    if node.is_open {
        return json!({});
    }
    let mut kinds: Vec<(&str, Map<String, Value>)> = Vec::new();
    if node.boolean {
        kinds.push(("boolean", Map::new()));
    }
    if let Some(number) = node.number {
        kinds
            .push((if number == NumberSchema::Integer { "integer" } else { "number" }, Map::new()));
    }
    if let Some(string) = &node.string {
        kinds.push(("string", of_string(string)));
    }
    if let Some(list) = &node.list {
        kinds.push(("array", of_list(list)));
    }
    if let Some(object) = &node.object {
        kinds.push(("object", of_object(object)));
    }
    let mut out = Map::new();
    let mut types: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    if node.nullable {
        types.push("null");
    }
    out.insert("type".to_owned(), if let [only] = &types[..] { json!(only) } else { json!(types) });
    // The keywords of one kind say nothing of values of another, but for an enumeration.
    for (_, keywords) in kinds {
        out.extend(keywords);
    }
    if let Some(string) = &node.string
        && !string.values.is_empty()
    {
        let only_strings = types.iter().all(|kind| matches!(*kind, "string" | "null"));
        let mut values: Vec<Value> = string.values.iter().map(|value| json!(value)).collect();
        if node.nullable {
            values.push(Value::Null);
        }
        if only_strings {
            out.insert("enum".to_owned(), Value::Array(values));
        }
    }
    if !node.sensitive.is_empty() {
        out.insert("x-sensitive".to_owned(), json!(node.sensitive));
    }
    Value::Object(out)
}

fn of_string(string: &StringSchema) -> Map<String, Value> {
    let mut out = Map::new();
    let said = [("format", string.format), ("pattern", string.pattern)];
    for (keyword, value) in said.into_iter().filter_map(|(keyword, value)| Some((keyword, value?)))
    {
        if string.may_be_empty {
            out.insert("anyOf".to_owned(), json!([{ keyword: value }, { "maxLength": 0 }]));
        } else {
            out.insert(keyword.to_owned(), json!(value));
        }
    }
    out
}

fn of_list(list: &ListSchema) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("items".to_owned(), list.item.as_ref().map_or_else(|| json!({}), emit));
    out
}

fn of_object(object: &ObjectSchema) -> Map<String, Value> {
    let mut out = Map::new();
    if !object.properties.is_empty() {
        let properties: Map<String, Value> =
            object.properties.iter().map(|(name, node)| (name.clone(), emit(node))).collect();
        out.insert("properties".to_owned(), Value::Object(properties));
    }
    if !object.required.is_empty() {
        out.insert("required".to_owned(), json!(object.required));
    }
    if let Some(additional) = &object.additional {
        out.insert("additionalProperties".to_owned(), emit(additional));
    }
    if let Some(union) = &object.union {
        out.extend(of_union(union, object));
    }
    out
}

/// The variants of a union, each closed by the value of its tag, so that exactly one matches an object.
fn of_union(union: &UnionSchema, object: &ObjectSchema) -> Map<String, Value> {
    let variant = |(value, required): &(String, Vec<String>)| {
        let own: Vec<&String> = required
            .iter()
            .filter(|name| !object.required.contains(name) || *name == union.tag)
            .collect();
        json!({ "properties": { union.tag: { "const": value } }, "required": own })
    };
    let mut out = Map::new();
    // A place may have other kinds as well, which no variant is about.
    let variants: Vec<Value> = union.variants.iter().map(variant).collect();
    out.insert("if".to_owned(), json!({ "type": "object" }));
    out.insert("then".to_owned(), json!({ "oneOf": variants }));
    out
}
