//! The largest items ever observed.

use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge, vec_bytes};

/// The `K` largest distinct items ever observed (top-N). With a time as the first field, these are
/// the newest, whatever the order of observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopN<T, const K: usize> {
    /// Sorted in descending order.
    pub(super) items: Vec<T>,
}

impl<T, const K: usize> Default for TopN<T, K> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Ord, const K: usize> TopN<T, K> {
    /// Observes an item without constructing it unless it is kept. `compare` orders the new item
    /// relative to a given one. `make` constructs it and may reuse the memory of the item that it
    /// displaces, if there is one.
    pub(crate) fn observe_with(
        &mut self,
        compare: impl Fn(&T) -> std::cmp::Ordering,
        make: impl FnOnce(Option<T>) -> T,
    ) {
        let is_full = self.items.len() >= K;
        if is_full && self.items.last().is_some_and(|last| compare(last).is_le()) {
            return;
        }
        let Err(at) = self.items.binary_search_by(&compare) else { return };
        if at < K {
            let displaced = if is_full { self.items.pop() } else { None };
            self.items.insert(at, make(displaced));
        }
    }

    pub(crate) fn observe(&mut self, item: T) {
        if let Err(at) = self.items.binary_search_by(|have| item.cmp(have)) {
            self.items.insert(at, item);
            self.items.truncate(K);
        }
    }

    /// The items in descending order.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }
}

impl<T: Ord, const K: usize> Merge for TopN<T, K> {
    fn merge(&mut self, other: Self) {
        for item in other.items {
            self.observe(item);
        }
    }
}

impl<T: HeapSize, const K: usize> HeapSize for TopN<T, K> {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.items) + self.items.iter().map(HeapSize::heap_bytes).sum::<usize>()
    }
}

/// The items are not counted.
impl<T, const K: usize> LargestCount for TopN<T, K> {
    fn largest_count(&self) -> u64 {
        0
    }
}

impl<T, const K: usize> KeepsNames for TopN<T, K> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn largest_is_free_of_order_and_split(items in prop::collection::vec(0_u16..40, 0..60), cut in 0_usize..60) {
            let mut whole = TopN::<u16, 3>::default();
            items.iter().for_each(|&item| whole.observe(item));
            let mut with = TopN::<u16, 3>::default();
            for &item in &items {
                with.observe_with(|have| item.cmp(have), |displaced| {
                    assert!(displaced.is_none_or(|displaced| displaced < item));
                    item
                });
            }
            prop_assert_eq!(&with, &whole);
            let (left, right) = items.split_at(cut.min(items.len()));
            let mut merged = TopN::<u16, 3>::default();
            right.iter().rev().for_each(|&item| merged.observe(item));
            let mut other = TopN::<u16, 3>::default();
            left.iter().for_each(|&item| other.observe(item));
            merged.merge(other);
            let mut naive = items.clone();
            naive.sort_unstable();
            naive.dedup();
            naive.reverse();
            naive.truncate(3);
            prop_assert_eq!(merged.clone().into_items(), naive);
            prop_assert_eq!(merged, whole);
        }
    }
}
