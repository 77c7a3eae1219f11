//! The second pass over a host: a text that is clearly a value, or clearly a name, at other places
//! is one here as well.
//!
//! `/r/rimunalug` stands among many and is a value; then so is the lone `/emojis/rimunalug`. The
//! first pass decides the host and records what it said of each text; the second corrects close
//! calls by that record. Both are pure functions of the trie.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::sketch::stable_hash;
use crate::template::Template;
use crate::template::classifier::{Classification, Classifier};
use crate::template::context::SiblingSet;
use crate::template::model_rules::ModelRule;
use crate::template::trie::Node;

/// Minimum distance of a probability from one half for a text to be clear at a place.
const MIN_CLEAR_DISTANCE: f64 = 0.4;
/// Minimum product of the probability at a place and the number of other places with a clear value:
/// measured on labelled traffic, 19 of 20 texts above it are values.
const MIN_SUPPORT: f64 = 0.2;
/// A text is a value here only if at least one in this many of its places has it as a clear one.
const MAX_PLACES_PER_VALUE: u32 = 3;
/// A text is a name here only if at least this many times as many places have it as a name as have
/// it as a value.
const MIN_NAMES_PER_VALUE: u32 = 4;
/// The probability below which one place, or two and more, with a clear name outweigh a value. A word
/// of the vocabulary is a name wherever it stands alone, so its places are not independent.
const OUTWEIGHED: [f64; 2] = [0.7, 1.0];
const OUTWEIGHED_IF_KNOWN: [f64; 2] = [0.0, 0.7];
/// Probabilities after a correction: of a value, and of a name.
const CORRECTED: (f64, f64) = (0.9, 0.1);
/// The reason of a correction.
const REASON: &str = "where else it occurs";

/// The result of the first pass for one text at one place.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    /// Hash of the text.
    text: u64,
    /// Hash of the template.
    place: u64,
    /// True if the text is in the vocabulary.
    is_known: bool,
    probability: f64,
    is_value: bool,
    /// True if something stands below the text here.
    has_more: bool,
}

/// Identifies a place: the addresses of its nodes, and its template.
type PlaceKey = (Vec<usize>, String);

fn key_of<T>(place: &SiblingSet<'_, '_, T>) -> PlaceKey {
    let addresses = place.group.all().map(|node| std::ptr::from_ref(node).addr());
    (addresses.collect(), place.template.to_string())
}

/// A classifier that records the verdicts of another one in the first pass over a host, and corrects
/// them by that record in the second.
pub(super) struct TwoPasses<'c, T> {
    inner: &'c dyn Classifier<T>,
    /// The verdicts of the other classifier, which hold in both passes.
    verdicts: RefCell<BTreeMap<PlaceKey, Vec<Classification>>>,
    /// Sorted by text and place after the first pass.
    occurrences: RefCell<Vec<Occurrence>>,
    /// Sorted by text; `None` in the first pass.
    tallies: Option<Vec<(u64, PlaceTally)>>,
}

impl<'c, T> TwoPasses<'c, T> {
    pub(super) fn new(inner: &'c dyn Classifier<T>) -> Self {
        let (verdicts, occurrences) = (RefCell::default(), RefCell::default());
        Self { inner, verdicts, occurrences, tallies: None }
    }

    /// Ends the first pass. Returns `true` if a second one would say something else.
    pub(super) fn begin_second(&mut self) -> bool {
        let occurrences = self.occurrences.get_mut();
        occurrences.sort_unstable_by(|a, b| {
            let order = (a.text, a.place, a.is_value).cmp(&(b.text, b.place, b.is_value));
            order.then(a.probability.total_cmp(&b.probability))
        });
        occurrences.dedup_by_key(|found| (found.text, found.place));
        let of_text = occurrences.chunk_by(|a, b| a.text == b.text);
        self.tallies = Some(of_text.map(|same| (same[0].text, PlaceTally::of(same))).collect());
        let changes =
            self.occurrences.borrow().iter().any(|found| self.corrected(*found).is_some());
        changes && ModelRule::Elsewhere.is_on()
    }

    /// Whether the text is a value, if that differs from what the first pass said; `None` in the first
    /// pass.
    fn corrected(&self, here: Occurrence) -> Option<bool> {
        let tallies = self.tallies.as_ref()?;
        let at = tallies.binary_search_by_key(&here.text, |found| found.0).ok()?;
        let occurrences = self.occurrences.borrow();
        let by_place = |found: &Occurrence| (found.text, found.place);
        let own = occurrences.binary_search_by_key(&by_place(&here), by_place);
        let own =
            own.map_or_else(|_| PlaceTally::default(), |at| PlaceTally::of(&occurrences[at..=at]));
        // A rule of the user is certain.
        let is_certain = here.probability <= 0.0 || here.probability >= 1.0;
        let others = tallies[at].1.without(own);
        (!is_certain && others.outweigh(here)).then_some(!here.is_value)
    }
}

impl<T> Classifier<T> for TwoPasses<'_, T> {
    fn judge(&self, place: &SiblingSet<'_, '_, T>) -> Vec<Classification> {
        let key = key_of(place);
        let known = self.verdicts.borrow().get(&key).cloned();
        let mut verdicts = known.unwrap_or_else(|| self.inner.judge(place));
        let found = occurrences(place, &key.1, &verdicts);
        if self.tallies.is_none() {
            self.occurrences.borrow_mut().extend(found.into_iter().flatten());
            self.verdicts.borrow_mut().insert(key, verdicts.clone());
            return verdicts;
        }
        for (verdict, here) in verdicts.iter_mut().zip(found) {
            if let Some(is_value) = here.and_then(|here| self.corrected(here)) {
                let probability = if is_value { CORRECTED.0 } else { CORRECTED.1 };
                *verdict = Classification { is_value, probability, reason: REASON };
            }
        }
        verdicts
    }

    fn parameter_names(&self, template: &Template, frame: &[u8]) -> Option<Vec<String>> {
        self.inner.parameter_names(template, frame)
    }

    fn pinned_frame(&self, template: &Template, segment: &[u8]) -> Option<Vec<u8>> {
        self.inner.pinned_frame(template, segment)
    }

    fn takes_rest(&self, template: &Template) -> bool {
        self.inner.takes_rest(template)
    }
}

/// The occurrence of each candidate of a place; `None` for those that say nothing about other places.
fn occurrences<T>(
    place: &SiblingSet<'_, '_, T>,
    template: &str,
    verdicts: &[Classification],
) -> Vec<Option<Occurrence>> {
    let number = stable_hash(template.as_bytes());
    let both = place.candidates.iter().zip(verdicts);
    both.map(|(candidate, verdict)| {
        let is_leaf = |node: &&Node<T>| node.literals.is_empty() && node.values.is_empty();
        let found = Occurrence {
            text: candidate.hash,
            place: number,
            is_known: place.index.get(candidate.hash).1,
            probability: verdict.probability,
            is_value: verdict.is_value,
            has_more: !candidate.nodes().iter().all(is_leaf),
        };
        (candidate.votes && !candidate.is_number_or_date()).then_some(found)
    })
    .collect()
}

/// Numbers of places at which a text is a value or a name.
#[derive(Clone, Copy, Debug, Default)]
struct PlaceTally {
    values: u32,
    names: u32,
    clear_values: u32,
    clear_names: u32,
    /// Clear values below which something stands.
    values_with_more: u32,
}

impl PlaceTally {
    fn of(occurrences: &[Occurrence]) -> Self {
        let mut tally = Self::default();
        for found in occurrences {
            let is_clear = u32::from((found.probability - 0.5).abs() >= MIN_CLEAR_DISTANCE);
            if found.is_value {
                tally.values += 1;
                tally.clear_values += is_clear;
                tally.values_with_more += is_clear * u32::from(found.has_more);
            } else {
                tally.names += 1;
                tally.clear_names += is_clear;
            }
        }
        tally
    }

    fn without(self, own: Self) -> Self {
        Self {
            values: self.values - own.values,
            names: self.names - own.names,
            clear_values: self.clear_values - own.clear_values,
            clear_names: self.clear_names - own.clear_names,
            values_with_more: self.values_with_more - own.values_with_more,
        }
    }

    /// Returns `true` if the other places of a text say more about it than its own place does.
    fn outweigh(self, here: Occurrence) -> bool {
        let Self { values, names, clear_values, clear_names, values_with_more } = self;
        if here.is_value {
            let outweighed = if here.is_known { OUTWEIGHED_IF_KNOWN } else { OUTWEIGHED };
            let is_close = match clear_names {
                0 => false,
                1 => here.probability < outweighed[0],
                _ => here.probability < outweighed[1],
            };
            return is_close && values * MIN_NAMES_PER_VALUE <= names;
        }
        // A collection may be a value elsewhere: `/orders/7` and `/export/orders`.
        let is_collection = here.has_more && values_with_more == 0;
        let support = here.probability * f64::from(clear_values);
        !is_collection
            && support > MIN_SUPPORT
            && clear_values * MAX_PLACES_PER_VALUE > values + names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(probability: f64, is_value: bool) -> Occurrence {
        Occurrence { text: 7, place: 1, is_known: false, probability, is_value, has_more: false }
    }

    /// Whether the others outweigh a text here, given the probabilities at other places.
    fn outweigh(here: Occurrence, others: &[f64]) -> bool {
        let others: Vec<Occurrence> = others.iter().map(|p| found(*p, *p > 0.5)).collect();
        PlaceTally::of(&others).outweigh(here)
    }

    #[test]
    fn clear_values_make_a_value() {
        assert!(outweigh(found(0.3, false), &[0.95]));
        assert!(!outweigh(found(0.3, false), &[0.8]), "a value that is not clear");
        assert!(!outweigh(found(0.1, false), &[0.95]), "too unlikely for one place");
        assert!(outweigh(found(0.1, false), &[0.95, 0.95, 0.95]));
        assert!(!outweigh(found(0.3, false), &[0.95, 0.05, 0.05]), "a name at most places");
        assert!(!outweigh(found(0.3, false), &[]));
    }

    #[test]
    fn clear_names_make_a_name() {
        assert!(outweigh(found(0.95, true), &[0.05, 0.05]));
        assert!(outweigh(found(0.6, true), &[0.05]));
        assert!(!outweigh(found(0.95, true), &[0.05]), "too likely for one place");
        assert!(!outweigh(found(0.95, true), &[0.3, 0.3]), "names that are not clear");
        assert!(!outweigh(found(0.6, true), &[0.05, 0.95]), "a value elsewhere");
        let known = Occurrence { is_known: true, ..found(0.95, true) };
        assert!(!outweigh(known, &[0.05, 0.05]), "a word of the vocabulary");
        assert!(outweigh(Occurrence { probability: 0.6, ..known }, &[0.05, 0.05]));
    }
}
