//! JSON Schema 2020-12 from decided schemas.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::schema::decide::{
    ListSchema, NumberSchema, ObjectNode, ObjectSchema, SchemaNode, StringSchema, UnionSchema,
};
use crate::schema::graph::ObjectId;

/// The keyword of what was seen, beside what was decided: `null`, and the properties that objects had `sometimes`. It is for
/// merges, and never in an output.
pub(crate) const OBSERVED: &str = "x-api-patterns-observed";

/// The keyword of a list that is written in one string, with the name of its style in OpenAPI.
pub(crate) const STYLE: &str = "x-style";

/// Writes schema trees as JSON. References to components are written as `prefix` and the name of the component.
pub(crate) struct Emitter<'n> {
    pub(crate) names: &'n BTreeMap<ObjectId, String>,
    pub(crate) prefix: &'static str,
    /// Whether [`OBSERVED`] is written.
    pub(crate) has_observations: bool,
}

impl Emitter<'_> {
    /// The schema of a place as JSON.
    pub(crate) fn emit(&self, node: &SchemaNode) -> Value {
        let Some(ObjectNode::Component(id)) = &node.object else { return self.plain(node) };
        if node.is_open {
            return json!({});
        }
        let name = self.names.get(id).map_or("", |name| name);
        let mut reference = json!({ "$ref": format!("{}{name}", self.prefix) });
        if !node.required.is_empty() {
            reference = json!({ "allOf": [reference, { "required": node.required }] });
        }
        let others = SchemaNode { object: None, ..node.clone() };
        if kinds_of(&others).is_empty() && !others.nullable {
            return reference;
        }
        json!({ "anyOf": [reference, self.plain(&others)] })
    }

    /// The schema of a place whose object, if any, is written where it stands.
    fn plain(&self, node: &SchemaNode) -> Value {
        if node.is_open {
            return json!({});
        }
        let mut out = Map::new();
        let mut types = kinds_of(node);
        if node.nullable {
            types.push("null");
        }
        out.insert(
            "type".to_owned(),
            if let [only] = &types[..] { json!(only) } else { json!(types) },
        );
        // The keywords of one kind say nothing of values of another, but for an enumeration and the variants of a union.
        if let Some(string) = &node.string {
            out.extend(of_string(string));
        }
        if let Some(list) = &node.list {
            out.extend(self.of_list(list));
        }
        if let Some(ObjectNode::Inline(object)) = &node.object {
            out.extend(self.of_object(object, types.len() == 1));
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
        if self.has_observations && node.has_nulls {
            let observed = out.entry(OBSERVED).or_insert_with(|| json!({}));
            observed["null"] = json!(true);
        }
        if let Some(style) = node.style {
            out.insert(STYLE.to_owned(), json!(style.name()));
        }
        if !node.sensitive.is_empty() {
            out.insert("x-sensitive".to_owned(), json!(node.sensitive));
        }
        Value::Object(out)
    }

    fn of_list(&self, list: &ListSchema) -> Map<String, Value> {
        let mut out = Map::new();
        if list.tuple.is_empty() {
            let item = list.item.as_ref().map_or_else(|| json!({}), |item| self.emit(item));
            out.insert("items".to_owned(), item);
        } else {
            let length = list.tuple.len();
            let kinds: Vec<Value> = list.tuple.iter().map(|kind| json!({ "type": kind })).collect();
            out.insert("prefixItems".to_owned(), Value::Array(kinds));
            out.insert("items".to_owned(), json!({}));
            out.insert("minItems".to_owned(), json!(length));
            out.insert("maxItems".to_owned(), json!(length));
        }
        out
    }

    /// The keywords of an object; `is_only` if its place holds nothing else.
    pub(crate) fn of_object(&self, object: &ObjectSchema, is_only: bool) -> Map<String, Value> {
        let mut out = Map::new();
        if !object.properties.is_empty() {
            let properties: Map<String, Value> = object
                .properties
                .iter()
                .map(|(name, node)| (name.clone(), self.emit(node)))
                .collect();
            out.insert("properties".to_owned(), Value::Object(properties));
        }
        if !object.required.is_empty() {
            out.insert("required".to_owned(), json!(object.required));
        }
        if self.has_observations && !object.sometimes.is_empty() {
            out.insert(OBSERVED.to_owned(), json!({ "sometimes": object.sometimes }));
        }
        if let Some(additional) = &object.additional {
            out.insert("additionalProperties".to_owned(), self.emit(additional));
        }
        if let Some(union) = &object.union {
            out.extend(of_union(union, object, is_only));
        }
        out
    }
}

/// The kinds of a place other than null.
pub(super) fn kinds_of(node: &SchemaNode) -> Vec<&'static str> {
    let number = match node.number {
        Some(NumberSchema::Integer) => "integer",
        _ => "number",
    };
    let kinds = [
        ("boolean", node.boolean),
        (number, node.number.is_some()),
        ("string", node.string.is_some()),
        ("array", node.list.is_some()),
        ("object", node.object.is_some()),
    ];
    kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
}

fn of_string(string: &StringSchema) -> Map<String, Value> {
    let formats = string.formats.iter().map(|format| ("format", json!(format)));
    let patterns = string.pattern.iter().map(|pattern| ("pattern", json!(pattern)));
    let mut said: Vec<(&str, Value)> = formats.chain(patterns).collect();
    if !said.is_empty() && string.may_be_empty {
        said.push(("maxLength", json!(0)));
    }
    let mut out = Map::new();
    match said.len() {
        0 => {}
        1 => out.extend(said.into_iter().map(|(keyword, value)| (keyword.to_owned(), value))),
        _ => {
            let either = said.into_iter().map(|(keyword, value)| json!({ keyword: value }));
            out.insert("anyOf".to_owned(), either.collect());
        }
    }
    out
}

/// The variants of a union, each closed by the value of its tag, so that exactly one matches an object.
fn of_union(union: &UnionSchema, object: &ObjectSchema, is_only: bool) -> Map<String, Value> {
    let variant = |(value, required): &(String, Vec<String>)| {
        let own: Vec<&String> = required
            .iter()
            .filter(|name| !object.required.contains(name) || *name == union.tag)
            .collect();
        json!({ "properties": { union.tag: { "const": value } }, "required": own })
    };
    let variants: Vec<Value> = union.variants.iter().map(variant).collect();
    let mut out = Map::new();
    out.insert("discriminator".to_owned(), json!({ "propertyName": union.tag }));
    if is_only {
        out.insert("oneOf".to_owned(), Value::Array(variants));
    } else {
        // No variant is about values of other kinds.
        out.insert("if".to_owned(), json!({ "type": "object" }));
        out.insert("then".to_owned(), json!({ "oneOf": variants }));
    }
    out
}
