//! What stands around and below a segment: the part of the evidence that needs all the traffic.

use std::collections::BTreeMap;

use crate::math::{ln, ln1};
use crate::sketch::stable_hash;
use crate::template::evidence::{Node, Values};
use crate::template::features::{Feature as F, Features, rarity, ratio, shape};
use crate::template::segment::{Segment, SegmentKind};
use crate::template::vocabulary::{Vocabulary, words_of};
use crate::template::{Part, Template};

/// What the decision asks of the statistics at the ends.
pub(crate) trait Observed {
    /// Requests.
    fn count(&self) -> u64;
    /// Responses with status 404.
    fn not_found(&self) -> u64;
    /// Responses with any status from 400 to 499.
    fn client_errors(&self) -> u64;
}

/// A segment that may be a name or a value.
#[derive(Debug)]
pub(crate) struct Candidate<'t, T> {
    pub(crate) text: &'t [u8],
    pub(crate) hash: u64,
    pub(crate) segment: Segment<'t>,
    /// Where it leads: one place of the trie for each value of the ancestors.
    pub(crate) nodes: Vec<&'t Node<T>>,
}

impl<T> Candidate<'_, T> {
    pub(crate) fn requests(&self) -> u64 {
        self.nodes.iter().map(|node| node.count).sum()
    }

    fn is_number(&self) -> bool {
        self.segment.kind == SegmentKind::Integer
    }
}

/// Which segments a host has, at how many places, and whether the vocabulary knows them.
#[derive(Debug, Default)]
pub(crate) struct HostIndex {
    /// Sorted by hash: (hash, places, known).
    segments: Vec<(u64, u32, bool)>,
    places: usize,
}

impl HostIndex {
    pub(crate) fn new<T>(hosts: &[&Node<T>], vocabulary: &Vocabulary) -> Self {
        let mut index = Self::default();
        let mut found = Vec::new();
        hosts.iter().for_each(|host| index.collect(host, &mut found));
        found.sort_unstable();
        for same in found.chunk_by(|a, b| a == b) {
            let (hash, text) = same[0];
            let known = vocabulary.knows(Segment::parse(text).core);
            index.segments.push((hash, u32::try_from(same.len()).unwrap_or(u32::MAX), known));
        }
        index
    }

    fn collect<'t, T>(&mut self, node: &'t Node<T>, found: &mut Vec<(u64, &'t [u8])>) {
        self.places += 1;
        for literal in &node.literals {
            found.push((literal.hash, &literal.text));
            self.collect(&literal.node, found);
        }
        for values in &node.values {
            self.collect(&values.node, found);
        }
    }

    fn get(&self, hash: u64) -> (u32, bool) {
        let found = self.segments.binary_search_by_key(&hash, |entry| entry.0);
        found.map_or((0, false), |at| (self.segments[at].1, self.segments[at].2))
    }
}

/// The key of a child that is no known word.
const ANY_VALUE: u64 = 1;
/// The keys of methods follow this one.
const METHOD: u64 = 2;
/// What stands two below is another key than what stands below.
const TWO_BELOW: u64 = 0x9e37_79b9_7f4a_7c15;
/// Keys of one signature; more say nothing new.
const KEYS: usize = 256;

/// What stands below a segment, as keys with their rarity.
fn signature<T>(nodes: &[&Node<T>], index: &HostIndex) -> Vec<(u64, f64)> {
    let mut keys: Vec<(u64, f64)> = Vec::new();
    for node in nodes {
        for end in &node.ends {
            keys.push((METHOD ^ stable_hash(&end.method), 0.3));
        }
        if !node.values.is_empty() {
            keys.push((ANY_VALUE, 0.7));
        }
        let values = node.values.iter().map(|values| &values.node);
        for literal in &node.literals {
            let (holders, known) = index.get(literal.hash);
            if known {
                keys.push((literal.hash, rarity(index.places, holders)));
            } else {
                keys.push((ANY_VALUE, 0.7));
            }
        }
        for below in node.literals.iter().map(|literal| &literal.node).chain(values) {
            for literal in &below.literals {
                let (holders, known) = index.get(literal.hash);
                if known {
                    keys.push((literal.hash ^ TWO_BELOW, rarity(index.places, holders)));
                }
            }
        }
        if keys.len() > 8 * KEYS {
            break;
        }
    }
    keys.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    keys.dedup_by_key(|key| key.0);
    keys.truncate(KEYS);
    keys
}

/// A place where segments are judged.
pub(crate) struct Place<'p, 't, T> {
    pub(crate) template: &'p Template,
    pub(crate) group: &'p [&'t Node<T>],
    pub(crate) candidates: &'p [Candidate<'t, T>],
    /// Segments that are values whatever stands around them.
    pub(crate) values: &'p [&'t Values<T>],
    pub(crate) index: &'p HostIndex,
}

/// What is the same for all segments of a place.
struct Totals {
    children: f64,
    distinct_values: f64,
    values: f64,
    names: f64,
    /// Values that look like names.
    named: f64,
    numbers: f64,
    requests: f64,
    singletons: f64,
    name_traffic: f64,
    kinds: BTreeMap<SegmentKind, usize>,
    shapes: BTreeMap<Vec<u8>, usize>,
    first_words: BTreeMap<String, usize>,
    posts: bool,
    ends: bool,
}

#[expect(clippy::cast_precision_loss, reason = "logarithms and shares of counts need no more")]
fn float(count: u64) -> f64 {
    count as f64
}

fn first_word(core: &[u8]) -> String {
    words_of(core).into_iter().next().unwrap_or_default()
}

impl<T: Observed> Place<'_, '_, T> {
    fn totals(&self, guesses: &[f64]) -> Totals {
        let distinct: u64 = self.values.iter().map(|values| values.distinct.estimate()).sum();
        let distinct_values = float(distinct);
        let mut totals = Totals {
            children: ratio(self.candidates.len(), 1) + distinct_values,
            distinct_values,
            values: distinct_values,
            names: 0.0,
            named: 0.0,
            numbers: 0.0,
            requests: 0.0,
            singletons: 0.0,
            name_traffic: 0.0,
            kinds: BTreeMap::new(),
            shapes: BTreeMap::new(),
            first_words: BTreeMap::new(),
            posts: false,
            ends: false,
        };
        let mut traffic = 0.0;
        for (candidate, guess) in self.candidates.iter().zip(guesses) {
            let requests = candidate.requests();
            totals.values += guess;
            totals.names += 1.0 - guess;
            if candidate.is_number() {
                totals.numbers += 1.0;
            } else {
                totals.named += guess;
            }
            totals.requests += float(requests);
            totals.singletons += if requests == 1 { 1.0 } else { 0.0 };
            traffic += (1.0 - guess) * ln1(requests);
            *totals.kinds.entry(candidate.segment.kind).or_default() += 1;
            *totals.shapes.entry(shape(candidate.segment.core)).or_default() += 1;
            *totals.first_words.entry(first_word(candidate.segment.core)).or_default() += 1;
        }
        for values in self.values {
            totals.requests += float(values.node.count);
            if values.node.count == values.distinct.estimate() {
                totals.singletons += float(values.node.count);
            }
        }
        totals.name_traffic = traffic / totals.names.max(0.01);
        for end in self.group.iter().flat_map(|node| &node.ends) {
            totals.ends = true;
            totals.posts |= &*end.method == b"POST";
        }
        totals
    }

    /// The whole evidence for each candidate, given what each seems to be so far.
    pub(crate) fn features(&self, lexical: &[Features], guesses: &[f64]) -> Vec<Features> {
        let totals = self.totals(guesses);
        let mut all = lexical.to_vec();
        for (i, features) in all.iter_mut().enumerate() {
            self.position(features);
            self.methods(i, features, &totals);
            self.siblings(i, guesses[i], features, &totals);
            self.below(i, features, &totals);
        }
        self.sharing(guesses, &mut all, &totals);
        all
    }

    fn position(&self, features: &mut Features) {
        let unknown = features.get(F::segment_unknown);
        let parts = &self.template.parts;
        let is_value = |part: Option<&Part>| matches!(part, Some(Part::Parameter { .. }));
        let parent = parts.last();
        features.flag(F::root, parts.is_empty());
        features.set(F::root_unknown, if parts.is_empty() { unknown } else { 0.0 });
        features.flag(F::second, parts.len() == 1);
        features.flag(F::parent_value, is_value(parent));
        features.set(F::parent_value_unknown, if is_value(parent) { unknown } else { 0.0 });
        features
            .flag(F::two_values_before, is_value(parent) && is_value(parts.iter().rev().nth(1)));
        if let Some(Part::Literal(text)) = parent {
            let kind = Segment::parse(text).kind;
            let plural = text.len() > 3 && text.ends_with(b"s") && !text.ends_with(b"ss");
            features.flag(F::parent_version, kind == SegmentKind::Version);
            features.flag(F::parent_plural, plural);
            features.set(F::parent_plural_unknown, if plural { unknown } else { 0.0 });
        }
    }

    fn methods(&self, i: usize, features: &mut Features, totals: &Totals) {
        let unknown = features.get(F::segment_unknown);
        let candidate = &self.candidates[i];
        let ends = || candidate.nodes.iter().flat_map(|node| &node.ends);
        let has = |method: &[u8]| ends().any(|end| &*end.method == method);
        let (get, post) = (has(b"GET"), has(b"POST"));
        let (put, delete, patch) = (has(b"PUT"), has(b"DELETE"), has(b"PATCH"));
        features.flag(F::get, get);
        features.flag(F::post, post);
        features.flag(F::put, put);
        features.flag(F::delete, delete);
        features.flag(F::patch, patch);
        let ends_here = ends().next().is_some();
        let only_post = post && !get && !put && !delete && !patch;
        features.flag(F::ends_here, ends_here);
        features.flag(F::only_post, only_post);
        features.set(F::only_post_unknown, if only_post { unknown } else { 0.0 });
        features.flag(F::like_item, (put || delete || patch) && !post);
        let requests: u64 = ends().map(|end| end.seen.count()).sum();
        let share = |part: u64| float(part) / float(requests.max(1));
        features.set(F::not_found, share(ends().map(|end| end.seen.not_found()).sum()));
        features.set(F::client_error, share(ends().map(|end| end.seen.client_errors()).sum()));
        features.flag(F::place_posts, totals.posts);
        features.flag(F::place_ends, totals.ends);
        let is_leaf =
            candidate.nodes.iter().all(|node| node.literals.is_empty() && node.values.is_empty());
        features.flag(F::leaf, is_leaf);
        features.set(F::post_leaf_unknown, if totals.posts && is_leaf { unknown } else { 0.0 });
    }

    fn siblings(&self, i: usize, guess: f64, features: &mut Features, totals: &Totals) {
        let candidate = &self.candidates[i];
        let unknown = features.get(F::segment_unknown);
        let known = 1.0 - unknown;
        let others = (totals.children - 1.0).max(1.0);
        let values = (totals.values - guess).max(0.0);
        let names = (totals.names - (1.0 - guess)).max(0.0);
        let like_names = (totals.named - if candidate.is_number() { 0.0 } else { guess }).max(0.0);
        let numbers = totals.numbers - if candidate.is_number() { 1.0 } else { 0.0 };
        let ids = totals.distinct_values + numbers;
        features.set(F::siblings, ln(1.0 + others));
        features.set(F::sibling_values, ln(1.0 + values));
        features.set(F::sibling_names, ln(1.0 + names));
        features.flag(F::only_child, totals.children < 1.5);
        let alone = totals.children < 1.5;
        let share = |part: f64| if alone { 0.0 } else { part / others };
        features.set(F::value_share, share(values));
        features.set(F::value_share_unknown, share(values) * unknown);
        features.set(F::unmistakable_siblings, ln(1.0 + ids));
        let same = |map: Option<&usize>| share(ratio(map.copied().unwrap_or(1) - 1, 1)).min(1.0);
        features.set(F::same_kind, same(totals.kinds.get(&candidate.segment.kind)));
        features.set(F::same_shape, same(totals.shapes.get(&shape(candidate.segment.core))));
        features.set(
            F::same_first_word,
            same(totals.first_words.get(&first_word(candidate.segment.core))),
        );
        features.set(F::named_values, ln(1.0 + like_names));
        features.set(F::named_share, share(like_names));
        features.set(F::named_share_unknown, share(like_names) * unknown);
        features.set(F::named_share_known, share(like_names) * known);
        let without_names = if like_names < 0.8 { ln(1.0 + ids) } else { 0.0 };
        features.set(F::ids_without_names, without_names);
        features.set(F::ids_without_names_unknown, without_names * unknown);
        features.set(F::id_share, share(ids));
        features.set(F::pure_names, if like_names > 3.0 { share(like_names) } else { 0.0 });
        let rare = features.get(F::segment_known) < 1.4;
        features.set(
            F::many_named_rare,
            if rare { ln(1.0 + (like_names - 4.0).max(0.0)) } else { 0.0 },
        );
        features.set(F::name_traffic, totals.name_traffic);

        let requests = candidate.requests();
        let per_request = totals.requests.max(1.0);
        features.set(F::children_per_request, totals.children / per_request);
        features.set(F::singletons, totals.singletons / per_request);
        features.flag(F::once, requests == 1);
        features.set(F::traffic, ln1(requests).min(6.0));
        features.set(F::traffic_unknown, ln1(requests).min(6.0) * unknown);
        features.set(F::traffic_share, float(requests) / per_request);
        let elsewhere = ratio(self.index.get(candidate.hash).0.max(1) as usize - 1, 1);
        let elsewhere = ln(1.0 + elsewhere).min(4.0);
        features.set(F::elsewhere, elsewhere);
        features.set(F::elsewhere_unknown, elsewhere * unknown);
    }

    fn below(&self, i: usize, features: &mut Features, totals: &Totals) {
        let candidate = &self.candidates[i];
        let (mut known, mut unknown, mut ids) = (0_usize, 0_usize, 0_u64);
        for node in &candidate.nodes {
            for literal in &node.literals {
                if self.index.get(literal.hash).1 {
                    known += 1;
                } else {
                    unknown += 1;
                }
            }
            ids += node.values.iter().map(|values| values.distinct.estimate()).sum::<u64>();
        }
        let children = ratio(known + unknown, 1) + float(ids);
        features.set(F::below_children, ln(1.0 + children));
        features.set(F::below_unknown, ratio(unknown, 1) / children.max(1.0));
        features.set(F::below_ids, float(ids) / children.max(1.0));
        features.flag(F::literals_below, known + unknown > 0);
        let small = matches!(candidate.segment.kind, SegmentKind::Integer | SegmentKind::Number);
        if small
            && candidate.segment.core.len() <= 3
            && totals.distinct_values < 0.5
            && self.template.parts.len() <= 3
        {
            features.set(F::small_number, 1.0);
            let rich = ln(1.0 + ratio(known, 1));
            features.set(F::small_number_rich, rich);
            features.set(
                F::small_number_rich_root,
                if self.template.parts.is_empty() { rich } else { 0.0 },
            );
            features.set(
                F::small_number_rich_second,
                if self.template.parts.len() == 1 { rich } else { 0.0 },
            );
        }
    }

    /// Whose subtrees look alike: segments that share a rare subtree with values are values.
    fn sharing(&self, guesses: &[f64], all: &mut [Features], totals: &Totals) {
        let count = self.candidates.len();
        let mut keys: Vec<(u64, usize, f64)> = Vec::new();
        for (i, candidate) in self.candidates.iter().enumerate() {
            keys.extend(
                signature(&candidate.nodes, self.index)
                    .into_iter()
                    .map(|(key, weight)| (key, i, weight)),
            );
        }
        for values in self.values {
            let below = signature(&[&*values.node], self.index);
            // All values count as one sibling that is certain.
            keys.extend(below.into_iter().map(|(key, weight)| (key, count, weight)));
        }
        keys.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
        let guess = |i: usize| guesses.get(i).copied().unwrap_or(1.0);
        let mut sums = vec![[0.0_f64; 6]; count];
        let base = (totals.values / totals.children.max(1.0)).clamp(0.01, 0.99);
        for holders in keys.chunk_by(|a, b| a.0 == b.0) {
            let as_values: f64 = holders.iter().map(|holder| guess(holder.1)).sum();
            let as_names: f64 =
                holders.iter().filter(|h| h.1 < count).map(|holder| 1.0 - guess(holder.1)).sum();
            for &(_, i, weight) in holders.iter().filter(|holder| holder.1 < count) {
                let values = (as_values - guess(i)).max(0.0);
                let names = (as_names - (1.0 - guess(i))).max(0.0);
                let relative = (values + base) / (values + names + 1.0);
                let sum = &mut sums[i];
                sum[0] += weight;
                sum[1] += weight * values.min(1.0);
                sum[2] += weight * names.min(1.0);
                sum[3] += weight * (relative - base);
            }
        }
        for ((features, sum), i) in all.iter_mut().zip(&sums).zip(0..) {
            let unknown = features.get(F::segment_unknown);
            let whole = sum[0].max(0.1);
            let (values, names) = (sum[1] / whole, sum[2] / whole);
            features.set(F::shared_with_values, values);
            features.set(F::shared_with_names, names);
            features.set(F::shared_with_values_much, (sum[1] / 4.0).min(6.0));
            features.set(F::shared_with_names_much, (sum[2] / 4.0).min(6.0));
            features.set(F::shared_with_values_unknown, values * unknown);
            features.set(F::shared_with_names_unknown, names * unknown);
            let like_names = (totals.named
                - if self.candidates[i].is_number() { 0.0 } else { guess(i) })
            .max(0.0);
            features.set(F::shared_named, values * ln(1.0 + like_names));
            features.set(F::shared_relative, sum[3] / whole);
        }
    }
}
