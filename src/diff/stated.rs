//! The model of a description.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::ApiDescription;
use crate::description::operation::{ApiContent, ApiOperation, ParameterPlace};
use crate::description::schema::{KindSet, ObjectRules, SchemaId, SchemaSet};
use crate::diff::model::{
    ApiModel, MessagePart, ModelPlace, OperationModel, PlaceModel, Presence, ValueLimit,
};

/// Schemas of one value that are joined for its limits.
const MAX_JOINED: usize = 64;

/// Patterns of the names of properties that are tried for one name. Where there are more, the name may fit one.
const MAX_PATTERNS: usize = 32;

/// Levels of a body that are compared.
const MAX_LEVELS: usize = 12;

/// Places of one operation that are compared.
const MAX_PLACES: usize = 20_000;

/// The model of a description.
pub(super) fn model(api: &ApiDescription) -> ApiModel {
    let mut model = ApiModel {
        servers: api.servers.iter().map(|server| (server.identity(), server.url.clone())).collect(),
        ..ApiModel::default()
    };
    for operation in &api.operations {
        model.operations.insert(operation.key(), operation_model(api, operation));
    }
    model
}

fn operation_model(api: &ApiDescription, operation: &ApiOperation) -> OperationModel {
    let mut model = OperationModel {
        name: operation.name(),
        is_deprecated: operation.is_deprecated,
        place: Some(operation.place.clone()),
        ..OperationModel::default()
    };
    let alternatives = operation.security.iter().map(|needed| {
        let texts = needed.iter().map(crate::description::security::SecurityScheme::text);
        texts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" and ")
    });
    model.security = alternatives.map(|text| (text, 0)).collect();
    if model.security.is_empty() {
        model.security.insert(String::new(), 0);
    }
    let mut walk = SchemaWalk::new(&api.schemas, &mut model);
    for parameter in &operation.parameters {
        let part = match parameter.location {
            // Path parameters are known by their position.
            ParameterPlace::Path => continue,
            ParameterPlace::Query => MessagePart::Query,
            ParameterPlace::Header => MessagePart::Header,
            ParameterPlace::Cookie => MessagePart::Cookie,
        };
        let path = if part == MessagePart::Header {
            parameter.name.to_ascii_lowercase()
        } else {
            parameter.name.clone()
        };
        let place = ModelPlace { part, media_type: String::new(), path };
        let is_required = parameter.is_required;
        match parameter.schema {
            Some(schema) => walk.add(&place, None, is_required, &[schema]),
            None => walk.add(&place, None, is_required, &[]),
        }
        if let Some(known) = walk.model.places.get_mut(&place) {
            known.source = Some(parameter.place.clone());
        }
    }
    if let Some(body) = &operation.body {
        walk.contents(&MessagePart::Request, &body.contents, body.is_required);
    }
    for response in operation.responses.iter().filter(|response| !response.is_placeholder) {
        let status = response.statuses.text();
        walk.model.statuses.insert(status.clone(), 0);
        walk.contents(&MessagePart::Response(status), &response.contents, true);
    }
    model
}

/// A walk through the schemas of one operation.
pub(super) struct SchemaWalk<'a> {
    set: &'a SchemaSet,
    model: &'a mut OperationModel,
    /// Schemas on the way to the present place, which end a circle.
    open: Vec<SchemaId>,
}

/// What schemas say about a name below them.
pub(super) enum SchemaBelow {
    /// The items of a list.
    Item(Vec<SchemaId>),
    /// A property that is named, and whether it is required.
    Property(Vec<SchemaId>, bool),
    /// A value of a map, which may have any name.
    Value(Vec<SchemaId>),
    Undescribed,
}

impl<'a> SchemaWalk<'a> {
    pub(super) fn new(set: &'a SchemaSet, model: &'a mut OperationModel) -> Self {
        Self { set, model, open: Vec::new() }
    }
}

impl SchemaWalk<'_> {
    pub(super) fn has(&self, place: &ModelPlace) -> bool {
        self.model.places.contains_key(place)
    }

    /// The path of the place that has this one.
    pub(super) fn parent_of(&self, place: &ModelPlace) -> Option<String> {
        self.model.places.get(place)?.parent.clone()
    }

    /// What schemas say about a property, or with `[]` about items. Where they say nothing of objects, or of lists, everything may
    /// come.
    pub(super) fn below(&self, schemas: &[SchemaId], name: &str) -> SchemaBelow {
        let applying = self.applying(schemas);
        let each = || applying.iter().map(|id| self.set.get(*id));
        if name == "[]" {
            let items = each().filter_map(|schema| schema.list.as_ref());
            let items = items.flat_map(|rules| rules.first.iter().chain(&rules.rest));
            return SchemaBelow::Item(items.copied().collect());
        }
        let rules = || each().filter_map(|schema| schema.object.as_deref());
        let named: Vec<SchemaId> =
            rules().filter_map(|rules| rules.properties.get(name)).copied().collect();
        let is_listed = |rules: &ObjectRules| rules.required.iter().any(|known| **known == *name);
        if !named.is_empty() || rules().any(is_listed) {
            return SchemaBelow::Property(named, self.required(schemas).contains(name));
        }
        if rules().map(|rules| rules.patterns.len()).sum::<usize>() > MAX_PATTERNS {
            return SchemaBelow::Value(Vec::new());
        }
        let others = rules().flat_map(|rules| {
            let fitting =
                rules.patterns.iter().filter(|(pattern, _)| pattern.matches(name) != Some(false));
            fitting.map(|(_, schema)| schema).chain(&rules.additional)
        });
        let others: Vec<SchemaId> =
            others.copied().filter(|id| !self.set.get(*id).is_never).collect();
        if !others.is_empty() {
            SchemaBelow::Value(others)
        } else if rules().any(|rules| !rules.properties.is_empty() || rules.additional.is_some()) {
            SchemaBelow::Undescribed
        } else {
            SchemaBelow::Value(Vec::new())
        }
    }

    fn contents(&mut self, part: &MessagePart, contents: &[ApiContent], is_required: bool) {
        let types: BTreeMap<String, u64> =
            contents.iter().map(|content| (content.media_type.clone(), 0)).collect();
        self.model.media_types.insert(part.clone(), types);
        for content in contents {
            if let Some(schema) = content.schema {
                let media_type = content.media_type.clone();
                let place = ModelPlace { part: part.clone(), media_type, path: String::new() };
                self.walk(&place, None, is_required, &[schema], 0);
            }
        }
    }

    /// Adds a place.
    pub(super) fn add(
        &mut self,
        place: &ModelPlace,
        parent: Option<&str>,
        is_required: bool,
        schemas: &[SchemaId],
    ) {
        let kinds = schemas.iter().map(|id| self.set.kinds(*id)).reduce(KindSet::or);
        let applying = self.applying(schemas);
        let values = applying.iter().find_map(|id| {
            let values = self.set.get(*id).values.as_ref()?;
            Some(
                values
                    .iter()
                    .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                    .collect(),
            )
        });
        let format = applying.iter().find_map(|id| {
            let text = self.set.get(*id).text.as_deref()?;
            text.format.map(|format| format.name().to_owned())
        });
        let source = schemas.first().map(|id| self.set.place(*id).clone());
        self.model.places.insert(
            place.clone(),
            PlaceModel {
                parent: parent.map(str::to_owned),
                presence: Presence::Described { is_required },
                kinds: kinds.unwrap_or(KindSet::ALL),
                kind_counts: BTreeMap::new(),
                values,
                limits: self.limits(schemas),
                format,
                format_counts: BTreeMap::new(),
                source,
            },
        );
    }

    /// The limits of values that schemas state themselves, by reference or in `allOf`, by keyword: the tightest of each. What
    /// alternatives state is not a limit of all values.
    fn limits(&self, schemas: &[SchemaId]) -> BTreeMap<&'static str, ValueLimit> {
        let mut limits: BTreeMap<&'static str, ValueLimit> = BTreeMap::new();
        let mut applying: Vec<SchemaId> = Vec::new();
        // Of several schemas each may be the one that applies.
        let mut open: Vec<SchemaId> =
            if schemas.len() == 1 { schemas.to_vec() } else { Vec::new() };
        while let Some(id) = open.pop() {
            if applying.len() < MAX_JOINED && !applying.contains(&id) {
                applying.push(id);
                let schema = self.set.get(id);
                open.extend(schema.reference);
                open.extend(schema.branches.iter().flat_map(|branches| &branches.all));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths are compared")]
        let number = |length: u64| length as f64;
        for schema in applying.iter().map(|id| self.set.get(*id)) {
            let mut add = |keyword: &'static str, limit: Option<ValueLimit>| {
                let Some(limit) = limit else { return };
                let is_tighter = limits.get(keyword).is_none_or(|known| match (known, &limit) {
                    (ValueLimit::AtLeast(known), ValueLimit::AtLeast(new)) => new > known,
                    (ValueLimit::AtMost(known), ValueLimit::AtMost(new)) => new < known,
                    _ => false,
                });
                if is_tighter {
                    limits.insert(keyword, limit);
                }
            };
            let least = |length: u64| (length > 0).then(|| ValueLimit::AtLeast(number(length)));
            let most =
                |length: Option<u64>| length.map(|length| ValueLimit::AtMost(number(length)));
            if let Some(rules) = schema.text.as_deref() {
                add("minLength", least(rules.min_length));
                add("maxLength", most(rules.max_length));
                let pattern = rules.pattern.as_ref().map(|pattern| pattern.source().to_owned());
                add("pattern", pattern.map(ValueLimit::Pattern));
            }
            if let Some(rules) = schema.number.as_deref() {
                add("minimum", rules.minimum.map(ValueLimit::AtLeast));
                add("exclusiveMinimum", rules.exclusive_minimum.map(ValueLimit::AtLeast));
                add("maximum", rules.maximum.map(ValueLimit::AtMost));
                add("exclusiveMaximum", rules.exclusive_maximum.map(ValueLimit::AtMost));
            }
            if let Some(rules) = schema.list.as_deref() {
                add("minItems", least(rules.min_items));
                add("maxItems", most(rules.max_items));
            }
            if let Some(rules) = schema.object.as_deref() {
                let is_closed = rules.additional.is_some_and(|id| self.set.get(id).is_never);
                add("additionalProperties", is_closed.then_some(ValueLimit::Closed));
            }
        }
        limits
    }

    /// The schemas and all that they refer to and combine.
    fn applying(&self, schemas: &[SchemaId]) -> Vec<SchemaId> {
        let mut found: Vec<SchemaId> = Vec::new();
        let mut open: Vec<SchemaId> = schemas.iter().rev().copied().collect();
        while let Some(id) = open.pop() {
            if found.contains(&id) || found.len() > 256 {
                continue;
            }
            found.push(id);
            let schema = self.set.get(id);
            open.extend(schema.reference);
            if let Some(branches) = &schema.branches {
                let each = branches.all.iter().chain(&branches.any).chain(&branches.one);
                open.extend(each);
            }
        }
        found
    }

    fn walk(
        &mut self,
        place: &ModelPlace,
        parent: Option<&str>,
        is_required: bool,
        schemas: &[SchemaId],
        level: usize,
    ) {
        if self.model.places.len() >= MAX_PLACES {
            return;
        }
        self.add(place, parent, is_required, schemas);
        let applying = self.applying(schemas);
        if level >= MAX_LEVELS || applying.iter().any(|id| self.open.contains(id)) {
            return;
        }
        let depth = self.open.len();
        self.open.extend(&applying);
        let mut properties: BTreeMap<&str, Vec<SchemaId>> = BTreeMap::new();
        let mut items = Vec::new();
        for id in &applying {
            let schema = self.set.get(*id);
            if let Some(rules) = &schema.object {
                for (name, property) in &rules.properties {
                    properties.entry(name).or_default().push(*property);
                }
                for name in &rules.required {
                    properties.entry(name).or_default();
                }
            }
            items.extend(schema.list.iter().filter_map(|rules| rules.rest));
        }
        let required = self.required(schemas);
        for (name, schemas) in properties {
            let below = place.member(name);
            self.walk(&below, Some(&place.path), required.contains(name), &schemas, level + 1);
        }
        if !items.is_empty() {
            let below = place.items();
            self.walk(&below, Some(&place.path), true, &items, level + 1);
        }
        self.open.truncate(depth);
    }

    /// The properties that every alternative requires.
    fn required(&self, schemas: &[SchemaId]) -> BTreeSet<String> {
        let each = schemas.iter().map(|id| self.required_of(*id, 8));
        each.reduce(|all, own| all.intersection(&own).cloned().collect()).unwrap_or_default()
    }

    fn required_of(&self, id: SchemaId, depth: u8) -> BTreeSet<String> {
        let schema = self.set.get(id);
        let mut required: BTreeSet<String> = schema
            .object
            .iter()
            .flat_map(|rules| &rules.required)
            .map(ToString::to_string)
            .collect();
        if depth == 0 {
            return required;
        }
        if let Some(target) = schema.reference {
            required.extend(self.required_of(target, depth - 1));
        }
        if let Some(branches) = &schema.branches {
            for all in &branches.all {
                required.extend(self.required_of(*all, depth - 1));
            }
            for group in [&branches.any, &branches.one] {
                let each = group.iter().map(|id| self.required_of(*id, depth - 1));
                let shared = each.reduce(|all, own| all.intersection(&own).cloned().collect());
                required.extend(shared.unwrap_or_default());
            }
        }
        required
    }
}
