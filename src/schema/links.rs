//! Links between endpoints: in which answers the values of path parameters stood.
//!
//! The samples of values at the keys of identifiers and of names, and those of the segments of
//! paths, are compared. An answer that only repeats the value of its own path is not a source,
//! since the call needs the value itself. Of several sources the one is taken that a person would:
//! the list above the parameter, the answer in which the key is that of the thing itself.

mod endpoint;
mod nouns;
mod target;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use crate::report::parameter_source::ParameterSource;
use crate::report::{Parameter, Pattern};
use crate::schema::Schemas;
use crate::schema::links::endpoint::LinkedEndpoint;
use crate::schema::links::target::{Collections, LinkTarget, Places, SourceCandidate, weight_of};
pub(super) use crate::schema::links::values::IdentifyingValues;
use crate::shape::samples::ValueSample;
use crate::sketch::Merge;

/// Places that have one value, up to which it leads to them: what stands everywhere says nothing.
const MAX_PLACES_OF_VALUE: usize = 128;

/// Places of all values that are compared. Those of endpoints further down a report are left out.
const MAX_PLACES: usize = 2_000_000;

/// The share of the values of a parameter that a place must have from which another parameter of the path comes too.
const MIN_SHARE_OF_SECOND: f64 = 0.8;

/// The sources of parameters, by the number of the endpoint and the position of the segment.
pub(super) type Sources = BTreeMap<(u64, usize), ParameterSource>;

/// Finds the source of each path parameter.
pub(super) fn find_sources(endpoints: Vec<(u64, &Pattern, IdentifyingValues)>) -> Sources {
    let linked: Vec<LinkedEndpoint<'_>> = endpoints
        .into_iter()
        .map(|(number, pattern, values)| LinkedEndpoint::new(number, pattern, values))
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
    let pooled = pool_values(&linked);
    let chosen = chosen_candidates(&linked, &places, &collections, &pooled);
    let mut sources = Sources::new();
    for (one, segment, candidate) in without_circles(chosen) {
        sources.insert((one.number, segment), candidate.source_of(one));
    }
    sources
}

/// A parameter with the place that it comes from: the endpoint, the position of the segment, and the place.
type ParameterLink<'l, 'p> = (&'l LinkedEndpoint<'p>, usize, SourceCandidate<'l, 'p>);

/// Chooses the best place for each parameter.
fn chosen_candidates<'l, 'p>(
    linked: &'l [LinkedEndpoint<'p>],
    places: &Places,
    collections: &Collections<'_>,
    pooled: &PooledValues<'_>,
) -> Vec<ParameterLink<'l, 'p>> {
    let mut chosen = Vec::new();
    for one in linked {
        let of_parameter = |parameter: &Parameter| {
            let segment = parameter.segment?;
            let sample = one.values.segments.get(segment - 1)?;
            let of = |sample| {
                let target = LinkTarget::new(one, segment, parameter, sample);
                target.candidates(linked, places, collections)
            };
            let mut found = of(sample);
            let is_found = found.iter().any(|candidate| candidate.weight.is_of_thing);
            if let Some(sample) =
                pooled.get(&one.place_of(segment)).filter(|all| !is_found && *all != sample)
            {
                let is_new = |other: &SourceCandidate<'_, '_>| {
                    !found.iter().any(|own: &SourceCandidate<'_, '_>| own.is_place_of(other))
                };
                let others: Vec<_> = of(sample).into_iter().filter(is_new).collect();
                let pooled = |candidate| SourceCandidate { is_pooled: true, ..candidate };
                found.extend(others.into_iter().map(pooled));
            }
            Some((segment, found))
        };
        let mut candidates: Vec<(usize, Vec<SourceCandidate<'l, 'p>>)> =
            one.pattern.parameters.iter().filter_map(of_parameter).collect();
        prefer_common_sources(&mut candidates);
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
                !taken.contains(&(candidate.source.number, &candidate.field().path))
            };
            // Two users that are compared stand in one list, which has all of both.
            let has_all = |candidate: &SourceCandidate<'_, '_>| {
                candidate.weight.share >= MIN_SHARE_OF_SECOND && candidate.weight.is_of_thing
            };
            let best = candidates.into_iter().find(|it| is_free(it) || has_all(it));
            if let Some(best) = best {
                taken.push((best.source.number, &best.field().path));
                chosen.push((one, segment, best));
            }
        }
    }
    chosen
}

/// Orders the candidates of the parameters of one path, the best first. One answer that has values of several of them, as a list
/// of repositories has owners and names, is better than two.
fn prefer_common_sources(candidates: &mut [(usize, Vec<SourceCandidate<'_, '_>>)]) {
    let mut segments_of: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (segment, found) in &*candidates {
        for candidate in found.iter().filter(|candidate| candidate.weight.is_named) {
            segments_of.entry(candidate.source.number).or_default().insert(*segment);
        }
    }
    for (_, found) in candidates {
        for candidate in &mut *found {
            let segments = segments_of.get(&candidate.source.number);
            let is_common = segments.is_some_and(|segments| segments.len() > 1);
            // What stands deep in an answer is there for another reason.
            let is_near = candidate.meaning().depth <= 2;
            let is_preferred = is_common && is_near && candidate.weight.is_named;
            candidate.weight.score += weight_of(is_preferred, 0.3);
        }
        // The sort is stable: what is equal stays in the order of places.
        found.sort_by(|a, b| {
            let rank = |it: &SourceCandidate<'_, '_>| (!it.weight.is_of_thing, it.is_pooled);
            rank(a).cmp(&rank(b)).then(b.weight.score.total_cmp(&a.weight.score))
        });
    }
}

/// The values of parameters at each place of paths, of all endpoints that go through it.
///
/// The two calls of `/apps/{app_id}/grants` may have no value that an answer had, where the many of `/apps/{app_id}` do.
fn pool_values<'l>(linked: &'l [LinkedEndpoint<'_>]) -> PooledValues<'l> {
    let mut pooled = PooledValues::new();
    for one in linked {
        for (at, ..) in &one.path_parameters {
            if let Some(sample) = one.values.segments.get(*at) {
                pooled.entry(one.place_of(at + 1)).or_default().merge(sample.clone());
            }
        }
    }
    pooled
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

/// Values of parameters, by host and path up to the parameter.
type PooledValues<'l> = BTreeMap<(&'l str, &'l [&'l str]), ValueSample>;

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
