//! Components that lead to themselves, in a form that generators of clients can read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::openapi::operation::COMPONENTS;

/// Writes `{"allOf": [{"$ref": X}, {"required": [...]}]}` as the reference alone where X leads back to the component that it
/// stands in. Generators merge the parts of `allOf`, and give up where that has no end.
pub(super) fn unfold_cycles(definitions: &mut Map<String, Value>) {
    let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, schema) in &*definitions {
        let mut found = BTreeSet::new();
        collect_references(schema, &mut found);
        references.insert(name.clone(), found);
    }
    for (name, schema) in definitions.iter_mut() {
        let leads_back = |target: &str| {
            let mut open = vec![target];
            let mut seen = BTreeSet::from([target]);
            while let Some(next) = open.pop() {
                if next == name {
                    return true;
                }
                let further = references.get(next).into_iter().flatten();
                open.extend(further.map(String::as_str).filter(|further| seen.insert(further)));
            }
            false
        };
        unfold(schema, &leads_back);
    }
}

/// The name of the component that a schema refers to.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(COMPONENTS)
}

/// The parts of a schema.
fn parts(schema: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match schema {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

fn collect_references(schema: &Value, found: &mut BTreeSet<String>) {
    found.extend(target(schema).map(str::to_owned));
    parts(schema).for_each(|part| collect_references(part, found));
}

fn unfold(schema: &mut Value, leads_back: &dyn Fn(&str) -> bool) {
    let first = schema.get("allOf").and_then(|all| all.get(0));
    if let Some(reference) = first.filter(|first| target(first).is_some_and(leads_back)).cloned() {
        // Beside `nullable`, the reference stays where it is.
        if schema.as_object().is_some_and(|members| members.len() > 1) {
            schema["allOf"] = json!([reference]);
        } else {
            *schema = reference;
        }
        return;
    }
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(|part| unfold(part, leads_back));
        }
        Value::Array(items) => items.iter_mut().for_each(|part| unfold(part, leads_back)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_back_loses_what_it_requires() {
        let refer = |name: &str| json!({ "$ref": format!("{COMPONENTS}{name}") });
        let stricter = |name: &str| json!({ "allOf": [refer(name), { "required": ["a"] }] });
        let mut definitions = json!({
            "Repo": { "properties": { "parent": stricter("Fork"), "owner": stricter("User") } },
            "Team": { "properties": {
                "parent": { "allOf": [refer("Team")], "type": "object", "nullable": true },
            } },
            "Fork": { "properties": { "source": { "items": refer("Repo") } } },
            "User": {},
        });
        unfold_cycles(definitions.as_object_mut().unwrap());
        let properties = &definitions["Repo"]["properties"];
        assert_eq!(properties["parent"], refer("Fork"));
        assert_eq!(properties["owner"], stricter("User"));
        assert_eq!(definitions["Team"]["properties"]["parent"]["nullable"], true);
    }
}
