//! Context features of a segment: its siblings, its subtree and its traffic, which need all
//! observed requests.

pub(crate) mod bodies;
mod candidate;
mod sharing;
mod spellings;
mod structure;

pub(crate) use candidate::{Candidate, LeafStats};

use crate::math::{ln, ln1};
use crate::sketch::stable_hash;
use crate::template::context::spellings::{Spellings, first_of, last_of};
use crate::template::features::{Feature as F, Features, is_qualified_name, rarity, ratio};
use crate::template::host::HostIndex;
use crate::template::node_group::NodeGroup;
use crate::template::segment::{Segment, SegmentKind};
use crate::template::trie::{Node, ValuesChild};
use crate::template::vocabulary::words_of;
use crate::template::{Part, Template};

/// Signature key of any child that is not a telling word.
const ANY_VALUE: u64 = 1;
/// Added to the keys of methods, to keep them apart from other keys.
const METHOD: u64 = 2;
/// Added to the keys of grandchildren, to keep them apart from those of children.
const TWO_BELOW: u64 = 0x9e37_79b9_7f4a_7c15;
/// Upper bound of the logarithm of a number of siblings; further siblings add no evidence.
const MAX_LOG_SIBLINGS: f64 = 4.5;
/// Maximum number of keys of one signature.
const MAX_SIGNATURE_KEYS: usize = 256;

/// Returns `true` if the segment characterises its subtree: it is in the vocabulary, or it occurs
/// at several nodes of the host. A host repeats its own words, whatever their language.
fn is_telling(holders: u32, known: bool) -> bool {
    known || holders >= 2
}

/// Returns `true` for a number of a few digits. It is kept as a literal because it may be a version; below a sibling it is an
/// id: tests of many tables ask for `/1` and `/2` of each.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

/// The signature of a subtree: keys for its methods, children and grandchildren, each with its
/// rarity. Sorted by key, without duplicates.
fn signature<T>(nodes: &[&Node<T>], index: &HostIndex<'_>) -> Vec<(u64, f64)> {
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
            if is_telling(holders, known) && !is_number(&literal.text) {
                keys.push((literal.hash, rarity(index.places, holders)));
            } else {
                keys.push((ANY_VALUE, 0.7));
            }
        }
        for below in node.literals.iter().map(|literal| &literal.node).chain(values) {
            for literal in below.literals.iter().filter(|literal| !is_number(&literal.text)) {
                let (holders, known) = index.get(literal.hash);
                if is_telling(holders, known) {
                    keys.push((literal.hash ^ TWO_BELOW, rarity(index.places, holders)));
                }
            }
        }
        if keys.len() > 8 * MAX_SIGNATURE_KEYS {
            break;
        }
    }
    keys.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    keys.dedup_by_key(|key| key.0);
    keys.truncate(MAX_SIGNATURE_KEYS);
    keys
}

/// The input of the classifier: the candidate segments below one prefix, and their context.
pub(crate) struct SiblingSet<'p, 't, T> {
    /// The prefix.
    pub(crate) template: &'p Template,
    /// The trie nodes with this prefix.
    pub(crate) group: &'p NodeGroup<'t, T>,
    /// The segments to classify.
    pub(crate) candidates: &'p [Candidate<'t, T>],
    /// Sibling segments that are values in any context.
    pub(crate) values: &'p [&'t ValuesChild<T>],
    /// Index of the whole host.
    pub(crate) index: &'p HostIndex<'p>,
}

/// Totals over the candidates and values below one prefix, given the current probabilities.
struct SiblingTotals {
    /// Number of siblings: voting candidates and distinct values.
    children: f64,
    /// Distinct segments that are values in any context.
    distinct_values: f64,
    /// Expected number of values.
    values: f64,
    /// Expected number of names.
    names: f64,
    /// Expected number of values that are lexically names, not numbers.
    named: f64,
    /// Candidates that are numbers.
    numbers: f64,
    /// Candidates that are not in the vocabulary, without numbers.
    unknown: f64,
    /// Weight of the words of these candidates within the host.
    own_words: f64,
    /// The part of that weight that is not in the vocabulary.
    own_unknown: f64,
    requests: f64,
    /// Segments with exactly one request.
    singletons: f64,
    /// Mean logarithm of the requests of names.
    name_traffic: f64,
    /// True if the prefix itself is posted to.
    posts: bool,
    /// True if requests end at the prefix itself.
    ends: bool,
}

/// The context features that do not depend on the probabilities of the candidates. Computed once
/// per node, because the stages repeat.
pub(crate) struct StaticContext {
    /// Features per candidate: lexical, position, methods and subtree.
    pub(crate) fixed: Vec<Features>,
    writing: Spellings,
    /// Keys of the subtrees: see [`signature`].
    below: Keys,
    /// Keys of the literal children.
    names: Keys,
    /// Keys of the query parameters.
    query: Keys,
    /// Keys of the response media types.
    media: Keys,
}

/// (key, index of the sibling, weight), sorted.
type Keys = Vec<(u64, usize, f64)>;

impl SiblingTotals {
    /// Expected number of other candidates that are lexically names and are values. `guess` is the
    /// probability of the candidate itself.
    fn like_names<T>(&self, candidate: &Candidate<'_, T>, guess: f64) -> f64 {
        let own = if candidate.votes && !candidate.is_number_or_date() { guess } else { 0.0 };
        (self.named - own).max(0.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "logarithms and shares of counts need no more")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Returns `true` for a service name in the style of gRPC and Connect: a package, and a capitalised
/// name.
fn is_service_name(text: &[u8]) -> bool {
    let last = text.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    is_qualified_name(text) && last.first().is_some_and(u8::is_ascii_uppercase)
}

impl<T> SiblingSet<'_, '_, T> {
    /// The index under which the subtree of a candidate counts: its own, or that of all values.
    fn subtree_index(&self, i: usize) -> usize {
        if self.candidates[i].is_date() { self.candidates.len() } else { i }
    }
}

impl<T: LeafStats> SiblingSet<'_, '_, T> {
    /// Returns `true` for the service or the method of a remote procedure call, which only gets
    /// POST requests: `/pkg.v1.Service/Method` (gRPC over HTTP/2, "Request-Headers").
    pub(crate) fn is_remote_name(&self, candidate: &Candidate<'_, T>) -> bool {
        let is_posted = |node: &Node<T>| {
            node.ends.iter().all(|end| &*end.method == b"POST")
                && node.literals.is_empty()
                && node.values.is_empty()
        };
        let is_method = |text: &[u8]| {
            text.first().is_some_and(u8::is_ascii_alphabetic)
                && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        if let Some(Part::Literal { text: parent, .. }) = self.template.parts.last()
            && is_service_name(parent)
        {
            return is_method(candidate.text)
                && candidate.nodes().iter().all(|node| is_posted(node));
        }
        is_service_name(candidate.text)
            && candidate.nodes().iter().all(|node| {
                let methods =
                    || node.literals.iter().all(|m| is_method(&m.text) && is_posted(&m.node));
                node.ends.is_empty() && node.values.is_empty() && methods()
            })
    }

    fn totals(&self, lexical: &[Features], guesses: &[f64]) -> SiblingTotals {
        let distinct: u64 = self.values.iter().map(|values| values.distinct.estimate()).sum();
        let distinct_values = float(distinct);
        let mut totals = SiblingTotals {
            children: ratio(self.candidates.iter().filter(|c| c.votes).count(), 1)
                + distinct_values,
            distinct_values,
            values: distinct_values,
            names: 0.0,
            named: 0.0,
            numbers: 0.0,
            unknown: 0.0,
            own_words: 0.0,
            own_unknown: 0.0,
            requests: 0.0,
            singletons: 0.0,
            name_traffic: 0.0,
            posts: false,
            ends: false,
        };
        let mut traffic = 0.0;
        for ((candidate, lexical), guess) in self.candidates.iter().zip(lexical).zip(guesses) {
            if !candidate.votes {
                continue;
            }
            let requests = candidate.requests();
            totals.values += guess;
            totals.names += 1.0 - guess;
            if candidate.is_number_or_date() {
                totals.numbers += 1.0;
            } else {
                totals.named += guess;
                totals.unknown += lexical.get(F::segment_unknown);
            }
            if HostIndex::is_word(&candidate.segment) {
                let places = ratio(candidate.nodes().len(), self.candidates.len());
                let weight = places.min(HostIndex::MAX_WEIGHT);
                totals.own_words += weight;
                totals.own_unknown += weight * lexical.get(F::segment_unknown);
            }
            totals.requests += float(requests);
            totals.singletons += if requests == 1 { 1.0 } else { 0.0 };
            traffic += (1.0 - guess) * ln1(requests);
        }
        for values in self.values {
            totals.requests += float(values.node.count);
            if values.node.count == values.distinct.estimate() {
                totals.singletons += float(values.node.count);
            }
        }
        totals.name_traffic = traffic / totals.names.max(0.01);
        for end in self.group.evidence().iter().flat_map(|node| &node.ends) {
            totals.ends = true;
            totals.posts |= &*end.method == b"POST";
        }
        totals
    }

    /// Computes the context features that do not depend on probabilities. `lexical` holds the
    /// lexical features of each candidate.
    pub(crate) fn static_context(&self, lexical: Vec<Features>) -> StaticContext {
        let totals = self.totals(&lexical, &vec![0.0; self.candidates.len()]);
        let mut fixed = lexical;
        for (i, features) in fixed.iter_mut().enumerate() {
            self.set_position(features);
            self.set_methods(i, features, &totals);
            self.set_subtree(i, features, &totals);
        }
        self.structure(&mut fixed);
        let has_small_number = fixed.iter().any(|features| features.get(F::small_number) > 0.0);
        let names = |node: &Node<T>| {
            node.literals
                .iter()
                .take(MAX_SIGNATURE_KEYS)
                .map(|literal| (literal.hash, 1.0))
                .collect()
        };
        StaticContext {
            writing: Spellings::of(self.candidates),
            below: self.keys(|node| signature(&[node], self.index)),
            names: if has_small_number { self.keys(names) } else { Vec::new() },
            query: self.keys(|node| {
                let names = node.ends.iter().flat_map(|end| end.seen.query_names());
                names.take(MAX_SIGNATURE_KEYS).map(|name| (name, 1.0)).collect()
            }),
            media: self.keys(|node| {
                let types = node.ends.iter().flat_map(|end| end.seen.media_types());
                types.take(MAX_SIGNATURE_KEYS).map(|name| (name, 1.0)).collect()
            }),
            fixed,
        }
    }

    /// Computes all features of each candidate, given the current probabilities `guesses`.
    pub(crate) fn features(&self, around: &StaticContext, guesses: &[f64]) -> Vec<Features> {
        let totals = self.totals(&around.fixed, guesses);
        let mut all = around.fixed.clone();
        for (i, features) in all.iter_mut().enumerate() {
            self.set_siblings(i, guesses[i], features, &totals, &around.writing);
        }
        self.sharing(around, guesses, &mut all, &totals);
        all.iter_mut().for_each(sharing::set_host_products);
        all
    }

    /// Sets the features of the position in the path and of the parent segment.
    fn set_position(&self, features: &mut Features) {
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
        if let Some(Part::Literal { text, .. }) = parent {
            let kind = Segment::parse(text).kind;
            let plural = text.len() > 3 && text.ends_with(b"s") && !text.ends_with(b"ss");
            features.flag(F::parent_version, kind == SegmentKind::Version);
            features.flag(F::parent_qualified, is_qualified_name(text));
            let words = words_of(Segment::parse(text).core).join("_");
            let (used, takes_values) = self.index.parent_counts(&words);
            features.set(F::parent_takes_values, ln1(takes_values.into()).min(5.0));
            let takes_names = if takes_values == 0 { ln1(used.into()).min(5.0) } else { 0.0 };
            features.set(F::parent_takes_names, takes_names);
            let share = f64::from(takes_values) / f64::from(used.max(takes_values).max(1));
            features.set(F::parent_value_share, share);
            let ending = Segment::parse(text).suffix;
            features.flag(F::parent_script, ending.starts_with(b"."));
            features.flag(F::parent_plural, plural);
            features.set(F::parent_plural_unknown, if plural { unknown } else { 0.0 });
        }
    }

    /// Sets the features of methods and statuses.
    fn set_methods(&self, i: usize, features: &mut Features, totals: &SiblingTotals) {
        let unknown = features.get(F::segment_unknown);
        let candidate = &self.candidates[i];
        let ends = || candidate.nodes().iter().flat_map(|node| &node.ends);
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
        let all_ends = || candidate.places.all().flat_map(|node| &node.ends);
        let requests: u64 = all_ends().map(|end| end.seen.count()).sum();
        let share = |part: u64| float(part) / float(requests.max(1));
        features.set(F::not_found, share(all_ends().map(|end| end.seen.not_found()).sum()));
        features.set(F::client_error, share(all_ends().map(|end| end.seen.client_errors()).sum()));
        features.flag(F::place_posts, totals.posts);
        features.flag(F::place_ends, totals.ends);
        let is_leaf =
            candidate.nodes().iter().all(|node| node.literals.is_empty() && node.values.is_empty());
        features.flag(F::leaf, is_leaf);
        features.set(F::post_leaf_unknown, if totals.posts && is_leaf { unknown } else { 0.0 });
    }

    /// Sets the features that compare a candidate with its siblings.
    fn set_siblings(
        &self,
        i: usize,
        guess: f64,
        features: &mut Features,
        totals: &SiblingTotals,
        writing: &Spellings,
    ) {
        let candidate = &self.candidates[i];
        let unknown = features.get(F::segment_unknown);
        let known = 1.0 - unknown;
        // Candidates that only got 404 are not included in the totals.
        let own = if candidate.votes { 1.0 } else { 0.0 };
        let children = totals.children + 1.0 - own;
        let others = (children - 1.0).max(1.0);
        let values = (totals.values - own * guess).max(0.0);
        let names = (totals.names - own * (1.0 - guess)).max(0.0);
        let like_names = totals.like_names(candidate, guess);
        let numbers = totals.numbers - if candidate.is_number_or_date() { own } else { 0.0 };
        let ids = totals.distinct_values + numbers;
        features.set(F::siblings, ln(1.0 + others).min(MAX_LOG_SIBLINGS));
        features.set(F::sibling_values, ln(1.0 + values).min(MAX_LOG_SIBLINGS));
        features.set(F::sibling_names, ln(1.0 + names).min(MAX_LOG_SIBLINGS));
        features.flag(F::only_child, children < 1.5);
        let alone = children < 1.5;
        let share = |part: f64| if alone { 0.0 } else { part / others };
        // Smoothed by two pseudo-siblings with the unknown share of the host.
        let own_unknown =
            if candidate.votes && !candidate.is_number_or_date() { unknown } else { 0.0 };
        let own_word = if candidate.votes && !candidate.is_number_or_date() { 1.0 } else { 0.0 };
        let voting = ratio(self.candidates.iter().filter(|c| c.votes).count(), 1);
        let words = (voting - totals.numbers - own_word).max(0.0);
        let host_unknown = features.get(F::host_unknown);
        let place_unknown =
            ((totals.unknown - own_unknown).max(0.0) + 2.0 * host_unknown) / (words + 2.0);
        features.set(F::place_unknown, place_unknown);
        let more = self.index.more_unknown(place_unknown, totals.own_words, totals.own_unknown);
        features.set(F::place_unknown_more, more);
        let many = ln(1.0 + words).min(MAX_LOG_SIBLINGS);
        features.set(F::place_unknown_many, more * many);
        features.set(F::place_known_many, (1.0 - place_unknown) * many);
        features.set(F::value_share, share(values));
        features.set(F::value_share_unknown, share(values) * unknown);
        features.set(F::unmistakable_siblings, ln(1.0 + ids).min(MAX_LOG_SIBLINGS));
        let own = usize::from(candidate.votes);
        let same = |map: Option<&usize>| {
            share(ratio(map.copied().unwrap_or_default().saturating_sub(own), 1)).min(1.0)
        };
        features.set(F::same_kind, same(writing.kinds.get(&candidate.segment.kind)));
        let (spelled, outline) = &writing.each[i];
        features.set(F::same_shape, same(writing.shapes.get(outline)));
        features.set(F::same_first_word, same(writing.first_words.get(&first_of(spelled))));
        features.set(F::same_last_word, same(writing.last_words.get(&last_of(spelled))));
        if spelled.len() > 1 {
            let reuse = spelled.iter().map(|word| {
                ln1(writing.words.get(word).copied().unwrap_or_default().saturating_sub(own) as u64)
            });
            features.set(F::word_reuse, reuse.sum::<f64>() / ratio(spelled.len(), 1));
        }
        features.set(F::named_values, ln(1.0 + like_names).min(MAX_LOG_SIBLINGS));
        features.set(F::named_share, share(like_names));
        features.set(F::named_share_unknown, share(like_names) * unknown);
        features.set(F::named_share_known, share(like_names) * known);
        let without_names = if like_names < 0.8 { ln(1.0 + ids) } else { 0.0 };
        features.set(F::ids_without_names, without_names);
        features.set(F::ids_without_names_unknown, without_names * unknown);
        features.set(F::id_share, share(ids));
        let keyword = features.get(F::keyword);
        features.set(F::keyword_beside_ids, keyword * ln(1.0 + ids).min(2.0));
        let no_keyword = if keyword > 0.0 { 0.0 } else { known * ln(1.0 + ids).min(2.0) };
        features.set(F::no_keyword_beside_ids, no_keyword);
        features.set(F::pure_names, if like_names > 3.0 { share(like_names) } else { 0.0 });
        let rare = features.get(F::segment_known) < 1.4;
        features.set(
            F::many_named_rare,
            if rare { ln(1.0 + (like_names - 4.0).max(0.0)) } else { 0.0 },
        );
        features.set(F::name_traffic, totals.name_traffic);

        let requests = candidate.requests();
        let per_request = totals.requests.max(1.0);
        features.set(F::children_per_request, children / per_request);
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

    /// Sets the features of the subtree.
    fn set_subtree(&self, i: usize, features: &mut Features, totals: &SiblingTotals) {
        let candidate = &self.candidates[i];
        let (mut known, mut unknown, mut ids) = (0_usize, 0_usize, 0_u64);
        for node in candidate.nodes() {
            for literal in &node.literals {
                if is_number(&literal.text) {
                    ids += 1;
                } else if self.index.get(literal.hash).1 {
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
        let ends = || candidate.nodes().iter().flat_map(|node| &node.ends);
        let reads_or_adds = ends().any(|end| matches!(&*end.method, b"GET" | b"POST"));
        features.flag(F::collection, reads_or_adds && ids > 0 && known + unknown == 0);
        let below = || candidate.nodes().iter().flat_map(|node| &node.values);
        let changes = |method: &[u8]| matches!(method, b"PUT" | b"PATCH" | b"DELETE");
        let items = below().any(|values| values.node.ends.iter().any(|end| changes(&end.method)));
        features.flag(F::items_below, items);
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
}
