//! Parameters of an operation: in the path, in the query, and headers of the application.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::openapi::OpenApiOptions;
use crate::openapi::dialect::convert_to_dialect;
use crate::report::Pattern;
use crate::report::masked::is_masked;
use crate::schema::decide::{ObjectNode, SchemaNode};
use crate::schema::emit::{Emitter, OBSERVED, STYLE};

/// The schema of a path parameter by the kind of its values.
fn path_schema(kind: &str) -> Value {
    match kind {
        "integer" => json!({ "type": "integer" }),
        "number" => json!({ "type": "number" }),
        "uuid" => json!({ "type": "string", "format": "uuid" }),
        _ => json!({ "type": "string" }),
    }
}

/// The parameters in the path of an operation, with the names that the path has.
pub(super) fn path_parameters(
    pattern: &Pattern,
    names: &[String],
    options: OpenApiOptions,
) -> Vec<Value> {
    let mut of_path = pattern.parameters.iter().filter(|parameter| parameter.location == "path");
    let described = names.iter().map(|name| {
        let parameter = if is_masked(name) { None } else { of_path.next() };
        let mut out = Map::new();
        out.insert("name".to_owned(), json!(name));
        out.insert("in".to_owned(), json!("path"));
        out.insert("required".to_owned(), json!(true));
        let kind = parameter.map_or("string", |parameter| &*parameter.kind);
        out.insert("schema".to_owned(), path_schema(kind));
        if let Some(parameter) = parameter.filter(|_| options.evidence) {
            let evidence = json!({
                "distinct": parameter.distinct, "confidence": parameter.confidence, "reasons": parameter.reasons,
            });
            out.insert("x-evidence".to_owned(), evidence);
        }
        Value::Object(out)
    });
    described.collect()
}

/// The parameters in the query of an operation, from the schema of the query as an object. Names such as `filter[name]` are
/// members of one deep object.
pub(super) fn query_parameters(
    query: &SchemaNode,
    emitter: &Emitter<'_>,
    is_credential: impl Fn(&str) -> bool,
    options: OpenApiOptions,
) -> Vec<Value> {
    let Some(ObjectNode::Inline(object)) = &query.object else { return Vec::new() };
    let mut plain: BTreeMap<String, Value> = BTreeMap::new();
    let mut deep: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (name, node) in object.properties.iter().filter(|(name, _)| !is_credential(name)) {
        let mut schema = emitter.emit(node);
        convert_to_dialect(options.version, &mut schema);
        let member = name.strip_suffix(']').and_then(|name| name.split_once('['));
        match member.filter(|(of, member)| !of.is_empty() && !member.is_empty()) {
            Some((of, member)) if !member.contains(['[', ']']) => {
                // A member of a deep object has no style of its own.
                if node.style.is_some() {
                    schema = json!({ "type": "string" });
                }
                deep.entry(of.to_owned()).or_default().insert(member.to_owned(), schema);
            }
            _ => drop(plain.insert(name.clone(), schema)),
        }
    }
    let parameter = |name: &str, mut schema: Value| {
        let style = schema.as_object_mut().and_then(|schema| schema.shift_remove(STYLE));
        let mut out = Map::new();
        out.insert("name".to_owned(), json!(name));
        out.insert("in".to_owned(), json!("query"));
        out.insert("required".to_owned(), json!(object.required.iter().any(|known| known == name)));
        if let Some(style) = style {
            out.insert("style".to_owned(), style);
            out.insert("explode".to_owned(), json!(false));
        }
        out.insert("schema".to_owned(), schema);
        if options.observations && object.sometimes.iter().any(|known| known == name) {
            out.insert(OBSERVED.to_owned(), json!({ "sometimes": true }));
        }
        out
    };
    // Where a name also comes alone (`id=7&id[in]=8`), there is no object: each name is a parameter.
    let (mixed, deep): (BTreeMap<_, _>, BTreeMap<_, _>) =
        deep.into_iter().partition(|(name, _)| plain.contains_key(name));
    for (name, members) in mixed {
        for (member, schema) in members {
            plain.insert(format!("{name}[{member}]"), schema);
        }
    }
    let mut all: Vec<Value> =
        plain.into_iter().map(|(name, schema)| Value::Object(parameter(&name, schema))).collect();
    for (name, members) in &deep {
        let is_always = |member: &&String| {
            let whole = format!("{name}[{member}]");
            object.required.contains(&whole)
        };
        let required: Vec<&String> = members.keys().filter(is_always).collect();
        let mut out = parameter(name, deep_schema(members, &required));
        out.insert("required".to_owned(), json!(!required.is_empty()));
        out.insert("style".to_owned(), json!("deepObject"));
        out.insert("explode".to_owned(), json!(true));
        all.push(Value::Object(out));
    }
    all
}

/// The schema of a deep object. Members that are numbers are the items of a list: `ids[0]=7&ids[1]=8`.
fn deep_schema(members: &Map<String, Value>, required: &[&String]) -> Value {
    if members.keys().all(|member| member.bytes().all(|byte| byte.is_ascii_digit())) {
        let mut items: Vec<Value> = Vec::new();
        for schema in members.values() {
            if !items.contains(schema) {
                items.push(schema.clone());
            }
        }
        let item = if items.len() == 1 { items.remove(0) } else { json!({ "anyOf": items }) };
        return json!({ "type": "object", "additionalProperties": item });
    }
    let mut schema = json!({ "type": "object", "properties": members });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Adds a parameter; one that is known already accepts what either accepts.
pub(super) fn add_parameter(all: &mut Vec<Value>, new: Value) {
    let is_known = |known: &&mut Value| known["in"] == new["in"] && known["name"] == new["name"];
    let Some(known) = all.iter_mut().find(is_known) else {
        all.push(new);
        return;
    };
    if known["required"] == true && new["required"] != true {
        known["required"] = json!(false);
    }
    // A list in one string is written as such wherever it stands.
    for keyword in ["style", "explode"] {
        if let (None, Some(style)) = (known.get(keyword), new.get(keyword)) {
            known[keyword] = style.clone();
        }
    }
    let (own, other) = (&mut known["schema"], &new["schema"]);
    if own == other {
        return;
    }
    // Members of deep objects come together.
    if let (Some(own), Some(other)) =
        (own.get_mut("properties").and_then(Value::as_object_mut), other["properties"].as_object())
    {
        for (name, schema) in other {
            own.entry(name.clone()).or_insert_with(|| schema.clone());
        }
        let theirs = other["required"].as_array().cloned().unwrap_or_default();
        if let Some(required) = known["schema"].get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| theirs.contains(name));
        }
        if known["schema"]["required"].as_array().is_some_and(Vec::is_empty)
            && let Some(schema) = known["schema"].as_object_mut()
        {
            schema.shift_remove("required");
        }
        return;
    }
    match own.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(any) if any.contains(other) => {}
        Some(any) => any.push(other.clone()),
        None => *own = json!({ "anyOf": [own.take(), other] }),
    }
}

/// Takes the styles of lists that are written in one string out of the schema of a form, with the names of the fields.
pub(super) fn take_encoding(schema: &mut Value) -> Vec<(String, Value)> {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    let styled = fields.into_iter().flatten().filter_map(|(name, field)| {
        let style = field.as_object_mut()?.shift_remove(STYLE)?;
        Some((name.clone(), json!({ "style": style, "explode": false })))
    });
    styled.collect()
}

/// Headers that clients, proxies and browsers add themselves.
const NOT_OF_APPLICATIONS: [&str; 8] = [
    "x-forwarded-",
    "x-real-ip",
    "x-requested-with",
    "x-http-method-override",
    "x-amzn-trace",
    "x-cloud-trace",
    "x-b3-",
    "x-client-data",
];

/// The headers that the application sends, without credentials.
pub(super) fn header_parameters(
    pattern: &Pattern,
    is_credential: impl Fn(&str) -> bool,
) -> Vec<Value> {
    let is_own = |name: &str| {
        name.starts_with("x-") && !NOT_OF_APPLICATIONS.iter().any(|start| name.starts_with(start))
    };
    let names =
        pattern.common_headers.iter().map(|(name, count)| (name.to_ascii_lowercase(), *count));
    let mut own: Vec<(String, u64)> = names
        .filter(|(name, _)| is_own(name) && !is_credential(name) && !name.contains('['))
        .collect();
    own.sort();
    let described = own.into_iter().map(|(name, _)| {
        json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" } })
    });
    described.collect()
}
