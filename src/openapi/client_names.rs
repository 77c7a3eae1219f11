//! Unique titles and value names, so that client generators make no name twice.
//!
//! Generators name an inline object or enumeration after the way to it: `labels` of a component `PodMetadata` and
//! `metadata.labels` of a component `Pod` both become `PodMetadataLabels`, and one of them is lost. A title tells them apart. The
//! values `mon` and `MON` of an enumeration both become `MON`; `x-enum-varnames`, which generators read, tells these apart.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::schema::names::pascal_case;
use crate::template::vocabulary::words_of;

/// Gives titles to inline schemas and names to values, where the names that generators make would not be unique.
pub(super) fn set_client_names(document: &mut Value) {
    let mut names = ClassNames::default();
    if let Some(components) = document["components"]["schemas"].as_object() {
        names.taken.extend(components.keys().map(|name| (name.to_ascii_lowercase(), Value::Null)));
    }
    let components = document.get_mut("components").and_then(|all| all.get_mut("schemas"));
    for (name, schema) in components.and_then(Value::as_object_mut).into_iter().flatten() {
        names.visit_parts(schema, name);
    }
    let items = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    let operations = items.filter_map(|(_, item)| item.as_object_mut()).flatten();
    for (_, operation) in operations {
        let parent = pascal_case(operation["operationId"].as_str().unwrap_or_default());
        for parameter in
            operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
        {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            names.visit(&mut parameter["schema"], &parent, &name);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            names.visit_contents(body, &parent, "body");
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            names.visit_contents(response, &parent, &format!("response {status}"));
        }
    }
}

/// The names of classes that a generator would make, in lower case; those of enumerations with their values.
#[derive(Default)]
struct ClassNames {
    taken: BTreeMap<String, Value>,
}

impl ClassNames {
    fn visit_contents(&mut self, holder: &mut Value, parent: &str, name: &str) {
        let contents = holder.get_mut("content").and_then(Value::as_object_mut);
        for (_, content) in contents.into_iter().flatten() {
            if let Some(schema) = content.get_mut("schema") {
                self.visit(schema, parent, name);
            }
        }
    }

    /// Visits a schema at a place called `name` in a class called `parent`.
    fn visit(&mut self, schema: &mut Value, parent: &str, name: &str) {
        let Some(object) = schema.as_object_mut() else { return };
        for (at, branch) in
            object.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten().enumerate()
        {
            self.visit(branch, parent, &format!("{name} type {at}"));
        }
        if let Some(items) = object.get_mut("items") {
            self.visit(items, parent, &format!("{name} item"));
        }
        let values = object.get("enum").cloned();
        if let Some(names) =
            values.as_ref().and_then(Value::as_array).and_then(|all| value_names(all))
        {
            object.insert("x-enum-varnames".to_owned(), json!(names));
        }
        let is_object = match object.get("type") {
            Some(Value::Array(kinds)) => kinds.contains(&json!("object")),
            Some(kind) => kind == "object",
            None => object.contains_key("allOf"),
        };
        if values.is_some() || is_object {
            let class = self.claim(object, parent, name, &values.unwrap_or_default());
            self.visit_parts(schema, &class);
        }
    }

    /// Visits the properties of a class.
    fn visit_parts(&mut self, schema: &mut Value, class: &str) {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            self.visit(property, class, name);
        }
        if let Some(additional) = schema.get_mut("additionalProperties") {
            self.visit(additional, class, "additional property");
        }
    }

    /// Takes a name for a class, and returns it. Enumerations of the same values may share one.
    fn claim(
        &mut self,
        schema: &mut Map<String, Value>,
        parent: &str,
        name: &str,
        values: &Value,
    ) -> String {
        let own = pascal_case(name);
        let letters = (b'A'..=b'Z').map(|letter| format!("Own{own}{}", char::from(letter)));
        let numbers = (0_u64..).map(|number| format!("Own{own}N{number:03}"));
        let titles = [format!("Own{own}")].into_iter().chain(letters).chain(numbers);
        let plain = (!own.is_empty()).then(|| own.clone());
        for (at, title) in plain.into_iter().chain(titles).enumerate() {
            let class = format!("{parent}{title}");
            let is_shared = match self.taken.entry(class.to_ascii_lowercase()) {
                Entry::Occupied(known) => !values.is_null() && known.get() == values,
                Entry::Vacant(free) => {
                    free.insert(values.clone());
                    true
                }
            };
            if is_shared {
                if at > 0 || own.is_empty() {
                    schema.insert("title".to_owned(), json!(title));
                }
                return class;
            }
        }
        unreachable!("one of all numbers is free")
    }
}

/// Unique names for the values of an enumeration, if their names in upper case are not unique.
fn value_names(values: &[Value]) -> Option<Vec<String>> {
    let names: Vec<String> = values
        .iter()
        .map(|value| words_of(value.as_str().unwrap_or_default().as_bytes()).join("_"))
        .map(|name| name.to_ascii_uppercase())
        .collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    if unique.len() == names.len() {
        return None;
    }
    let mut taken = BTreeSet::new();
    let numbered = names.iter().map(|name| {
        let others = (2..).map(|number| format!("{name}_{number}"));
        let mut all = std::iter::once(name.clone()).filter(|name| !name.is_empty()).chain(others);
        all.find(|name| taken.insert(name.clone())).unwrap_or_default()
    });
    Some(numbered.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names_where_theirs_collide() {
        assert_eq!(value_names(&[json!("mon"), json!("tue")]), None);
        let names = value_names(&[json!("mon"), json!("MON"), json!("-"), json!("--")]);
        assert_eq!(names.unwrap(), ["MON", "MON_2", "_2", "_3"]);
    }

    #[test]
    fn names_made_of_the_way_are_unique() {
        let text = |property: &str| json!({ "type": "object", "properties": { property: {} } });
        let mut document = json!({
            "paths": { "/a": { "get": {
                "operationId": "getA",
                "parameters": [
                    { "name": "sort", "schema": { "type": "string", "enum": ["a"] } },
                    { "name": "Sort", "schema": { "type": "string", "enum": ["b"] } },
                    { "name": "sort", "schema": { "type": "string", "enum": ["a"] } },
                ],
            } } },
            "components": { "schemas": {
                "Pod": { "type": "object", "properties": {
                    "metadata": { "type": "object", "properties": { "labels": text("a") } },
                    "owner": { "allOf": [{ "$ref": "#/components/schemas/PodOwner" }, {}] },
                    ".": text("b"),
                } },
                "PodMetadata": { "type": "object", "properties": { "labels": text("a") } },
                "PodOwner": text("c"),
            } },
        });
        set_client_names(&mut document);
        let pod = &document["components"]["schemas"]["Pod"]["properties"];
        assert_eq!(pod["metadata"]["title"], "OwnMetadata");
        assert_eq!(pod["metadata"]["properties"]["labels"].get("title"), None);
        assert_eq!(pod["owner"]["title"], "OwnOwner");
        assert_eq!(pod["."]["title"], "Own");
        let parameters = document["paths"]["/a"]["get"]["parameters"].as_array().unwrap();
        let titles = parameters.iter().map(|parameter| parameter["schema"]["title"].as_str());
        assert_eq!(titles.collect::<Vec<_>>(), [None, Some("OwnSort"), None]);
    }
}
