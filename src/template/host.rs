//! Features of a whole host: an index of its segments, their vocabulary coverage, and naming
//! habits.

mod casing;

use crate::template::body_evidence::{ScalarRole, ScalarSet};
use crate::template::features::{Feature as F, Features, LEXICAL, lexical, ratio};
use crate::template::node_group::NodeGroup;
use crate::template::segment::ending_of;
use crate::template::segment::{Segment, SegmentKind};
use crate::template::trie::Node;
use crate::template::vocabulary::Vocabulary;
use casing::CaseTally;

/// Index of the segments of a host: number of nodes, vocabulary membership and lexical features of
/// each.
#[derive(Debug)]
pub(crate) struct HostIndex<'v> {
    vocabulary: &'v Vocabulary,
    scalars: HostScalars<'v>,
    /// Sorted by hash.
    segments: Vec<SegmentFacts>,
    /// Number of trie nodes of the host that are evidence.
    pub(crate) places: usize,
    /// File endings that are common on the host, without their dot.
    endings: Vec<Vec<u8>>,
    habits: Habits,
    /// Weight of the words of the host.
    words: f64,
    /// The part of that weight that is not in the vocabulary.
    unknown: f64,
}

/// The short texts in the bodies of some hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostScalars<'s> {
    /// The texts of all hosts; `None` if bodies were not read.
    pub(crate) all: Option<&'s ScalarSet>,
    /// Hashes of the names of the hosts.
    pub(crate) hosts: Vec<u64>,
}

/// Facts about one segment of a host.
#[derive(Debug)]
struct SegmentFacts {
    hash: u64,
    /// Number of trie nodes below which the segment occurs.
    places: u32,
    known: bool,
    lexical: Box<[f64]>,
}

/// Naming habits of a host: smoothed shares of its segments, 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Segments that are not in the vocabulary.
    pub(crate) unknown: f64,
    pub(crate) capitals: f64,
    pub(crate) first_capital: f64,
    pub(crate) hump: f64,
    pub(crate) dash: f64,
    pub(crate) underscore: f64,
    pub(crate) digit: f64,
    pub(crate) compound: f64,
}

/// Weight of pseudo-segments in the smoothing of habits, so that few segments are weak evidence.
const PRIOR_SEGMENTS: f64 = 4.0;
/// Weight of pseudo-words in the smoothing of the rest of the host. They have the unknown share of
/// the node that is compared with it.
const PRIOR_WORDS_ELSEWHERE: f64 = 2.0;
/// Prior share of unknown segments.
const PRIOR_UNKNOWN: f64 = 0.25;
/// Minimum number of distinct segments with an ending for it to be common on a host.
const MIN_SEGMENTS_WITH_ENDING: usize = 3;
/// An ending is common on a host only if at least one in this many segments has it.
const MAX_SEGMENTS_PER_ENDING: usize = 3;

/// Hosts of a group whose bodies are asked for a text.
const MAX_ASKED_HOSTS: usize = 64;

impl<'v> HostIndex<'v> {
    /// Maximum weight of one segment, whatever the number of nodes at which it occurs.
    pub(crate) const MAX_WEIGHT: f64 = 4.0;

    pub(crate) fn new<T>(
        hosts: &NodeGroup<'_, T>,
        vocabulary: &'v Vocabulary,
        scalars: HostScalars<'v>,
    ) -> Self {
        let mut index = Self {
            vocabulary,
            scalars,
            segments: Vec::new(),
            places: 0,
            endings: Vec::new(),
            habits: Habits::default(),
            words: 0.0,
            unknown: 0.0,
        };
        let mut found = CollectedSegments::default();
        for host in &hosts.answered {
            index.places += found.collect(host, true);
        }
        for host in &hosts.not_found {
            index.places += found.collect(host, hosts.answered.is_empty());
        }
        index.endings = found.habitual_endings();
        found.segments.sort_unstable_by(|a, b| {
            a.hash.cmp(&b.hash).then(b.siblings.cmp(&a.siblings)).then(a.text.cmp(b.text))
        });
        let distinct: Vec<DistinctSegment<'_>> =
            found.segments.chunk_by(|a, b| a.hash == b.hash).map(DistinctSegment::of).collect();
        let mut tally = CaseTally::default();
        for found in distinct.iter().filter(|found| found.segment.kind == SegmentKind::Word) {
            let core = index.core(&found.segment);
            tally.add(core, vocabulary.knows(core), found.weight);
        }
        let casing = tally.casing();
        let mut sums = HabitSums::default();
        for DistinctSegment { hash, segment, places, weight } in distinct {
            let core = casing.normalize(index.core(&segment));
            let lexical = lexical(&segment, &core, vocabulary);
            if places > 0 {
                sums.add(&segment, &core, &lexical, weight);
            }
            index.segments.push(SegmentFacts {
                hash,
                places,
                known: lexical.get(F::segment_unknown) < 0.5,
                lexical: lexical.values[..LEXICAL].into(),
            });
        }
        (index.words, index.unknown) = (sums.words, sums.habits.unknown);
        index.habits = sums.habits();
        index
    }

    /// Whether bodies are evidence.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.scalars.all.is_some()
    }

    /// The probability that bodies of the host hold a text in a role; `text` is its hash.
    pub(crate) fn held(&self, role: ScalarRole, text: u64) -> f64 {
        let Some(all) = self.scalars.all else { return 0.0 };
        let hosts = self.scalars.hosts.iter().take(MAX_ASKED_HOSTS);
        hosts.map(|host| all.membership_probability(*host, role, text)).fold(0.0, f64::max)
    }

    /// (providers that use a segment with these words, providers that use it as the parent of a
    /// parameter).
    pub(crate) fn parent_counts(&self, words: &str) -> (u32, u32) {
        (self.vocabulary.segment(words), self.vocabulary.before_parameters(words))
    }

    /// Returns `true` if most words of the host are not in the vocabulary, and there are enough of
    /// them to tell.
    pub(crate) fn is_foreign(&self) -> bool {
        /// Minimum weight of words for a judgement.
        const MIN_WORD_WEIGHT: f64 = 8.0;

        self.words >= MIN_WORD_WEIGHT && self.unknown * 2.0 > self.words
    }

    /// Returns `true` for segments that count toward the unknown share of the host.
    pub(crate) fn is_word(segment: &Segment<'_>) -> bool {
        segment.kind == SegmentKind::Word && segment.core.len() >= 3
    }

    /// Unknown share of a node minus that of the rest of the host; 0 if there is no rest.
    /// `own_words` and `own_unknown` are the weight of the node's words and of the unknown ones
    /// among them.
    pub(crate) fn more_unknown(&self, place_unknown: f64, own_words: f64, own_unknown: f64) -> f64 {
        let words = (self.words - own_words).max(0.0);
        let unknown = (self.unknown - own_unknown).clamp(0.0, words);
        let elsewhere =
            (unknown + PRIOR_WORDS_ELSEWHERE * place_unknown) / (words + PRIOR_WORDS_ELSEWHERE);
        place_unknown - elsewhere
    }

    /// The part of a segment that may be a value, without an ending that is common on the host.
    fn core<'s>(&self, segment: &Segment<'s>) -> &'s [u8] {
        let core = segment.core;
        match ending_of(core) {
            Some(ending) if self.is_common_ending(ending) => &core[..core.len() - ending.len() - 1],
            _ => core,
        }
    }

    /// Returns `true` for an ending that is common on the host.
    pub(crate) fn is_common_ending(&self, ending: &[u8]) -> bool {
        self.endings.iter().any(|habit| habit == ending)
    }

    fn facts(&self, hash: u64) -> Option<&SegmentFacts> {
        let found = self.segments.binary_search_by_key(&hash, |facts| facts.hash);
        found.ok().map(|at| &self.segments[at])
    }

    /// The number of nodes at which a segment occurs, and whether it is in the vocabulary.
    pub(crate) fn get(&self, hash: u64) -> (u32, bool) {
        self.facts(hash).map_or((0, false), |facts| (facts.places, facts.known))
    }

    /// The lexical features of a segment, and their products with the habits of the host.
    pub(crate) fn lexical(&self, hash: u64) -> Features {
        let mut features = Features::default();
        if let Some(facts) = self.facts(hash) {
            features.values[..LEXICAL].copy_from_slice(&facts.lexical);
        }
        let habits = self.habits;
        features.set(F::host_unknown, habits.unknown);
        for (with_host, feature, share) in [
            (F::host_segment_unknown, F::segment_unknown, habits.unknown),
            (F::host_unknown_letters, F::unknown_letters, habits.unknown),
            (F::host_rare_letters, F::rare_letters, habits.unknown),
            (F::host_least_word, F::least_word, habits.unknown),
            (F::host_surprise, F::surprise_total, habits.unknown),
            (F::host_surprise_mean, F::surprise_mean, habits.unknown),
            (F::host_length, F::length, habits.unknown),
            (F::host_has_digit, F::has_digit, habits.unknown),
            (F::host_words, F::words, habits.unknown),
            (F::habit_capitals, F::all_capitals, habits.capitals),
            (F::habit_first_capital, F::first_capital, habits.first_capital),
            (F::habit_hump, F::camel_hump, habits.hump),
            (F::habit_dash, F::inner_dash, habits.dash),
            (F::habit_underscore, F::inner_underscore, habits.underscore),
            (F::habit_digit, F::has_digit, habits.digit),
            (F::habit_compound, F::many_words, habits.compound),
        ] {
            features.set(with_host, share * features.get(feature));
        }
        features
    }
}

/// Segments and endings of a host during collection.
#[derive(Default)]
struct CollectedSegments<'t> {
    segments: Vec<CollectedSegment<'t>>,
    /// (ending, hash of the segment) for segments at which a path ends.
    endings: Vec<(&'t [u8], u64)>,
}

/// A segment below one node.
struct CollectedSegment<'t> {
    hash: u64,
    text: &'t [u8],
    /// Number of siblings including the segment itself; 0 if the node is not evidence.
    siblings: usize,
}

/// A segment of a host with the nodes below which it was collected.
struct DistinctSegment<'t> {
    hash: u64,
    segment: Segment<'t>,
    /// Number of nodes at which it is evidence.
    places: u32,
    weight: f64,
}

impl<'t> DistinctSegment<'t> {
    /// Sums up the occurrences of one segment, of which there is at least one. Siblings share the weight of their node: a thousand
    /// values of one parameter count as much as one name.
    fn of(same: &[CollectedSegment<'t>]) -> Self {
        let evidence = || same.iter().filter(|found| found.siblings > 0);
        let weight: f64 = evidence().map(|found| 1.0 / ratio(found.siblings, 1)).sum();
        Self {
            hash: same[0].hash,
            segment: Segment::parse(same[0].text),
            places: u32::try_from(evidence().count()).unwrap_or(u32::MAX),
            weight: weight.min(HostIndex::MAX_WEIGHT),
        }
    }
}

impl<'t> CollectedSegments<'t> {
    /// Collects the subtree of a node. Returns its number of nodes that are evidence.
    fn collect<T>(&mut self, node: &'t Node<T>, is_evidence: bool) -> usize {
        let mut places = usize::from(is_evidence);
        for literal in &node.literals {
            let siblings = if is_evidence { node.literals.len() } else { 0 };
            let (hash, text) = (literal.hash, &*literal.text);
            self.segments.push(CollectedSegment { hash, text, siblings });
            if is_evidence && !literal.node.ends.is_empty() {
                self.endings.push((ending_of(&literal.text).unwrap_or_default(), literal.hash));
            }
            places += self.collect(&literal.node, is_evidence);
        }
        for values in &node.values {
            if is_evidence && !values.node.ends.is_empty() {
                let last = values.frame.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
                let ending = values.frame[last..].strip_prefix(b".").unwrap_or_default();
                // All values of one node are one endpoint, distinct from any other.
                let place = self.endings.len() as u64;
                self.endings.push((ending, place));
            }
            places += self.collect(&values.node, is_evidence);
        }
        places
    }

    fn habitual_endings(&mut self) -> Vec<Vec<u8>> {
        self.endings.sort_unstable();
        self.endings.dedup();
        let all = self.endings.len();
        let by_ending = self.endings.chunk_by(|a, b| a.0 == b.0);
        by_ending
            .filter(|same| !same[0].0.is_empty())
            .filter(|same| {
                same.len() >= MIN_SEGMENTS_WITH_ENDING
                    && same.len() * MAX_SEGMENTS_PER_ENDING >= all
            })
            .map(|same| same[0].0.to_vec())
            .collect()
    }
}

/// Weighted sums over the segments of a host.
#[derive(Default)]
struct HabitSums {
    words: f64,
    all: f64,
    habits: Habits,
}

impl HabitSums {
    fn add(&mut self, segment: &Segment<'_>, core: &[u8], lexical: &Features, weight: f64) {
        let has_letters = matches!(segment.kind, SegmentKind::Word | SegmentKind::WordWithDigits);
        if !has_letters || core.len() < 3 {
            return;
        }
        let habits = &mut self.habits;
        self.all += weight;
        for (sum, feature) in [
            (&mut habits.capitals, F::all_capitals),
            (&mut habits.first_capital, F::first_capital),
            (&mut habits.hump, F::camel_hump),
            (&mut habits.dash, F::inner_dash),
            (&mut habits.underscore, F::inner_underscore),
            (&mut habits.digit, F::has_digit),
            (&mut habits.compound, F::many_words),
        ] {
            *sum += weight * lexical.get(feature);
        }
        if HostIndex::is_word(segment) {
            self.words += weight;
            habits.unknown += weight * lexical.get(F::segment_unknown);
        }
    }

    fn habits(self) -> Habits {
        let share = |sum: f64| sum / (self.all + PRIOR_SEGMENTS);
        let sums = self.habits;
        Habits {
            unknown: (sums.unknown + PRIOR_SEGMENTS * PRIOR_UNKNOWN)
                / (self.words + PRIOR_SEGMENTS),
            capitals: share(sums.capitals),
            first_capital: share(sums.first_capital),
            hump: share(sums.hump),
            dash: share(sums.dash),
            underscore: share(sums.underscore),
            digit: share(sums.digit),
            compound: share(sums.compound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::stable_hash;
    use crate::template::trie::{Trie, TrieBounds};

    crate::sketch::summary! {
        /// Test aggregate: requests at a leaf.
        struct Requests {
            count: u64,
        }
    }

    /// The lexical features of a segment on a host with these paths.
    fn lexical_on(paths: &[&str], segment: &str) -> Vec<f64> {
        let mut trie: Trie<Requests> = Trie::new(TrieBounds::ANSWERED);
        for path in paths {
            let segments = path.split('/').map(str::as_bytes);
            trie.observe(b"h.example", segments, b"GET", b"", None, |leaf| leaf.count += 1);
        }
        let answered = trie.hosts().map(|(_, node)| node).collect();
        let group = NodeGroup { answered, not_found: Vec::new() };
        let index = HostIndex::new(&group, Vocabulary::shipped(), HostScalars::default());
        index.lexical(stable_hash(segment.as_bytes())).values
    }

    #[test]
    fn capitals_are_judged_as_lower_case_on_a_host_that_writes_in_them() {
        let lower = ["users/search", "orders/history", "invoices/alice"];
        let upper = ["USERS/SEARCH", "ORDERS/HISTORY", "INVOICES/alice"];
        assert_eq!(lexical_on(&upper, "USERS"), lexical_on(&lower, "users"));
        assert_eq!(lexical_on(&upper, "alice"), lexical_on(&lower, "alice"));
        let mixed = ["users/search", "orders/history", "invoices/ALICE"];
        assert_ne!(lexical_on(&mixed, "ALICE"), lexical_on(&lower, "alice"));
    }
}
