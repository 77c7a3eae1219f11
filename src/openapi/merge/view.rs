//! What an edited schema says, over its `$ref`s, `allOf` and alternatives.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::openapi::merge::tree::{SourceId, SourceTree, SourceValue};

/// Schemas that one schema is made of, and alternatives, that are looked at.
const MAX_PARTS: usize = 256;

/// A schema that a value must fit with all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SchemaPart {
    pub(super) id: SourceId,
    /// Whether it stands behind a `$ref` of an `allOf`, and so is of other schemas too.
    pub(super) is_base: bool,
}

/// A schema and the members of its `allOf`; an alternative beside null alone is one of them.
pub(super) fn parts_of(tree: &SourceTree, id: SourceId) -> Vec<SchemaPart> {
    let mut parts: Vec<SchemaPart> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![SchemaPart { id: tree.behind_alias(id), is_base: false }];
    while let Some(part) = open.pop() {
        let Some(id) = tree.followed(part.id) else { continue };
        if !seen.insert(id) || parts.len() >= MAX_PARTS {
            continue;
        }
        parts.push(SchemaPart { id, is_base: part.is_base });
        let members = tree.get(id, "allOf").map_or(&[][..], |all| tree.items(all));
        // The only member of `allOf` is there to stand beside `nullable` or a description.
        let is_lone = members.len() == 1;
        open.extend(members.iter().rev().map(|member| {
            let is_reference = tree.get(*member, "$ref").is_some();
            SchemaPart { id: *member, is_base: part.is_base || (is_reference && !is_lone) }
        }));
        if let [only] = alternatives_at(tree, id)[..] {
            open.push(SchemaPart { id: only, is_base: part.is_base });
        }
    }
    parts
}

/// The alternatives of `anyOf` and `oneOf` other than null.
fn alternatives_at(tree: &SourceTree, id: SourceId) -> Vec<SourceId> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| tree.get(id, keyword));
    let all = lists.flat_map(|list| tree.items(list)).take(MAX_PARTS).copied();
    all.filter(|item| tree.text(*item, "type").is_none_or(|kind| kind != "null")).collect()
}

/// The alternatives of a schema, if there are several.
pub(super) fn alternatives_of(tree: &SourceTree, parts: &[SchemaPart]) -> Vec<SourceId> {
    let several = parts.iter().map(|part| alternatives_at(tree, part.id));
    several.filter(|alternatives| alternatives.len() > 1).flatten().take(MAX_PARTS).collect()
}

/// The kinds of values that a schema allows; `None` if it does not say.
pub(super) fn kinds_at(tree: &SourceTree, parts: &[SchemaPart]) -> Option<BTreeSet<String>> {
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    let mut is_said = false;
    let mut is_nullable = parts.iter().any(|part| tree.is_true(part.id, "nullable"));
    for part in parts {
        for keyword in ["anyOf", "oneOf"] {
            let list = tree.get(part.id, keyword).map_or(&[][..], |list| tree.items(list));
            is_nullable |= list.iter().any(|item| {
                tree.text(*item, "type").is_some_and(|kind| kind == "null")
                    || tree.is_true(*item, "nullable")
            });
        }
    }
    for part in parts {
        if let Some(stated) = tree.get(part.id, "type") {
            kinds.extend(tree.strings(stated));
            // `type: null` without quotes is null itself.
            is_said = true;
            break;
        }
    }
    if !is_said {
        let alternatives = alternatives_of(tree, parts);
        for alternative in &alternatives {
            kinds.extend(kinds_at_alternative(tree, *alternative)?);
        }
        is_said = !alternatives.is_empty();
    }
    if !is_said {
        for value in values_at(tree, parts)? {
            kinds.insert(kind_of(&value).to_owned());
        }
    }
    if is_nullable {
        kinds.insert("null".to_owned());
    }
    Some(kinds)
}

/// The kinds of an alternative whose own alternatives are not looked at.
fn kinds_at_alternative(tree: &SourceTree, id: SourceId) -> Option<BTreeSet<String>> {
    let parts = parts_of(tree, id);
    let stated = parts.iter().find_map(|part| tree.get(part.id, "type"));
    match stated {
        Some(stated) => Some(tree.strings(stated).into_iter().collect()),
        None if parts.iter().any(|part| tree.get(part.id, "properties").is_some()) => {
            Some(BTreeSet::from(["object".to_owned()]))
        }
        None => None,
    }
}

/// The enumerated values of a schema.
pub(super) fn values_at(tree: &SourceTree, parts: &[SchemaPart]) -> Option<Vec<Value>> {
    for part in parts {
        let scalar = |id: SourceId| match tree.value(id) {
            SourceValue::Scalar(value) => Some(value.clone()),
            _ => None,
        };
        if let Some(list) = tree.get(part.id, "enum") {
            return tree.items(list).iter().map(|item| scalar(*item)).collect();
        }
        if let Some(only) = tree.get(part.id, "const") {
            return Some(vec![scalar(only)?]);
        }
    }
    None
}

/// The kind of a scalar.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
