//! Features of the subtrees of siblings, compared with each other whatever the siblings are.
//!
//! Values of one parameter have the names below them in common; each name has names of its own.
//! Nothing here depends on probabilities or on the vocabulary, so it holds in any language.

use crate::math::ln;
use crate::template::context::{
    Candidate, LeafStats, MAX_LOG_SIBLINGS, MAX_SIGNATURE_KEYS, SiblingSet, TWO_BELOW, is_number,
    is_telling,
};
use crate::template::features::{Feature as F, Features, rarity, ratio};
use crate::template::trie::Node;

/// Minimum weight of names that no sibling has for a subtree to be one of its own: about two rare
/// names.
const MIN_OWN_SUBTREE: f64 = 4.0;

/// Weight that is added to that of a subtree in shares of it, so that one name in common is weak evidence.
const PRIOR: f64 = 3.0;

/// A name in the subtree of a sibling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NameBelow {
    /// Hash of the name, changed by its depth.
    key: u64,
    /// Index of the sibling.
    sibling: usize,
    hash: u64,
}

/// Weights of the names in the subtree of one sibling.
#[derive(Clone, Copy, Default)]
struct SubtreeWeights {
    /// All names.
    whole: f64,
    /// Those that no sibling has.
    alone: f64,
    /// Each name once for each sibling that has it as well.
    held: f64,
}

impl<T: LeafStats> SiblingSet<'_, '_, T> {
    /// Sets the features of subtrees that siblings have in common, and of the parents of each segment.
    pub(super) fn structure(&self, all: &mut [Features]) {
        let sums = self.subtrees();
        let votes = |i: usize| self.candidates.get(i).is_none_or(|candidate| candidate.votes);
        let voting = || (0..sums.len()).filter(|i| votes(*i)).map(|i| (i, &sums[i]));
        let has_own = |sum: &SubtreeWeights| sum.alone >= MIN_OWN_SUBTREE;
        let has_names = |sum: &SubtreeWeights| sum.whole > 0.0;
        let apart = voting().filter(|(_, sum)| has_own(sum)).count();
        let with_names = voting().filter(|(_, sum)| has_names(sum)).count();
        let whole: f64 = voting().map(|(_, sum)| sum.whole).sum();
        let held: f64 = voting().map(|(_, sum)| sum.held).sum();
        let parents = |candidate: &Candidate<'_, T>| ratio(candidate.nodes().len(), 1);
        let siblings = ratio(self.candidates.iter().filter(|candidate| candidate.votes).count(), 1);
        let all_parents: f64 = self.candidates.iter().filter(|c| c.votes).map(parents).sum();
        for (i, features) in all.iter_mut().enumerate() {
            let (sum, own) = (&sums[i], usize::from(votes(i)));
            let others = with_names - own * usize::from(has_names(sum));
            let others_apart = apart - own * usize::from(has_own(sum));
            let share = ratio(others, 1).max(1.0);
            features.set(F::below_alone, sum.alone / (sum.whole + PRIOR));
            features.set(F::below_alone_much, (sum.alone / 4.0).min(6.0));
            features.set(F::below_shared_much, ((sum.whole - sum.alone) / 4.0).min(6.0));
            features.set(F::below_held, sum.held / (sum.whole + PRIOR) / share);
            features.set(F::siblings_apart, ln(1.0 + ratio(others_apart, 1)).min(MAX_LOG_SIBLINGS));
            features.set(F::siblings_apart_share, ratio(others_apart, others));
            let weight = ratio(own, 1);
            let (others_whole, others_held) =
                (whole - weight * sum.whole, held - weight * sum.held);
            let pairs = (share - 1.0).max(1.0);
            features.set(F::siblings_held, (others_held / (others_whole + PRIOR) / pairs).min(1.0));
            let candidate = &self.candidates[i];
            let own_parents = parents(candidate);
            features.set(F::parents, ln(own_parents.max(1.0)).min(MAX_LOG_SIBLINGS));
            features.set(F::parents_share, own_parents / ratio(self.group.evidence().len(), 1));
            let others_parents =
                (all_parents - weight * own_parents) / (siblings - weight).max(1.0);
            features.set(F::siblings_parents, ln(others_parents.max(1.0)).min(MAX_LOG_SIBLINGS));
        }
    }

    /// Weighs the names below each candidate, and below the values of the place as one more sibling.
    ///
    /// A name weighs more the rarer it is on the rest of the host. How often it occurs below one
    /// sibling does not count, so that more requests do not make a name of this place a common one.
    fn subtrees(&self) -> Vec<SubtreeWeights> {
        let mut names: Vec<NameBelow> = Vec::new();
        for (sibling, candidate) in self.candidates.iter().enumerate() {
            let sibling = self.subtree_index(sibling);
            self.names_below(sibling, candidate.nodes().iter().copied(), &mut names);
        }
        let values = self.values.iter().map(|values| &*values.node);
        self.names_below(self.candidates.len(), values, &mut names);
        names.sort_unstable();
        let mut sums = vec![SubtreeWeights::default(); self.candidates.len() + 1];
        for same in names.chunk_by(|a, b| a.key == b.key) {
            let holders =
                || same.chunk_by(|a, b| a.sibling == b.sibling).map(|found| found[0].sibling);
            let count = holders().count();
            let inside = u32::try_from(same.len()).unwrap_or(u32::MAX);
            let outside = self.index.get(same[0].hash).0.saturating_sub(inside);
            let siblings = u32::try_from(count).unwrap_or(u32::MAX);
            let weight = rarity(self.index.places, outside.saturating_add(siblings));
            for sibling in holders() {
                let sum = &mut sums[sibling];
                sum.whole += weight;
                sum.held += weight * ratio(count - 1, 1);
                sum.alone += if count == 1 { weight } else { 0.0 };
            }
        }
        sums
    }

    /// Collects the telling names of two levels below nodes.
    fn names_below<'n>(
        &self,
        sibling: usize,
        nodes: impl Iterator<Item = &'n Node<T>>,
        names: &mut Vec<NameBelow>,
    ) where
        T: 'n,
    {
        let start = names.len();
        for node in nodes {
            self.add_names(sibling, node, 0, names);
            let values = node.values.iter().map(|values| &values.node);
            for below in node.literals.iter().map(|literal| &literal.node).chain(values) {
                self.add_names(sibling, below, TWO_BELOW, names);
            }
            if names.len() - start > 8 * MAX_SIGNATURE_KEYS {
                break;
            }
        }
    }

    fn add_names(&self, sibling: usize, node: &Node<T>, depth: u64, names: &mut Vec<NameBelow>) {
        for literal in &node.literals {
            let (holders, known) = self.index.get(literal.hash);
            if is_telling(holders, known) && !is_number(&literal.text) {
                names.push(NameBelow { key: literal.hash ^ depth, sibling, hash: literal.hash });
            }
        }
    }
}
