//! Links of answers: to which operations the values in an answer are parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::openapi::names::OperationNames;
use crate::report::Pattern;
use crate::report::parameter_source::ParameterSource;

/// The endpoints of one operation, with its names.
pub(super) struct LinkedOperation<'o> {
    pub(super) path: &'o str,
    /// In lower case.
    pub(super) method: String,
    pub(super) patterns: &'o [&'o Pattern],
    pub(super) names: &'o OperationNames,
    /// The names of the parameters in the path.
    pub(super) path_names: Vec<String>,
}

/// Adds to each answer the operations for which its values are parameters (OpenAPI 3.1, section
/// 4.8.20). An item of a list is that at the first index, because the expressions of OpenAPI have
/// no other way to mean any item.
pub(super) fn add_links(operations: &[LinkedOperation<'_>], paths: &mut Map<String, Value>) {
    let by_id: BTreeMap<&str, &LinkedOperation<'_>> = operations
        .iter()
        .flat_map(|operation| {
            operation.patterns.iter().map(move |pattern| (&*pattern.id, operation))
        })
        .collect();
    for target in operations {
        for pattern in target.patterns {
            let parameters =
                pattern.parameters.iter().filter(|parameter| parameter.location == "path");
            for (parameter, name) in parameters.zip(&target.path_names) {
                // A value of a map has no pointer that is the same in every answer.
                let has_pointer =
                    |found: &&ParameterSource| found.host.is_none() && !found.key.contains('*');
                let Some(found) = parameter.source.as_ref().filter(has_pointer) else {
                    continue;
                };
                let Some(source) = by_id.get(&*found.id) else { continue };
                // A name that the query has too needs its place.
                let own = &paths[target.path][&target.method]["parameters"];
                let is_elsewhere = own
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|other| other["name"] == json!(name) && other["in"] != json!("path"));
                let name = if is_elsewhere { format!("path.{name}") } else { name.clone() };
                let response = paths
                    .get_mut(source.path)
                    .and_then(|item| item.get_mut(&source.method))
                    .and_then(|operation| operation.get_mut("responses"))
                    .and_then(|responses| responses.get_mut(found.status.to_string()))
                    .and_then(Value::as_object_mut);
                let Some(response) = response else { continue };
                let link =
                    &mut response.entry("links").or_insert_with(|| json!({}))[&target.names.id];
                link["operationId"] = json!(target.names.id);
                link["parameters"][&name] = json!(expression(&found.key));
            }
        }
    }
}

/// The runtime expression of a place in an answer: `$response.body#/items/0/id` for `items[].id`.
fn expression(key: &str) -> String {
    let mut out = "$response.body#".to_owned();
    for part in key.split('.') {
        let name = part.trim_end_matches("[]");
        if !name.is_empty() {
            out.push('/');
            out.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        for _ in 0..(part.len() - name.len()) / 2 {
            out.push_str("/0");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_pointers() {
        for (key, pointer) in [
            ("id", "/id"),
            ("[].id", "/0/id"),
            ("items[].owner.login", "/items/0/owner/login"),
            ("ids[]", "/ids/0"),
            ("rows[][].a/b", "/rows/0/0/a~1b"),
        ] {
            assert_eq!(expression(key), format!("$response.body#{pointer}"));
        }
    }
}
