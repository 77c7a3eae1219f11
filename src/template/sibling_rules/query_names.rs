//! Functions by their query parameters: each takes names that no sibling takes.

use std::collections::BTreeMap;

use crate::template::context::{Candidate, LeafStats, SiblingSet};

/// Siblings with a query name of their own for them to be functions. On recorded APIs, sessions and invented hosts 61 words
/// of which three quarters have one are names, and none is a value.
const MIN_FUNCTIONS: usize = 3;

/// The words that take a query name that no sibling takes, if most words with query names do, and half of all words.
pub(super) fn functions<T: LeafStats>(place: &SiblingSet<'_, '_, T>) -> Vec<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphabetic() || b"-_".contains(byte);
    let words: Vec<(usize, &Candidate<'_, T>)> = place
        .candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.votes && candidate.text.iter().all(is_word))
        .collect();
    if words.len() < MIN_FUNCTIONS {
        return Vec::new();
    }
    let names_of = |candidate: &Candidate<'_, T>| {
        let ends = candidate.nodes().iter().flat_map(|node| &node.ends);
        let mut names: Vec<u64> = ends.flat_map(|end| end.seen.query_names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut holders: BTreeMap<u64, usize> = BTreeMap::new();
    let of_values = place.values.iter().flat_map(|values| &values.node.ends);
    for name in of_values.flat_map(|end| end.seen.query_names()) {
        // What a value takes is not a name of one function.
        holders.insert(name, 2);
    }
    let names: Vec<Vec<u64>> = place.candidates.iter().map(names_of).collect();
    for name in names.iter().flatten() {
        *holders.entry(*name).or_default() += 1;
    }
    let asked = words.iter().filter(|(number, _)| !names[*number].is_empty()).count();
    let has_own = |number: &usize| names[*number].iter().any(|name| holders[name] == 1);
    let own: Vec<usize> = words.iter().map(|(number, _)| *number).filter(has_own).collect();
    let are_most = own.len() * 4 >= asked * 3 && own.len() * 2 >= words.len();
    if own.len() >= MIN_FUNCTIONS && are_most { own } else { Vec::new() }
}
