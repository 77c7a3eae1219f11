//! Facts about a host as a whole: an index of its segments, how many of them the vocabulary knows, and how it writes them.

use crate::template::decide::Places;
use crate::template::decide::files::ending_of;
use crate::template::evidence::Node;
use crate::template::features::{Feature as F, Features, LEXICAL, lexical, ratio};
use crate::template::segment::{Segment, SegmentKind};
use crate::template::vocabulary::Vocabulary;

/// Which segments a host has, at how many places, and what each says of itself.
#[derive(Debug)]
pub(crate) struct HostIndex<'v> {
    vocabulary: &'v Vocabulary,
    /// Sorted by hash.
    segments: Vec<SegmentFacts>,
    pub(crate) places: usize,
    /// Endings that the host as a whole uses, without their dot.
    endings: Vec<Vec<u8>>,
    habits: Habits,
    /// What the words of the host weigh, and of that what the vocabulary does not know.
    words: f64,
    unknown: f64,
}

#[derive(Debug)]
struct SegmentFacts {
    hash: u64,
    places: u32,
    known: bool,
    lexical: Box<[f64]>,
}

/// How a host writes its words: shares of its segments, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// That the vocabulary does not know.
    pub(crate) unknown: f64,
    pub(crate) capitals: f64,
    pub(crate) first_capital: f64,
    pub(crate) hump: f64,
    pub(crate) dash: f64,
    pub(crate) underscore: f64,
    pub(crate) digit: f64,
    pub(crate) compound: f64,
}

/// Segments that are thought of beside those of the host, so that few of them say little.
const PRIOR_SEGMENTS: f64 = 4.0;
/// Words that are thought of elsewhere on the host, as unknown as those of a place that is compared with them.
const PRIOR_WORDS_ELSEWHERE: f64 = 2.0;
/// The share of unknown segments among those.
const PRIOR_UNKNOWN: f64 = 0.25;
/// An ending is the host's own where so many different segments have it, and one of so many.
const MIN_SEGMENTS_WITH_ENDING: usize = 3;
const ONE_OF_SEGMENTS: usize = 3;

impl<'v> HostIndex<'v> {
    /// A segment at many places says no more of the host than one that stands alone at so many.
    pub(crate) const MAX_WEIGHT: f64 = 4.0;

    pub(crate) fn new<T>(hosts: &Places<'_, T>, vocabulary: &'v Vocabulary) -> Self {
        let mut index = Self {
            vocabulary,
            segments: Vec::new(),
            places: 0,
            endings: Vec::new(),
            habits: Habits::default(),
            words: 0.0,
            unknown: 0.0,
        };
        let mut found = Found::default();
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
        let mut sums = Sums::default();
        for same in found.segments.chunk_by(|a, b| a.hash == b.hash) {
            let FoundSegment { hash, text, .. } = same[0];
            let evidence = || same.iter().filter(|found| found.siblings > 0);
            let places = evidence().count();
            // Siblings share the weight of their place: a thousand values of one parameter say no more than one name.
            let weight: f64 = evidence().map(|found| 1.0 / ratio(found.siblings, 1)).sum();
            let segment = Segment::parse(text);
            let core = index.core(&segment);
            let lexical = lexical(&segment, core, vocabulary);
            let places = u32::try_from(places).unwrap_or(u32::MAX);
            if places > 0 {
                sums.add(&segment, core, &lexical, weight.min(HostIndex::MAX_WEIGHT));
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

    /// How many providers use a segment with these words, and how many have a parameter right behind it.
    pub(crate) fn parent_counts(&self, words: &str) -> (u32, u32) {
        (self.vocabulary.segment(words), self.vocabulary.before_parameters(words))
    }

    /// Does the vocabulary not know most words of the host, of which there are enough to tell?
    pub(crate) fn is_foreign(&self) -> bool {
        /// The weight of words that tell.
        const ENOUGH: f64 = 8.0;

        self.words >= ENOUGH && self.unknown * 2.0 > self.words
    }

    /// True for segments whose letters say how much of the host's words is unknown.
    pub(crate) fn is_word(segment: &Segment<'_>) -> bool {
        segment.kind == SegmentKind::Word && segment.core.len() >= 3
    }

    /// The unknown share of a place minus that of the rest of the host; 0 where there is no rest. The place
    /// itself has `own_words` of the weight of all words, and `own_unknown` of that of the unknown ones.
    pub(crate) fn more_unknown(&self, place_unknown: f64, own_words: f64, own_unknown: f64) -> f64 {
        let words = (self.words - own_words).max(0.0);
        let unknown = (self.unknown - own_unknown).clamp(0.0, words);
        let elsewhere =
            (unknown + PRIOR_WORDS_ELSEWHERE * place_unknown) / (words + PRIOR_WORDS_ELSEWHERE);
        place_unknown - elsewhere
    }

    /// The part of a segment that may be a value, without an ending that the host as a whole uses.
    fn core<'s>(&self, segment: &Segment<'s>) -> &'s [u8] {
        let core = segment.core;
        match ending_of(core) {
            Some(ending) if self.is_habit(ending) => &core[..core.len() - ending.len() - 1],
            _ => core,
        }
    }

    /// True for an ending that the host as a whole uses.
    pub(crate) fn is_habit(&self, ending: &[u8]) -> bool {
        self.endings.iter().any(|habit| habit == ending)
    }

    fn facts(&self, hash: u64) -> Option<&SegmentFacts> {
        let found = self.segments.binary_search_by_key(&hash, |facts| facts.hash);
        found.ok().map(|at| &self.segments[at])
    }

    /// At how many places a segment stands, and whether the vocabulary knows it.
    pub(crate) fn get(&self, hash: u64) -> (u32, bool) {
        self.facts(hash).map_or((0, false), |facts| (facts.places, facts.known))
    }

    /// What a segment says of itself, and what the host says of how much that is worth.
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

/// Segments and endings of a host while they are collected.
#[derive(Default)]
struct Found<'t> {
    segments: Vec<FoundSegment<'t>>,
    /// Hashes of segments that end a path, with their endings.
    endings: Vec<(&'t [u8], u64)>,
}

/// A segment at one place.
struct FoundSegment<'t> {
    hash: u64,
    text: &'t [u8],
    /// How many segments stand there, with itself; 0 if it is not evidence.
    siblings: usize,
}

impl<'t> Found<'t> {
    /// Adds what stands below a node, and returns how many places there are.
    fn collect<T>(&mut self, node: &'t Node<T>, is_evidence: bool) -> usize {
        let mut places = usize::from(is_evidence);
        for literal in &node.literals {
            let siblings = if is_evidence { node.literals.len() } else { 0 };
            let (hash, text) = (literal.hash, &*literal.text);
            self.segments.push(FoundSegment { hash, text, siblings });
            if is_evidence && !literal.node.ends.is_empty() {
                self.endings.push((ending_of(&literal.text).unwrap_or_default(), literal.hash));
            }
            places += self.collect(&literal.node, is_evidence);
        }
        for values in &node.values {
            if is_evidence && !values.node.ends.is_empty() {
                let last = values.frame.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
                let ending = values.frame[last..].strip_prefix(b".").unwrap_or_default();
                // The values of one place are one endpoint, unlike those of any other.
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
                same.len() >= MIN_SEGMENTS_WITH_ENDING && same.len() * ONE_OF_SEGMENTS >= all
            })
            .map(|same| same[0].0.to_vec())
            .collect()
    }
}

/// Sums over the segments of a host.
#[derive(Default)]
struct Sums {
    words: f64,
    all: f64,
    habits: Habits,
}

impl Sums {
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
