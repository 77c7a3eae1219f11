//! The values of an endpoint's messages that identify something, and where they stand.

use crate::schema::map::MapEvidence;
use crate::shape::Shape;
use crate::shape::fields::{Field, Fields, is_secret_key};
use crate::shape::messages::{Direction, EndpointMessages, MessageKey};
use crate::shape::samples::ValueSample;
use crate::sketch::Merge;
use crate::template::body_evidence::known_keys::is_known_name;
use crate::template::secret::Frequency;

/// Identifying values of an endpoint's messages.
#[derive(Debug)]
pub(in crate::schema) struct IdentifyingValues {
    /// The values of each segment of the path.
    pub(super) segments: Vec<ValueSample>,
    pub(super) fields: Vec<IdentifyingField>,
}

/// A place in answers at which values identify something.
#[derive(Debug)]
pub(super) struct IdentifyingField {
    pub(super) status: u16,
    /// Keys from the top; `[]` for the items of a list.
    pub(super) path: Vec<Box<str>>,
    pub(super) sample: ValueSample,
    /// Whether the values are so short that others are equal by chance: small numbers, and codes of few letters.
    pub(super) is_short: bool,
}

/// Places of one endpoint at which values identify something, that are compared.
const MAX_FIELDS: usize = 96;

/// Depth of keys and lists up to which places are looked at.
const MAX_PATH: usize = 8;

/// Numbers up to this one, and strings up to this many bytes, are equal to others by chance.
const MAX_CHANCE_NUMBER: f64 = 1e6;
const MAX_CHANCE_BYTES: u64 = 3;

impl IdentifyingValues {
    /// Takes the samples out of the messages of an endpoint.
    pub(in crate::schema) fn take(messages: &mut EndpointMessages) -> Self {
        let mut fields = Vec::new();
        let keys: Vec<Option<MessageKey>> =
            messages.bodies.iter().map(|entry| MessageKey::of_bytes(&entry.key)).collect();
        for (key, bodies) in keys.into_iter().zip(messages.bodies.values_mut()) {
            let is_source = |key: &MessageKey| {
                key.direction == Direction::Response && (200..300).contains(&key.status)
            };
            let status = key.filter(is_source).map(|key| key.status);
            collect(&mut bodies.shape, status, &mut Vec::new(), &mut fields);
        }
        fields.sort_by(|a, b| {
            (a.path.len(), &a.path, a.status).cmp(&(b.path.len(), &b.path, b.status))
        });
        // The values of a map are one place.
        fields.dedup_by(|next, first| {
            let is_same = next.path == first.path && next.status == first.status;
            if is_same {
                first.sample.merge(std::mem::take(&mut next.sample));
            }
            is_same
        });
        fields.truncate(MAX_FIELDS);
        Self { segments: std::mem::take(&mut messages.segments), fields }
    }
}

/// Moves the samples out of a shape; keeps them if there is a status.
fn collect(
    shape: &mut Shape,
    status: Option<u16>,
    path: &mut Vec<Box<str>>,
    into: &mut Vec<IdentifyingField>,
) {
    if let (Some(sample), Some(status)) = (shape.sample.take(), status)
        && path.len() <= MAX_PATH
    {
        let numbers = shape.numbers.as_ref().and_then(|numbers| numbers.range());
        let strings = shape.strings.as_ref().filter(|strings| strings.count > 0);
        let is_short = numbers.is_none_or(|(_, most)| most <= MAX_CHANCE_NUMBER)
            && strings.is_none_or(|strings| strings.longest <= MAX_CHANCE_BYTES);
        into.push(IdentifyingField { status, path: path.clone(), sample: *sample, is_short });
    }
    if let Some(items) = &mut shape.items {
        path.push("[]".into());
        collect(&mut items.item, status, path, into);
        path.pop();
    }
    if let Some(fields) = &mut shape.fields {
        let names: Vec<Option<Box<str>>> = names(fields, path.last().map(|name| &**name));
        for (name, field) in names.into_iter().zip(fields.keys.values_mut()) {
            // A place that cannot be shown does not help.
            let status = status.filter(|_| name.is_some());
            path.push(name.unwrap_or_default());
            collect(&mut field.shape, status, path, into);
            path.pop();
        }
        // Which key it was is not known.
        collect(&mut fields.keys.rest.shape, None, path, into);
    }
}

/// The names of the fields of an object, of which those of a map are `*`; `None` for one that may
/// not be shown.
fn names(fields: &Fields, name: Option<&str>) -> Vec<Option<Box<str>>> {
    let mut kinds = [0; 5];
    for (_, _, field) in fields.iter() {
        let shape = &field.shape;
        kinds[0] += shape.trues + shape.falses;
        kinds[1] += shape.numbers.as_ref().map_or(0, |numbers| numbers.count());
        kinds[2] += shape.strings.as_ref().map_or(0, |strings| strings.count);
        kinds[3] += shape.items.as_ref().map_or(0, |items| items.count);
        kinds[4] += shape.fields.as_ref().map_or(0, |fields| fields.count);
    }
    let is_map = MapEvidence::of(fields, name.into_iter(), kinds).is_map();
    let shown = |key: &[u8], present: u64| {
        // A key that came seldom and is not a word of APIs may be a value.
        let is_name = is_known_name(key)
            || (present >= MIN_PRESENT && !is_secret_key(key, Frequency::times(present)));
        let key = std::str::from_utf8(key).ok()?;
        (is_name && !key.contains(['.', '[', ']', '*'])).then(|| key.into())
    };
    let name_of = |(_, key, field): (u64, &[u8], &Field)| {
        if is_map { Some(ANY_KEY.into()) } else { shown(key, field.present) }
    };
    fields.iter().map(name_of).collect()
}

/// Objects that must have a key whose words are not known.
const MIN_PRESENT: u64 = 3;

/// Stands for any key of a map.
pub(super) const ANY_KEY: &str = "*";
