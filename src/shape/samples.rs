//! Samples of the values that identify something, as hashes, to find where the value of a parameter
//! comes from.
//!
//! Two samples of one hash function can be compared: of the hashes below the largest one that both
//! keep, either has all that it has seen. So the share of the values of a parameter that stood in
//! the answers of an endpoint is known from both, however many there are.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::sketch::{DistinctCounter, HeapSize, Merge, fmix64, stable_hash};

/// The hashes of some of the values at one place: those with the smallest ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ValueSample(DistinctCounter<{ limits::MAX_SAMPLED_VALUES }>);

/// Changes with the version of stored states, so that a table of hashes that was made for one is of
/// no use for another. It keeps nobody from trying values.
const SALT: u64 = 0x5bd1_e995_7f4a_7c15;

/// The hash of a value, as the text that it has in a path.
pub(crate) fn value_hash(text: &[u8]) -> u64 {
    fmix64(stable_hash(text) ^ SALT)
}

/// How many of the values of one sample are in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampleOverlap {
    /// Values of the first that can be compared.
    pub(crate) compared: usize,
    /// Those among them that are in the second.
    pub(crate) shared: usize,
    /// Values of the second that can be compared.
    pub(crate) others: usize,
}

impl ValueSample {
    pub(crate) fn observe(&mut self, hash: u64) {
        self.0.observe(hash);
    }

    /// Number of kept values.
    pub(crate) fn len(&self) -> usize {
        self.0.hashes().len()
    }

    /// The kept hashes, sorted.
    pub(crate) fn hashes(&self) -> &[u64] {
        self.0.hashes()
    }

    /// Compares the values as far as both samples have all of them.
    pub(crate) fn overlap(&self, other: &Self) -> SampleOverlap {
        let (one, two) = (self.whole_up_to(), other.whole_up_to());
        let up_to = one.min(two);
        let (one, two) = (self.known_up_to(up_to), other.known_up_to(up_to));
        let shared = one.iter().filter(|hash| two.binary_search(hash).is_ok()).count();
        SampleOverlap { compared: one.len(), shared, others: two.len() }
    }

    fn known_up_to(&self, up_to: u64) -> &[u64] {
        let hashes = self.0.hashes();
        &hashes[..hashes.partition_point(|hash| *hash <= up_to)]
    }

    /// The hash up to which all are kept.
    fn whole_up_to(&self) -> u64 {
        let hashes = self.0.hashes();
        if hashes.len() < limits::MAX_SAMPLED_VALUES {
            return u64::MAX;
        }
        hashes.last().copied().unwrap_or(u64::MAX)
    }
}

impl Merge for ValueSample {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}

impl HeapSize for ValueSample {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample_of(values: impl IntoIterator<Item = u32>) -> ValueSample {
        let mut sample = ValueSample::default();
        values.into_iter().for_each(|value| sample.observe(value_hash(&value.to_le_bytes())));
        sample
    }

    proptest! {
        /// Whatever is not kept, the overlap is that of the values with small hashes.
        #[test]
        fn an_overlap_is_one_of_whole_sets(
            one in prop::collection::btree_set(0_u32..600, 0..200),
            two in prop::collection::btree_set(0_u32..600, 0..200),
        ) {
            let (first, second) = (sample_of(one.clone()), sample_of(two.clone()));
            let up_to = first.whole_up_to().min(second.whole_up_to());
            let is_known = |value: &&u32| value_hash(&value.to_le_bytes()) <= up_to;
            let overlap = first.overlap(&second);
            prop_assert_eq!(overlap.compared, one.iter().filter(is_known).count());
            prop_assert_eq!(overlap.others, two.iter().filter(is_known).count());
            prop_assert_eq!(overlap.shared, one.intersection(&two).filter(is_known).count());
        }
    }
}
