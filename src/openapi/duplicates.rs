//! Components that are equal: one stays for all of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::openapi::operation::COMPONENTS;

/// Marks behind the noun in names of components whose noun was taken.
const MARKS: [&str; 2] = ["With", "Variant"];

/// Removes components that are equal to another one with the same noun, and refers to that one instead. Bodies of errors of many
/// endpoints and statuses are such components: each was too seldom to be known as one object.
pub(super) fn merge_equal_components(
    definitions: &mut Map<String, Value>,
    paths: &mut Map<String, Value>,
) {
    loop {
        let replaced = replacements(definitions);
        if replaced.is_empty() {
            return;
        }
        let mut kept = Map::new();
        for (name, mut schema) in std::mem::take(definitions) {
            let kept_name = replaced.get(&name).unwrap_or(&name).clone();
            rewrite(&mut schema, &replaced);
            kept.entry(kept_name).or_insert(schema);
        }
        kept.sort_keys();
        *definitions = kept;
        paths.values_mut().for_each(|item| rewrite(item, &replaced));
    }
}

/// New names by old ones: of equal components with one noun one name stays, the noun alone if it is free.
fn replacements(definitions: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut equal: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for (name, schema) in definitions {
        equal.entry((schema.to_string(), noun_of(name))).or_default().push(name);
    }
    let mut replaced = BTreeMap::new();
    for ((_, noun), names) in equal.into_iter().filter(|(_, names)| names.len() > 1) {
        let shortest =
            names.iter().min_by_key(|name| (name.len(), **name)).copied().unwrap_or(noun);
        let is_taken =
            definitions.contains_key(noun) || replaced.values().any(|known| known == noun);
        let kept = if is_taken { shortest } else { noun };
        for name in names.into_iter().filter(|name| *name != kept) {
            replaced.insert(name.to_owned(), kept.to_owned());
        }
    }
    replaced
}

/// The part of a name before its marks.
fn noun_of(name: &str) -> &str {
    let end = MARKS.iter().filter_map(|mark| name.find(mark)).filter(|at| *at > 0).min();
    &name[..end.unwrap_or(name.len())]
}

fn rewrite(value: &mut Value, replaced: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let target = member.as_str().filter(|_| key == "$ref");
                let target =
                    target.and_then(|target| replaced.get(target.strip_prefix(COMPONENTS)?));
                match target {
                    Some(target) => *member = Value::String(format!("{COMPONENTS}{target}")),
                    None => rewrite(member, replaced),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, replaced)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn equal_components_with_one_noun_are_one() {
        let refer = |name: &str| json!({ "$ref": format!("{COMPONENTS}{name}") });
        let error = json!({ "type": "object", "properties": { "code": {} } });
        let outer = |name: &str| json!({ "properties": { "error": refer(name) } });
        let mut definitions = object(&json!({
            "ErrorVariantA": error, "ErrorVariantB": error, "ErrorWithCode": error, "Label": error,
            "Answer": outer("ErrorVariantA"), "AnswerWithError": outer("ErrorVariantB"),
        }));
        let mut paths = object(
            &json!({ "/a": [refer("ErrorWithCode"), refer("AnswerWithError"), refer("Label")] }),
        );
        merge_equal_components(&mut definitions, &mut paths);
        let left: Vec<&String> = definitions.keys().collect();
        assert_eq!(left, ["Answer", "Error", "Label"]);
        assert_eq!(definitions["Answer"], outer("Error"));
        assert_eq!(paths["/a"], json!([refer("Error"), refer("Answer"), refer("Label")]));
    }

    #[test]
    fn components_that_differ_stay() {
        let mut definitions = object(&json!({ "Error": { "a": 1 }, "ErrorWithB": { "b": 1 } }));
        merge_equal_components(&mut definitions, &mut Map::new());
        assert_eq!(definitions.len(), 2);
    }
}
