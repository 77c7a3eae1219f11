//! Mergeable sketches. Each is a commutative monoid: any order and any split of the input give an
//! equal state.
//!
//! Sets are bounded by a *bottom-k* sample: of all keys ever observed, the k with the smallest
//! hashes are kept. The sample depends only on the set of keys. Since the threshold never rises, a
//! key that is in the sample has been in it since its first observation, so its count is exact.

mod codec;
mod membership;
mod summary;

use crate::limits;
use crate::simd::is_same;
pub(crate) use membership::MembershipFilter;
pub(crate) use summary::{
    HeapSize, KeepsNames, LargestCount, Merge, merge_option, summary, vec_bytes,
};

/// The hash used for sampling and ids: XXH3, equal on every machine and in every version.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// A bijective scrambling of a hash (the finalizer of `MurmurHash3`). Distinct-count estimates
/// assume uniformly distributed hashes. Hashes rejected by a bottom-k sample are all large, so they
/// are rescrambled before they are counted.
pub(crate) fn respread(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// One key of a [`BottomK`], its hash and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BottomKEntry<V> {
    pub(crate) hash: u64,
    pub(crate) key: Box<[u8]>,
    pub(crate) value: V,
}

/// Bottom-k sketch: a map bounded to the `K` keys with the smallest hashes. Values of all other
/// keys are merged into `rest`. Values of kept keys are exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BottomK<V, const K: usize> {
    /// Sorted by (hash, key).
    entries: Vec<BottomKEntry<V>>,
    pub(crate) rest: V,
}

impl<V: Default, const K: usize> Default for BottomK<V, K> {
    fn default() -> Self {
        Self { entries: Vec::new(), rest: V::default() }
    }
}

impl<V: Merge + Default, const K: usize> BottomK<V, K> {
    /// The value to update for `key`: its own, or `rest` if the key is not in the sample.
    pub(crate) fn entry(&mut self, key: &[u8]) -> &mut V {
        if let Some(at) = self.place_among_few(key) {
            return &mut self.entries[at].value;
        }
        let hash = stable_hash(key);
        match self.position(hash, key) {
            Ok(at) => &mut self.entries[at].value,
            Err(at) if at >= K => &mut self.rest,
            Err(at) => {
                let entry = BottomKEntry { hash, key: key.into(), value: V::default() };
                self.entries.insert(at, entry);
                self.trim();
                &mut self.entries[at].value
            }
        }
    }

    /// The value of a kept key if the sample is so small that a linear search costs less than
    /// hashing the key; `None` otherwise.
    pub(crate) fn among_few(&mut self, key: &[u8]) -> Option<&mut V> {
        self.place_among_few(key).map(|at| &mut self.entries[at].value)
    }

    /// Index of a key in a sample of at most four keys.
    #[inline]
    fn place_among_few(&self, key: &[u8]) -> Option<usize> {
        const FEW: usize = 4;
        let few = Some(&self.entries).filter(|entries| entries.len() <= FEW)?;
        few.iter().position(|entry| is_same(&entry.key, key))
    }

    fn position(&self, hash: u64, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|e| e.hash.cmp(&hash).then_with(|| (*e.key).cmp(key)))
    }

    fn trim(&mut self) {
        self.keep(K);
    }

    /// Prunes the sample to the `most` keys with the smallest hashes; the others are merged into
    /// `rest`.
    pub(crate) fn keep(&mut self, most: usize) {
        while self.entries.len() > most {
            if let Some(last) = self.entries.pop() {
                self.rest.merge(last.value);
            }
        }
    }

    /// The key at an index in the order of hashes; `None` beyond the kept ones.
    #[inline]
    pub(crate) fn key_at(&self, index: usize) -> Option<&[u8]> {
        self.entries.get(index).map(|entry| &*entry.key)
    }

    /// The index of a kept key.
    pub(crate) fn index_of(&self, key: &[u8]) -> Option<usize> {
        self.place_among_few(key).or_else(|| self.position(stable_hash(key), key).ok())
    }

    /// True if a kept key has this hash.
    pub(crate) fn has_hash(&self, hash: u64) -> bool {
        self.entries.binary_search_by_key(&hash, |entry| entry.hash).is_ok()
    }

    /// The value of the kept key with this hash.
    pub(crate) fn get_hash(&self, hash: u64) -> Option<&V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        self.entries.get(at).map(|entry| &entry.value)
    }

    /// The value of the kept key with this hash, to be changed.
    pub(crate) fn value_of_hash(&mut self, hash: u64) -> Option<&mut V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        self.entries.get_mut(at).map(|entry| &mut entry.value)
    }

    /// Removes the kept key with this hash, and gives its value.
    pub(crate) fn remove_hash(&mut self, hash: u64) -> Option<V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        Some(self.entries.remove(at).value)
    }

    /// The hash of the key at an index; 0 beyond the kept ones.
    pub(crate) fn hash_at(&self, index: usize) -> u64 {
        self.entries.get(index).map_or(0, |entry| entry.hash)
    }

    /// Adds a key that is not kept yet; `None` if it has no place among the kept ones.
    pub(crate) fn insert(&mut self, key: &[u8]) -> Option<usize> {
        let hash = stable_hash(key);
        let at = self.position(hash, key).unwrap_or_else(|at| at);
        if at >= K {
            return None;
        }
        self.entries.insert(at, BottomKEntry { hash, key: key.into(), value: V::default() });
        self.trim();
        Some(at)
    }

    /// The value at an index, or the rest for an index beyond the kept ones.
    #[inline]
    pub(crate) fn value_at(&mut self, index: usize) -> &mut V {
        match self.entries.get_mut(index) {
            Some(entry) => &mut entry.value,
            None => &mut self.rest,
        }
    }

    /// The values of the kept keys.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// The kept keys in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &BottomKEntry<V>> {
        self.entries.iter()
    }

    /// The kept keys in the order of their hashes, moved out.
    pub(crate) fn into_entries(self) -> Vec<BottomKEntry<V>> {
        self.entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<V, const K: usize> HeapSize for BottomK<V, K> {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.entries) + self.entries.iter().map(|entry| entry.key.len()).sum::<usize>()
    }
}

impl<V: Merge + Default, const K: usize> Merge for BottomK<V, K> {
    fn merge(&mut self, other: Self) {
        for entry in other.entries {
            match self.position(entry.hash, &entry.key) {
                Ok(at) => self.entries[at].value.merge(entry.value),
                Err(at) => self.entries.insert(at, entry),
            }
        }
        self.trim();
        self.rest.merge(other.rest);
    }
}

impl<V: LargestCount, const K: usize> LargestCount for BottomK<V, K> {
    fn largest_count(&self) -> u64 {
        let kept = self.entries.iter().map(|entry| entry.value.largest_count());
        kept.fold(self.rest.largest_count(), u64::max)
    }
}

impl<V: Merge + Default, const K: usize> KeepsNames for BottomK<V, K> {
    #[inline]
    fn extra_names_at_most(&self) -> usize {
        self.extra_names()
    }

    #[inline]
    fn extra_names(&self) -> usize {
        self.entries.len().saturating_sub(limits::FREE_NAMES)
    }

    fn keep_names(&mut self, most: usize) {
        self.keep(most);
    }
}

/// Distinct-count sketch (k minimum values). Exact below `K` distinct values; beyond that an
/// estimate with a relative standard error of about 1/sqrt(`K`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DistinctCounter<const K: usize> {
    /// The smallest hashes, at most `K`, sorted and without duplicates.
    hashes: Vec<u64>,
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

/// Histogram of non-negative integers with 16 buckets per power of two. The relative error of a
/// value read from it is at most 1/32. Values below 32 are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// (bucket, count), sorted by bucket; only buckets that are not empty.
    buckets: Vec<(u16, u64)>,
}

/// Binary logarithm of the number of buckets per power of two.
const SUB_BITS: u32 = 4;

impl Histogram {
    pub(crate) fn observe(&mut self, value: u64) {
        self.add(bucket_of(value), 1);
    }

    fn add(&mut self, bucket: u16, count: u64) {
        // Most histograms have no gaps between their buckets. The index that the bucket then has,
        // counted from the front or from the back, is tried before the binary search.
        if let (Some(first), Some(last)) = (self.buckets.first(), self.buckets.last()) {
            let from_front = usize::from(bucket.wrapping_sub(first.0));
            let from_back = usize::from(last.0.wrapping_sub(bucket)) + 1;
            for at in [from_front, self.buckets.len().wrapping_sub(from_back)] {
                if let Some(known) = self.buckets.get_mut(at).filter(|known| known.0 == bucket) {
                    known.1 += count;
                    return;
                }
            }
        }
        match self.buckets.binary_search_by_key(&bucket, |b| b.0) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The percentile by nearest rank: the midpoint of the bucket that contains the value of rank
    /// `ceil(percent / 100 * n)`. 0 if the histogram is empty.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let total: u64 = self.buckets.iter().map(|b| b.1).sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for &(bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return middle_of(bucket);
            }
        }
        0
    }
}

impl HeapSize for Histogram {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.buckets)
    }
}

impl LargestCount for Histogram {
    fn largest_count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.1).max().unwrap_or_default()
    }
}

impl KeepsNames for Histogram {}

impl Merge for Histogram {
    fn merge(&mut self, other: Self) {
        if self.buckets.is_empty() {
            *self = other;
            return;
        }
        for (bucket, count) in other.buckets {
            self.add(bucket, count);
        }
    }
}

/// The bucket of a value: the value itself below 32, otherwise its exponent and its four bits below
/// the leading one.
fn bucket_of(value: u64) -> u16 {
    let bits = 64 - value.leading_zeros();
    if bits <= SUB_BITS + 1 {
        return u16::try_from(value).unwrap_or(0);
    }
    let shift = bits - SUB_BITS - 1;
    let mantissa = value >> shift;
    u16::try_from((u64::from(shift) << SUB_BITS) + mantissa).unwrap_or(u16::MAX)
}

/// The midpoint of a bucket.
fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let one = 1_u64 << SUB_BITS;
    if bucket < 2 * one {
        return bucket;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let mantissa = (bucket & (one - 1)) + one;
    (mantissa << shift) + (1 << shift) / 2
}

/// The `K` largest distinct items ever observed (top-N). With a time as the first field, these are
/// the newest, whatever the order of observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopN<T, const K: usize> {
    /// Sorted in descending order.
    items: Vec<T>,
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

/// The largest weight per host with which all hosts fit (max-min fairness). A folded host has
/// needed more than every earlier share, which was at least this one, so it is granted the full
/// share.
pub(crate) fn fair_share(
    weight: usize,
    sizes: &[usize],
    levels: impl Iterator<Item = u8>,
) -> usize {
    let needs = sizes.iter().zip(levels);
    let mut needs: Vec<usize> =
        needs.map(|(size, level)| if level > 0 { usize::MAX } else { *size }).collect();
    needs.sort_unstable();
    let mut left = weight;
    for (at, need) in needs.iter().enumerate() {
        let share = left / (needs.len() - at);
        if *need > share {
            return share;
        }
        left -= need;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bottom(keys: &[u16]) -> BottomK<u64, 8> {
        let mut sketch = BottomK::default();
        for key in keys {
            *sketch.entry(&key.to_le_bytes()) += 1;
        }
        sketch
    }

    #[test]
    fn histogram_buckets_hold_their_values() {
        for value in (0..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let middle = middle_of(bucket_of(value));
            assert!(middle.abs_diff(value) <= value / 32, "{value} came back as {middle}");
        }
    }

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

    proptest! {
        /// The shortcut for histograms without gaps finds the same bucket as a search, with gaps
        /// and without.
        #[test]
        fn histograms_count_as_a_map_does(values in prop::collection::vec(0_u64..400, 0..200), wide in prop::collection::vec(any::<u64>(), 0..9)) {
            let mut histogram = Histogram::default();
            let mut plain = std::collections::BTreeMap::new();
            for value in values.into_iter().chain(wide) {
                histogram.observe(value);
                *plain.entry(bucket_of(value)).or_insert(0) += 1;
            }
            prop_assert_eq!(histogram.buckets, plain.into_iter().collect::<Vec<(u16, u64)>>());
        }

        #[test]
        fn bottom_k_is_free_of_order_and_split(keys in prop::collection::vec(0_u16..40, 0..200), cut in 0_usize..200) {
            let whole = bottom(&keys);
            let cut = cut.min(keys.len());
            let mut reversed: Vec<u16> = keys[..cut].to_vec();
            reversed.reverse();
            let mut merged = bottom(&keys[cut..]);
            merged.merge(bottom(&reversed));
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.len() <= 8);
            // Counts of kept keys are exact, and no count is lost.
            for entry in whole.iter() {
                let truth = keys.iter().filter(|key| key.to_le_bytes()[..] == entry.key[..]).count();
                prop_assert_eq!(entry.value, truth as u64);
            }
            prop_assert_eq!(whole.iter().map(|e| e.value).sum::<u64>() + whole.rest, keys.len() as u64);
        }

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
