//! A varying part of a path: what is known of its values, why it varies, and what stands around it.

use std::collections::BTreeMap;

use crate::limits;
use crate::sketch::{Distinct, Merge, respread};
use crate::template::context::{Candidate, Observed};
use crate::template::decide::{UNMISTAKABLE, VariableKey};
use crate::template::evidence::Values;
use crate::template::judge::Verdict;
use crate::template::segment::{PLAIN_FRAME, SegmentKind};

/// A varying part, and why it is one.
#[derive(Clone, Debug)]
pub(crate) struct Variable<'t> {
    pub(crate) key: VariableKey,
    /// The segment with a zero byte in the place of each part that varies.
    pub(crate) frame: Box<[u8]>,
    /// How many requests had a value of each kind.
    kinds: BTreeMap<SegmentKind, u64>,
    /// The frames of values that are kept by kind.
    frames: Vec<&'t [u8]>,
    /// Values that could have been names, as they were captured; only while the place is decided.
    pub(crate) texts: Vec<&'t [u8]>,
    distinct: Distinct<{ limits::DISTINCT_HASHES }>,
    /// Segments that may be names, folded because there were too many.
    folded: Distinct<{ limits::DISTINCT_HASHES }>,
    /// Sum over the requests of how sure it is that theirs is a value.
    certainty: f64,
    /// Segments that could have been names, by what spoke most for their being values.
    judged: BTreeMap<&'static str, u64>,
}

impl Default for Variable<'_> {
    fn default() -> Self {
        Self {
            key: VariableKey { rest: false, pinned: false, slot: PLAIN_FRAME },
            frame: PLAIN_FRAME.into(),
            kinds: BTreeMap::new(),
            frames: Vec::new(),
            texts: Vec::new(),
            distinct: Distinct::default(),
            folded: Distinct::default(),
            certainty: 0.0,
            judged: BTreeMap::new(),
        }
    }
}

/// So many values at least must share an affix where what varies is made of words.
const MIN_WORDS_WITH_AFFIX: u64 = 5;

/// What an affix ends with before the value.
const SEPARATORS: &[u8] = b"-_.:~=";

impl<'t> Variable<'t> {
    /// A value that goes on over all segments that follow.
    pub(crate) fn rest() -> Self {
        let key = VariableKey { rest: true, pinned: false, slot: PLAIN_FRAME };
        Self { key, ..Self::default() }
    }

    /// The kind of the values in reports.
    pub(crate) fn kind(&self) -> &'static str {
        let mut names: Vec<&str> = self.kinds.keys().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        match &names[..] {
            [name] => name,
            ["integer", "number"] => "number",
            _ => "string",
        }
    }

    /// Requests by the kind of their value.
    pub(crate) fn kinds(&self) -> &BTreeMap<SegmentKind, u64> {
        &self.kinds
    }

    /// True if every value is among the texts.
    pub(crate) fn all_texts_known(&self) -> bool {
        self.frames.is_empty() && !self.texts.is_empty()
    }

    /// Adds requests with values of a kind.
    #[cfg(test)]
    pub(crate) fn add_kind(&mut self, kind: SegmentKind, count: u64) {
        self.add(kind, count, 1.0);
    }

    pub(crate) fn distinct(&self) -> u64 {
        self.distinct.estimate()
    }

    /// How many segments were folded that may be names.
    pub(crate) fn folded(&self) -> u64 {
        self.folded.estimate()
    }

    /// How sure it is that this part varies, from 0 to 1: the mean over the requests, to two decimals.
    pub(crate) fn confidence(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rounded to two decimals")]
        let mean = self.certainty / self.requests().max(1) as f64;
        (mean * 100.0).round().clamp(1.0, 99.0) / 100.0
    }

    fn requests(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// Short reasons that can be checked.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in &self.kinds {
            *by_name.entry(kind.name()).or_default() += count;
        }
        let total = self.requests();
        let mut reasons: Vec<String> = by_name
            .into_iter()
            .map(|(name, count)| format!("{count} of {total} requests have a value of kind {name}"))
            .collect();
        for (reason, count) in &self.judged {
            reasons.push(format!(
                "{count} segments that could be names are values, most of all by {reason}"
            ));
        }
        if self.folded() > 0 {
            reasons.push(format!(
                "{} more segments of this place were not told apart; they may be names",
                self.folded()
            ));
        }
        if *self.frame != *self.key.slot {
            reasons.push("all values share what stands around the varying part".to_owned());
        }
        reasons
    }

    fn add(&mut self, kind: SegmentKind, count: u64, probability: f64) {
        *self.kinds.entry(kind).or_default() += count;
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
        let weight = count as f64;
        self.certainty += weight * probability;
    }

    /// Adds a segment that was judged.
    pub(super) fn add_candidate<T: Observed>(
        &mut self,
        candidate: &Candidate<'t, T>,
        verdict: &Verdict,
    ) {
        self.add(candidate.segment.kind, candidate.all_requests(), verdict.probability);
        *self.judged.entry(verdict.reason).or_default() += 1;
        self.distinct.observe(respread(candidate.hash));
        self.texts.push(candidate.text);
    }

    /// Adds segments of a kind that is kept without their texts.
    pub(super) fn add_values<T>(&mut self, values: &'t Values<T>, folded_may_be_names: bool) {
        self.add(values.kind, values.node.count, UNMISTAKABLE);
        self.distinct.merge(values.distinct.clone());
        if folded_may_be_names {
            self.folded.merge(values.folded.clone());
        }
        self.frames.push(&values.frame);
    }

    /// Adds values that are parts of a longer one.
    pub(super) fn add_files(
        &mut self,
        count: u64,
        probability: f64,
        add: impl FnOnce(&mut Distinct<{ limits::DISTINCT_HASHES }>),
    ) {
        self.add(SegmentKind::Path, count, probability);
        add(&mut self.distinct);
    }

    /// Decides what stands around the part that varies: what all values share, if there are enough of them.
    pub(super) fn settle_frame(&mut self, key: VariableKey) {
        let shared = if key.pinned || key.rest { None } else { self.shared_frame(&key) };
        self.frame = shared.unwrap_or_else(|| key.slot.clone().into());
        self.key = key;
    }

    fn shared_frame(&self, key: &VariableKey) -> Option<Box<[u8]>> {
        let (first, others) = self.frames.split_first().unzip();
        let others = others.unwrap_or(&[]);
        if self.texts.is_empty() {
            // Values that are told from names by their kind: each has a frame, and the frames are equal or they are not.
            let several = self.distinct() >= 2;
            let first = first.filter(|first| others.iter().all(|frame| frame == *first))?;
            let holes = memchr::memchr_iter(0, first).count();
            return (several || holes > 1).then(|| (*first).into());
        }
        // Behind a sigil or a bracket, what stands around the value is known.
        let suffix = key.slot.strip_prefix(b"\0")?;
        let mut prefix: &[u8] = self.texts[0];
        for other in self.texts.iter().chain(&self.frames) {
            let same = prefix.iter().zip(*other).take_while(|(a, b)| a == b && **a != 0).count();
            prefix = &prefix[..same];
        }
        let at = prefix.iter().rposition(|byte| SEPARATORS.contains(byte))? + 1;
        let prefix = &prefix[..at];
        let digits = prefix.iter().filter(|byte| byte.is_ascii_digit()).count();
        let cores = || self.texts.iter().map(|text| text[at..].strip_suffix(suffix).unwrap_or(&[]));
        let are_numbers = cores().all(|core| core.iter().all(u8::is_ascii_digit));
        let is_name = prefix[0].is_ascii_alphabetic() && digits <= 3;
        let are_enough = self.distinct() >= if are_numbers { 2 } else { MIN_WORDS_WITH_AFFIX };
        let is_shared = is_name && are_enough && cores().all(|core| !core.is_empty());
        is_shared.then(|| [prefix, &*key.slot].concat().into())
    }
}
