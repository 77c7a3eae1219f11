//! Adds properties to schemas, and finds where a schema contradicts the traffic.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::merge::merger::{Merger, SCHEMAS};
use crate::openapi::merge::tree::{SourceId, SourceValue};
use crate::openapi::merge::view::{SchemaPart, alternatives_of, kinds_at, parts_of, values_at};
use crate::schema::emit::OBSERVED;

/// The kind of message that the values of a schema are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SchemaUse {
    /// Text, in which a number is a string too: parameters and forms.
    pub(super) is_text: bool,
    /// A response; otherwise a request.
    pub(super) is_response: bool,
}

/// A schema of the capture for values of one kind or more.
#[derive(Clone, Copy)]
struct OwnVariant<'v> {
    schema: &'v Value,
    component: Option<&'v str>,
}

/// The alternatives of a schema of the capture, and whether null was seen.
fn variants_of<'v>(merger: &Merger<'v>, schema: &'v Value) -> (Vec<OwnVariant<'v>>, bool) {
    let mut found = Vec::new();
    let mut has_nulls = false;
    let mut open = vec![(schema, None)];
    while let Some((schema, component)) = open.pop() {
        has_nulls |= schema[OBSERVED]["null"] == json!(true);
        let reference = schema["$ref"].as_str().and_then(|text| text.strip_prefix(SCHEMAS));
        if let Some(name) = reference {
            // A component is an object of its own, and never a reference alone.
            if let (Some(target), None) = (merger.own_component(name), component) {
                open.push((target, Some(name)));
            }
            continue;
        }
        let members = ["anyOf", "allOf"].iter().find_map(|keyword| schema[keyword].as_array());
        match members.filter(|_| schema.get("type").is_none()) {
            Some(members) => open.extend(members.iter().rev().map(|member| (member, component))),
            None => found.push(OwnVariant { schema, component }),
        }
    }
    (found, has_nulls)
}

/// The text before the names of properties in the name of a place.
const PROPERTY: &str = ", property ";

/// The name of the place of a property.
fn within(place: &str, name: &str) -> String {
    if place.contains(PROPERTY) {
        format!("{place}.{name}")
    } else {
        format!("{place}{PROPERTY}{name}")
    }
}

fn kinds_of_own(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(kind) => BTreeSet::from([&**kind]),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

impl<'m> Merger<'m> {
    /// Compares a schema of the capture with one of the description.
    pub(super) fn compare_schema(
        &mut self,
        own: &'m Value,
        id: SourceId,
        place: &str,
        used: SchemaUse,
    ) {
        let (variants, has_nulls) = variants_of(self, own);
        if variants.is_empty() {
            return;
        }
        let Some(target) = self.follow(id, place) else { return };
        if !matches!(
            self.tree.value(target),
            SourceValue::Mapping(_) | SourceValue::Scalar(Value::Null)
        ) {
            return;
        }
        let parts = parts_of(self.tree, target);
        self.pair_components(&variants, id, &parts);
        let fresh: Vec<OwnVariant<'m>> = variants
            .into_iter()
            .filter(|variant| variant.component.is_none_or(|name| self.mark_compared(name, target)))
            .collect();
        let kinds = kinds_at(self.tree, &parts);
        let allows = |kind: &str| kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
        self.compare_kinds((&fresh, has_nulls), target, kinds.as_ref(), (place, used));
        for variant in &fresh {
            let schema = variant.schema;
            self.compare_values(schema, (target, &parts), place);
            let own_kinds = kinds_of_own(schema);
            if own_kinds.contains("object") && allows("object") {
                self.object(schema, target, &parts, (place, used));
            }
            if own_kinds.contains("array") && allows("array") {
                self.list(schema, target, &parts, (place, used));
            }
        }
    }

    /// Notes which component of the description is the one of the capture.
    fn pair_components(&mut self, variants: &[OwnVariant<'_>], id: SourceId, parts: &[SchemaPart]) {
        let named: Vec<&str> = variants.iter().filter_map(|variant| variant.component).collect();
        let [own] = named[..] else { return };
        let at_once = self.component_of(id);
        let within = || {
            let keywords = parts.iter().flat_map(|part| {
                ["allOf", "anyOf", "oneOf"]
                    .into_iter()
                    .filter_map(|keyword| self.tree.get(part.id, keyword))
            });
            let members = keywords.flat_map(|list| self.tree.items(list));
            let found: Vec<String> = members.filter_map(|item| self.component_of(*item)).collect();
            if let [only] = &found[..] { Some(only.clone()) } else { None }
        };
        if let Some(theirs) = at_once.or_else(within) {
            self.pair(own, theirs);
        }
    }

    fn compare_kinds(
        &mut self,
        (variants, has_nulls): (&[OwnVariant<'_>], bool),
        id: SourceId,
        kinds: Option<&BTreeSet<String>>,
        (place, used): (&str, SchemaUse),
    ) {
        let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) else { return };
        let fits = |kind: &str| {
            kinds.contains(kind)
                || (kind == "integer" && kinds.contains("number"))
                // Text of a form has no types, and a list may be one text.
                || (used.is_text
                    && (kinds.contains("array") || kinds.contains("object") || (kinds.contains("string") && kind != "array" && kind != "object")))
        };
        let mut own: BTreeSet<&str> =
            variants.iter().flat_map(|variant| kinds_of_own(variant.schema)).collect();
        own.remove("null");
        let said = || kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ");
        let others: Vec<String> =
            own.iter().filter(|kind| !fits(kind)).map(|kind| format!("`{kind}`")).collect();
        if !others.is_empty() {
            let what = format!(
                "the description says {}, and the traffic has {}",
                said(),
                others.join(" and ")
            );
            self.conflict(id, place, &what);
        }
        if has_nulls && !used.is_text && !kinds.contains("null") && !variants.is_empty() {
            let what = format!("the description says {}, and the traffic has null too", said());
            self.conflict(id, place, &what);
        }
    }

    /// Compares enumerated values and formats.
    fn compare_values(&mut self, own: &Value, (id, parts): (SourceId, &[SchemaPart]), place: &str) {
        if let (Some(seen), Some(known)) = (own["enum"].as_array(), values_at(self.tree, parts)) {
            let outside: Vec<String> = seen
                .iter()
                .filter(|value| !value.is_null() && !known.contains(value))
                .map(|value| {
                    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                })
                .collect();
            if !outside.is_empty() {
                let shown = outside.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
                let more = outside.len().saturating_sub(5);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                self.conflict(
                    id,
                    place,
                    &format!(
                        "the traffic has values that are not in the enumeration: {shown}{more}"
                    ),
                );
            }
        }
        let format = parts.iter().find_map(|part| self.tree.text(part.id, "format"));
        if let (Some(seen), Some(known)) = (own["format"].as_str(), format)
            && seen != known
        {
            self.conflict(
                id,
                place,
                &format!("the description says format `{known}`, and the traffic has `{seen}`"),
            );
        }
    }

    fn list(
        &mut self,
        own: &'m Value,
        id: SourceId,
        parts: &[SchemaPart],
        (place, used): (&str, SchemaUse),
    ) {
        let place =
            if place.contains(PROPERTY) { format!("{place}[]") } else { format!("{place}, items") };
        let Some(items) = own.get("items").filter(|items| **items != json!({})) else { return };
        match parts.iter().find_map(|part| self.tree.get(part.id, "items")) {
            Some(theirs) => self.compare_schema(items, theirs, &place, used),
            None if alternatives_of(self.tree, parts).is_empty()
                && parts.iter().all(|part| self.tree.get(part.id, "prefixItems").is_none()) =>
            {
                self.add(id, ("schema of items", &place), "items", |merger| {
                    merger.import_value(items)
                });
            }
            None => {}
        }
    }

    fn object(
        &mut self,
        own: &'m Value,
        id: SourceId,
        parts: &[SchemaPart],
        (place, used): (&str, SchemaUse),
    ) {
        let within = |name: &str| within(place, name);
        let additional =
            parts.iter().find_map(|part| self.tree.get(part.id, "additionalProperties"));
        let additional =
            additional.filter(|id| matches!(self.tree.value(*id), SourceValue::Mapping(_)));
        let has_properties =
            parts.iter().any(|part| self.tree.get(part.id, "properties").is_some());
        if let (Some(own), Some(theirs)) = (own.get("additionalProperties"), additional) {
            self.compare_schema(own, theirs, &within("*"), used);
        }
        let Some(properties) = own["properties"].as_object() else { return };
        let is_map = additional.is_some() && !has_properties;
        if let (Some(values), true) = (additional, is_map) {
            for value in properties.values() {
                self.compare_schema(value, values, &within("*"), used);
            }
            return;
        }
        self.compare_required(own, properties, parts, (place, used));
        let alternatives = alternatives_of(self.tree, parts);
        let has_patterns =
            parts.iter().any(|part| self.tree.get(part.id, "patternProperties").is_some());
        for (name, value) in properties {
            let of_parts = |parts: &[SchemaPart]| {
                parts.iter().find_map(|part| self.tree.get_path(part.id, &["properties", name]))
            };
            if let Some(theirs) = of_parts(parts) {
                self.compare_schema(value, theirs, &within(name), used);
                continue;
            }
            if has_patterns {
                continue;
            }
            if alternatives.is_empty() {
                self.add_property(id, parts, (name, value), place);
                continue;
            }
            let found: Vec<SourceId> = alternatives
                .iter()
                .filter_map(|alternative| of_parts(&parts_of(self.tree, *alternative)))
                .collect();
            match found[..] {
                [] => self.conflict(
                    id,
                    place,
                    &format!("property `{name}` is in none of the alternatives (`oneOf`, `anyOf`), and which one it belongs to cannot be said"),
                ),
                [only] => self.compare_schema(value, only, &within(name), used),
                _ => {}
            }
        }
    }

    /// Adds a property where those of the schema stand.
    fn add_property(
        &mut self,
        id: SourceId,
        parts: &[SchemaPart],
        (name, value): (&str, &Value),
        place: &str,
    ) {
        let own = parts.iter().filter(|part| !part.is_base);
        let with_properties = own
            .filter_map(|part| self.tree.get(part.id, "properties"))
            .min_by_key(|properties| self.tree.entries(*properties).is_empty());
        if let Some(properties) = with_properties {
            self.add(properties, ("property", place), name, |merger| merger.import_value(value));
        } else {
            {
                let at = ("property", place);
                self.add(id, at, "properties", |merger| {
                    Some(json!({ name: merger.import_value(value)? }))
                });
            }
        }
    }

    fn compare_required(
        &mut self,
        own: &Value,
        properties: &Map<String, Value>,
        parts: &[SchemaPart],
        (place, used): (&str, SchemaUse),
    ) {
        let sometimes = own[OBSERVED]["sometimes"].as_array();
        let is_sometimes =
            |name: &str| sometimes.is_some_and(|all| all.iter().any(|known| known == name));
        let has_more = own.get("additionalProperties").is_some();
        let not_sent = if used.is_response { "writeOnly" } else { "readOnly" };
        for part in parts {
            let Some(required) = self.tree.get(part.id, "required") else { continue };
            for item in self.tree.items(required) {
                let Some(name) = self.tree.scalar_text(*item) else { continue };
                let described = parts
                    .iter()
                    .find_map(|part| self.tree.get_path(part.id, &["properties", &name]))
                    .and_then(|id| self.tree.followed(id));
                let seen = match properties.contains_key(&name) {
                    true if is_sometimes(&name) => "was missing in some of the traffic",
                    false if !has_more => "is nowhere in the traffic",
                    _ => continue,
                };
                if described.is_some_and(|id| self.tree.is_true(id, not_sent)) {
                    continue;
                }
                self.conflict(
                    *item,
                    place,
                    &format!("property `{name}` is `required`, and {seen}"),
                );
            }
        }
    }
}
