//! A path parameter: its values, the evidence for it, and its frame.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::limits;
use crate::sketch::{DistinctCounter, Merge, fmix64};
use crate::template::body_evidence::SegmentEchoes;
use crate::template::classifier::{Classification, UNMISTAKABLE};
use crate::template::context::{Candidate, LeafStats};
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind};
use crate::template::trie::{Node, ValuesChild};

/// Identifies the segments that are values of one parameter. Equal keys are one parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariableKey {
    /// True if the value spans all remaining segments.
    pub(crate) rest: bool,
    /// True if a rule gave the frame; the slot is that frame.
    pub(crate) pinned: bool,
    pub(crate) slot: Cow<'static, [u8]>,
    /// For the segments that a scan tried: the frame of the other values of the slot, which they do not
    /// fit.
    pub(crate) beside: Option<Box<[u8]>>,
}

impl VariableKey {
    /// The key of the values with nothing around them.
    pub(crate) fn plain() -> Self {
        Self { rest: false, pinned: false, slot: PLAIN_FRAME, beside: None }
    }
}

/// A path parameter, and the evidence that it varies.
#[derive(Clone, Debug)]
pub(crate) struct Variable<'t> {
    pub(crate) key: VariableKey,
    /// The segment with a zero byte in place of each varying part.
    pub(crate) frame: Box<[u8]>,
    /// Number of requests per kind of value.
    kinds: BTreeMap<SegmentKind, u64>,
    /// The part of `kinds` that says nothing about the name: see [`add_unanswered`].
    ///
    /// [`add_unanswered`]: Self::add_unanswered
    unanswered_kinds: BTreeMap<SegmentKind, u64>,
    /// Frames of the values children.
    frames: Vec<&'t [u8]>,
    /// Texts of values that were candidates. Cleared once the node is decided.
    pub(crate) texts: Vec<&'t [u8]>,
    /// Texts of candidates that say nothing about the name. Cleared once the node is decided.
    pub(crate) unanswered_texts: Vec<&'t [u8]>,
    distinct: DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>,
    /// Sketch of the segments that may be names and were folded because there were too many.
    folded: DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>,
    /// Sum over the requests of the probability that the segment is a value.
    certainty: f64,
    /// Number of candidates per main reason of their classification as values.
    judged: BTreeMap<&'static str, u64>,
    /// What the bodies of the requests say about the values.
    pub(crate) echoes: SegmentEchoes,
}

impl Default for Variable<'_> {
    fn default() -> Self {
        Self {
            key: VariableKey::plain(),
            frame: PLAIN_FRAME.into(),
            kinds: BTreeMap::new(),
            unanswered_kinds: BTreeMap::new(),
            frames: Vec::new(),
            texts: Vec::new(),
            unanswered_texts: Vec::new(),
            distinct: DistinctCounter::default(),
            folded: DistinctCounter::default(),
            certainty: 0.0,
            judged: BTreeMap::new(),
            echoes: SegmentEchoes::default(),
        }
    }
}

/// Minimum number of values made of words that must share a prefix for it to become part of the
/// frame.
const MIN_WORDS_WITH_AFFIX: u64 = 5;

/// Bytes at which a shared prefix may end.
const SEPARATORS: &[u8] = b"-_.:~=";

impl<'t> Variable<'t> {
    /// A parameter that spans all remaining segments.
    pub(crate) fn rest() -> Self {
        let key = VariableKey { rest: true, ..VariableKey::plain() };
        Self { key, ..Self::default() }
    }

    /// The kind of the values, as it is written in reports: without the words that a scan tried.
    pub(crate) fn kind(&self) -> &'static str {
        let mut names: Vec<&str> = self.naming_kinds().keys().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        match &names[..] {
            [name] => name,
            ["integer", "number"] => "number",
            _ => "string",
        }
    }

    /// Number of requests per kind of value, without the words that a scan tried if there are others.
    pub(crate) fn naming_kinds(&self) -> BTreeMap<SegmentKind, u64> {
        let mut kinds = self.kinds.clone();
        for (kind, count) in &self.unanswered_kinds {
            if let Some(all) = kinds.get_mut(kind) {
                *all -= count;
            }
        }
        kinds.retain(|_, count| *count > 0);
        if kinds.is_empty() { self.kinds.clone() } else { kinds }
    }

    /// Returns `true` if the texts of all values are known, that is, if no values children
    /// contribute.
    pub(crate) fn all_texts_known(&self) -> bool {
        self.frames.is_empty() && !self.texts.is_empty()
    }

    /// Returns `true` if values are names of files: most have an extension, which is not part of the frame.
    pub(crate) fn are_files(&self) -> bool {
        let written = || self.texts.iter().chain(&self.frames);
        let with_extension = written().filter(|text| {
            let suffix = Segment::parse(text).suffix;
            suffix.first() == Some(&b'.')
        });
        let is_plain = self.key.slot == PLAIN_FRAME && !self.key.rest;
        is_plain && with_extension.count() * 2 > written().count()
    }

    /// Adds requests with values of a kind.
    #[cfg(test)]
    pub(crate) fn add_kind(&mut self, kind: SegmentKind, count: u64) {
        self.add(kind, count, 1.0);
    }

    /// Estimated number of distinct values.
    pub(crate) fn distinct(&self) -> u64 {
        self.distinct.estimate()
    }

    /// Estimated number of folded segments that may be names.
    pub(crate) fn folded(&self) -> u64 {
        self.folded.estimate()
    }

    /// Mean probability over the requests that the segment varies, 0.01 to 0.99, with two decimals.
    pub(crate) fn confidence(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rounded to two decimals")]
        let mean = self.certainty / self.requests().max(1) as f64;
        (mean * 100.0).round().clamp(1.0, 99.0) / 100.0
    }

    fn requests(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// The evidence as user-facing sentences with numbers that can be checked.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in &self.kinds {
            *by_name.entry(kind.name()).or_default() += count;
        }
        let total = self.requests();
        let mut reasons: Vec<String> = by_name
            .into_iter()
            .map(|(name, count)| {
                let have = if count == 1 { "has" } else { "have" };
                let requests = if total == 1 { "request" } else { "requests" };
                format!("{count} of {total} {requests} {have} a value of kind {name}")
            })
            .collect();
        for (reason, count) in &self.judged {
            let what = match count {
                1 => "1 segment that could be a name is a value".to_owned(),
                _ => format!("{count} segments that could be names are values"),
            };
            reasons.push(format!("{what}, mainly because of {reason}"));
        }
        if let Some(key) = self.echoes.main_key() {
            let SegmentEchoes { held, read, .. } = self.echoes;
            reasons.push(format!(
                "the bodies hold this segment, mostly under `{key}`, in {held} of {read} requests with JSON"
            ));
        }
        if self.folded() > 0 {
            reasons.push(format!(
                "{} more segments of this place were not told apart; they may be names",
                self.folded()
            ));
        }
        if *self.frame != *self.key.slot {
            reasons.push("all values have the same text around the varying part".to_owned());
        }
        reasons
    }

    fn add(&mut self, kind: SegmentKind, count: u64, probability: f64) {
        *self.kinds.entry(kind).or_default() += count;
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
        let weight = count as f64;
        self.certainty += weight * probability;
    }

    /// Adds a candidate that was classified as a value.
    pub(super) fn add_candidate<T: LeafStats>(
        &mut self,
        candidate: &Candidate<'t, T>,
        verdict: &Classification,
    ) {
        self.add(candidate.segment.kind, candidate.all_requests(), verdict.probability);
        *self.judged.entry(verdict.reason).or_default() += 1;
        self.distinct.observe(fmix64(candidate.hash));
        self.texts.push(candidate.text);
        candidate.places.all().for_each(|node| self.add_echoes(node));
    }

    /// Adds a candidate that only got 404 beside values that exist. Its text fits the template, and
    /// says nothing about what the parameter is: a scan tries words at every place.
    pub(super) fn add_unanswered<T: LeafStats>(
        &mut self,
        candidate: &Candidate<'t, T>,
        verdict: &Classification,
    ) {
        self.add_candidate(candidate, verdict);
        let text = self.texts.pop();
        self.unanswered_texts.extend(text);
        *self.unanswered_kinds.entry(candidate.segment.kind).or_default() +=
            candidate.all_requests();
    }

    /// Adds a values child. `folded_may_be_names` is false if its folded segments are values for
    /// certain, and `is_answered` if it only got 404 beside others.
    pub(super) fn add_values<T>(
        &mut self,
        values: &'t ValuesChild<T>,
        folded_may_be_names: bool,
        is_answered: bool,
    ) {
        self.add(values.kind, values.node.count, UNMISTAKABLE);
        if !is_answered {
            *self.unanswered_kinds.entry(values.kind).or_default() += values.node.count;
        }
        self.distinct.merge(values.distinct.clone());
        if folded_may_be_names {
            self.folded.merge(values.folded.clone());
        }
        self.frames.push(&values.frame);
        self.add_echoes(&values.node);
    }

    /// Adds the values of another parameter of the place.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self {
            key: _,
            frame: _,
            kinds,
            unanswered_kinds,
            frames,
            texts,
            unanswered_texts,
            distinct,
            folded,
            certainty,
            judged,
            echoes,
        } = other;
        for (kind, count) in kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (kind, count) in unanswered_kinds {
            *self.unanswered_kinds.entry(kind).or_default() += count;
        }
        for (reason, count) in judged {
            *self.judged.entry(reason).or_default() += count;
        }
        self.frames.extend(frames);
        self.texts.extend(texts);
        self.unanswered_texts.extend(unanswered_texts);
        self.distinct.merge(distinct);
        self.folded.merge(folded);
        self.certainty += certainty;
        self.echoes.merge(echoes);
    }

    fn add_echoes<T>(&mut self, node: &Node<T>) {
        if let Some(bodies) = &node.bodies {
            self.echoes.merge(bodies.echoes.clone());
        }
    }

    /// Adds a child of a file tree. `add` adds its distinct values.
    pub(super) fn add_files(
        &mut self,
        count: u64,
        probability: f64,
        add: impl FnOnce(&mut DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>),
    ) {
        self.add(SegmentKind::Path, count, probability);
        add(&mut self.distinct);
    }

    /// Sets the frame: `known`, or the text shared by all values if there are enough of them, otherwise
    /// the slot.
    pub(super) fn settle_frame(&mut self, key: VariableKey, known: Option<Box<[u8]>>) {
        let is_fixed = key.pinned || key.rest;
        let shared = if is_fixed { None } else { known.or_else(|| self.shared_frame(&key)) };
        self.frame = shared.unwrap_or_else(|| key.slot.clone().into());
        self.key = key;
    }

    /// The frame shared by all values; `None` if they share no more than the slot.
    pub(super) fn shared_frame(&self, key: &VariableKey) -> Option<Box<[u8]>> {
        let (first, others) = self.frames.split_first().unzip();
        let others = others.unwrap_or(&[]);
        if self.texts.is_empty() && self.unanswered_texts.is_empty() {
            // Without candidates, only the frames are known. They are shared if they are equal.
            let several = self.distinct() >= 2;
            let first = first.filter(|first| others.iter().all(|frame| frame == *first))?;
            let holes = memchr::memchr_iter(0, first).count();
            return (several || holes > 1).then(|| (*first).into());
        }
        // After a sigil or before a bracket, the frame is determined by the slot.
        let suffix = key.slot.strip_prefix(b"\0")?;
        let texts = || self.texts.iter().chain(&self.unanswered_texts);
        let mut prefix: &[u8] = texts().next()?;
        for other in texts().chain(&self.frames) {
            let same = prefix.iter().zip(*other).take_while(|(a, b)| a == b && **a != 0).count();
            prefix = &prefix[..same];
        }
        let at = prefix.iter().rposition(|byte| SEPARATORS.contains(byte))? + 1;
        let prefix = &prefix[..at];
        let digits = prefix.iter().filter(|byte| byte.is_ascii_digit()).count();
        let cores = || texts().map(|text| text[at..].strip_suffix(suffix).unwrap_or(&[]));
        let are_numbers = cores().all(|core| core.iter().all(u8::is_ascii_digit));
        let is_name = prefix[0].is_ascii_alphabetic() && digits <= 3;
        let are_enough = self.distinct() >= if are_numbers { 2 } else { MIN_WORDS_WITH_AFFIX };
        let is_shared = is_name && are_enough && cores().all(|core| !core.is_empty());
        is_shared.then(|| [prefix, &*key.slot].concat().into())
    }
}
