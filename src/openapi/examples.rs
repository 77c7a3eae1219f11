//! Examples that are made of schemas alone.
//!
//! No captured value is used but enumerated ones, which the schema lists. An example is valid by its schema, or left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::operation::COMPONENTS;
use crate::shape::formats::StringFormat;

/// Properties of one object that an example has.
const MAX_PROPERTIES: usize = 100;

/// Levels of objects and lists in an example.
const MAX_LEVELS: usize = 12;

/// Values in an example.
const MAX_VALUES: usize = 1000;

/// Adds an `example` to each parameter and media type of a description that has a schema.
pub(super) fn add_examples(api: &mut Value) {
    // Components are looked at while the rest is changed.
    let components = api.pointer_mut("/components/schemas").map(Value::take).unwrap_or_default();
    let Some(paths) = api.get_mut("paths") else { return };
    for item in values_of(paths) {
        for operation in values_of(item) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                add_example(parameter, &components);
            }
            let mut bodies: Vec<&mut Value> = Vec::new();
            if let Some(operation) = operation.as_object_mut() {
                for (key, value) in operation {
                    match &**key {
                        "requestBody" => bodies.push(value),
                        "responses" => bodies.extend(values_of(value)),
                        _ => {}
                    }
                }
            }
            for body in bodies {
                let Some(content) = body.get_mut("content") else { continue };
                values_of(content).for_each(|media_type| add_example(media_type, &components));
            }
        }
    }
    if let Some(place) = api.pointer_mut("/components/schemas") {
        *place = components;
    }
}

fn values_of(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(|object| object.values_mut())
}

/// Adds an example of the schema of a parameter or media type.
fn add_example(holder: &mut Value, components: &Value) {
    let mut writer = ExampleWriter { components, open: BTreeSet::new(), values: 0 };
    let example = holder.get("schema").and_then(|schema| writer.of_schema(schema));
    if let (Some(example), Some(holder)) = (example, holder.as_object_mut()) {
        holder.insert("example".to_owned(), example);
    }
}

/// Writes one example.
struct ExampleWriter<'c> {
    components: &'c Value,
    /// Components that the example is inside of: objects in objects of their kind would have no end.
    open: BTreeSet<String>,
    values: usize,
}

impl ExampleWriter<'_> {
    /// A value that a schema allows; `None` if nothing is known of it, or it would have no end.
    fn of_schema(&mut self, schema: &Value) -> Option<Value> {
        self.values += 1;
        if self.values > MAX_VALUES || self.open.len() > MAX_LEVELS {
            return None;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix(COMPONENTS)?;
            let target = self.components.get(name)?;
            if !self.open.insert(name.to_owned()) {
                return None;
            }
            let example = self.of_schema(target);
            self.open.remove(name);
            return example;
        }
        if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
            return Some(value.clone());
        }
        let kind = match &schema["type"] {
            Value::String(kind) => Some(&**kind),
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
            }
            _ => None,
        };
        match kind {
            Some("object") => self.of_object(schema),
            Some("array") => self.of_list(schema),
            Some("string") => string(schema),
            Some("integer") => Some(json!(1)),
            Some("number") => Some(json!(1.5)),
            Some("boolean") => Some(json!(true)),
            _ => {
                let members = ["anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
                members?.iter().find_map(|member| self.of_schema(member))
            }
        }
    }

    fn of_object(&mut self, schema: &Value) -> Option<Value> {
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut out = Map::new();
        let properties = schema["properties"].as_object();
        for (n, (name, inner)) in properties.into_iter().flatten().enumerate() {
            let is_required = required.contains(&**name);
            if n >= MAX_PROPERTIES && !is_required {
                continue;
            }
            match self.of_schema(inner) {
                Some(value) => drop(out.insert(name.clone(), value)),
                // A schema without keywords allows any value.
                None if is_required && inner == &json!({}) => {
                    out.insert(name.clone(), json!("any"));
                }
                None if is_required => return None,
                None => {}
            }
        }
        if out.is_empty()
            && let Some(value) =
                schema.get("additionalProperties").and_then(|inner| self.of_schema(inner))
        {
            out.insert("key".to_owned(), value);
        }
        required.iter().all(|name| out.contains_key(*name)).then_some(Value::Object(out))
    }

    fn of_list(&mut self, schema: &Value) -> Option<Value> {
        let fewest = schema["minItems"].as_u64().unwrap_or(0);
        if let Some(kinds) = schema["prefixItems"].as_array() {
            let items = kinds.iter().map(|kind| self.of_schema(kind)).collect::<Option<Vec<_>>>();
            return items.map(Value::Array);
        }
        let count = usize::try_from(fewest).ok().filter(|count| *count <= MAX_VALUES)?.max(1);
        match self.of_schema(&schema["items"]) {
            Some(item) => Some(Value::Array(vec![item; count])),
            None if fewest == 0 => Some(json!([])),
            None => Some(Value::Array(vec![json!("any"); count]))
                .filter(|_| schema["items"] == json!({})),
        }
    }
}

/// A string of the format or pattern of a schema; `None` for a pattern that is not one of [`StringFormat`].
fn string(schema: &Value) -> Option<Value> {
    // Where the empty string was seen too, the format is one of two alternatives.
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let said = |keyword: &str| {
        std::iter::once(schema)
            .chain(alternatives.clone())
            .find_map(|schema| schema[keyword].as_str())
    };
    let (format, pattern) = (said("format"), said("pattern"));
    let known = StringFormat::ALL.into_iter().find(|known| {
        (format.is_some() && known.keyword() == format)
            || (pattern.is_some() && known.pattern() == pattern)
    });
    let text = match known {
        Some(StringFormat::Uuid) => "00000000-0000-4000-8000-000000000000",
        Some(StringFormat::DateTime) => "2000-01-01T00:00:00Z",
        Some(StringFormat::Date) => "2000-01-01",
        Some(StringFormat::Email) => "user@example.com",
        Some(StringFormat::Uri) => "https://example.com/",
        Some(StringFormat::Ipv4) => "192.0.2.1",
        Some(StringFormat::Ipv6) => "2001:db8::1",
        Some(StringFormat::LooseDateTime) => "2000-01-01 00:00:00",
        Some(StringFormat::Integer) => "1",
        Some(StringFormat::Decimal) => "1.5",
        None if pattern.is_some() => return None,
        None => "string",
    };
    Some(json!(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_an_example_of_it() {
        for format in StringFormat::ALL {
            let schema = match (format.keyword(), format.pattern()) {
                (Some(keyword), _) => json!({ "type": "string", "format": keyword }),
                (None, pattern) => {
                    json!({ "type": "string", "anyOf": [{ "pattern": pattern }, { "maxLength": 0 }] })
                }
            };
            let example = string(&schema).unwrap();
            assert_eq!(StringFormat::of(example.as_str().unwrap().as_bytes()), Some(format));
        }
        assert_eq!(string(&json!({ "type": "string", "pattern": "^x$" })), None);
    }

    #[test]
    fn an_object_in_objects_of_its_kind_ends() {
        let mut api = json!({
            "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Node" }
            } } } } } } },
            "components": { "schemas": { "Node": {
                "type": "object", "required": ["id", "any"],
                "properties": {
                    "id": { "type": "integer" }, "any": {},
                    "parent": { "$ref": "#/components/schemas/Node" },
                    "children": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } },
                },
            } } },
        });
        add_examples(&mut api);
        let content = &api["paths"]["/a"]["get"]["responses"]["200"]["content"];
        let example = &content["application/json"]["example"];
        assert_eq!(*example, json!({ "id": 1, "any": "any", "children": [] }));
        assert_eq!(api["components"]["schemas"]["Node"]["type"], "object");
    }
}
