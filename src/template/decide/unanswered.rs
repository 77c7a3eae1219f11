//! Values that only got 404 beside values that exist: error tests, and the words of a scan.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::classifier::Classification;
use crate::template::context::{Candidate, LeafStats};
use crate::template::decide::OpenVariable;
use crate::template::trie::ValuesChild;
use crate::template::user_rules::fits_frame;
use crate::template::variable::VariableKey;

/// Minimum number of segments that lack the common text of the values of their place for them to be a
/// scan. Fewer are error tests of the endpoint, whose template they must fit.
const MIN_SEGMENTS_OF_SCAN: u64 = 4;

/// The children of a node that are values and only got 404, though other values exist.
pub(super) struct Unanswered<'t, T> {
    pub(super) candidates: Vec<(VariableKey, Candidate<'t, T>, Classification)>,
    pub(super) values: Vec<(VariableKey, &'t ValuesChild<T>)>,
}

impl<T> Default for Unanswered<'_, T> {
    fn default() -> Self {
        Self { candidates: Vec::new(), values: Vec::new() }
    }
}

impl<'t, T: LeafStats> Unanswered<'t, T> {
    /// Adds the children to the variables of their slots. They say nothing about the name of values that
    /// exist, and many of them nothing about the text around these: a scan has a variable of its own.
    /// Returns the frames of the variables beside which there is a scan.
    pub(super) fn add_to(
        self,
        variables: &mut BTreeMap<VariableKey, OpenVariable<'t, T>>,
    ) -> BTreeMap<VariableKey, Box<[u8]>> {
        let existing: BTreeSet<VariableKey> = variables.keys().cloned().collect();
        let scanned = self.scanned(variables);
        let key_of = |key: VariableKey, text: &[u8]| {
            let beside = scanned.get(&key).filter(|frame| !fits_frame(frame, text)).cloned();
            VariableKey { beside, ..key }
        };
        for (key, candidate, verdict) in self.candidates {
            let key = key_of(key, candidate.text);
            let exists = existing.contains(&key);
            let (variable, below) = variables.entry(key).or_default();
            if exists {
                variable.add_unanswered(&candidate, &verdict);
            } else {
                variable.add_candidate(&candidate, &verdict);
            }
            below.extend(candidate.places);
        }
        for (key, child) in self.values {
            let key = key_of(key, &child.frame);
            let is_answered = !existing.contains(&key);
            let (variable, below) = variables.entry(key).or_default();
            variable.add_values(child, false, is_answered);
            below.push(&child.node, false);
        }
        scanned
    }

    /// The frames of the variables beside which a scan tried segments that do not fit them.
    fn scanned(
        &self,
        variables: &BTreeMap<VariableKey, OpenVariable<'t, T>>,
    ) -> BTreeMap<VariableKey, Box<[u8]>> {
        // Text and number of segments, by key.
        let mut tried: BTreeMap<&VariableKey, Vec<(&[u8], u64)>> = BTreeMap::new();
        for (key, word, _) in &self.candidates {
            tried.entry(key).or_default().push((word.text, 1));
        }
        for (key, child) in &self.values {
            tried.entry(key).or_default().push((&child.frame, child.distinct.estimate()));
        }
        let frame_of = |(key, tried): (&VariableKey, Vec<(&[u8], u64)>)| {
            let (variable, _) = variables.get(key).filter(|_| !key.rest && !key.pinned)?;
            let frame = variable.shared_frame(key)?;
            let misfits = tried.iter().filter(|(text, _)| !fits_frame(&frame, text));
            let segments: u64 = misfits.map(|(_, segments)| segments).sum();
            (segments >= MIN_SEGMENTS_OF_SCAN).then(|| (key.clone(), frame))
        };
        tried.into_iter().filter_map(frame_of).collect()
    }
}
