//! An endpoint as links see it: the values in its path and in its answers, and what they identify.

use crate::report::{Pattern, order_of_time};
use crate::schema::links::nouns::{is_name, last_literal, noun_of, nouns_of_field};
use crate::schema::links::values::{IdentifyingField, IdentifyingValues};
use crate::template::nouns::snake_case;

/// The share of the values of a place that stand in the path of the same endpoint, from which on
/// the answer repeats its request.
const MIN_REPEATED_SHARE: f64 = 0.7;

/// An endpoint with its values.
pub(super) struct LinkedEndpoint<'p> {
    pub(super) pattern: &'p Pattern,
    pub(super) number: u64,
    pub(super) values: IdentifyingValues,
    /// What the values of each field identify, in the order of the fields.
    pub(super) meanings: Vec<FieldMeaning>,
    /// The literals and parameters of its path.
    pub(super) parts: Vec<&'p str>,
    /// The parameters of its path: the position of the segment from 0, the noun before it, and the name in snake case.
    pub(super) path_parameters: Vec<(usize, String, String)>,
}

/// What the values at a place in answers identify.
pub(super) struct FieldMeaning {
    /// The noun of the thing, and a second one, or an empty text, where it may be that of the object around it.
    pub(super) nouns: [String; 2],
    /// The last key, in snake case.
    pub(super) key: String,
    /// Keys from the top.
    pub(super) depth: usize,
    /// Whether the values are those of the path of the call.
    pub(super) repeats_path: bool,
}

impl<'p> LinkedEndpoint<'p> {
    pub(super) fn new(number: u64, pattern: &'p Pattern, values: IdentifyingValues) -> Self {
        let parts = pattern.path_pattern.split('/').filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.collect();
        let of_path = pattern.parameters.iter().filter_map(|parameter| {
            let at = parameter.segment?.checked_sub(1)?;
            let literal = last_literal(&parts[..at.min(parts.len())]);
            let noun = literal.map_or_else(String::new, noun_of);
            Some((at, noun, snake_case(parameter.name.as_bytes())))
        });
        let path_parameters = of_path.collect();
        let mut endpoint =
            Self { pattern, number, values, meanings: Vec::new(), parts, path_parameters };
        let meaning = |field| endpoint.meaning_of(field);
        endpoint.meanings = endpoint.values.fields.iter().map(meaning).collect();
        endpoint
    }

    fn meaning_of(&self, field: &IdentifyingField) -> FieldMeaning {
        let nouns = nouns_of_field(&self.parts, &self.values.fields, &field.path);
        let key = field.path.iter().rev().find(|key| &***key != "[]");
        FieldMeaning {
            repeats_path: self.repeats_its_path(field, &nouns[0]),
            key: key.map_or_else(String::new, |key| snake_case(key.as_bytes())),
            depth: field.path.iter().filter(|key| is_name(key)).count(),
            nouns,
        }
    }

    /// The host, and the path up to a segment, whose position counts from 1.
    pub(super) fn place_of(&self, segment: usize) -> (&str, &[&str]) {
        (&self.pattern.host, &self.parts[..segment.min(self.parts.len())])
    }

    /// True if the values at a place of the answers, which identify things with this noun, are those of the path of the call.
    fn repeats_its_path(&self, field: &IdentifyingField, noun: &str) -> bool {
        let is_in_list = field.path.iter().any(|key| &**key == "[]");
        self.path_parameters.iter().any(|(at, of_path, name)| {
            let Some(segment) = self.values.segments.get(*at) else { return false };
            let is_of_other_thing = !noun.is_empty() && noun != of_path && !name.starts_with(noun);
            // The items of `/orders/7/items` have small numbers of their own, which are those of orders too by chance.
            if field.is_short && is_in_list && is_of_other_thing {
                return false;
            }
            let own = field.sample.overlap(segment);
            own.shared > 0 && ratio(own.shared, own.compared) >= MIN_REPEATED_SHARE
        })
    }

    /// True if all calls of this endpoint came after those of another one.
    pub(super) fn is_later_than(&self, other: &Self) -> bool {
        let first = self.pattern.first_seen.as_deref().map(order_of_time);
        let last = other.pattern.last_seen.as_deref().map(order_of_time);
        first.zip(last).is_some_and(|(first, last)| first > last)
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
