//! The number of distinct values, from the smallest of their hashes.

use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge, vec_bytes};

/// Distinct-count sketch (k minimum values). Exact below `K` distinct values; beyond that an
/// estimate with a relative standard error of about 1/sqrt(`K`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DistinctCounter<const K: usize> {
    /// The smallest hashes, at most `K`, sorted and without duplicates.
    pub(super) hashes: Vec<u64>,
}

impl<const K: usize> DistinctCounter<K> {
    pub(crate) fn observe(&mut self, hash: u64) {
        if self.hashes.len() >= K && self.hashes.last().is_some_and(|&last| hash > last) {
            return;
        }
        if let Err(at) = self.hashes.binary_search(&hash) {
            if self.hashes.len() == self.hashes.capacity() {
                // Most places have one value, and no counter has many.
                self.hashes.reserve_exact(if self.hashes.is_empty() { 1 } else { 8 });
            }
            self.hashes.insert(at, hash);
            self.hashes.truncate(K);
        }
    }

    /// The smallest hashes, sorted.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The number of distinct values. From `K` values on, it is the estimate of Bar-Yossef et al.
    /// (2002): (k - 1) divided by the k-th smallest hash as a fraction of the hash range.
    pub(crate) fn estimate(&self) -> u64 {
        if self.hashes.len() < K {
            return self.hashes.len() as u64;
        }
        let last = u128::from(self.hashes.last().copied().unwrap_or(u64::MAX)).max(1);
        u64::try_from(((K as u128 - 1) << 64) / last).unwrap_or(u64::MAX)
    }
}

impl<const K: usize> HeapSize for DistinctCounter<K> {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.hashes)
    }
}

impl<const K: usize> KeepsNames for DistinctCounter<K> {}

/// The hashes are not counted.
impl<const K: usize> LargestCount for DistinctCounter<K> {
    fn largest_count(&self) -> u64 {
        0
    }
}

impl<const K: usize> Merge for DistinctCounter<K> {
    fn merge(&mut self, other: Self) {
        if self.hashes.is_empty() {
            *self = other;
            return;
        }
        for hash in other.hashes {
            self.observe(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::stable_hash;

    #[test]
    fn distinct_is_exact_when_few_and_close_when_many() {
        let mut few = DistinctCounter::<256>::default();
        let mut many = DistinctCounter::<256>::default();
        for i in 0..100_000_u32 {
            few.observe(stable_hash(&(i % 200).to_le_bytes()));
            many.observe(stable_hash(&i.to_le_bytes()));
        }
        assert_eq!(few.estimate(), 200);
        assert!(many.estimate().abs_diff(100_000) < 15_000, "{}", many.estimate());
    }
}
