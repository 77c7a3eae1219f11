//! A parameter whose source is looked for, and the weight of the evidence for each place.

use std::collections::BTreeMap;

use crate::report::Parameter;
use crate::report::parameter_source::ParameterSource;
use crate::schema::links::endpoint::{FieldMeaning, LinkedEndpoint, ratio};
use crate::schema::links::nouns::{is_identifying, last_literal, noun_of};
use crate::schema::links::values::IdentifyingField;
use crate::shape::samples::ValueSample;
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::nouns::{is_person, snake_case};

/// Places that are compared with one parameter: those with which it shares most values.
const MAX_CANDIDATES: usize = 128;

/// The share of the values of a parameter that a source must have, if nothing but the values speaks
/// for it, and if its name or its path does.
const MIN_SHARE: f64 = 0.5;
const MIN_RELATED_SHARE: f64 = 0.2;

/// Values of a parameter that must be compared, if it has as many.
const MIN_COMPARED: usize = 8;

/// Endpoints by host and path.
pub(super) type Collections<'l> = BTreeMap<(&'l str, &'l [&'l str]), Vec<u32>>;

/// Places by value: (index of the endpoint, index of its field).
pub(super) type Places = BTreeMap<u64, Vec<(u32, u32)>>;

/// A place from which a parameter may come.
pub(super) struct SourceCandidate<'l, 'p> {
    pub(super) weight: LinkWeight,
    pub(super) source: &'l LinkedEndpoint<'p>,
    /// The number of the field in its answers.
    pub(super) at: usize,
    /// Whether not this endpoint, but others with the parameter have its values.
    pub(super) is_pooled: bool,
}

/// A parameter whose source is looked for.
pub(super) struct LinkTarget<'t, 'p> {
    endpoint: &'t LinkedEndpoint<'p>,
    /// The parts before the parameter.
    before: &'t [&'p str],
    /// Nouns of the thing that the parameter identifies: from the segment before it, and from its
    /// name.
    nouns: [String; 2],
    /// The last literal before the parameter.
    literal: Option<&'p str>,
    name: String,
    /// Values that must be in common for a source that is not related by name or path: a number may
    /// stand anywhere by chance, and an id hardly.
    least_shared: usize,
    sample: &'t ValueSample,
}

/// The weight of the evidence for a source.
pub(super) struct LinkWeight {
    pub(super) score: f64,
    pub(super) share: f64,
    /// Whether the source is the list above the parameter, or gives out things with its noun.
    pub(super) is_of_thing: bool,
    /// Whether the values identify things with the parameter's own noun, and not only people by another.
    pub(super) is_named: bool,
}

impl<'t, 'p> LinkTarget<'t, 'p> {
    pub(super) fn new(
        endpoint: &'t LinkedEndpoint<'p>,
        segment: usize,
        parameter: &Parameter,
        sample: &'t ValueSample,
    ) -> Self {
        let least_shared = match &*parameter.kind {
            "integer" | "number" | "year" | "version" => 3,
            "string" | "locale" | "date" => 2,
            _ => 1,
        };
        let before = &endpoint.parts[..(segment - 1).min(endpoint.parts.len())];
        let literal = last_literal(before);
        let of_path = literal.map_or_else(String::new, noun_of);
        let name = snake_case(parameter.name.as_bytes());
        let of_name = name.rsplit_once('_').filter(|(_, last)| is_identifying(last));
        let of_name = of_name.map_or_else(|| name.clone(), |(noun, _)| noun.to_owned());
        // A name from the bodies says more than the word before: `/repos/{owner}`.
        let is_other = !of_name.is_empty() && !is_identifying(&of_name) && of_name != of_path;
        let of_path = if is_other { of_name.clone() } else { of_path };
        Self { endpoint, before, nouns: [of_path, of_name], literal, name, least_shared, sample }
    }

    /// Weighs a place in the answers of an endpoint; `None` if it is not a source.
    fn weigh(&self, source: &LinkedEndpoint<'p>, at: usize) -> Option<LinkWeight> {
        let (field, meaning) = (&source.values.fields[at], &source.meanings[at]);
        let overlap = self.sample.overlap(&field.sample);
        if overlap.shared == 0 {
            return None;
        }
        let share = ratio(overlap.shared, overlap.compared);
        // An answer to a deletion is of something that is gone, and one that only came later gave nothing to this call.
        if source.pattern.method == "DELETE"
            || source.number == self.endpoint.number
            || source.is_later_than(self.endpoint)
        {
            return None;
        }
        if meaning.repeats_path {
            return None;
        }
        let (nouns, key) = (&meaning.nouns, &meaning.key);
        let is_collection = source.parts == self.before;
        let has_noun = |noun: &str| nouns.iter().any(|of_field| of_field == noun);
        // Users, members and accounts are people: one is called like another.
        let are_people = is_person(&nouns[0]) && self.nouns.iter().any(|own| is_person(own));
        let is_named = self.nouns.iter().any(|own| !own.is_empty() && has_noun(own));
        let same_noun = are_people || is_named;
        let same_key = *key == self.name || (key.contains('_') && self.name.ends_with(key));
        // The labels of issues stand in the list of issues too, and are other things.
        let is_item = is_collection
            && (same_key || self.literal.is_some_and(|part| has_noun(&noun_of(part))));
        let is_related = is_collection || same_noun || same_key;
        // Where a place has so many values that few can be compared, little is known but for the list above.
        let least_compared = if is_item { 1 } else { MIN_COMPARED };
        if overlap.compared < self.sample.len().min(least_compared) {
            return None;
        }
        if share < if is_related { MIN_RELATED_SHARE } else { MIN_SHARE } {
            return None;
        }
        if !is_related && (overlap.shared < self.least_shared || field.is_short) {
            return None;
        }
        // A list of the things in whose path the parameter stands: `/user/repos` for `/repos/{owner}`.
        let lists_things = self.literal.is_some() && source.parts.last() == self.literal.as_ref();
        let common = source.parts.iter().zip(self.before).take_while(|(a, b)| a == b).count();
        // A call below the parameter needs a value of it already: the parent of a folder is told by the folder.
        let is_below = common == self.before.len()
            && source.parts.get(common) == self.endpoint.parts.get(common);
        let one_host = source.pattern.host == self.endpoint.pattern.host;
        let exact = ratio(overlap.shared, overlap.others);
        let is_read = source.pattern.method == "GET";
        let score = 2.0 * share
            + 0.3 * exact
            + weight_of(is_collection, 0.9)
            + weight_of(is_item, 0.3)
            + weight_of(same_noun, 0.6)
            + weight_of(is_named, 0.3)
            + weight_of(same_key, 0.3)
            + weight_of(lists_things && !is_collection, 0.4)
            + weight_of(KeyClass::of(key.as_bytes()) == KeyClass::Identifier, 0.1)
            + weight_of(is_read, 0.25)
            + weight_of(one_host, 0.3)
            - weight_of(is_below, 0.9)
            + 0.1 * ratio(common, self.before.len().max(1))
            - 0.08 * ratio(meaning.depth, 1)
            - 0.05 * ratio(source.parts.len(), 1);
        Some(LinkWeight { score, share, is_of_thing: is_item || same_noun, is_named })
    }

    /// The places from which the parameter may come, the best first.
    pub(super) fn candidates<'l>(
        &self,
        linked: &'l [LinkedEndpoint<'p>],
        places: &Places,
        collections: &Collections<'_>,
    ) -> Vec<SourceCandidate<'l, 'p>> {
        let hashes = self.sample.hashes().iter();
        let mut found: Vec<(u32, u32)> =
            hashes.filter_map(|hash| places.get(hash)).flatten().copied().collect();
        found.sort_unstable();
        let mut found: Vec<(usize, (u32, u32))> =
            found.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
        found.sort_by_key(|(shared, place)| (std::cmp::Reverse(*shared), *place));
        found.truncate(MAX_CANDIDATES);
        // The list above the parameter is always looked at, however many places have its values.
        let own = (&*self.endpoint.pattern.host, self.before);
        for endpoint in collections.get(&own).into_iter().flatten() {
            let fields = (0_u32..).zip(&linked[*endpoint as usize].values.fields);
            found.extend(fields.map(|(at, _)| (0, (*endpoint, at))));
        }
        found.sort_by_key(|(_, place)| *place);
        found.dedup_by_key(|(_, place)| *place);
        let weighed = found.into_iter().filter_map(|(_, (endpoint, at))| {
            let source = &linked[endpoint as usize];
            let at = at as usize;
            let weight = self.weigh(source, at)?;
            Some(SourceCandidate { weight, source, at, is_pooled: false })
        });
        let mut candidates: Vec<SourceCandidate<'_, '_>> = weighed.collect();
        candidates.sort_by(|a, b| {
            let place = |it: &SourceCandidate<'l, 'p>| {
                (&it.source.pattern.endpoint, it.source.number, &it.field().path, it.field().status)
            };
            b.weight.score.total_cmp(&a.weight.score).then_with(|| place(a).cmp(&place(b)))
        });
        candidates
    }
}

impl<'l> SourceCandidate<'l, '_> {
    pub(super) fn field(&self) -> &'l IdentifyingField {
        &self.source.values.fields[self.at]
    }

    pub(super) fn meaning(&self) -> &'l FieldMeaning {
        &self.source.meanings[self.at]
    }

    /// Whether both are one place of one endpoint.
    pub(super) fn is_place_of(&self, other: &Self) -> bool {
        self.source.number == other.source.number && self.at == other.at
    }

    /// The source of a parameter of an endpoint.
    pub(super) fn source_of(&self, target: &LinkedEndpoint<'_>) -> ParameterSource {
        let pattern = self.source.pattern;
        let is_other_host = pattern.host != target.pattern.host;
        ParameterSource {
            endpoint: pattern.endpoint.clone(),
            id: pattern.id.clone(),
            host: is_other_host.then(|| pattern.host.clone()),
            status: self.field().status,
            key: format_key_path(&self.field().path),
            share: (self.weight.share * 100.0).round() / 100.0,
        }
    }
}

/// A path of keys as it is shown: `items[].id`.
fn format_key_path(path: &[Box<str>]) -> String {
    let mut out = String::new();
    for key in path {
        if &**key != "[]" && !out.is_empty() {
            out.push('.');
        }
        out.push_str(key);
    }
    out
}

pub(super) fn weight_of(is_so: bool, weight: f64) -> f64 {
    if is_so { weight } else { 0.0 }
}
