//! Links between endpoints: in which answers the values of path parameters stood.
//!
//! The samples of values at the keys of identifiers and of names, and those of the segments of
//! paths, are compared. An answer that only repeats the value of its own path is not a source,
//! since the call needs the value itself. Of several sources the one is taken that a person would:
//! the list above the parameter, the answer in which the key is that of the thing itself.

mod values;

use std::collections::{BTreeMap, BTreeSet};

use crate::report::parameter_source::ParameterSource;
use crate::report::{Parameter, Pattern, order_of_time};
use crate::schema::Schemas;
pub(super) use crate::schema::links::values::IdentifyingValues;
use crate::schema::links::values::{ANY_KEY, IdentifyingField};
use crate::schema::names::{nouns_of, singular_of};
use crate::shape::samples::ValueSample;
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::nouns::{is_person, snake_case};

/// Places that have one value, up to which it leads to them: what stands everywhere says nothing.
const MAX_PLACES_OF_VALUE: usize = 128;

/// Places of all values that are compared. Those of endpoints further down a report are left out.
const MAX_PLACES: usize = 2_000_000;

/// Places that are compared with one parameter: those with which it shares most values.
const MAX_CANDIDATES: usize = 128;

/// The share of the values of a parameter that a source must have, if nothing but the values speaks
/// for it, and if its name or its path does.
const MIN_SHARE: f64 = 0.5;
const MIN_RELATED_SHARE: f64 = 0.2;

/// The share of the values of a parameter that a place must have from which another parameter of the path comes too.
const MIN_SHARE_OF_SECOND: f64 = 0.8;

/// Values of a parameter that must be compared, if it has as many.
const MIN_COMPARED: usize = 8;

/// The share of the values of a place that stand in the path of the same endpoint, from which on
/// the answer repeats its request.
const MIN_REPEATED_SHARE: f64 = 0.7;

/// The sources of parameters, by the number of the endpoint and the position of the segment.
pub(super) type Sources = BTreeMap<(u64, usize), ParameterSource>;

/// An endpoint with its values.
struct Linked<'p> {
    pattern: &'p Pattern,
    number: u64,
    values: IdentifyingValues,
    /// The literals and parameters of its path.
    parts: Vec<&'p str>,
    /// The parameters of its path: the position of the segment from 0, the noun before it, and the name in snake case.
    path_parameters: Vec<(usize, String, String)>,
}

/// Finds the source of each path parameter.
pub(super) fn find_sources(endpoints: Vec<(u64, &Pattern, IdentifyingValues)>) -> Sources {
    let linked: Vec<Linked<'_>> = endpoints
        .into_iter()
        .map(|(number, pattern, values)| {
            let parts: Vec<&str> = parts_of(&pattern.path_pattern).collect();
            let of_path = pattern.parameters.iter().filter_map(|parameter| {
                let at = parameter.segment?.checked_sub(1)?;
                let literal = last_literal(&parts[..at.min(parts.len())]);
                let noun = literal.map_or_else(String::new, noun_of);
                Some((at, noun, snake_case(parameter.name.as_bytes())))
            });
            let path_parameters = of_path.collect();
            Linked { pattern, number, values, parts, path_parameters }
        })
        .collect();
    let (mut places, mut count) = (Places::new(), 0);
    for (endpoint, one) in (0_u32..).zip(&linked) {
        for (at, field) in (0_u32..).zip(&one.values.fields) {
            for hash in field.sample.hashes() {
                if count == MAX_PLACES {
                    break;
                }
                let places = places.entry(*hash).or_default();
                if places.len() < MAX_PLACES_OF_VALUE {
                    places.push((endpoint, at));
                    count += 1;
                }
            }
        }
    }
    let mut collections = Collections::new();
    for (endpoint, one) in (0_u32..).zip(&linked) {
        collections.entry((&one.pattern.host, &one.parts)).or_default().push(endpoint);
    }
    let chosen = chosen_candidates(&linked, &places, &collections);
    let mut sources = Sources::new();
    for (one, segment, candidate) in without_circles(chosen) {
        sources.insert((one.number, segment), candidate.source_of(one));
    }
    sources
}

/// A parameter with the place that it comes from: the endpoint, the position of the segment, and the place.
type ParameterLink<'l, 'p> = (&'l Linked<'p>, usize, SourceCandidate<'l, 'p>);

/// Chooses the best place for each parameter.
fn chosen_candidates<'l, 'p>(
    linked: &'l [Linked<'p>],
    places: &Places,
    collections: &Collections<'_>,
) -> Vec<ParameterLink<'l, 'p>> {
    let mut chosen = Vec::new();
    for one in linked {
        let mut candidates: Vec<(usize, Vec<SourceCandidate<'l, 'p>>)> = one
            .pattern
            .parameters
            .iter()
            .filter_map(|parameter| {
                let segment = parameter.segment?;
                let sample = one.values.segments.get(segment - 1)?;
                let target = LinkTarget::new(one, segment, parameter, sample);
                Some((segment, target.candidates(linked, places, collections)))
            })
            .collect();
        // Two parameters of one path do not come from one place: it is that of the one that has more
        // of it, and behind another the one that is nearer to the end.
        let best_share = |candidates: &[SourceCandidate<'_, '_>]| {
            candidates.first().map_or(0.0, |candidate| candidate.weight.share)
        };
        candidates
            .sort_by(|a, b| best_share(&b.1).total_cmp(&best_share(&a.1)).then(b.0.cmp(&a.0)));
        let mut taken: Vec<(u64, &[Box<str>])> = Vec::new();
        for (segment, candidates) in candidates {
            let is_free = |candidate: &SourceCandidate<'_, '_>| {
                !taken.contains(&(candidate.source.number, &candidate.field.path))
            };
            // Two users that are compared stand in one list, which has all of both.
            let has_all = |candidate: &SourceCandidate<'_, '_>| {
                candidate.weight.share >= MIN_SHARE_OF_SECOND && candidate.weight.is_of_thing
            };
            let best = candidates.into_iter().find(|it| is_free(it) || has_all(it));
            if let Some(best) = best {
                taken.push((best.source.number, &best.field.path));
                chosen.push((one, segment, best));
            }
        }
    }
    chosen
}

/// Leaves out links of two endpoints that would each have to be called before the other: the one with less evidence.
fn without_circles<'l, 'p>(mut links: Vec<ParameterLink<'l, 'p>>) -> Vec<ParameterLink<'l, 'p>> {
    let ends = |link: &ParameterLink<'_, '_>| (link.0.number, link.2.source.number);
    links.sort_by(|a, b| {
        (b.2.weight.is_of_thing.cmp(&a.2.weight.is_of_thing))
            .then(b.2.weight.score.total_cmp(&a.2.weight.score))
            .then((ends(a), a.1).cmp(&(ends(b), b.1)))
    });
    let mut kept = BTreeSet::new();
    links.retain(|link| {
        let (target, source) = ends(link);
        !kept.contains(&(source, target)) && {
            kept.insert((target, source));
            true
        }
    });
    links
}

impl Linked<'_> {
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
    fn is_later_than(&self, other: &Self) -> bool {
        let first = self.pattern.first_seen.as_deref().map(order_of_time);
        let last = other.pattern.last_seen.as_deref().map(order_of_time);
        first.zip(last).is_some_and(|(first, last)| first > last)
    }
}

/// Returns the last literal part of a path template, for example `repos` of `/repos/{owner}`; `None` if all parts are
/// parameters.
fn last_literal<'p>(parts: &[&'p str]) -> Option<&'p str> {
    parts.iter().rev().find(|part| !part.contains('{')).copied()
}

/// Endpoints by host and path.
type Collections<'l> = BTreeMap<(&'l str, &'l [&'l str]), Vec<u32>>;

/// Places by value: (index of the endpoint, index of its field).
type Places = BTreeMap<u64, Vec<(u32, u32)>>;

/// A place from which a parameter may come.
struct SourceCandidate<'l, 'p> {
    weight: LinkWeight,
    source: &'l Linked<'p>,
    field: &'l IdentifyingField,
}

/// A parameter whose source is looked for.
struct LinkTarget<'t, 'p> {
    endpoint: &'t Linked<'p>,
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
struct LinkWeight {
    score: f64,
    share: f64,
    /// Whether the source is the list above the parameter, or gives out things with its noun.
    is_of_thing: bool,
}

impl<'t, 'p> LinkTarget<'t, 'p> {
    fn new(
        endpoint: &'t Linked<'p>,
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
    fn weigh(&self, source: &Linked<'p>, field: &IdentifyingField) -> Option<LinkWeight> {
        let overlap = self.sample.overlap(&field.sample);
        // Where a place has so many values that few can be compared, nothing is known.
        if overlap.shared == 0 || overlap.compared < self.sample.len().min(MIN_COMPARED) {
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
        let noun = noun_of_field(source, &field.path);
        if source.repeats_its_path(field, &noun) {
            return None;
        }
        let is_collection = source.parts == self.before;
        // Users, members and accounts are people: one is called like another.
        let are_people = is_person(&noun) && self.nouns.iter().any(|own| is_person(own));
        let same_noun = are_people || (self.nouns.contains(&noun) && !noun.is_empty());
        let key = field.path.iter().rev().find(|key| &***key != "[]");
        let key = key.map_or_else(String::new, |key| snake_case(key.as_bytes()));
        let same_key = key == self.name || (key.contains('_') && self.name.ends_with(&key));
        let is_related = is_collection || same_noun || same_key;
        if share < if is_related { MIN_RELATED_SHARE } else { MIN_SHARE } {
            return None;
        }
        if !is_related && (overlap.shared < self.least_shared || field.is_short) {
            return None;
        }
        // A list of the things in whose path the parameter stands: `/user/repos` for `/repos/{owner}`.
        let lists_things = self.literal.is_some() && source.parts.last() == self.literal.as_ref();
        let common = source.parts.iter().zip(self.before).take_while(|(a, b)| a == b).count();
        let one_host = source.pattern.host == self.endpoint.pattern.host;
        let exact = ratio(overlap.shared, overlap.others);
        let depth = field.path.iter().filter(|key| is_name(key)).count();
        let is_read = source.pattern.method == "GET";
        let score = 2.0 * share
            + 0.3 * exact
            + weight_of(is_collection, 1.2)
            + weight_of(same_noun, 0.9)
            + weight_of(same_key, 0.3)
            + weight_of(lists_things && !is_collection, 0.4)
            + weight_of(KeyClass::of(key.as_bytes()) == KeyClass::Identifier, 0.1)
            + weight_of(is_read, 0.25)
            + weight_of(one_host, 0.3)
            + 0.1 * ratio(common, self.before.len().max(1))
            - 0.08 * ratio(depth, 1)
            - 0.05 * ratio(source.parts.len(), 1);
        Some(LinkWeight { score, share, is_of_thing: is_collection || same_noun })
    }

    /// The places from which the parameter may come, the best first.
    fn candidates<'l>(
        &self,
        linked: &'l [Linked<'p>],
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
            let field = &source.values.fields[at as usize];
            Some(SourceCandidate { weight: self.weigh(source, field)?, source, field })
        });
        let mut candidates: Vec<SourceCandidate<'_, '_>> = weighed.collect();
        candidates.sort_by(|a, b| {
            let place = |it: &SourceCandidate<'l, 'p>| {
                (&it.source.pattern.endpoint, it.source.number, &it.field.path, it.field.status)
            };
            b.weight.score.total_cmp(&a.weight.score).then_with(|| place(a).cmp(&place(b)))
        });
        candidates
    }
}

impl SourceCandidate<'_, '_> {
    /// The source of a parameter of an endpoint.
    fn source_of(&self, target: &Linked<'_>) -> ParameterSource {
        let pattern = self.source.pattern;
        let is_other_host = pattern.host != target.pattern.host;
        ParameterSource {
            endpoint: pattern.endpoint.clone(),
            id: pattern.id.clone(),
            host: is_other_host.then(|| pattern.host.clone()),
            status: self.field.status,
            key: format_key_path(&self.field.path),
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

fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn weight_of(is_so: bool, weight: f64) -> f64 {
    if is_so { weight } else { 0.0 }
}

/// Whether a part of a path of keys is the name of a key.
fn is_name(part: &str) -> bool {
    part != "[]" && part != ANY_KEY
}

/// The singular noun of a literal path segment: `user` for `users`.
fn noun_of(part: &str) -> String {
    nouns_of(part).last().map_or_else(String::new, |noun| singular_of(noun))
}

/// Returns `true` for the last word of a key if it names no kind of thing by itself: `id`, `name`.
fn is_identifying(word: &str) -> bool {
    matches!(
        word,
        "id" | "ids"
            | "uuid"
            | "guid"
            | "uid"
            | "iid"
            | "key"
            | "code"
            | "number"
            | "name"
            | "slug"
            | "login"
            | "sha"
            | "hash"
            | "ref"
            | "sku"
            | "handle"
            | "username"
    )
}

/// What the values at a place identify: the words before the last one of the key, or the object
/// that holds it, or what the path of the endpoint gives out.
fn noun_of_field(source: &Linked<'_>, path: &[Box<str>]) -> String {
    let mut named = path.iter().rev().filter(|key| is_name(key));
    let key = named.next().map_or_else(String::new, |key| snake_case(key.as_bytes()));
    if let Some((noun, last)) = key.rsplit_once('_')
        && is_identifying(last)
        && !matches!(noun, "full" | "display" | "node" | "short" | "unique" | "external")
    {
        return singular_of(noun);
    }
    if !is_identifying(&key) && !key.is_empty() {
        return singular_of(&key);
    }
    // A key around that only holds the answer is not a noun of the thing.
    let holder = named.map(|key| snake_case(key.as_bytes())).find(|key| {
        !matches!(
            &**key,
            "data"
                | "items"
                | "results"
                | "result"
                | "value"
                | "values"
                | "list"
                | "records"
                | "entries"
                | "attributes"
                | "objects"
                | "content"
                | "response"
        )
    });
    holder.map_or_else(
        || {
            let literal = source.parts.iter().rev().find(|part| !part.contains('{'));
            literal.map_or_else(String::new, |part| noun_of(part))
        },
        |holder| singular_of(&holder),
    )
}

impl Schemas {
    /// Fills in the sources of the path parameters of an endpoint.
    pub(crate) fn link(&self, pattern: &mut Pattern) {
        let Some(number) = super::number_of(&pattern.id) else { return };
        for parameter in &mut pattern.parameters {
            let source = parameter.segment.and_then(|at| self.sources.get(&(number, at)));
            parameter.source = source.cloned();
        }
    }
}
