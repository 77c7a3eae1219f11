//! Compiles the schemas of a description.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::description::cursor::{DescriptionCursor, DescriptionPlace};
use crate::description::format::CheckedFormat;
use crate::description::pattern::{PatternCompiler, PatternRule};
use crate::description::schema::{
    Branches, CompiledSchema, KindSet, ListRules, NumberRules, ObjectRules, SchemaId, SchemaSet,
    TextRules,
};

/// Compiles schemas on demand: places are numbered first, and read afterwards, so that no reference is followed twice.
pub(super) struct SchemaCompiler<'d> {
    set: SchemaSet,
    by_place: BTreeMap<DescriptionPlace, SchemaId>,
    open: Vec<(SchemaId, DescriptionCursor<'d>)>,
    /// True for OpenAPI 2.0 and 3.0, whose schemas are not yet JSON Schema 2020-12.
    is_early: bool,
    patterns: PatternCompiler,
    /// Parts of schemas that are not checked, in words.
    pub(super) unchecked: Vec<String>,
}

impl<'d> SchemaCompiler<'d> {
    pub(super) fn new(is_early: bool) -> Self {
        Self {
            set: SchemaSet::default(),
            by_place: BTreeMap::new(),
            open: Vec::new(),
            is_early,
            patterns: PatternCompiler::default(),
            unchecked: Vec::new(),
        }
    }

    /// The number of the schema at a place.
    pub(super) fn enqueue_schema(&mut self, cursor: DescriptionCursor<'d>) -> SchemaId {
        let place = cursor.place();
        if let Some(id) = self.by_place.get(&place) {
            return *id;
        }
        let id = SchemaId(u32::try_from(self.set.schemas.len()).unwrap_or(u32::MAX));
        self.set.schemas.push(CompiledSchema::default());
        self.set.places.push(place.clone());
        self.by_place.insert(place, id);
        self.open.push((id, cursor));
        id
    }

    /// Adds the schema of an object whose properties stand in a list of parameters.
    pub(super) fn add_object(
        &mut self,
        place: DescriptionPlace,
        fields: &[&DescriptionCursor<'d>],
    ) -> SchemaId {
        let mut rules = ObjectRules::default();
        for field in fields {
            let Some(name) = field.text("name") else { continue };
            rules.properties.insert(name.into(), self.enqueue_schema((*field).clone()));
            if field.is_true("required") {
                rules.required.push(name.into());
            }
        }
        let id = SchemaId(u32::try_from(self.set.schemas.len()).unwrap_or(u32::MAX));
        self.set.schemas.push(CompiledSchema {
            kinds: KindSet::OBJECT,
            object: Some(Box::new(rules)),
            ..CompiledSchema::default()
        });
        self.set.places.push(place);
        id
    }

    /// Compiles everything that was numbered.
    pub(super) fn finish(mut self) -> (SchemaSet, Vec<String>) {
        while let Some((id, cursor)) = self.open.pop() {
            let schema = self.compile(&cursor);
            self.set.schemas[id.0 as usize] = schema;
        }
        self.unchecked.sort_unstable();
        self.unchecked.dedup();
        (self.set, self.unchecked)
    }

    fn compile(&mut self, cursor: &DescriptionCursor<'d>) -> CompiledSchema {
        let mut schema = CompiledSchema {
            is_nullable: self.is_early
                && (cursor.is_true("nullable") || cursor.is_true("x-nullable")),
            ..CompiledSchema::default()
        };
        let Some(members) = cursor.value.as_object() else {
            schema.is_never = cursor.value == &Value::Bool(false);
            return schema;
        };
        if let Some(target) = members.get("$ref").and_then(Value::as_str) {
            match cursor.target(target) {
                Some(target) => schema.reference = Some(self.enqueue_schema(target)),
                None => self.note_unchecked(cursor, &format!("$ref {target} leads nowhere")),
            }
            if self.is_early {
                return schema;
            }
        }
        schema.kinds = self.kinds(cursor);
        schema.values = match (members.get("const"), members.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        };
        schema.text = self.text(cursor);
        schema.number = number_rules(cursor);
        schema.list = self.list(cursor);
        schema.object = self.object(cursor);
        schema.branches = self.branches(cursor);
        schema.is_read_only = cursor.is_true("readOnly");
        schema.is_write_only = cursor.is_true("writeOnly");
        schema.is_deprecated = cursor.is_true("deprecated");
        schema
    }

    fn kinds(&mut self, cursor: &DescriptionCursor<'d>) -> KindSet {
        match cursor.value.get("type") {
            None => return KindSet::ALL,
            Some(Value::String(name)) => KindSet::of_type(name),
            Some(Value::Array(names)) => {
                let each = names.iter().map(|name| name.as_str().and_then(KindSet::of_type));
                {
                    let mut each = each;
                    each.try_fold(KindSet::NONE, |all: KindSet, kind| Some(all.or(kind?)))
                }
            }
            Some(_) => None,
        }
        .unwrap_or_else(|| {
            self.note_unchecked(cursor, "this type is not one of JSON Schema");
            KindSet::ALL
        })
    }

    fn note_unchecked(&mut self, cursor: &DescriptionCursor<'d>, what: &str) {
        const MAX_UNCHECKED: usize = 1000;
        if self.unchecked.len() < MAX_UNCHECKED {
            self.unchecked.push(format!("{}: {what}", cursor.place().pointer));
        }
    }

    fn pattern(&mut self, cursor: &DescriptionCursor<'d>, pattern: &str) -> Option<PatternRule> {
        let compiled = self.patterns.compile(pattern);
        if compiled.is_none() {
            self.note_unchecked(
                cursor,
                "this pattern is not checked, because it is not valid, or it or all together are too large",
            );
        }
        compiled
    }

    fn text(&mut self, cursor: &DescriptionCursor<'d>) -> Option<Box<TextRules>> {
        let format = cursor.text("format").and_then(CheckedFormat::of_text);
        let pattern = cursor.text("pattern").and_then(|pattern| self.pattern(cursor, pattern));
        let least = count(cursor, "minLength").unwrap_or(0);
        let most = count(cursor, "maxLength");
        let is_stated = format.is_some() || pattern.is_some() || least > 0 || most.is_some();
        is_stated
            .then(|| Box::new(TextRules { format, pattern, min_length: least, max_length: most }))
    }

    fn list(&mut self, cursor: &DescriptionCursor<'d>) -> Option<Box<ListRules>> {
        let first = cursor.get("prefixItems").map(|items| items.items().collect::<Vec<_>>());
        let first: Vec<SchemaId> =
            first.into_iter().flatten().map(|item| self.enqueue_schema(item)).collect();
        let contains = cursor.get("contains").map(|contains| {
            let least = count(cursor, "minContains").unwrap_or(1);
            (self.enqueue_schema(contains), least, count(cursor, "maxContains"))
        });
        let rules = ListRules {
            first,
            rest: cursor.get("items").map(|items| self.enqueue_schema(items)),
            contains,
            min_items: count(cursor, "minItems").unwrap_or(0),
            max_items: count(cursor, "maxItems"),
            is_unique: cursor.is_true("uniqueItems"),
            unevaluated: cursor.get("unevaluatedItems").map(|items| self.enqueue_schema(items)),
        };
        let is_stated = !rules.first.is_empty()
            || rules.rest.is_some()
            || rules.contains.is_some()
            || rules.min_items > 0
            || rules.max_items.is_some()
            || rules.is_unique
            || rules.unevaluated.is_some();
        is_stated.then(|| Box::new(rules))
    }

    fn object(&mut self, cursor: &DescriptionCursor<'d>) -> Option<Box<ObjectRules>> {
        let mut rules = ObjectRules::default();
        if let Some(properties) = cursor.get("properties") {
            for (name, property) in properties.members() {
                rules.properties.insert(name.into(), self.enqueue_schema(property));
            }
        }
        rules.required = texts(cursor.value.get("required"));
        if let Some(patterns) = cursor.get("patternProperties") {
            for (pattern, property) in patterns.members() {
                let id = self.enqueue_schema(property.clone());
                match self.pattern(&property, pattern) {
                    Some(pattern) => rules.patterns.push((pattern, id)),
                    // Unknown which properties are meant: none may be called undocumented.
                    None => rules.additional = Some(self.anything(cursor)),
                }
            }
        }
        if rules.additional.is_none() {
            rules.additional =
                cursor.get("additionalProperties").map(|schema| self.enqueue_schema(schema));
        }
        rules.unevaluated =
            cursor.get("unevaluatedProperties").map(|schema| self.enqueue_schema(schema));
        rules.names = cursor.get("propertyNames").map(|schema| self.enqueue_schema(schema));
        rules.min_properties = count(cursor, "minProperties").unwrap_or(0);
        rules.max_properties = count(cursor, "maxProperties");
        if let Some(dependent) = cursor.get("dependentRequired") {
            for (name, required) in dependent.members() {
                rules.dependent_required.push((name.into(), texts(Some(required.value))));
            }
        }
        if let Some(dependent) = cursor.get("dependentSchemas") {
            for (name, schema) in dependent.members() {
                let id = self.enqueue_schema(schema);
                rules.dependent_schemas.push((name.into(), id));
            }
        }
        let has_any = ["properties", "required", "patternProperties", "additionalProperties"]
            .into_iter()
            .chain(["unevaluatedProperties", "propertyNames", "minProperties", "maxProperties"])
            .chain(["dependentRequired", "dependentSchemas"])
            .any(|name| cursor.value.get(name).is_some());
        has_any.then(|| Box::new(rules))
    }

    /// A schema that accepts everything.
    fn anything(&mut self, cursor: &DescriptionCursor<'d>) -> SchemaId {
        let id = SchemaId(u32::try_from(self.set.schemas.len()).unwrap_or(u32::MAX));
        self.set.schemas.push(CompiledSchema::default());
        self.set.places.push(cursor.place());
        id
    }

    fn branches(&mut self, cursor: &DescriptionCursor<'d>) -> Option<Box<Branches>> {
        let mut group = |name: &str| -> Vec<SchemaId> {
            let group = cursor.get(name).map(|group| group.items().collect::<Vec<_>>());
            group.into_iter().flatten().map(|schema| self.enqueue_schema(schema)).collect()
        };
        let (all, any, one) = (group("allOf"), group("anyOf"), group("oneOf"));
        let not = cursor.get("not").map(|schema| self.enqueue_schema(schema));
        let condition = cursor.get("if").map(|condition| {
            let then = cursor.get("then").map(|schema| self.enqueue_schema(schema));
            let otherwise = cursor.get("else").map(|schema| self.enqueue_schema(schema));
            (self.enqueue_schema(condition), then, otherwise)
        });
        let discriminator = self.discriminator(cursor);
        let branches = Branches { all, any, one, not, condition, discriminator };
        let is_stated = ["allOf", "anyOf", "oneOf", "not", "if", "discriminator"]
            .iter()
            .any(|name| cursor.value.get(*name).is_some());
        is_stated.then(|| Box::new(branches))
    }

    /// The property that tells branches apart: by `mapping`, otherwise by the names of the components.
    fn discriminator(
        &mut self,
        cursor: &DescriptionCursor<'d>,
    ) -> Option<(Box<str>, BTreeMap<Box<str>, SchemaId>)> {
        let discriminator = cursor.get("discriminator")?;
        let name: Box<str> = discriminator.text("propertyName")?.into();
        let mut by_value = BTreeMap::new();
        for group in ["oneOf", "anyOf"] {
            let branches = cursor.get(group).map(|group| group.items().collect::<Vec<_>>());
            for branch in branches.into_iter().flatten() {
                let Some(reference) = branch.text("$ref") else { continue };
                let component = reference.rsplit('/').next().unwrap_or_default();
                let id = self.enqueue_schema(branch);
                by_value.insert(component.into(), id);
            }
        }
        for (value, target) in discriminator.get("mapping").into_iter().flat_map(|mapping| {
            mapping.members().map(|(value, target)| (value, target.value)).collect::<Vec<_>>()
        }) {
            let Some(target) = target.as_str() else { continue };
            let reference = if target.contains(['#', '/', '.']) {
                target.to_owned()
            } else {
                format!("#/components/schemas/{target}")
            };
            if let Some(found) = cursor.target(&reference) {
                let id = self.enqueue_schema(found);
                by_value.insert(value.into(), id);
            }
        }
        Some((name, by_value))
    }
}

/// The rules for numbers that a schema states.
fn number_rules(cursor: &DescriptionCursor<'_>) -> Option<Box<NumberRules>> {
    let number = |name: &str| cursor.value.get(name).and_then(Value::as_f64);
    let mut rules = NumberRules {
        format: cursor.text("format").and_then(CheckedFormat::of_number),
        minimum: number("minimum"),
        maximum: number("maximum"),
        exclusive_minimum: number("exclusiveMinimum"),
        exclusive_maximum: number("exclusiveMaximum"),
        multiple_of: number("multipleOf").filter(|of| *of > 0.0),
    };
    // In OpenAPI 3.0 these are `true` beside the bound.
    if cursor.is_true("exclusiveMinimum") {
        rules.exclusive_minimum = rules.minimum;
    }
    if cursor.is_true("exclusiveMaximum") {
        rules.exclusive_maximum = rules.maximum;
    }
    let bounds = [
        rules.minimum,
        rules.maximum,
        rules.exclusive_minimum,
        rules.exclusive_maximum,
        rules.multiple_of,
    ];
    let is_stated = rules.format.is_some() || bounds.iter().any(Option::is_some);
    is_stated.then(|| Box::new(rules))
}

fn count(cursor: &DescriptionCursor<'_>, name: &str) -> Option<u64> {
    cursor.value.get(name).and_then(Value::as_u64)
}

fn texts(list: Option<&Value>) -> Vec<Box<str>> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(Into::into).collect()
}
