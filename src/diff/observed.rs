//! The model of a state of captures.

use std::collections::BTreeMap;

use crate::description::ApiDescription;
use crate::description::flow_match::{FlowMatch, match_flow};
use crate::description::schema::KindSet;
use crate::diff::model::{ApiModel, MessagePart, ModelPlace, OperationModel, PlaceModel, Presence};
use crate::patterns::Patterns;
use crate::report::decision::Decision;
use crate::report::{Pattern, masked};
use crate::schema::number_of;
use crate::shape::Shape;
use crate::shape::credentials::{CredentialCounts, CredentialKind};
use crate::shape::formats::StringFormat;
use crate::shape::messages::{ACCEPTED, Direction, EndpointMessages};
use crate::shape::strings::Strings;

/// Levels of a body that are compared.
const MAX_LEVELS: usize = 12;

/// The model of a state, by the endpoints of a decision; those that a description also has get its keys. The number is that of
/// requests that belong to no endpoint as far as is known.
pub(super) fn model(
    patterns: &Patterns,
    decision: &Decision,
    described: Option<&ApiDescription>,
) -> (ApiModel, u64) {
    let mut model = ApiModel { is_observed: true, ..ApiModel::default() };
    let Some(bodies) = &patterns.bodies else { return (model, 0) };
    let (store, unassigned) =
        bodies.resolve(|route| number_of(&decision.routes.label_of(route)?.id));
    let endpoints: BTreeMap<u64, &EndpointMessages> = store.iter().collect();
    let seen: Vec<(&Pattern, &EndpointMessages)> = decision
        .report
        .patterns
        .iter()
        .filter_map(|pattern| Some((pattern, *endpoints.get(&number_of(&pattern.id)?)?)))
        .filter(|(_, messages)| messages.requests > 0)
        .collect();
    let mut counts: BTreeMap<&str, CredentialCounts> = BTreeMap::new();
    for (pattern, messages) in &seen {
        counts.entry(&pattern.host).or_default().add(&messages.credentials);
    }
    for (pattern, messages) in seen {
        let Some((key, name)) = key_of(pattern, described) else {
            *model.foreign.entry(pattern.host.clone()).or_default() += 1;
            continue;
        };
        *model.requests.entry(pattern.host.clone()).or_default() += messages.requests;
        let operation = model.operations.entry(key).or_default();
        operation.name = name;
        operation.host.clone_from(&pattern.host);
        add(operation, messages, &counts[&*pattern.host]);
    }
    (model, unassigned)
}

/// The key by which an endpoint is compared, and its name; `None` if no server of the description has its host.
fn key_of(pattern: &Pattern, described: Option<&ApiDescription>) -> Option<(String, String)> {
    let found = described
        .map(|api| (api, match_flow(api, &pattern.host, &pattern.method, &pattern.path_pattern)));
    match found {
        Some((api, FlowMatch::Operation(index))) => {
            let operation = &api.operations[index];
            Some((operation.key(), operation.name()))
        }
        Some((_, FlowMatch::OtherHost)) => None,
        _ => Some((format!("{} {}", pattern.host, pattern.id), pattern.endpoint.clone())),
    }
}

fn add(operation: &mut OperationModel, messages: &EndpointMessages, counts: &CredentialCounts) {
    operation.requests += messages.requests;
    if let Some(fields) = &messages.query.fields {
        for (_, name, field) in fields.iter() {
            let name = masked::word(name, field.present);
            if name == masked::MASK {
                continue;
            }
            let place = ModelPlace {
                part: MessagePart::Query,
                media_type: String::new(),
                path: name.into_owned(),
            };
            let presence = Presence::Seen {
                present: field.present,
                of: messages.requests.max(field.present),
                messages: messages.requests,
            };
            add_place(operation, place, None, presence, &field.shape, true);
        }
    }
    for (kinds, used) in counts.shown_sets(&messages.credentials) {
        if used.accepted > 0 {
            let texts: Vec<String> = kinds.iter().map(CredentialKind::words).collect();
            *operation.security.entry(texts.join(" and ")).or_default() += used.accepted;
        }
    }
    for (key, bodies) in messages.bodies() {
        let part = match key.direction {
            Direction::Request if key.status == ACCEPTED => MessagePart::Request,
            // What was refused says what is not taken.
            Direction::Request => continue,
            Direction::Response => MessagePart::Response(key.status.to_string()),
        };
        if let MessagePart::Response(status) = &part {
            *operation.statuses.entry(status.clone()).or_default() += bodies.messages();
        }
        let readable = bodies.observed + bodies.other;
        if readable > 0 && !key.media_type.is_empty() {
            let shown = masked::media_type(key.media_type.as_bytes(), readable);
            let types = operation.media_types.entry(part.clone()).or_default();
            *types.entry(shown.into_owned()).or_default() += readable;
        }
        if bodies.observed > 0 {
            let presence = Presence::Seen {
                present: bodies.observed,
                of: bodies.observed,
                messages: bodies.observed,
            };
            let media_type =
                masked::media_type(key.media_type.as_bytes(), readable.max(bodies.observed));
            let place =
                ModelPlace { part, media_type: media_type.into_owned(), path: String::new() };
            walk(operation, &place, None, presence, &bodies.shape, 0, bodies.json == 0);
        }
    }
}

/// Adds a place and everything below it.
fn walk(
    operation: &mut OperationModel,
    place: &ModelPlace,
    parent: Option<&str>,
    presence: Presence,
    shape: &Shape,
    level: usize,
    is_text: bool,
) {
    let Presence::Seen { messages, .. } = presence else { return };
    add_place(operation, place.clone(), parent, presence, shape, is_text);
    if level >= MAX_LEVELS {
        return;
    }
    if let Some(items) = &shape.items {
        let below = place.items();
        let seen = items.item.seen();
        let presence =
            Presence::Seen { present: seen, of: seen, messages: messages.min(items.count) };
        walk(operation, &below, Some(&place.path), presence, &items.item, level + 1, is_text);
    }
    let Some(fields) = &shape.fields else { return };
    // Keys that are data are not properties: where most objects lack most keys, nothing is compared.
    let kept: u64 = fields.iter().map(|(_, _, field)| field.present).sum();
    let is_map =
        fields.keys.len() as u64 > 24 && kept < fields.count * fields.keys.len() as u64 / 8;
    if is_map {
        return;
    }
    for (_, name, field) in fields.iter() {
        let name = masked::property_name(name, field.present);
        if name == masked::MASK {
            continue;
        }
        let below = place.member(&name);
        let messages = messages.min(fields.count);
        let presence = Presence::Seen { present: field.present, of: fields.count, messages };
        walk(operation, &below, Some(&place.path), presence, &field.shape, level + 1, is_text);
    }
}

fn add_place(
    operation: &mut OperationModel,
    place: ModelPlace,
    parent: Option<&str>,
    presence: Presence,
    shape: &Shape,
    is_text: bool,
) {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut kinds = KindSet::NONE;
    let mut add = |kind: KindSet, name: &'static str, count: u64| {
        if count > 0 {
            kinds = kinds.or(kind);
            *counts.entry(name).or_default() += count;
        }
    };
    add(KindSet::NULL, "null", shape.nulls);
    add(KindSet::BOOLEAN, "boolean", shape.trues + shape.falses);
    if let Some(numbers) = &shape.numbers {
        // `1.0` is an integer for JSON Schema.
        add(KindSet::INTEGER, "integer", numbers.integers + numbers.zero_fractions);
        add(KindSet::FRACTION, "number", numbers.fractions);
    }
    add(KindSet::STRING, "string", shape.strings.as_ref().map_or(0, |strings| strings.count));
    add(KindSet::ARRAY, "array", shape.items.as_ref().map_or(0, |items| items.count));
    add(KindSet::OBJECT, "object", shape.fields.as_ref().map_or(0, |fields| fields.count));
    // Values that nothing is known of may be of any kind, and text may stand for any.
    if shape.opaque > 0 || is_text {
        kinds = KindSet::ALL;
        counts.clear();
    }
    let strings = shape.strings.as_deref().filter(|strings| strings.empty == 0);
    let format = strings.and_then(Strings::format).and_then(StringFormat::keyword);
    let counted = shape.strings.iter().flat_map(|strings| {
        let each = StringFormat::ALL.into_iter().zip(strings.formats);
        each.filter_map(|(format, count)| Some((format.keyword()?, count)))
    });
    let format_counts = counted.filter(|(_, count)| *count > 0).collect();
    let new = PlaceModel {
        parent: parent.map(str::to_owned),
        presence,
        kinds,
        kind_counts: counts,
        values: None,
        limits: BTreeMap::new(),
        format: format.map(str::to_owned),
        format_counts,
        source: None,
    };
    operation.add_place(place, new);
}

impl PlaceModel {
    /// Adds what another media type, or another endpoint of the operation, has at this place.
    pub(super) fn merge(&mut self, other: Self) {
        self.kinds = self.kinds.or(other.kinds);
        for (kind, count) in other.kind_counts {
            *self.kind_counts.entry(kind).or_default() += count;
        }
        for (format, count) in other.format_counts {
            *self.format_counts.entry(format).or_default() += count;
        }
        if self.format != other.format {
            self.format = None;
        }
        if let (
            Presence::Seen { present, of, messages },
            Presence::Seen { present: p, of: o, messages: m },
        ) = (&mut self.presence, other.presence)
        {
            *present += p;
            *of += o;
            *messages += m;
        }
    }
}
